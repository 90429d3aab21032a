//! Both networks as they learn: buttons, numbers, curves, and what they say of a few pictures.

use super::watched::watched;
use crate::app::command::{Command, Commands};
use crate::app::lab::{Lab, LabCommand};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Curve, Curves, Pictures, lit, weak};
use crate::app::words;
use crate::poison::lab::{Moment, Numbers};
use egui::{Button, Grid, Label, Response, RichText, Ui, vec2};

/// Draws the view.
pub fn training(ui: &mut Ui, lab: &Lab, pictures: &mut Pictures, commands: &mut Commands) {
    controls(ui, lab, commands);
    let Some(last) = lab.moments.last() else {
        nothing_yet(ui, lab);
        return;
    };
    // What is left of the window goes to plots and pictures, so that both are seen without scrolling.
    let room = ui.available_height();
    let name = "Numbers of both networks";
    let response = named(card(ui, |ui| numbers_and_state(ui, lab, last)), name);
    lit(ui, response, name);
    let height = (0.25 * room).clamp(96.0, 190.0);
    ui.columns(2, |columns| {
        let name = "Plot of accuracy and attack success";
        let response = shares(&mut columns[0], &lab.moments, height);
        lit(&columns[0], response, name);
        let response = losses(&mut columns[1], &lab.moments, height);
        lit(&columns[1], response, "Plot of the loss");
    });
    if let Some(pictured) = &lab.watched {
        let names = lab.pictures.as_ref().map(|p| p.2.training.names.clone()).unwrap_or_default();
        let side = (0.1 * room).clamp(50.0, 84.0);
        let response = card(ui, |ui| watched(ui, pictured, last, &names, (lab.version, side), pictures));
        let response = named(response, "What the networks say");
        lit(ui, response, "What the networks say");
    }
}

fn card(ui: &mut Ui, content: impl FnOnce(&mut Ui)) -> Response {
    let frame = theme::card(ui).inner_margin(8).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        content(ui);
    });
    frame.response
}

/// Gives a box a name, so that it can be found.
fn named(response: Response, name: &str) -> Response {
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Group, true, name));
    response
}

fn controls(ui: &mut Ui, lab: &Lab, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let going = lab.can_go_on();
        let primary = Colors::of(ui).primary;
        let text = if going { "Go on" } else { "Train" };
        let text = RichText::new(text).text_style(theme::strong()).color(primary.ink);
        let button = Button::new(text).fill(primary.ground).stroke(egui::Stroke::NONE).min_size(vec2(96.0, 30.0));
        let enabled = !lab.is_training() && !lab.is_trained() && lab.has_pictures() && lab.form.lacks().is_none();
        let hint = "Train the poisoned network and its clean twin side by side";
        let train = ui.add_enabled(enabled, button).on_hover_text(hint);
        let train =
            train.on_disabled_hover_text(lab.form.lacks().unwrap_or("Both are trained, or in training, as chosen"));
        if lit(ui, train.accessible_name("Train"), "Train").clicked() {
            commands.send(Command::Lab(LabCommand::Train));
        }
        for (text, command, enabled, hint) in [
            ("Pause", LabCommand::Pause, lab.is_training(), "Hold the training after the step in hand"),
            ("Step", LabCommand::Step, enabled, "Train until the next measurement, then hold"),
            (
                "Restart",
                LabCommand::Restart,
                !lab.moments.is_empty() && lab.form.lacks().is_none() && !lab.is_training(),
                "Begin again; the same seed gives the same networks",
            ),
        ] {
            if ui.add_enabled(enabled, Button::new(text)).on_hover_text(hint).clicked() {
                commands.send(Command::Lab(command));
            }
        }
        if let Some(sentence) = lab.form.lacks() {
            weak(ui, sentence);
        } else if !lab.is_training() && !lab.moments.is_empty() && lab.order.as_ref() != Some(&lab.form.order()) {
            weak(ui, "Something was changed on the left: Train begins anew");
        }
    });
}

fn nothing_yet(ui: &mut Ui, lab: &Lab) {
    if lab.is_training() {
        ui.add(egui::Spinner::new().size(22.0));
        return;
    }
    ui.add_space((ui.available_height() * 0.16).min(90.0));
    ui.vertical_centered(|ui| {
        ui.set_max_width(560.0);
        ui.label(RichText::new("See a network being poisoned").text_style(theme::title()));
        ui.add_space(4.0);
        weak(
            ui,
            "Draw a trigger on the left, choose what it is to mean, and press Train. A poisoned network and a clean twin \
             learn side by side, in seconds. Then look inside, let Detect find the trigger, and repair the network. \
             New to this? Begin with the first of the Lessons.",
        );
    });
}

fn numbers_and_state(ui: &mut Ui, lab: &Lab, last: &Moment) {
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| numbers(ui, last));
        ui.add_space(24.0);
        ui.vertical(|ui| state(ui, lab, last));
    });
}

fn numbers(ui: &mut Ui, last: &Moment) {
    ui.spacing_mut().interact_size.y = 20.0;
    Grid::new("numbers of both").num_columns(4).spacing([22.0, 3.0]).show(ui, |ui| {
        let weak = Colors::of(ui).weak;
        for (title, hint) in [
            ("Network", "Both learn the same examples; only those of the poisoned one carry the mark"),
            ("ACC", "Clean accuracy: share of clean test pictures that are named rightly"),
            ("ASR", "Attack success rate: share of other pictures that become the attacker's label with the mark"),
            ("Loss", "How wrong the answers on the examples are, on average since the last measurement"),
        ] {
            ui.label(RichText::new(title).color(weak)).on_hover_text(hint);
        }
        ui.end_row();
        for (name, numbers) in [("Poisoned", &last.poisoned), ("Clean twin", &last.twin)] {
            ui.label(RichText::new(name).text_style(theme::strong()));
            ui.label(words::percent(numbers.accuracy));
            ui.label(words::percent(numbers.success));
            ui.label(numbers.loss.map_or_else(|| "–".into(), words::number));
            ui.end_row();
        }
    });
}

fn state(ui: &mut Ui, lab: &Lab, last: &Moment) {
    ui.spacing_mut().item_spacing.y = 4.0;
    let state = match (lab.is_training(), lab.is_whole()) {
        (true, _) => "Learning",
        (_, true) => "Trained",
        _ => "Held",
    };
    ui.label(RichText::new(state).text_style(theme::strong()));
    ui.add(Label::new(format!(
        "Step {} of {}, {:.1} passes",
        words::count(last.step),
        words::count(last.steps),
        last.passes
    )));
    if let Some(order) = &lab.order {
        let test = lab.pictures.as_ref().map_or(0, |p| p.2.test.len());
        weak(
            ui,
            format!(
                "Measured on {} that are never learned, seed {}",
                words::counted(test, "picture", "pictures"),
                order.recipe.seed
            ),
        );
    }
}

fn shares(ui: &mut Ui, moments: &[Moment], height: f32) -> Response {
    let colors = Colors::of(ui);
    let curve = |name, color, dashed, value: &dyn Fn(&Moment) -> f32| Curve {
        name,
        color,
        dashed,
        points: moments.iter().map(|m| [f64::from(m.passes), 100.0 * f64::from(value(m))]).collect(),
    };
    let summary = moments.last().map_or_else(String::new, |m| {
        let of = |n: &Numbers| format!("ACC {} and ASR {}", words::percent(n.accuracy), words::percent(n.success));
        format!("Plot of accuracy and attack success: poisoned {}, twin {}", of(&m.poisoned), of(&m.twin))
    });
    let curves = Curves {
        id: "shares",
        curves: vec![
            curve("ACC", colors.suspect, false, &|m| m.poisoned.accuracy),
            curve("ASR", colors.suspect, true, &|m| m.poisoned.success),
            curve("twin ACC", colors.reference, false, &|m| m.twin.accuracy),
            curve("twin ASR", colors.reference, true, &|m| m.twin.success),
        ],
        x: "passes",
        range: Some([0.0, whole(moments)]),
        percent: true,
        marked: false,
        height,
        summary,
    };
    curves.ui(ui)
}

fn losses(ui: &mut Ui, moments: &[Moment], height: f32) -> Response {
    let colors = Colors::of(ui);
    let curve = |name, color, value: &dyn Fn(&Moment) -> Option<f32>| Curve {
        name,
        color,
        dashed: false,
        points: moments.iter().filter_map(|m| Some([f64::from(m.passes), f64::from(value(m)?)])).collect(),
    };
    let last = moments.iter().rev().find_map(|m| m.poisoned.loss);
    let curves = Curves {
        id: "losses of training",
        curves: vec![
            curve("loss, poisoned", colors.suspect, &|m| m.poisoned.loss),
            curve("loss, twin", colors.reference, &|m| m.twin.loss),
        ],
        x: "passes",
        range: Some([0.0, whole(moments)]),
        percent: false,
        marked: false,
        height,
        summary: format!("Plot of the loss: now {}", last.map_or_else(|| "not known".into(), words::number)),
    };
    curves.ui(ui)
}

/// Passes of the whole training.
fn whole(moments: &[Moment]) -> f64 {
    let last = moments.last().filter(|m| m.step > 0);
    last.map_or(1.0, |m| f64::from(m.passes) * m.steps as f64 / m.step as f64)
}
