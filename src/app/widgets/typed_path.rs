//! A path to write to, typed where no file dialog can be opened.

use super::weak;
use crate::app::command::{Command, Commands};
use egui::{TextEdit, Ui};

/// Words and commands of one such field.
pub struct TypedPath<'a> {
    /// What is to be typed: "Type where it should go".
    pub asks: &'a str,
    /// Name of the field.
    pub label: &'a str,
    /// The button, and what it does.
    pub button: (&'a str, &'a str),
    /// Sent with the new text when it changed.
    pub typed: &'a dyn Fn(String) -> Command,
    /// Sent by the button.
    pub done: Command,
}

impl TypedPath<'_> {
    /// Draws it with the text as it is.
    pub fn ui(self, ui: &mut Ui, text: &str, commands: &mut Commands) {
        weak(ui, format!("No file dialog could be opened here. {}", self.asks));
        let mut text = text.to_owned();
        ui.horizontal(|ui| {
            let name = ui.label(self.label);
            let field = TextEdit::singleline(&mut text).desired_width(ui.available_width() - 130.0);
            if ui.add(field).labelled_by(name.id).changed() {
                commands.send((self.typed)(text.clone()));
            }
            if ui.button(self.button.0).on_hover_text(self.button.1).clicked() {
                commands.send(self.done);
            }
        });
    }
}
