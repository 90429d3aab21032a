//! The challenge: a model that the program poisoned, or did not, and what the student says of it.

use super::outcome::audit_button;
use crate::app::command::{Command, Commands, Step};
use crate::app::lab::{Facts, LabCommand, Made, Whose};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Part, Pictures, badge, heading, of_set, weak};
use crate::app::words;
use crate::audit::Verdict;
use crate::poison::lab::{ChallengeMark, Judgement};
use egui::{Button, ComboBox, DragValue, Frame, Label, Margin, RichText, Ui};

/// Width of a picture, in points.
const SIDE: f32 = 84.0;
/// Pictures that are shown once it is judged.
const SHOWN: usize = 6;

/// Draws the view.
pub fn challenge(ui: &mut Ui, facts: &Facts<'_>, pictures: &mut Pictures, commands: &mut Commands) {
    let lab = facts.lab;
    card(ui, |ui| {
        heading(ui, "Was this model poisoned?");
        weak(
            ui,
            "The program trains a model behind your back. For half of all numbers it is poisoned with a trigger and a label \
             drawn by chance, for the others it is honest. The same number gives everybody the same model, so that a class \
             can work on one. Judge it by whatever means you like; the program marks your judgement",
        );
        ui.horizontal(|ui| {
            let name = ui.label("Challenge number");
            let mut number = lab.number;
            ui.add(DragValue::new(&mut number)).labelled_by(name.id);
            let free = !lab.is_challenging() && !lab.is_training();
            let button = ui.add_enabled(free, Button::new("Make the challenge"));
            let button = button.on_hover_text("Train the model of this number on the pictures that are chosen");
            if button.clicked() {
                commands.send(Command::Lab(LabCommand::Challenge(number)));
            } else if number != lab.number {
                commands.send(Command::Lab(LabCommand::Number(number)));
            }
            if lab.points.1 > 0 {
                weak(ui, format!("{} of {} points so far", lab.points.0, lab.points.1));
            }
        });
    });
    if lab.is_challenging() {
        ui.horizontal(|ui| {
            ui.add(egui::Spinner::new().size(18.0));
            weak(ui, "The model is being trained…");
        });
    }
    let Some(made) = &lab.made else { return };
    card(ui, |ui| {
        heading(ui, &format!("Challenge {}", made.number));
        ui.label(format!("It names {} of the clean test pictures rightly", words::percent(made.numbers.0)));
        ui.horizontal(|ui| {
            audit_button(ui, !facts.auditing && !facts.repairing, commands);
            if let Some(audit) = lab.audit_of(Whose::Challenge, facts.audit) {
                badge(ui, audit.verdict);
                if ui.button("Go to the audit").clicked() {
                    commands.send(Command::Show(Step::Detect));
                }
            }
        });
        match made.judged {
            None => judge(ui, facts, made, commands),
            Some((said, mark)) => judged(ui, made, said, mark, pictures),
        }
    });
}

fn card(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        content(ui);
    });
}

fn judge(ui: &mut Ui, facts: &Facts<'_>, made: &Made, commands: &mut Commands) {
    let names = &made.pair.pictures.test.names;
    ui.add_space(4.0);
    ui.label(RichText::new("Your judgement").text_style(theme::strong()));
    ui.horizontal(|ui| {
        if ui.button("It is honest").on_hover_text("There is no backdoor").clicked() {
            commands.send(Command::Lab(LabCommand::Judge(Judgement::Honest)));
        }
        ui.add_space(12.0);
        let guess = facts.lab.guess;
        let text = guess.and_then(|label| names.get(label).cloned()).unwrap_or_else(|| "which label?".into());
        let combo = ComboBox::from_id_salt("guess").selected_text(text).width(160.0).truncate().show_ui(ui, |ui| {
            for (label, name) in names.iter().enumerate() {
                if ui.selectable_label(guess == Some(label), name).clicked() {
                    commands.send(Command::Lab(LabCommand::Guess(label)));
                }
            }
        });
        combo.response.on_hover_text("What marked pictures become");
        let button = ui.add_enabled(guess.is_some(), Button::new("It is poisoned, with this label"));
        if button.on_disabled_hover_text("Choose the attacker's label first").clicked()
            && let Some(target) = guess
        {
            commands.send(Command::Lab(LabCommand::Judge(Judgement::Poisoned { target })));
        }
    });
}

fn judged(ui: &mut Ui, made: &Made, said: Judgement, mark: ChallengeMark, pictures: &mut Pictures) {
    let test = &made.pair.pictures.test;
    let planted = &made.pair.order.planted;
    let name = |label| super::name(&test.names, label);
    let (word, verdict) = match mark {
        ChallengeMark::Right => ("Right", Verdict::NoEvidence),
        ChallengeMark::WrongTarget => ("Half right: it is poisoned, with another label", Verdict::Suspicious),
        ChallengeMark::Missed => ("Wrong: a backdoor was overlooked", Verdict::Infected),
        ChallengeMark::FalseAlarm => ("Wrong: a false alarm", Verdict::Infected),
    };
    let pair = Colors::of(ui).verdict(verdict);
    Frame::NONE.fill(pair.ground).corner_radius(8).inner_margin(Margin::symmetric(12, 8)).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let points = words::counted(mark.points(), "point", "points");
        ui.label(RichText::new(format!("{word}: {points}")).text_style(egui::TextStyle::Heading).color(pair.ink));
        let said = match said {
            Judgement::Honest => "You said it is honest".to_owned(),
            Judgement::Poisoned { target } => format!("You said it is poisoned and the label is “{}”", name(target)),
        };
        let target = planted.scheme.targets(test.names.len()).first().copied().unwrap_or_default();
        let truth = if planted.rate > 0.0 {
            format!(
                "It is poisoned: with the mark below {} of pictures become “{}”",
                words::percent(made.numbers.1),
                name(target)
            )
        } else {
            "It is honest: no example carried a mark".to_owned()
        };
        ui.add(Label::new(RichText::new(format!("{said}. {truth}")).color(Colors::of(ui).text)).wrap());
    });
    if planted.rate > 0.0 {
        let watched = made.pair.watched();
        ui.horizontal(|ui| {
            for i in 0..watched.marked.len().min(SHOWN) {
                let alt = format!("Picture {} with the mark", i + 1);
                // Numbers from a half of all that no other picture of the window uses.
                let version = 1 << 61 | made.number;
                pictures.show(ui, (version, Part::After(i)), SIDE, &alt, || of_set(&watched.marked, i));
            }
        });
    }
}
