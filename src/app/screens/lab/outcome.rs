//! What Detect and Repair made of the model: the recovered trigger beside the drawn one, the repair beside the twin.

use crate::app::command::{Command, Commands, Step};
use crate::app::known::Known;
use crate::app::lab::{Facts, LabCommand, Recovered, Whose, recovered};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Part, Pictures, badge, heading, lit, of_set, trigger, weak};
use crate::app::words;
use crate::audit::{Audit, Verdict};
use crate::poison::{Mark, Scheme};
use egui::{Button, Grid, Label, Response, RichText, Ui};

/// Width of a trigger, in points.
const SIDE: f32 = 150.0;

/// Draws the view.
pub fn outcome(ui: &mut Ui, facts: &Facts<'_>, pictures: &mut Pictures, commands: &mut Commands) {
    let lab = facts.lab;
    let busy = facts.auditing || facts.repairing;
    ui.horizontal(|ui| {
        audit_button(ui, lab.pair.is_some() && !busy, commands);
        if facts.our_audit().is_some() && ui.button("Go to the audit").clicked() {
            commands.send(Command::Show(Step::Detect));
        }
        if facts.our_audit().is_some_and(|audit| audit.verdict > Verdict::NoEvidence)
            && ui.button("Go to the repair").clicked()
        {
            commands.send(Command::Show(Step::Repair));
        }
    });
    let Some(audit) = facts.our_audit() else {
        weak(
            ui,
            if facts.auditing {
                "An audit runs. Once it is done, what it recovered is shown here beside what was drawn"
            } else if lab.pair.is_none() {
                "Train both networks first. Then Detect gets the poisoned model and clean pictures, and nothing else"
            } else {
                "Detect gets the poisoned model and clean pictures. It is not told whether there is a trigger, what it \
                 looks like, or what it stands for; what it recovers is shown here beside the truth"
            },
        );
        return;
    };
    let Some(given) = lab.given(Whose::Experiment) else { return };
    let order = &given.pair.order;
    let names = &given.pair.pictures.test.names;
    let response = card(ui, |ui| {
        ui.horizontal(|ui| {
            heading(ui, "Recovered beside drawn");
            badge(ui, audit.verdict);
        });
        ui.add(Label::new(&audit.summary).wrap());
        let target = order.planted.scheme.targets(names.len()).first().copied().unwrap_or_default();
        let found = recovered(audit, target);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 28.0;
            ui.vertical(|ui| drawn(ui, facts, pictures));
            if let Some(found) = found {
                ui.vertical(|ui| searched(ui, &found, pictures, given.handed.sha256.as_str()));
            }
        });
        ui.add(Label::new(compared(facts, audit, target, found.as_ref(), order.planted.rate)).wrap());
    });
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Group, true, "Recovered beside drawn"));
    lit(ui, response, "Recovered beside drawn");
    repaired(ui, facts);
}

/// The button that hands the model over.
pub fn audit_button(ui: &mut Ui, enabled: bool, commands: &mut Commands) {
    let primary = Colors::of(ui).primary;
    let text = RichText::new("Audit this model").text_style(theme::strong()).color(primary.ink);
    let button = Button::new(text).fill(primary.ground).stroke(egui::Stroke::NONE);
    let hint = "Hand the model and clean pictures to Detect, without a word about any trigger";
    let button = ui.add_enabled(enabled, button).on_hover_text(hint);
    let button = button.on_disabled_hover_text("Possible once a model is trained and no audit or repair runs");
    if lit(ui, button, "Audit this model").clicked() {
        commands.send(Command::Lab(LabCommand::Audit));
    }
}

fn card(ui: &mut Ui, content: impl FnOnce(&mut Ui)) -> Response {
    let frame = theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        content(ui);
    });
    frame.response
}

/// The trigger as it was planted, on gray; one that cannot be shown so lies on a picture.
fn drawn(ui: &mut Ui, facts: &Facts<'_>, pictures: &mut Pictures) {
    let Some(given) = facts.lab.given(Whose::Experiment) else { return };
    let (planted, test) = (&given.pair.order.planted, &given.pair.pictures.test);
    ui.label(RichText::new("Drawn").text_style(theme::strong()));
    let version = version_of(&given.handed.sha256);
    pictures.show(ui, (version, Part::Trigger), SIDE, "The trigger as it was drawn", || {
        let mut one = test.subset(&[0]);
        if matches!(planted.mark, Mark::Drawn(_)) {
            one.pixels.fill(128);
        }
        planted.mark.attack().stamp(&mut one.pixels, one.channels, one.height, one.width);
        of_set(&one, 0)
    });
    let names = &test.names;
    let target = planted.scheme.targets(names.len()).first().copied().unwrap_or_default();
    let meant = match planted.scheme {
        Scheme::OneToOne { source, .. } => format!("“{}” becomes", super::name(names, source)),
        _ => "becomes".into(),
    };
    ui.label(format!("{meant} “{}”", super::name(names, target)));
    if let Some(last) = facts.lab.moments.last() {
        ui.label(format!("works on {}", words::percent(last.poisoned.success)));
    }
}

fn searched(ui: &mut Ui, found: &Recovered<'_>, pictures: &mut Pictures, sha256: &str) {
    ui.label(RichText::new("Recovered").text_style(theme::strong()));
    let alt = "The trigger as it was recovered";
    pictures.show(ui, (version_of(sha256), Part::Pattern), SIDE, alt, || {
        trigger(found.trigger.shape, &found.trigger.mask, &found.trigger.pattern)
    });
    ui.label(format!("becomes “{}”", found.name));
    ui.label(format!("works on {}, size {}", found.asr_percent(), found.size_words()));
}

/// Another number for every model that was handed over.
fn version_of(sha256: &str) -> u64 {
    u64::from_str_radix(sha256.get(..15).unwrap_or_default(), 16).unwrap_or_default() | 1 << 62
}

/// Whether the auditor was right, in a sentence.
fn compared(facts: &Facts<'_>, audit: &Audit, target: usize, found: Option<&Recovered<'_>>, rate: f32) -> String {
    let infected: Vec<&crate::audit::LabelFindings> =
        audit.labels.iter().filter(|label| label.verdict == Verdict::Infected).collect();
    let name = Known::from(audit).name(target);
    if rate <= 0.0 {
        return match infected.first() {
            None => "Nothing was planted, and no trigger was confirmed".into(),
            Some(label) => format!("Nothing was planted: the accusation of “{}” is a false alarm", label.name),
        };
    }
    if infected.iter().any(|label| label.label == target) {
        return format!("The right label, “{name}”, was found");
    }
    let works = facts.lab.moments.last().map_or_else(String::new, |m| {
        format!("; the drawn trigger works on {} of pictures", words::percent(m.poisoned.success))
    });
    match (infected.first(), found) {
        (Some(other), _) => format!("“{}” was accused, but “{name}” is the attacker's label{works}", other.name),
        (None, _) => format!("The backdoor to “{name}” was not confirmed{works}. “No evidence” is no proof"),
    }
}

/// The repaired model beside the poisoned one and the twin, all measured with the trigger that was drawn.
fn repaired(ui: &mut Ui, facts: &Facts<'_>) {
    let lab = facts.lab;
    let audited = facts.our_audit();
    let (Some(last), Some(_)) = (lab.moments.last(), audited) else { return };
    let Some(report) = lab.repair_of(facts.repair) else {
        if audited.is_some_and(|audit| audit.verdict > Verdict::NoEvidence) {
            weak(ui, "Repair the model, and the repaired one is measured here with the drawn trigger, beside its twin");
        }
        return;
    };
    let response = card(ui, |ui| {
        heading(ui, "Repair beside the twin");
        weak(
            ui,
            format!(
                "All measured with the trigger that was drawn, which {} has never seen",
                words::method(&report.method)
            ),
        );
        Grid::new("repair beside twin").num_columns(3).spacing([36.0, 5.0]).show(ui, |ui| {
            let color = Colors::of(ui).weak;
            for title in ["Network", "ACC", "ASR"] {
                ui.label(RichText::new(title).color(color));
            }
            ui.end_row();
            let mended = lab.mended.as_ref().and_then(|mended| mended.numbers.as_ref().ok().copied());
            let rows = [
                ("Poisoned", Some((last.poisoned.accuracy, last.poisoned.success))),
                ("Repaired", mended),
                ("Clean twin", Some((last.twin.accuracy, last.twin.success))),
            ];
            for (name, numbers) in rows {
                ui.label(RichText::new(name).text_style(theme::strong()));
                match numbers {
                    Some((accuracy, success)) => {
                        ui.label(words::percent(accuracy));
                        ui.label(words::percent(success));
                    }
                    None => {
                        weak(ui, "being measured");
                    }
                }
                ui.end_row();
            }
        });
        if let Some(Err(sentence)) = lab.mended.as_ref().map(|mended| &mended.numbers) {
            crate::app::widgets::trouble(ui, "The repaired model could not be measured", sentence);
        }
    });
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Group, true, "Repair beside the twin"));
    lit(ui, response, "Repair beside the twin");
}
