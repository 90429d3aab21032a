//! Lines over something that was turned or that passed: accuracy and attack success over training, or over a knob.

use crate::app::theme::Colors;
use egui::{Color32, FontId, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo, vec2};
use egui_plot::{AxisHints, Line, LineStyle, MarkerShape, Plot, PlotPoints, Points};

/// Size of the writing along the axes.
const TICK: f32 = 11.5;

/// One line.
pub struct Curve {
    /// What it is, in the legend.
    pub name: &'static str,
    /// Its colour.
    pub color: Color32,
    /// Dashed, so that colour is not all that tells it apart.
    pub dashed: bool,
    /// Points by rising x.
    pub points: Vec<[f64; 2]>,
}

/// A plot of some lines.
pub struct Curves<'a> {
    /// Tells plots apart.
    pub id: &'static str,
    /// The lines.
    pub curves: Vec<Curve>,
    /// Below the plot.
    pub x: &'a str,
    /// Ends of the horizontal axis, where they are known.
    pub range: Option<[f64; 2]>,
    /// Whether the vertical axis is a share in percent.
    pub percent: bool,
    /// Whether every point has a marker: few points that were measured one by one.
    pub marked: bool,
    /// In points.
    pub height: f32,
    /// The plot in one sentence.
    pub summary: String,
}

impl Curves<'_> {
    /// Draws legend and plot.
    pub fn ui(self, ui: &mut Ui) -> Response {
        let colors = Colors::of(ui);
        ui.horizontal_wrapped(|ui| legend(ui, &self.curves));
        let percent = self.percent;
        let axis =
            |hints: AxisHints<'static>| hints.tick_label_font(FontId::proportional(TICK)).tick_label_color(colors.weak);
        let y_axis = axis(AxisHints::new_y())
            .formatter(move |mark, _| if percent { format!("{:.0} %", mark.value) } else { short(mark.value) })
            .label_spacing(egui::Rangef::new(8.0, 12.0));
        let x_axis = axis(AxisHints::new_x())
            .formatter(|mark, _| short(mark.value))
            .label(RichText::new(self.x).size(TICK).color(colors.weak));
        let mut plot = Plot::new(self.id)
            .height(self.height)
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
            .grid_color(colors.border)
            .grid_fade(0.0)
            .include_y(0.0)
            .set_margin_fraction(vec2(0.02, 0.06))
            .allow_scroll(false)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_axis_zoom_drag(false)
            .show_crosshair(false);
        if self.percent {
            plot = plot.include_y(100.0);
        }
        if let Some([from, to]) = self.range {
            plot = plot.include_x(from).include_x(to);
        }
        let shown = plot.show(ui, |plot| {
            for curve in &self.curves {
                let style = if curve.dashed { LineStyle::Dashed { length: 8.0 } } else { LineStyle::Solid };
                let points = || PlotPoints::from(curve.points.clone());
                plot.line(Line::new(curve.name, points()).color(curve.color).width(2.0).style(style));
                if self.marked {
                    let shape = if curve.dashed { MarkerShape::Diamond } else { MarkerShape::Circle };
                    let name = format!("{} measured", curve.name);
                    plot.points(Points::new(name, points()).shape(shape).radius(3.5).color(curve.color));
                }
            }
        });
        let summary = self.summary;
        shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &summary));
        shown.response
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn legend(ui: &mut Ui, curves: &[Curve]) {
    const LINE: f32 = 18.0;
    let weak = Colors::of(ui).weak;
    ui.spacing_mut().item_spacing.x = 10.0;
    for curve in curves {
        let text = ui.painter().layout_no_wrap(curve.name.to_owned(), FontId::proportional(TICK), weak);
        // One piece each, so that a line is never torn from its name where the legend is wrapped.
        let (rect, _) = ui.allocate_exact_size(vec2(LINE + 5.0 + text.size().x, 16.0), Sense::hover());
        let pieces: &[[f32; 2]] = if curve.dashed { &[[0.0, 7.0], [11.0, LINE]] } else { &[[0.0, LINE]] };
        for [from, to] in pieces {
            let at = |x: f32| rect.left_center() + vec2(x, 0.0);
            ui.painter().line_segment([at(*from), at(*to)], Stroke::new(2.0, curve.color));
        }
        ui.painter().galley(rect.left_center() + vec2(LINE + 5.0, -text.size().y / 2.0), text, weak);
    }
}
