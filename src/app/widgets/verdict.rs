//! A verdict as symbol, word and colour: never colour alone.

use crate::app::theme::{self, Colors};
use crate::app::words;
use crate::audit::Verdict;
use egui::{Align2, Color32, FontId, Painter, Pos2, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, vec2};

/// Paints the symbol of a verdict: a filled triangle with "!", a diamond with "?", a ring.
pub fn symbol(painter: &Painter, center: Pos2, radius: f32, verdict: Verdict, ink: Color32, ground: Color32) {
    let strong = theme::strong_family();
    match verdict {
        Verdict::Infected => {
            let corners = [vec2(0.0, -1.0), vec2(1.05, 0.85), vec2(-1.05, 0.85)].map(|v| center + v * radius);
            painter.add(Shape::convex_polygon(corners.into(), ink, Stroke::new(radius * 0.25, ink)));
            let font = FontId::new(radius * 1.35, strong);
            painter.text(center + vec2(0.0, radius * 0.22), Align2::CENTER_CENTER, "!", font, ground);
        }
        Verdict::Suspicious => {
            let corners =
                [vec2(0.0, -1.0), vec2(1.0, 0.0), vec2(0.0, 1.0), vec2(-1.0, 0.0)].map(|v| center + v * radius * 1.1);
            painter.add(Shape::convex_polygon(corners.into(), ground, Stroke::new((radius * 0.18).max(1.3), ink)));
            let font = FontId::new(radius * 1.35, strong);
            painter.text(center, Align2::CENTER_CENTER, "?", font, ink);
        }
        Verdict::NoEvidence => {
            painter.circle_stroke(center, radius * 0.8, Stroke::new((radius * 0.2).max(1.3), ink));
            let half = vec2(radius * 0.36, 0.0);
            painter.line_segment([center - half, center + half], Stroke::new((radius * 0.2).max(1.3), ink));
        }
    }
}

/// The verdict in a rounded box.
pub fn badge(ui: &mut Ui, verdict: Verdict) -> Response {
    const HEIGHT: f32 = 22.0;
    const MARK: f32 = 24.0;
    let pair = Colors::of(ui).verdict(verdict);
    let word = words::verdict(verdict);
    let text = ui.painter().layout_no_wrap(word.into(), FontId::new(12.5, theme::strong_family()), pair.ink);
    let (rect, response) = ui.allocate_exact_size(vec2(MARK + text.size().x + 9.0, HEIGHT), Sense::hover());
    ui.painter().rect_filled(rect, HEIGHT / 2.0, pair.ground);
    symbol(ui.painter(), rect.left_center() + vec2(14.0, 0.0), 5.5, verdict, pair.ink, pair.ground);
    let at = rect.left_center() + vec2(MARK, -text.size().y / 2.0);
    ui.painter().galley(at, text, pair.ink);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, word));
    response.on_hover_text(meaning(verdict))
}

/// What a verdict means, in a sentence.
pub fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Infected => "A recovered trigger turns pictures that were held back from the search into this label",
        Verdict::Suspicious => "Something is beyond what honest models show, but no trigger confirms it",
        Verdict::NoEvidence => "Nothing was found; that is not a proof that there is nothing",
    }
}
