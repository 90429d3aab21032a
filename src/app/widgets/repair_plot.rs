//! What a repair does while it works: clean accuracy and how often the recovered trigger works, method after method.

use crate::app::theme::Colors;
use crate::app::words;
use crate::repair::Point;
use egui::{FontId, Role, Sense, Stroke, Ui, WidgetInfo, vec2};
use egui_plot::{AxisHints, GridMark, Line, LineStyle, Plot, PlotPoints, VLine};

/// Size of the writing along the axis.
const TICK: f32 = 11.5;

/// Draws the curves of the methods tried so far, each as wide as the others.
pub fn repair_plot(ui: &mut Ui, curves: &[(String, Vec<Point>)], height: f32) {
    let colors = Colors::of(ui);
    let all = |value: &dyn Fn(&Point) -> Option<f32>| -> Vec<Vec<[f64; 2]>> {
        let one = |(k, (_, curve)): (usize, &(String, Vec<Point>))| {
            let at = |p: &Point| Some([k as f64 + f64::from(p.done), 100.0 * f64::from(value(p)?)]);
            curve.iter().filter_map(at).collect()
        };
        curves.iter().enumerate().map(one).collect()
    };
    let (accuracy, asr) = (all(&|p| Some(p.accuracy)), all(&|p| p.asr));
    let methods = curves.len().max(1);
    let y_axis = AxisHints::new_y()
        .formatter(|mark, _| format!("{:.0} %", mark.value))
        .tick_label_font(FontId::proportional(TICK))
        .tick_label_color(colors.weak)
        .label_spacing(egui::Rangef::new(8.0, 12.0));
    let x_axis = AxisHints::new_x()
        .formatter(|mark, _| curves.get(mark.value.floor() as usize).map(|c| c.0.clone()).unwrap_or_default())
        .tick_label_font(FontId::proportional(TICK))
        .tick_label_color(colors.weak)
        .label_spacing(egui::Rangef::new(4.0, 8.0));
    let plot = Plot::new("repair")
        .height(height)
        .custom_x_axes(vec![x_axis])
        .custom_y_axes(vec![y_axis])
        .x_grid_spacer(move |_| (0..methods).map(|k| GridMark { value: k as f64 + 0.5, step_size: 1.0 }).collect())
        .y_grid_spacer(|_| (0..=4).map(|k| GridMark { value: 25.0 * f64::from(k), step_size: 25.0 }).collect())
        .grid_color(colors.border)
        .grid_fade(0.0)
        .include_x(0.0)
        .include_x(methods as f64)
        .include_y(0.0)
        .include_y(100.0)
        .set_margin_fraction(vec2(0.01, 0.05))
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .allow_axis_zoom_drag(false)
        .show_crosshair(false);
    let response = plot.show(ui, |plot| {
        for k in 1..methods {
            plot.vline(VLine::new(format!("method {k}"), k as f64).color(colors.weak).width(1.0).allow_hover(false));
        }
        for (k, points) in accuracy.into_iter().enumerate() {
            let line = Line::new(format!("clean accuracy {k}"), PlotPoints::from(points));
            plot.line(line.color(colors.reference).width(2.0));
        }
        for (k, points) in asr.into_iter().enumerate() {
            let line = Line::new(format!("trigger {k}"), PlotPoints::from(points));
            plot.line(line.color(colors.suspect).width(2.0).style(LineStyle::Dashed { length: 8.0 }));
        }
    });
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, summary(curves)));
}

/// Which line is which.
pub fn repair_legend(ui: &mut Ui) {
    let colors = Colors::of(ui);
    for (text, color, dashed) in
        [("clean accuracy", colors.reference, false), ("recovered trigger works on", colors.suspect, true)]
    {
        ui.spacing_mut().item_spacing.x = 5.0;
        let (rect, _) = ui.allocate_exact_size(vec2(22.0, 14.0), Sense::hover());
        let pieces: &[[f32; 2]] = if dashed { &[[0.0, 9.0], [13.0, 22.0]] } else { &[[0.0, 22.0]] };
        for [from, to] in pieces {
            let at = |x: f32| rect.left_center() + vec2(x, 0.0);
            ui.painter().line_segment([at(*from), at(*to)], Stroke::new(2.0, color));
        }
        ui.add(egui::Label::new(egui::RichText::new(text).small().color(colors.weak)).selectable(false));
        ui.add_space(8.0);
    }
}

/// The plot in one sentence, for those who cannot see it.
fn summary(curves: &[(String, Vec<Point>)]) -> String {
    let Some((method, last)) = curves.last().and_then(|(method, curve)| Some((method, curve.last()?))) else {
        return "Curves of the repair, still empty".into();
    };
    let trigger = last.asr.map_or(String::new(), |asr| format!(", the trigger works on {}", words::percent(asr)));
    format!("Curves of the repair: with {method} clean accuracy is {}{trigger}", words::percent(last.accuracy))
}
