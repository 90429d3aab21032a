//! The list of lessons.

use crate::app::command::{Command, Commands};
use crate::app::lab::{LESSONS, LabCommand};
use crate::app::theme;
use crate::app::widgets::{heading, weak};
use crate::app::words;
use egui::{RichText, Ui};

/// Draws the list.
pub fn lessons(ui: &mut Ui, commands: &mut Commands) {
    heading(ui, "Lessons");
    weak(
        ui,
        "Short walks through the lab. Each lights up the place to click, and every number in them is measured on your own \
         networks at that moment",
    );
    for (i, lesson) in LESSONS.iter().enumerate() {
        theme::card(ui).inner_margin(10).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.horizontal(|ui| {
                let begin = ui.button("Begin").accessible_name(format!("Begin lesson {}", i + 1));
                if begin.on_hover_text(lesson.about).clicked() {
                    commands.send(Command::Lab(LabCommand::Lesson(Some(i))));
                }
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.label(RichText::new(format!("{}  {}", i + 1, lesson.title)).text_style(theme::strong()));
                    weak(ui, format!("{}, {}", lesson.about, words::counted(lesson.steps.len(), "step", "steps")));
                });
            });
        });
    }
}
