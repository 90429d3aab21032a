//! A number with its name and a "what is this?".

use crate::app::glossary;
use crate::app::theme::{self, Colors};
use egui::{CursorIcon, Response, RichText, Sense, Ui};

/// A small "?" that explains on hover; its accessible name is `about`. Where the glossary has more, a click opens it there.
pub fn help(ui: &mut Ui, about: &str, explanation: &str) -> Response {
    let entry = glossary::find(about);
    let sense = if entry.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(egui::vec2(16.0, 16.0), sense);
    let colors = Colors::of(ui);
    let lit = response.has_focus() || (entry.is_some() && response.hovered());
    let color = if lit { colors.accent } else { colors.weak };
    ui.painter().circle_stroke(rect.center(), 7.0, egui::Stroke::new(1.0, color));
    let font = egui::FontId::proportional(10.5);
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "?", font, color);
    let role = if entry.is_some() { egui::Role::Button } else { egui::Role::Label };
    response.widget_info(|| egui::WidgetInfo::labeled(role, true, format!("What is “{about}”? {explanation}")));
    let Some(entry) = entry else { return response.on_hover_cursor(CursorIcon::Help).on_hover_text(explanation) };
    if response.clicked() {
        glossary::ask(ui.ctx(), entry);
    }
    response.on_hover_cursor(CursorIcon::Help).on_hover_text(format!("{explanation}\nClick for the glossary"))
}

/// A grid for [`explained`] numbers.
pub fn numbers(ui: &mut Ui, id: &str, rows: impl FnOnce(&mut Ui)) {
    egui::Grid::new(id).num_columns(2).spacing([22.0, 6.0]).min_row_height(20.0).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        rows(ui);
    });
}

/// One row of a grid with two columns: what it is, with an explanation, and the value.
pub fn explained(ui: &mut Ui, name: &str, value: &str, explanation: &str) {
    let color = Colors::of(ui).weak;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.label(RichText::new(name).color(color));
        help(ui, name, explanation);
    });
    ui.label(RichText::new(value).text_style(theme::strong()))
        .on_hover_cursor(CursorIcon::Help)
        .on_hover_text(explanation);
    ui.end_row();
}
