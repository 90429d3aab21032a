//! A field for a path: typed, or chosen in a dialog.

use crate::app::command::{Command, Commands, Field};
use crate::app::theme;
use egui::{Button, RichText, TextEdit, Ui};
use std::path::PathBuf;

/// A label, a text field and the buttons that open dialogs (a word on the button and its command).
/// Sends [`Command::Understand`] when the text was changed and left. `recent` paths are offered in a menu.
pub fn path_field(
    ui: &mut Ui,
    label: &str,
    (field, text): (Field, &mut String),
    dialogs: &[(&str, Command)],
    recent: &[PathBuf],
    commands: &mut Commands,
) {
    let name = ui
        .horizontal(|ui| {
            let name = ui.label(RichText::new(label).text_style(theme::strong()));
            if !recent.is_empty() {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let menu = Button::new(RichText::new("Recent").small()).frame(false);
                    let (response, _) = egui::containers::menu::MenuButton::from_button(menu).ui(ui, |ui| {
                        for path in recent {
                            if ui.button(path.display().to_string()).clicked() {
                                commands.send(Command::Use(field, path.clone()));
                                ui.close();
                            }
                        }
                    });
                    response.accessible_name(format!("{label}: recent")).on_hover_text("Files of earlier audits");
                });
            }
            name
        })
        .inner;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let buttons: f32 = dialogs
            .iter()
            .map(|(word, _)| {
                let font = egui::TextStyle::Button.resolve(ui.style());
                let width = ui.painter().layout_no_wrap((*word).into(), font, egui::Color32::WHITE).size().x;
                width + 2.0 * ui.spacing().button_padding.x + 6.0
            })
            .sum();
        let width = (ui.available_width() - buttons).max(80.0);
        let edit = TextEdit::singleline(text)
            .desired_width(width)
            .margin(egui::Margin::symmetric(8, 5))
            .align(egui::Align2::LEFT_CENTER)
            .min_size(egui::vec2(0.0, 28.0));
        let mut response = ui.add(edit).labelled_by(name.id);
        // The field shows the beginning of a long path, and the file's name is at its end.
        if !text.is_empty() && !response.has_focus() {
            response = response.on_hover_text(text.as_str());
        }
        if response.lost_focus() {
            commands.send(Command::Understand);
        }
        for (word, command) in dialogs {
            let response = ui.button(*word).on_hover_text(command.hint(ui.ctx())).accessible_name(command.text());
            if response.clicked() {
                commands.send(command.clone());
            }
        }
    });
}
