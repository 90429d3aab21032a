//! Pieces the screens are put together from. They draw and answer; they decide nothing.

mod canvas;
mod curves;
mod loss_plot;
mod number;
mod path_field;
mod picture;
mod progress;
mod repair_plot;
mod spotlight;
mod trouble;
mod typed_path;
mod verdict;
mod zoom;

pub use canvas::canvas;
pub use curves::{Curve, Curves};
pub use loss_plot::{LossPlot, legend, losses_of_one_label};
pub use number::{explained, help, numbers};
pub use path_field::path_field;
pub use picture::{Part, Pictures, close_up, heat, of_set, plain, trigger};
pub use progress::progress_bar;
pub use repair_plot::{repair_legend, repair_plot};
pub use spotlight::{lit, shine};
pub use trouble::trouble;
pub use typed_path::TypedPath;
pub use verdict::{badge, meaning, symbol};

use super::command::{Command, Commands};
use super::theme::Colors;
use egui::{Button, Response, RichText, Ui};

/// The button that goes on; one a screen.
pub fn primary_button(ui: &mut Ui, command: Command, enabled: bool, width: f32, commands: &mut Commands) -> Response {
    let colors = Colors::of(ui).primary;
    let hint = command.hint(ui.ctx());
    let text = RichText::new(command.text()).text_style(super::theme::strong()).color(colors.ink);
    let button = Button::new(text).fill(colors.ground).stroke(egui::Stroke::NONE).min_size(egui::vec2(width, 36.0));
    let response = ui
        .vertical_centered(|ui| ui.add_enabled(enabled, button))
        .inner
        .on_hover_text(hint.clone())
        .on_disabled_hover_text(hint);
    if response.clicked() {
        commands.send(command);
    }
    response
}

/// Writing that matters less.
pub fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    let color = Colors::of(ui).weak;
    ui.add(egui::Label::new(RichText::new(text).color(color)).wrap())
}

/// A heading within a screen.
pub fn heading(ui: &mut Ui, text: &str) -> Response {
    ui.add(egui::Label::new(RichText::new(text).text_style(egui::TextStyle::Heading)))
}
