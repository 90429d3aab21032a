//! The glossary in a window of its own over the screen, found by some letters.

use super::over_the_screen;
use crate::app::command::{Command, Commands};
use crate::app::glossary::{ENTRIES, Entry, has};
use crate::app::theme::{self, Colors};
use crate::app::widgets::weak;
use egui::{Context, Frame, Label, RichText, ScrollArea, TextEdit, Ui, vec2};

/// The glossary while it is open.
#[derive(Debug, Default)]
pub struct GlossaryView {
    letters: String,
    /// The entry that was asked for.
    sought: Option<&'static str>,
    /// Whether it still has to be brought into view.
    fresh: bool,
}

impl GlossaryView {
    /// Open, at an entry or at its beginning.
    pub fn at(sought: Option<&'static str>) -> Self {
        Self { letters: String::new(), sought, fresh: true }
    }

    /// Draws it.
    pub fn ui(&mut self, ctx: &Context, commands: &mut Commands) {
        let mut open = true;
        over_the_screen(ctx, "Glossary", [vec2(520.0, 460.0), vec2(320.0, 200.0)], &mut open).show(ctx, |ui| {
            let field = TextEdit::singleline(&mut self.letters).hint_text("Find a term").desired_width(f32::INFINITY);
            let field = ui.add(field);
            field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::SearchInput, true, "Find a term"));
            if self.fresh && self.sought.is_none() {
                field.request_focus();
            }
            ui.separator();
            let found: Vec<&Entry> = ENTRIES.iter().filter(|entry| has(entry, &self.letters)).collect();
            if found.is_empty() {
                weak(ui, "No entry has these letters");
            }
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                found.into_iter().for_each(|entry| self.entry(ui, entry));
            });
        });
        self.fresh = false;
        if !open {
            commands.send(Command::ShowGlossary(false));
        }
    }

    fn entry(&self, ui: &mut Ui, entry: &Entry) {
        let colors = Colors::of(ui);
        let sought = self.sought == Some(entry.name);
        let ground = if sought { colors.selection } else { egui::Color32::TRANSPARENT };
        let frame = Frame::NONE.fill(ground).corner_radius(6).inner_margin(egui::Margin::symmetric(10, 8));
        let shown = frame.show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.label(RichText::new(entry.name).text_style(theme::strong()));
            ui.add(Label::new(entry.meaning).wrap());
            if !entry.source.is_empty() {
                ui.add(Label::new(RichText::new(entry.source).small().color(colors.weak)).wrap());
            }
        });
        if sought && self.fresh {
            shown.response.scroll_to_me(Some(egui::Align::Min));
        }
    }
}
