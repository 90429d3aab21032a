//! The last features of both networks in a plane: one dot a picture, clean or with the mark.

use crate::app::lab::Looked;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{heading, weak};
use crate::app::words;
use crate::poison::lab::why::{Features, Place};
use egui::{RichText, Role, Sense, Stroke, Ui, WidgetInfo, vec2};
use egui_plot::{HoverPosition, MarkerShape, Plot, PlotPoints, Points};

/// What a dot may be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Other,
    Target,
    Marked,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Other, Self::Target, Self::Marked];

    fn of(place: &Place, target: usize) -> Self {
        match (place.marked, place.truth == target) {
            (true, _) => Self::Marked,
            (_, true) => Self::Target,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Other => "clean, other labels",
            Self::Target => "clean, the attacker's label",
            Self::Marked => "with the mark",
        }
    }
}

/// Draws both planes side by side.
pub fn clouds(ui: &mut Ui, looked: &Looked) {
    heading(ui, "How they sort pictures");
    weak(
        ui,
        "Each dot is a test picture as the network sees it just before it decides, along the two directions in which such \
         pictures differ most",
    );
    ui.horizontal_wrapped(|ui| {
        let colors = Colors::of(ui);
        for kind in Kind::ALL {
            let (rect, _) = ui.allocate_exact_size(vec2(12.0, 14.0), Sense::hover());
            let (at, ink) = (rect.center(), ink(ui, kind));
            match kind {
                Kind::Marked => {
                    let corners = [vec2(0.0, -4.5), vec2(4.5, 0.0), vec2(0.0, 4.5), vec2(-4.5, 0.0)].map(|v| at + v);
                    ui.painter().add(egui::Shape::closed_line(corners.into(), Stroke::new(1.4, ink)));
                }
                _ => {
                    ui.painter().circle_filled(at, 3.5, ink);
                }
            }
            ui.add(egui::Label::new(RichText::new(kind.name()).small().color(colors.weak)).selectable(false));
            ui.add_space(6.0);
        }
    });
    ui.columns(2, |columns| {
        for (ui, (title, id, features)) in columns.iter_mut().zip([
            ("Poisoned", "features", &looked.features),
            ("Clean twin", "features of the twin", &looked.twin_features),
        ]) {
            cloud(ui, title, id, features, looked);
        }
    });
}

fn ink(ui: &Ui, kind: Kind) -> egui::Color32 {
    let colors = Colors::of(ui);
    match kind {
        Kind::Other => colors.weak.gamma_multiply(0.75),
        Kind::Target => colors.reference,
        Kind::Marked => colors.suspect,
    }
}

fn cloud(ui: &mut Ui, title: &str, id: &str, features: &Features, looked: &Looked) {
    ui.label(RichText::new(title).text_style(theme::strong()));
    let plot = Plot::new(id)
        .height(210.0)
        .show_axes([false, false])
        .show_grid([false, false])
        .set_margin_fraction(vec2(0.05, 0.05))
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .show_crosshair(false)
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, index, .. } => {
                let kind = Kind::ALL.into_iter().find(|kind| kind.name() == *plot_name)?;
                let place = features.places.iter().filter(|p| Kind::of(p, looked.target) == kind).nth(*index)?;
                Some(format!("{}, {plot_name}", super::name(&looked.names, place.truth)))
            }
            _ => None,
        });
    let inks = Kind::ALL.map(|kind| ink(ui, kind));
    let response = plot.show(ui, |plot| {
        for (kind, ink) in Kind::ALL.into_iter().zip(inks) {
            let of = features.places.iter().filter(|place| Kind::of(place, looked.target) == kind);
            let points: Vec<[f64; 2]> = of.map(|place| place.at.map(f64::from)).collect();
            let shape = if kind == Kind::Marked { MarkerShape::Diamond } else { MarkerShape::Circle };
            let points = Points::new(kind.name(), PlotPoints::from(points)).shape(shape).color(ink);
            plot.points(points.filled(kind != Kind::Marked).radius(if kind == Kind::Marked { 3.4 } else { 2.4 }));
        }
    });
    let summary = format!(
        "Plot of the last features, {}: both directions show {} of how much pictures differ",
        title.to_lowercase(),
        words::percent(features.shown)
    );
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &summary));
    weak(ui, format!("Both directions show {} of all differences", words::percent(features.shown)));
}
