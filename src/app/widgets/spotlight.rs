//! A ring around the place a lesson speaks of, found by its accessible name.

use crate::app::theme::Colors;
use egui::{Context, Id, Response, Stroke, StrokeKind, Ui};

fn id() -> Id {
    Id::unique("spotlight")
}

/// Lights up the place of this name from now on; no place where there is none.
pub fn shine(ctx: &Context, name: &str) {
    ctx.data_mut(|data| {
        if data.get_temp::<String>(id()).as_deref() != Some(name) {
            data.insert_temp(id(), name.to_owned());
            data.remove::<String>(id().with("shown"));
        }
    });
}

/// Draws the ring around `response` where it is the place that is lit.
pub fn lit(ui: &Ui, response: Response, name: &str) -> Response {
    let shines = ui.ctx().data(|data| data.get_temp::<String>(id())).is_some_and(|lit| !lit.is_empty() && lit == name);
    if shines {
        let colors = Colors::of(ui);
        let rect = response.rect.expand(2.0);
        let painter = ui.ctx().layer_painter(ui.layer_id()).with_clip_rect(ui.clip_rect().expand(4.0));
        painter.rect_stroke(
            rect.expand(2.0),
            7.0,
            Stroke::new(4.0, colors.accent.gamma_multiply(0.3)),
            StrokeKind::Outside,
        );
        painter.rect_stroke(rect, 6.0, Stroke::new(2.0, colors.accent), StrokeKind::Outside);
        if ui.ctx().data(|data| data.get_temp::<String>(id().with("shown"))).as_deref() != Some(name) {
            // Once: whoever scrolls away afterwards is not pulled back.
            ui.ctx().data_mut(|data| data.insert_temp(id().with("shown"), name.to_owned()));
            response.scroll_to_me(None);
        }
    }
    response
}
