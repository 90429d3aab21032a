//! Why the network answers as it does: where it looks, how it sorts pictures, what it mixes up, how much poison it takes.

use super::confusion::confusions;
use super::features::clouds;
use crate::app::command::{Command, Commands};
use crate::app::lab::{Lab, LabCommand, Looked, Swept};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Curve, Curves, Part, Pictures, heading, lit, of_set, weak};
use crate::app::words;
use crate::poison::lab::why::{Attention, Knob};
use egui::{Button, Color32, ColorImage, Response, RichText, Ui};

/// Width of a picture with its map, in points, where there is room for six of them.
const SIDE: f32 = 108.0;
/// Distance between two of them.
const BETWEEN: f32 = 8.0;

/// Draws the view.
pub fn why(ui: &mut Ui, lab: &Lab, pictures: &mut Pictures, commands: &mut Commands) {
    let ready = lab.pair.is_some();
    ui.horizontal_wrapped(|ui| {
        let hint = "Find out where both networks look, how they sort pictures inside, and what they mix up";
        let button = ui.add_enabled(ready && !lab.is_looking(), Button::new("Look inside")).on_hover_text(hint);
        let button = button.on_disabled_hover_text("Train both networks first, or pause the training");
        if lit(ui, button, "Look inside").clicked() {
            commands.send(Command::Lab(LabCommand::Look));
        }
        let free = ready && !lab.is_sweeping();
        for (text, knob, hint) in [
            ("Try poison rates", Knob::Rate, "Trains six small models with more and more marked examples"),
            (
                "Try trigger sizes",
                Knob::Size,
                "Trains six small models with a smaller and a larger, or fainter and stronger, mark",
            ),
        ] {
            if ui.add_enabled(free, Button::new(text)).on_hover_text(hint).clicked() {
                commands.send(Command::Lab(LabCommand::Sweep(knob)));
            }
        }
        if lab.is_sweeping() && ui.button("Stop the experiment").clicked() {
            commands.send(Command::Lab(LabCommand::Stop));
        }
    });
    if !ready {
        weak(ui, "Train both networks first, or pause the training: then you can look inside");
    }
    if let Some((version, looked)) = &lab.looked {
        let response = card(ui, |ui| looks(ui, lab, *version, looked, pictures, commands));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Group, true, "Where the networks look"));
        lit(ui, response, "Where the networks look");
        let response = card(ui, |ui| clouds(ui, looked));
        lit(ui, response, "Plot of the last features");
        let response = card(ui, |ui| confusions(ui, looked));
        lit(ui, response, "Confusion matrices");
    } else if ready && !lab.is_looking() {
        weak(ui, "Look inside shows three things: where the networks look, how they sort pictures, what they mix up");
    }
    for swept in &lab.swept {
        card(ui, |ui| experiment(ui, swept));
    }
}

fn card(ui: &mut Ui, content: impl FnOnce(&mut Ui)) -> Response {
    let frame = theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        content(ui);
    });
    frame.response
}

fn looks(ui: &mut Ui, lab: &Lab, version: u64, looked: &Looked, pictures: &mut Pictures, commands: &mut Commands) {
    let count = looked.looks.len();
    let which = lab.look.min(count.saturating_sub(1));
    let Some(look) = looked.looks.get(which) else { return };
    ui.horizontal(|ui| {
        heading(ui, "Where the networks look");
        for (text, name, next) in [
            ("<", "Look at the picture before", (which + count - 1) % count),
            (">", "Look at the next picture", (which + 1) % count),
        ] {
            if ui.button(text).on_hover_text(name).accessible_name(name).clicked() {
                commands.send(Command::Lab(LabCommand::LookAt(next)));
            }
        }
    });
    weak(
        ui,
        "Bright places are those without which the answer would come nearer to another one; dark places do not matter",
    );
    ui.horizontal_top(|ui| {
        let side = ((ui.available_width() + BETWEEN) / 6.0 - BETWEEN).clamp(48.0, SIDE);
        ui.spacing_mut().item_spacing.x = BETWEEN;
        let sets = [(&looked.watched.clean, "Clean picture"), (&looked.watched.marked, "With the mark")];
        for (k, (set, what)) in sets.into_iter().enumerate() {
            let truth = super::name(&looked.names, set.labels.get(which).copied().unwrap_or_default());
            ui.vertical(|ui| {
                ui.set_width(side);
                let part = if k == 0 { Part::Before(which) } else { Part::After(which) };
                pictures.show(ui, (version, part), side, &format!("{what} of {truth}"), || of_set(set, which));
                ui.label(RichText::new(what).small());
            });
            let nets = [("poisoned", &look.poisoned[k]), ("twin", &look.twin[k])];
            for (n, (network, attention)) in nets.into_iter().enumerate() {
                ui.vertical(|ui| {
                    ui.set_width(side);
                    let says = super::name(&looked.names, attention.answer.label);
                    let alt = format!("{what}, where the {network} network looks; it says {says}");
                    let part = Part::Attention(which * 4 + k * 2 + n);
                    pictures.show(ui, (version, part), side, &alt, || map(attention, set, which));
                    let text = format!("{network}: {says}");
                    ui.add(egui::Label::new(RichText::new(text).small()).truncate())
                        .on_hover_text(format!("{} sure", words::percent(attention.answer.sure)));
                });
            }
        }
    });
}

/// The picture in gray, lighter and warmer where the network looks.
fn map(attention: &Attention, set: &crate::images::ImageSet, i: usize) -> ColorImage {
    let mut image = of_set(set, i);
    let most = attention.drops.iter().copied().fold(0.0_f32, f32::max).max(1e-6);
    for (pixel, drop) in image.pixels.iter_mut().zip(&attention.drops) {
        let heat = (drop / most).clamp(0.0, 1.0);
        let gray = (u16::from(pixel.r()) + u16::from(pixel.g()) + u16::from(pixel.b())) as f32 / 3.0;
        let mixed = |hot: f32| (0.35 * gray * (1.0 - heat) + hot * heat).round().clamp(0.0, 255.0) as u8;
        *pixel = Color32::from_rgb(mixed(255.0), mixed(200.0), mixed(60.0));
    }
    image
}

fn experiment(ui: &mut Ui, swept: &Swept) {
    let colors = Colors::of(ui);
    let (title, axis) = match swept.knob {
        Knob::Rate => ("Attack success by poison rate", "marked examples, %"),
        Knob::Size => ("Attack success by size or strength of the trigger", "times as large, or as strong, as drawn"),
    };
    heading(ui, title);
    let values = swept.knob.values();
    weak(
        ui,
        format!(
            "{} of {} models trained, each with half of the passes, all else as chosen, seed {}",
            swept.points.len(),
            values.len(),
            swept.order.recipe.seed
        ),
    );
    let scale = if swept.knob == Knob::Rate { 100.0 } else { 1.0 };
    let points = |value: &dyn Fn(&crate::poison::lab::why::SweepPoint) -> f32| {
        swept.points.iter().map(|p| [scale * f64::from(p.value), 100.0 * f64::from(value(p))]).collect()
    };
    let told: Vec<String> = swept
        .points
        .iter()
        .map(|p| format!("{} at {}", words::percent(p.success), words::number((scale as f32) * p.value)))
        .collect();
    let ends = [values.first(), values.last()].map(|v| scale * f64::from(v.copied().unwrap_or_default()));
    let curves = Curves {
        id: if swept.knob == Knob::Rate { "by rate" } else { "by size" },
        curves: vec![
            Curve { name: "ASR", color: colors.suspect, dashed: true, points: points(&|p| p.success) },
            Curve { name: "ACC", color: colors.reference, dashed: false, points: points(&|p| p.accuracy) },
        ],
        x: axis,
        range: Some(ends),
        percent: true,
        marked: true,
        height: 170.0,
        summary: format!("{title}: {}", told.join(", ")),
    };
    curves.ui(ui);
}
