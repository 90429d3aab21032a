//! Loss vectors: one column a label (or a shot), one dot a shot, logarithmic, with the line that
//! PoisDetc draws at 0.2 and the range that honest models show.

use crate::app::known::{REACHED, Row};
use crate::app::theme::Colors;
use crate::app::words;
use crate::detect::ShotEvidence;
use egui::{Color32, FontId, Pos2, Role, Sense, Stroke, Ui, WidgetInfo, vec2};
use egui_plot::{
    AxisHints, GridInput, GridMark, HLine, HoverPosition, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, Points,
    Polygon,
};

/// Smaller losses are drawn here: nothing is learned from how far below 0.2 they are.
const FLOOR: f64 = 1e-4;
/// Larger ones here.
const CEILING: f64 = 1e4;
/// Names are written below columns at least this wide, in points; otherwise their index.
const NAMED: f32 = 44.0;
/// Size of the writing along the axes.
const TICK: f32 = 11.5;
/// About as wide as the numbers at the left, in points.
const AXIS: f32 = 70.0;

/// The plot of all labels.
pub struct LossPlot<'a> {
    /// One column each.
    pub rows: &'a [Row],
    /// In points.
    pub height: f32,
}

/// One shot.
struct Dot {
    column: f64,
    loss: f32,
    reference: Option<f32>,
    hover: String,
}

/// What honest models show in the columns between.
struct Honest {
    columns: [f64; 2],
    losses: [f32; 2],
}

impl LossPlot<'_> {
    /// Draws it; the label whose column was clicked.
    pub fn ui(self, ui: &mut Ui) -> Option<usize> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.shots.is_some()).collect();
        let mut dots = Vec::new();
        let mut honest = Vec::new();
        for (column, row) in rows.iter().enumerate() {
            let Some(shots) = &row.shots else { continue };
            let n = shots.losses.len().max(1) as f64;
            for i in 0..shots.losses.len() {
                let spread = ((i as f64 + 0.5) / n - 0.5) * 0.34;
                dots.push(dot(shots, i, column as f64 + spread, &format!("Label {}", row.title())));
            }
            honest.extend(
                range(shots).map(|losses| Honest { columns: [column as f64 - 0.42, column as f64 + 0.42], losses }),
            );
        }
        let room = (ui.available_width() - AXIS) / rows.len().max(1) as f32 - 6.0;
        let named = room >= NAMED;
        let names: Vec<String> =
            rows.iter().map(|row| if named { fitted(ui, &row.title(), room) } else { row.label.to_string() }).collect();
        let summary = summary(&rows);
        let clicked = draw(ui, "losses", &dots, &honest, &names, self.height, 0.21, &summary)?;
        rows.get(clicked).map(|row| row.label)
    }
}

/// The plot of one label, one column a shot.
pub fn losses_of_one_label(ui: &mut Ui, row: &Row, height: f32) {
    let Some(shots) = &row.shots else { return };
    let dots: Vec<Dot> = (0..shots.losses.len()).map(|i| dot(shots, i, i as f64, &row.title())).collect();
    let last = dots.len().saturating_sub(1) as f64;
    let honest: Vec<_> =
        range(shots).map(|losses| Honest { columns: [-0.45, last + 0.45], losses }).into_iter().collect();
    let names: Vec<String> = (1..=dots.len()).map(|shot| shot.to_string()).collect();
    draw(ui, "losses of one label", &dots, &honest, &names, height, 0.0, &summary(&[row]));
}

/// What the dots, the band and the line mean.
pub fn legend(ui: &mut Ui) {
    let colors = Colors::of(ui);
    let entry = |ui: &mut Ui, text: &str, explanation: &str, paint: &dyn Fn(&egui::Painter, Pos2)| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
        paint(ui.painter(), rect.center());
        let text = egui::RichText::new(text).small().color(colors.weak);
        ui.add(egui::Label::new(text).selectable(false)).on_hover_text(explanation);
        ui.add_space(8.0);
    };
    entry(ui, "suspect model", "Final loss of the suspect model against the label, one dot a shot", &|p, c| {
        p.circle_filled(c, 4.0, colors.suspect);
    });
    entry(ui, "reference model", "Loss of the reference model at the same points", &|p, c| {
        let corners = [vec2(0.0, -4.5), vec2(4.5, 0.0), vec2(0.0, 4.5), vec2(-4.5, 0.0)].map(|v| c + v);
        p.add(egui::Shape::closed_line(corners.into(), Stroke::new(1.4, colors.reference)));
    });
    entry(ui, "honest range", "What the same shots show between models that are known clean", &|p, c| {
        p.rect_filled(egui::Rect::from_center_size(c, vec2(13.0, 9.0)), 2.0, colors.honest);
    });
    entry(
        ui,
        "reached: 0.2",
        "A shot at or below this loss has reached its label: the model is at least 82 % sure of it",
        &|p, c| {
            for x in [-5.0, 2.0] {
                p.line_segment([c + vec2(x, 0.0), c + vec2(x + 4.0, 0.0)], Stroke::new(1.5, colors.text));
            }
        },
    );
}

fn dot(shots: &ShotEvidence, shot: usize, column: f64, place: &str) -> Dot {
    let loss = shots.losses[shot];
    let reference = shots.reference_losses.get(shot).copied();
    let mut hover = format!("{place}\nShot {}\nSuspect loss {}", shot + 1, words::number(loss));
    if let Some(reference) = reference {
        hover.push_str(&format!("\nReference loss {}", words::number(reference)));
    }
    Dot { column, loss, reference, hover }
}

/// Smallest and largest loss between models known clean.
fn range(shots: &ShotEvidence) -> Option<[f32; 2]> {
    let finite = || shots.clean_losses.iter().copied().filter(|loss| loss.is_finite());
    Some([finite().min_by(f32::total_cmp)?, finite().max_by(f32::total_cmp)?])
}

/// As much of `name` as fits into `width` points.
fn fitted(ui: &Ui, name: &str, width: f32) -> String {
    let letters = name.chars().count();
    (0..letters)
        .map(|less| if less == 0 { name.to_owned() } else { shortened(name, letters - less) })
        .find(|text| tick_width(ui, text) <= width)
        .unwrap_or_default()
}

fn tick_width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(TICK), Color32::WHITE).size().x
}

fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.into();
    }
    name.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// The plot in one sentence, for those who cannot see it.
fn summary(rows: &[&Row]) -> String {
    let lowest = rows
        .iter()
        .filter_map(|row| Some((median(&row.shots.as_ref()?.losses)?, row)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    match lowest {
        None => "Plot of losses, still empty".into(),
        Some((loss, row)) => {
            let (reached, of) = row.reached().unwrap_or_default();
            format!(
                "Plot of losses for {}; the lowest median is {} at label {}, where {reached} of {of} shots reached it",
                words::counted(rows.len(), "label", "labels"),
                words::number(loss),
                row.title()
            )
        }
    }
}

fn median(values: &[f32]) -> Option<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn log(loss: f32) -> f64 {
    let loss = if loss.is_nan() { CEILING } else { f64::from(loss) };
    loss.clamp(FLOOR, CEILING).log10()
}

/// Draws dots, bands and line; the column that was clicked. The reference's dots are `shift` columns
/// to the right of the suspect's, which are as far to the left.
#[allow(clippy::too_many_arguments, reason = "one private function with two callers")]
fn draw(
    ui: &mut Ui,
    id: &str,
    dots: &[Dot],
    honest: &[Honest],
    names: &[String],
    height: f32,
    shift: f64,
    summary: &str,
) -> Option<usize> {
    let colors = Colors::of(ui);
    let columns = names.len().max(1);
    let per_column = (ui.available_width() - AXIS) / columns as f32;
    let radius = (per_column / 14.0).clamp(1.8, 3.6);
    let widest = names.iter().map(|name| tick_width(ui, name)).fold(0.0, f32::max) + 5.0;
    let stride =
        [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|&s| per_column * s as f32 >= widest).unwrap_or(1000);
    let place = move |i: usize, shift: f64| dots[i].column + shift;
    let suspect: Vec<[f64; 2]> = dots.iter().enumerate().map(|(i, d)| [place(i, -shift), log(d.loss)]).collect();
    let compared: Vec<usize> = (0..dots.len()).filter(|&i| dots[i].reference.is_some()).collect();
    let reference: Vec<[f64; 2]> =
        compared.iter().map(|&i| [place(i, shift), log(dots[i].reference.unwrap_or(f32::INFINITY))]).collect();

    let x_axis = AxisHints::new_x()
        .formatter(|mark, _| names.get(mark.value.round() as usize).cloned().unwrap_or_default())
        .tick_label_font(FontId::proportional(TICK))
        .tick_label_color(colors.weak)
        .label_spacing(egui::Rangef::new(4.0, 8.0));
    let y_axis = AxisHints::new_y()
        .formatter(|mark, _| power_of_ten(mark.value))
        .label(egui::RichText::new("loss").size(TICK).color(colors.weak))
        .tick_label_font(FontId::proportional(TICK))
        .tick_label_color(colors.weak)
        .label_spacing(egui::Rangef::new(8.0, 12.0));
    let plot = Plot::new(id)
        .height(height)
        .custom_x_axes(vec![x_axis])
        .custom_y_axes(vec![y_axis])
        .x_grid_spacer(move |_| {
            (0..columns).step_by(stride).map(|c| GridMark { value: c as f64, step_size: stride as f64 }).collect()
        })
        .y_grid_spacer(decades)
        .grid_color(colors.border)
        .grid_fade(0.0)
        .include_x(-0.6)
        .include_x(columns as f64 - 0.4)
        .include_y(-2.2)
        .include_y(1.3)
        .set_margin_fraction(vec2(0.0, 0.06))
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .allow_axis_zoom_drag(false)
        .show_crosshair(false)
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name: "suspect", index, .. } => {
                dots.get(*index).map(|d| d.hover.clone())
            }
            HoverPosition::NearDataPoint { plot_name: "reference", index, .. } => {
                compared.get(*index).and_then(|&i| dots.get(i)).map(|d| d.hover.clone())
            }
            _ => None,
        });
    let response = plot.show(ui, |plot| {
        for (i, band) in honest.iter().enumerate() {
            let ([left, right], [low, high]) = (band.columns, band.losses.map(log));
            // A single value would be invisible.
            let (low, high) = (low - 0.02, high + 0.02);
            let corners = PlotPoints::from(vec![[left, low], [right, low], [right, high], [left, high]]);
            plot.polygon(
                Polygon::new(format!("honest {i}"), corners)
                    .fill_color(colors.honest)
                    .stroke(Stroke::new(0.0, Color32::TRANSPARENT))
                    .allow_hover(false),
            );
        }
        plot.hline(
            HLine::new("reached", log(REACHED))
                .color(colors.text)
                .width(1.2)
                .style(LineStyle::Dashed { length: 7.0 })
                .allow_hover(false),
        );
        plot.points(
            Points::new("reference", PlotPoints::from(reference))
                .shape(MarkerShape::Diamond)
                .filled(false)
                .radius(radius * 1.25)
                .color(colors.reference),
        );
        plot.points(
            Points::new("suspect", PlotPoints::from(suspect))
                .shape(MarkerShape::Circle)
                .radius(radius)
                .color(colors.suspect),
        );
    });
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, summary));
    if !response.response.clicked() {
        return None;
    }
    let at: PlotPoint = response.transform.value_from_position(response.response.interact_pointer_pos()?);
    (at.x > -0.5).then(|| at.x.round() as usize)
}

fn power_of_ten(exponent: f64) -> String {
    let decimals = (-exponent).max(0.0).round() as usize;
    format!("{:.decimals$}", 10f64.powf(exponent))
}

/// One line a power of ten.
fn decades(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    ((low.ceil() as i64)..=(high.floor() as i64)).map(|d| GridMark { value: d as f64, step_size: 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_losses_stay_on_the_plot() {
        for loss in [f32::NAN, f32::INFINITY, 0.0, -3.0, 1e30] {
            let y = log(loss);
            assert!((-4.0..=4.0).contains(&y), "{loss} is drawn at {y}");
        }
    }

    #[test]
    fn long_names_are_shortened() {
        assert_eq!(shortened("stop", 11), "stop");
        assert_eq!(shortened("speed limit (30km/h)", 11), "speed limi…");
    }
}
