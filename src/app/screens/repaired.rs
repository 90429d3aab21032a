//! What a repair did: numbers and pictures before and after, the second audit, and what is not proved.

use super::repair::aim;
use crate::app::command::{Command, Commands};
use crate::app::known::Known;
use crate::app::repairing::Repairing;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Part, Pictures, badge, heading, plain, repair_legend, repair_plot, trouble, weak};
use crate::app::words;
use crate::audit::Verdict;
use crate::audit::repairing::RepairReport;
use crate::detect::Example;
use egui::{Button, Frame, Grid, Label, Margin, RichText, Ui};

/// Width of a real picture on the screen, in points.
const SIDE: f32 = 108.0;
/// With more labels than this only those that changed most are shown.
const MANY_LABELS: usize = 20;
/// Distance between two of them.
const BETWEEN: f32 = 14.0;

/// What is drawn.
pub struct Repaired<'a> {
    /// All labels of the audit.
    pub known: &'a Known,
    /// The repair.
    pub repair: &'a Repairing,
    /// What came of it.
    pub report: &'a RepairReport,
}

impl Repaired<'_> {
    /// Draws it.
    pub fn ui(&self, ui: &mut Ui, pictures: &mut Pictures, commands: &mut Commands) {
        self.banner(ui, commands);
        self.export(ui, commands);
        self.numbers(ui);
        self.pictures(ui, pictures);
        self.second_audit(ui);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "What this does not prove");
            for limit in &self.report.limits {
                ui.add(Label::new(format!("•  {limit}")).wrap());
            }
        });
        self.labels(ui);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "How it went");
            ui.horizontal(repair_legend);
            repair_plot(ui, &self.repair.curves, 190.0);
        });
    }

    /// Name of a label; the second audit knows it even while another audit runs.
    fn name(&self, label: usize) -> String {
        let again = self.report.scanned_again.as_ref().and_then(|again| again.images.names.get(label));
        again.cloned().unwrap_or_else(|| self.known.name(label))
    }

    fn banner(&self, ui: &mut Ui, commands: &mut Commands) {
        let verdict = if self.report.is_clean() { Verdict::NoEvidence } else { Verdict::Suspicious };
        let pair = Colors::of(ui).verdict(verdict);
        Frame::NONE
            .fill(pair.ground)
            .stroke(egui::Stroke::new(1.0, pair.ink.gamma_multiply(0.35)))
            .corner_radius(8)
            .inner_margin(Margin::symmetric(16, 12))
            .show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                let text = RichText::new(words::repaired(self.report)).text_style(egui::TextStyle::Heading);
                ui.add(Label::new(text.color(pair.ink)).wrap());
                let about = format!(
                    "{}, {}. The suspect's file was left as it is",
                    words::method(&self.report.method),
                    words::duration(self.report.seconds)
                );
                ui.add(Label::new(RichText::new(about).color(Colors::of(ui).text)).wrap());
                ui.horizontal(|ui| {
                    let primary = Colors::of(ui).primary;
                    let text = RichText::new(Command::Export.text()).text_style(theme::strong()).color(primary.ink);
                    let export = ui.add(Button::new(text).fill(primary.ground).stroke(egui::Stroke::NONE));
                    if export.on_hover_text(Command::Export.tooltip()).clicked() {
                        commands.send(Command::Export);
                    }
                    for command in [Command::ScanAgain, Command::RepairAgain] {
                        if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                            commands.send(command);
                        }
                    }
                });
            });
    }

    fn export(&self, ui: &mut Ui, commands: &mut Commands) {
        match &self.repair.exported {
            Some(Ok(path)) => {
                let text = format!("The repaired model is in {}", path.display());
                ui.add(Label::new(RichText::new(text).text_style(theme::strong())).wrap());
            }
            Some(Err(sentence)) => trouble(ui, "The repaired model was not exported", sentence),
            None => {}
        }
        if let Some(typed) = &self.repair.typed {
            weak(ui, "No file dialog could be opened here. Type where the repaired model should go");
            let mut text = typed.clone();
            ui.horizontal(|ui| {
                let name = ui.label("Export to");
                let field = egui::TextEdit::singleline(&mut text).desired_width(ui.available_width() - 130.0);
                if ui.add(field).labelled_by(name.id).changed() {
                    commands.send(Command::TypeExport(text.clone()));
                }
                if ui.button("Export here").on_hover_text("Write the repaired model to this path").clicked() {
                    commands.send(Command::ExportTyped);
                }
            });
        }
    }

    fn numbers(&self, ui: &mut Ui) {
        let (before, after) = (&self.report.before, &self.report.after);
        let asr = |m: &crate::repair::Measured| m.worst_asr().map_or_else(|| "–".to_owned(), words::percent);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Before and after");
            Grid::new("before and after").num_columns(3).spacing([36.0, 8.0]).show(ui, |ui| {
                let color = Colors::of(ui).weak;
                for title in ["", "Before", "After"] {
                    ui.label(RichText::new(title).color(color));
                }
                ui.end_row();
                for (what, [before, after]) in [
                    ("Clean accuracy", [words::percent(before.accuracy), words::percent(after.accuracy)]),
                    ("Recovered trigger works on", [asr(before), asr(after)]),
                ] {
                    ui.label(what);
                    for (value, when) in [(before, "before"), (after, "after")] {
                        let text = RichText::new(&value).text_style(egui::TextStyle::Heading);
                        ui.label(text).on_hover_text(format!("{what} {when} the repair"));
                    }
                    ui.end_row();
                }
            });
            let aim = aim(self.report.order.aim, before.worst_asr().is_some());
            let met = if self.report.meets_aim { "met" } else { "not met" };
            weak(ui, format!("Aim, {met}: {}{}", aim[..1].to_lowercase(), &aim[1..]));
            weak(ui, format!("Measured on {} held back", words::counted(after.images, "image", "images")));
        });
    }

    fn pictures(&self, ui: &mut Ui, pictures: &mut Pictures) {
        let pairs: Vec<(usize, (&Example, &Example))> =
            self.report.examples_before.iter().zip(&self.report.examples_after).enumerate().collect();
        if pairs.is_empty() {
            return;
        }
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "The same pictures before and after");
            weak(ui, "Above the clean picture, below the same with the recovered trigger; under each what the suspect says, then what the repaired model says");
            let in_a_row = (ui.available_width() / (SIDE + BETWEEN)).floor().max(1.0) as usize;
            for some in pairs.chunks(in_a_row) {
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = BETWEEN;
                    for &(i, (before, after)) in some {
                        self.pair(ui, i, before, after, pictures);
                    }
                });
            }
        });
    }

    fn pair(&self, ui: &mut Ui, i: usize, before: &Example, after: &Example, pictures: &mut Pictures) {
        let truth = self.name(before.truth);
        ui.vertical(|ui| {
            ui.set_width(SIDE);
            ui.spacing_mut().item_spacing.y = 2.0;
            for (part, picture, said, says, what) in [
                (Part::Before(i), &before.before, before.answer_before, after.answer_before, "Clean picture"),
                (Part::After(i), &before.after, before.answer_after, after.answer_after, "With the trigger"),
            ] {
                let names = [self.name(said.0), self.name(says.0)];
                let alt = format!(
                    "{what} {} of {truth}: the suspect says {}, the repaired model {}",
                    i + 1,
                    names[0],
                    names[1]
                );
                pictures.show(ui, (self.repair.version, part), SIDE, &alt, || plain(picture)).on_hover_text(format!(
                    "{what}. It shows “{truth}”; the suspect says “{}”, {} sure, the repaired model “{}”, {} sure",
                    names[0],
                    words::percent(said.1),
                    names[1],
                    words::percent(says.1)
                ));
                for ((when, name), answer) in ["before", "after"].iter().zip(&names).zip([said.0, says.0]) {
                    let wrong = answer != before.truth;
                    let colors = Colors::of(ui);
                    let color = if wrong { colors.verdict(Verdict::Infected).ink } else { colors.text };
                    let when = format!("{when}{}", if wrong { ", wrong" } else { "" });
                    ui.add(Label::new(RichText::new(when).small().color(colors.weak)));
                    ui.add(Label::new(RichText::new(name).text_style(theme::strong()).color(color)).truncate());
                }
                ui.add_space(6.0);
            }
        });
    }

    fn second_audit(&self, ui: &mut Ui) {
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Second audit, of the repaired model");
            match &self.report.scanned_again {
                Some(again) => {
                    badge(ui, again.verdict);
                    ui.add(Label::new(&again.summary).wrap());
                    weak(ui, format!("Seed {}, in {}", again.order.settings.seed, words::duration(again.seconds)));
                }
                None => {
                    weak(ui, "The repaired model was not examined again");
                }
            }
        });
    }

    fn labels(&self, ui: &mut Ui) {
        let (shown, hidden) = self.report.changed_most(MANY_LABELS);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Clean accuracy by label");
            Grid::new("by label").num_columns(3).spacing([36.0, 4.0]).striped(true).show(ui, |ui| {
                let color = Colors::of(ui).weak;
                for title in ["Label", "Before", "After"] {
                    ui.label(RichText::new(title).color(color));
                }
                ui.end_row();
                for (label, before, after) in &shown {
                    ui.label(format!("{label} {}", self.name(*label)));
                    ui.label(words::percent(*before));
                    ui.label(words::percent(*after));
                    ui.end_row();
                }
            });
            if hidden > 0 {
                weak(ui, format!("{} that changed less are not shown", words::counted(hidden, "label", "labels")));
            }
        });
    }
}
