//! How far the work is.

use crate::app::theme::Colors;
use egui::{Role, Sense, Ui, WidgetInfo, vec2};

/// A bar `width` points wide; `fraction` in `[0, 1]`.
pub fn progress_bar(ui: &mut Ui, fraction: f32, width: f32) {
    let colors = Colors::of(ui);
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    ui.painter().rect_filled(rect, 4.0, colors.button_hovered);
    if fraction > 0.0 {
        let done = rect.with_max_x(rect.left() + (rect.width() * fraction).max(8.0));
        ui.painter().rect_filled(done, 4.0, colors.accent);
    }
    let text = format!("{:.0} % done", fraction * 100.0);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, &text);
        info.value = Some(f64::from(fraction));
        info
    });
    response.on_hover_text(text);
}
