//! Two labels of one audit side by side: triggers and the numbers behind their verdicts.

use super::column;
use crate::app::known::Row;
use crate::app::theme;
use crate::app::widgets::{Part, Pictures, badge, explained, heading, heat, numbers, plain, trigger, weak};
use crate::app::words;
use egui::{Label, RichText, Ui};

/// Width of a picture on the screen, in points.
const SIDE: f32 = 96.0;

/// Draws both.
pub fn two_labels(ui: &mut Ui, rows: [&Row; 2], pictures: &mut Pictures) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        heading(ui, "Two labels side by side");
        ui.columns(2, |columns| {
            for (ui, row) in columns.iter_mut().zip(rows) {
                column(ui, |ui| one(ui, row, pictures));
            }
        });
    });
}

fn one(ui: &mut Ui, row: &Row, pictures: &mut Pictures) {
    ui.add(Label::new(RichText::new(row.title()).text_style(theme::strong())).truncate());
    match row.verdict {
        Some(verdict) => {
            badge(ui, verdict);
        }
        None => {
            weak(ui, "Still being examined");
        }
    }
    let found = row.trigger.as_ref();
    match found {
        Some(found) => {
            ui.horizontal(|ui| {
                // Where nothing is covered, the pattern is all there is to be seen.
                if found.shape.has_mask() {
                    let mask = format!("Mask of label {}, side by side", row.title());
                    pictures.show(ui, (row.version, Part::Mask), SIDE, &mask, || plain(&found.mask));
                }
                let whole = format!("Trigger of label {}, side by side", row.title());
                let paint = || trigger(found.shape, &found.mask, &found.pattern);
                pictures.show(ui, (row.version, Part::Trigger), SIDE, &whole, paint);
                let changed = format!("Heat map of label {}, side by side", row.title());
                pictures.show(ui, (row.version, Part::Heat), SIDE, &changed, || heat(&found.examples));
            });
        }
        None => {
            weak(ui, "No trigger was searched for");
        }
    }
    let dash = || "–".to_owned();
    numbers(ui, &format!("numbers of {}", row.label), |ui| {
        let works = found.map_or_else(dash, words::works_on);
        explained(ui, "Works on", &works, "Attack success rate on held-back pictures of other labels");
        let size = found.map_or_else(dash, words::size);
        explained(ui, "Size", &size, "Share of the picture it covers, or how strong a faint pattern is");
        let anomaly = found.and_then(|f| f.anomaly_index).map_or_else(dash, words::index);
        explained(
            ui,
            "Anomaly index",
            &anomaly,
            "Deviations below the median size of all labels. Above 3.5 is unusual",
        );
        let reached = row.reached().map_or_else(dash, |(n, of)| format!("{n} of {of}"));
        explained(ui, "Shots that reached it", &reached, "Shots with a final loss of at most 0.2");
        let p = row.shots.as_ref().and_then(|s| s.p_value).map_or_else(dash, words::number);
        explained(ui, "p-value of the shots", &p, "Probability that two honest models show shots as low as these");
    });
}
