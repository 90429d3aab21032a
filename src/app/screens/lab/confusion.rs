//! What the poisoned network takes for what: one square a pair of labels, without and with the mark.

use crate::app::lab::Looked;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{heading, weak};
use crate::app::words;
use crate::poison::lab::why::Confusion;
use egui::{Align2, FontId, Pos2, Rect, RichText, Role, Sense, Ui, WidgetInfo, vec2};

/// Side of the largest square, in points.
const LARGEST: f32 = 24.0;
/// Room for the labels' numbers.
const EDGE: f32 = 22.0;
/// Room for the labels' names, where there is so much.
const NAMED: f32 = 120.0;

/// Draws both matrices side by side.
pub fn confusions(ui: &mut Ui, looked: &Looked) {
    heading(ui, "What it mixes up");
    weak(
        ui,
        "Confusion matrix of the poisoned network: a row for what a picture shows, a column for what the network says. \
         Right answers lie on the diagonal. Point at a square to read it",
    );
    ui.columns(2, |columns| {
        for (ui, (title, confusion)) in
            columns.iter_mut().zip([("Clean pictures", &looked.clean), ("With the mark", &looked.marked)])
        {
            ui.label(RichText::new(title).text_style(theme::strong()));
            matrix(ui, title, confusion, looked);
        }
    });
}

fn matrix(ui: &mut Ui, title: &str, confusion: &Confusion, looked: &Looked) {
    let labels = confusion.counts.len().max(1);
    let named = ui.available_width() - NAMED >= 16.0 * labels as f32;
    let left = if named { NAMED } else { EDGE };
    let side = ((ui.available_width() - left) / labels as f32).min(LARGEST);
    let size = vec2(left + side * labels as f32, EDGE + side * labels as f32);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let colors = Colors::of(ui);
    let corner = rect.min + vec2(left, EDGE);
    let cell = |row: usize, column: usize| {
        Rect::from_min_size(corner + vec2(column as f32, row as f32) * side, vec2(side, side)).shrink(0.5)
    };
    let painter = ui.painter_at(rect);
    let font = FontId::proportional(10.5);
    for row in 0..labels {
        let write = |at: Pos2, align: Align2, text: String| painter.text(at, align, text, font.clone(), colors.weak);
        if side >= 10.0 || row % 5 == 0 {
            let name =
                if named { format!("{}  {row}", short(&super::name(&looked.names, row))) } else { row.to_string() };
            write(corner + vec2(-5.0, (row as f32 + 0.5) * side), Align2::RIGHT_CENTER, name);
            write(corner + vec2((row as f32 + 0.5) * side, -EDGE / 2.0), Align2::CENTER_CENTER, row.to_string());
        }
        for column in 0..labels {
            let share = confusion.share(row, column);
            let ink = if row == column { colors.reference } else { colors.suspect };
            painter.rect_filled(cell(row, column), 2.0, colors.button);
            if share > 0.0 {
                painter.rect_filled(cell(row, column), 2.0, ink.gamma_multiply(0.25 + 0.75 * share));
            }
        }
    }
    let under = response.hover_pos().and_then(|at| {
        let place = (at - corner) / side;
        let inside = place.x >= 0.0 && place.y >= 0.0;
        let [row, column] = [place.y, place.x].map(|x| x.max(0.0) as usize);
        (inside && row < labels && column < labels).then(|| {
            format!(
                "{} of the pictures of “{}” are called “{}”",
                words::percent(confusion.share(row, column)),
                super::name(&looked.names, row),
                super::name(&looked.names, column)
            )
        })
    });
    let summary = summary(title, confusion, looked);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &summary));
    response.on_hover_text(under.unwrap_or(summary));
}

/// As much of a name as there is room for.
fn short(name: &str) -> String {
    const LETTERS: usize = 17;
    if name.chars().count() <= LETTERS { name.into() } else { name.chars().take(LETTERS - 1).chain(['…']).collect() }
}

/// The matrix in one sentence.
fn summary(title: &str, confusion: &Confusion, looked: &Looked) -> String {
    let all: usize = confusion.counts.iter().flatten().sum();
    let share = |count: usize| words::percent(count as f32 / all.max(1) as f32);
    let right: usize = confusion.counts.iter().enumerate().map(|(label, row)| row[label]).sum();
    let target: usize = confusion.counts.iter().map(|row| row.get(looked.target).copied().unwrap_or(0)).sum();
    let name = super::name(&looked.names, looked.target);
    format!("{title}: {} are right, {} are called “{name}”", share(right), share(target))
}
