//! The lesson that is read, above every screen it leads to: words, the place that lights up, and the way on.

use crate::app::command::{Command, Commands};
use crate::app::lab::{Facts, LabCommand, Progress};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{shine, weak};
use egui::{Align, Button, Frame, Label, Layout, Margin, RichText, Stroke, Ui};

/// Draws it, and lights up its place until what it asks for is done.
pub fn lesson(ui: &mut Ui, at: Progress, facts: &Facts<'_>, commands: &mut Commands) {
    let (lesson, step) = (at.lesson(), at.step());
    let done = facts.fulfils(step.until);
    shine(ui.ctx(), step.place);
    let colors = Colors::of(ui);
    let frame = Frame::NONE.fill(colors.selection).inner_margin(Margin::symmetric(16, 10));
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.horizontal(|ui| {
            let title = format!("Lesson {}: {}", at.lesson + 1, lesson.title);
            ui.label(RichText::new(title).text_style(theme::strong()));
            ui.label(RichText::new(format!("Step {} of {}", at.step + 1, lesson.steps.len())).color(colors.weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("End lesson").on_hover_text("Leave this lesson; the lab stays as it is").clicked() {
                    commands.send(Command::Lab(LabCommand::Lesson(None)));
                }
                let last = at.step + 1 == lesson.steps.len();
                let text = RichText::new(if last { "Finish" } else { "Next" }).text_style(theme::strong());
                let text = text.color(colors.primary.ink);
                let next = Button::new(text).fill(colors.primary.ground).stroke(Stroke::NONE);
                let next = ui.add_enabled(done, next).on_disabled_hover_text(step.until.asks());
                if next.accessible_name(if last { "Finish the lesson" } else { "Next step of the lesson" }).clicked() {
                    commands.send(Command::Lab(LabCommand::Turn(1)));
                }
                let back = ui.add_enabled(at.step > 0, Button::new("Back"));
                if back.accessible_name("Step back in the lesson").clicked() {
                    commands.send(Command::Lab(LabCommand::Turn(-1)));
                }
            });
        });
        ui.add(Label::new(RichText::new(facts.told(step.words)).color(colors.text)).wrap());
        if !done {
            weak(ui, step.until.asks());
        }
    });
}
