//! The audits the program keeps, as a list: open one, go on with one that was interrupted, compare, remove.

use crate::app::command::{Command, Commands};
use crate::app::kept::{Kept, Source};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{badge, trouble, weak};
use crate::app::words;
use crate::shelf::{Entry, State};
use egui::{Align, Button, Label, Layout, RichText, Ui, vec2};

/// Height of a line.
const LINE: f32 = 42.0;
/// Room for the widest verdict.
const VERDICT: f32 = 168.0;
/// Room for one button.
const BUTTON: f32 = 66.0;

/// Draws it. `comparable` where an audit is open that another can be held beside.
pub fn recent_audits(ui: &mut Ui, kept: &Kept, comparable: bool, commands: &mut Commands) {
    if let Some(sentence) = &kept.trouble {
        trouble(ui, "The audit could not be opened", sentence);
    }
    if kept.is_opening() {
        ui.horizontal(|ui| {
            ui.add(egui::Spinner::new().size(16.0));
            weak(ui, "Opening the audit…");
        });
    }
    if kept.entries.is_empty() {
        return;
    }
    ui.label(RichText::new("Recent audits").text_style(theme::strong()));
    theme::card(ui).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let height = (kept.entries.len() as f32 * (LINE + 2.0)).min(240.0);
        egui::ScrollArea::vertical().id_salt("recent audits").max_height(height).auto_shrink([false, true]).show_rows(
            ui,
            LINE,
            kept.entries.len(),
            |ui, range| {
                for entry in &kept.entries[range] {
                    line(ui, entry, comparable, commands);
                }
            },
        );
    });
}

fn line(ui: &mut Ui, entry: &Entry, comparable: bool, commands: &mut Commands) {
    let colors = Colors::of(ui);
    ui.allocate_ui_with_layout(vec2(ui.available_width(), LINE), Layout::left_to_right(Align::Center), |ui| {
        let when = words::time(entry.when);
        ui.allocate_ui_with_layout(vec2(VERDICT, LINE), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(VERDICT);
            match entry.state {
                State::Finished { verdict, .. } => {
                    badge(ui, verdict);
                }
                State::Interrupted { fraction } => {
                    let text = format!("Interrupted at {:.0} %", 100.0 * fraction);
                    ui.label(RichText::new(text).color(colors.weak))
                        .on_hover_text("The program ended before this audit did. What was finished by then is kept");
                }
            }
        });
        let name = format!("{} with {}", entry.model, entry.images);
        let buttons = match entry.state {
            State::Finished { stopped, .. } => 2 + usize::from(comparable) + usize::from(stopped),
            State::Interrupted { .. } => 2,
        };
        let room = (ui.available_width() - BUTTON * buttons as f32).max(60.0);
        ui.allocate_ui_with_layout(vec2(room, LINE), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(room);
            let stopped = matches!(entry.state, State::Finished { stopped: true, .. });
            let about = if stopped { format!("Stopped, {when}") } else { when.clone() };
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                ui.add_space(3.0);
                ui.add(Label::new(&name).truncate()).on_hover_text(format!("{name}\n{about}"));
                ui.add(Label::new(RichText::new(&about).small().color(colors.weak)).truncate());
            });
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut button = |ui: &mut Ui, text: &str, command: Command| {
                let named = format!("{text}: {} {when}", entry.model);
                let hint = command.tooltip();
                if ui.add(Button::new(text).small()).on_hover_text(hint).accessible_name(named).clicked() {
                    commands.send(command);
                }
            };
            button(ui, "Remove", Command::RemoveKept(entry.id.clone()));
            let source = Source::Kept(entry.id.clone());
            if let State::Finished { stopped, .. } = entry.state {
                if comparable {
                    button(ui, "Compare", Command::Compare(source.clone()));
                }
                if stopped {
                    button(ui, "Go on", Command::GoOn(entry.id.clone()));
                }
                button(ui, "Open", Command::OpenSaved(source));
            } else {
                button(ui, "Go on", Command::GoOn(entry.id.clone()));
            }
        });
    });
}
