//! The third step: one label in detail, and what the method cannot see.

use super::beside::two_labels;
use super::saved_line;
use crate::app::command::{Command, Commands};
use crate::app::known::{Known, Row};
use crate::app::saving::{Output, Saving};
use crate::app::strengths::Strengths;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{
    Part, Pictures, badge, explained, heading, heat, legend, losses_of_one_label, numbers, plain, trigger, trouble,
    weak,
};
use crate::app::words;
use crate::audit::Audit;
use crate::detect::{Example, Shape, ShotEvidence, TriggerEvidence};
use egui::{Align, ComboBox, Label, Layout, RichText, Ui};

/// Room for the widest verdict, in points.
const BADGE: f32 = 170.0;
/// Room for the numbers beside a trigger, in points.
const NUMBERS: f32 = 290.0;
/// Width of a real picture on the screen, in points.
const SIDE: f32 = 104.0;

/// Points below which the label's name gets a line of its own.
const TITLE_BESIDE_BUTTONS: f32 = 820.0;

/// The label and its verdict.
fn title(ui: &mut Ui, row: &Row) {
    let title = RichText::new(format!("Label {}", row.title())).text_style(theme::title());
    let room = ui.available_width() - if row.verdict.is_some() { BADGE } else { 0.0 };
    ui.scope(|ui| {
        ui.set_max_width(room);
        ui.add(Label::new(title).truncate());
    });
    if let Some(verdict) = row.verdict {
        badge(ui, verdict);
    }
}

/// What the screen shows.
pub struct Inspect<'a> {
    /// All labels so far.
    pub known: &'a Known,
    /// The finished document.
    pub audit: Option<&'a Audit>,
    /// What came of saving pictures.
    pub saving: &'a Saving,
    /// The trigger at other strengths.
    pub strengths: &'a Strengths,
    /// The chosen label.
    pub label: Option<usize>,
    /// The one beside it.
    pub beside: Option<usize>,
}

impl Inspect<'_> {
    /// Draws the screen.
    pub fn ui(&self, ui: &mut Ui, pictures: &mut Pictures, commands: &mut Commands) {
        let label = self.label.or_else(|| self.known.most_suspicious());
        let Some(row) = label.and_then(|label| self.known.of_label(label)) else {
            ui.add_space(ui.available_height() * 0.25);
            ui.vertical_centered(|ui| {
                ui.label(RichText::new("No label to inspect yet").text_style(theme::title()));
                weak(ui, "Start an audit first; then every label can be looked at here");
            });
            return;
        };
        self.choose(ui, row, commands);
        egui::ScrollArea::vertical().auto_shrink(false).id_salt(row.label).show(ui, |ui| {
            reasons(ui, row);
            let other = self.beside.filter(|&other| other != row.label).and_then(|other| self.known.of_label(other));
            if let Some(other) = other {
                two_labels(ui, [row, other], pictures);
            }
            if let Some(found) = &row.trigger {
                self.trigger(ui, row, found, pictures, commands);
            } else {
                theme::card(ui).show(ui, |ui| {
                    ui.set_min_width(ui.available_width());
                    heading(ui, "Trigger");
                    weak(ui, "None was searched for at this label; the limits below say why");
                });
            }
            if let Some(shots) = &row.shots {
                losses(ui, row, shots, pictures);
            }
            if let Some(audit) = self.audit {
                limits(ui, audit);
            }
        });
    }

    fn choose(&self, ui: &mut Ui, row: &Row, commands: &mut Commands) {
        let narrow = ui.available_width() < TITLE_BESIDE_BUTTONS;
        if narrow {
            ui.horizontal(|ui| title(ui, row));
        }
        let row_of_buttons = egui::vec2(ui.available_width(), 34.0);
        ui.allocate_ui_with_layout(row_of_buttons, Layout::right_to_left(Align::Center), |ui| {
            let at = self.known.rows.iter().position(|r| r.label == row.label).unwrap_or(0);
            self.step(ui, "Next", "Next label", self.known.rows.get(at + 1), commands);
            ComboBox::from_id_salt("label")
                .selected_text(row.title())
                .width(130.0)
                .truncate()
                .show_ui(ui, |ui| {
                    for other in &self.known.rows {
                        let verdict = other.verdict.map(|v| format!(" · {}", words::verdict(v))).unwrap_or_default();
                        let text = format!("{}{verdict}", other.title());
                        if ui.selectable_label(other.label == row.label, text).clicked() {
                            commands.send(Command::Inspect(other.label));
                        }
                    }
                })
                .response
                .accessible_name("Choose a label");
            self.beside(ui, row, commands);
            let before = at.checked_sub(1).and_then(|i| self.known.rows.get(i));
            self.step(ui, "Previous", "Previous label", before, commands);
            if !narrow {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| title(ui, row));
            }
        });
    }

    fn beside(&self, ui: &mut Ui, row: &Row, commands: &mut Commands) {
        let chosen = self.beside.filter(|&other| other != row.label);
        let text = chosen.map_or_else(|| "Beside…".to_owned(), |other| self.known.name(other));
        let choice = ComboBox::from_id_salt("beside").selected_text(text).width(90.0).truncate().show_ui(ui, |ui| {
            if ui.selectable_label(chosen.is_none(), "No other label").clicked() {
                commands.send(Command::Beside(None));
            }
            for other in self.known.rows.iter().filter(|other| other.label != row.label) {
                if ui.selectable_label(chosen == Some(other.label), other.title()).clicked() {
                    commands.send(Command::Beside(Some(other.label)));
                }
            }
        });
        choice.response.accessible_name("Hold another label beside").on_hover_text(Command::Beside(None).tooltip());
    }

    fn step(&self, ui: &mut Ui, text: &str, name: &str, to: Option<&Row>, commands: &mut Commands) {
        let button = ui.add_enabled(to.is_some(), egui::Button::new(text)).accessible_name(name);
        if let Some(to) = to
            && button.clicked()
        {
            commands.send(Command::Inspect(to.label));
        }
    }

    fn trigger(
        &self,
        ui: &mut Ui,
        row: &Row,
        found: &TriggerEvidence,
        pictures: &mut Pictures,
        commands: &mut Commands,
    ) {
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Recovered trigger");
            let of_label = found.source.map_or_else(String::new, |s| format!(" of “{}”", self.known.name(s)));
            let text = format!(
                "Put on {}{of_label} that were held back from the search, it turns {} of them into “{}”",
                words::counted(found.asr_images, "picture", "pictures"),
                words::percent(found.asr),
                self.known.name(row.label)
            );
            ui.add(Label::new(text).wrap());
            let side = ((ui.available_width() - NUMBERS) / 4.0 - 18.0).clamp(56.0, 150.0);
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 18.0;
                let parts = [Part::Mask, Part::Pattern, Part::Trigger, Part::Heat].into_iter().zip(words::parts(found.shape));
                for (part, (name, explanation)) in parts.filter_map(|(part, said)| Some((part, said?))) {
                    ui.vertical(|ui| {
                        let paint = || match part {
                            Part::Mask => plain(&found.mask),
                            Part::Pattern => plain(&found.pattern),
                            Part::Heat => heat(&found.examples),
                            _ => trigger(found.shape, &found.mask, &found.pattern),
                        };
                        let alt = format!("{name} of label {}", row.title());
                        pictures.show(ui, (row.version, part), side, &alt, paint).on_hover_text(explanation);
                        ui.label(RichText::new(name).small()).on_hover_text(explanation);
                    });
                }
                numbers(ui, "trigger numbers", |ui| trigger_numbers(ui, found));
            });
            if self.audit.is_some() {
                let command = Command::Save(Output::Pictures);
                if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                    commands.send(command);
                }
                saved_line(ui, self.saving, commands);
            }
            if self.audit.is_some() {
                self.strengths(ui, row, pictures, commands);
            }
            if !found.examples.is_empty() {
                ui.add_space(6.0);
                ui.label(RichText::new("On real pictures").text_style(theme::strong()));
                weak(ui, "Above the clean picture, below the same with the trigger; under each the model's answer and how sure it is");
                let in_a_row = (ui.available_width() / (SIDE + 14.0)).floor().max(1.0) as usize;
                let numbered: Vec<(usize, &Example)> = found.examples.iter().enumerate().collect();
                for some in numbered.chunks(in_a_row) {
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = 14.0;
                        for &(i, example) in some {
                            self.example(ui, row, i, example, pictures);
                        }
                    });
                }
            }
        });
    }

    /// The trigger laid on fainter or harder: a button, then a slider over what was measured.
    fn strengths(&self, ui: &mut Ui, row: &Row, pictures: &mut Pictures, commands: &mut Commands) {
        let tried = Some(self.strengths).filter(|tried| tried.label == row.label);
        let command = Command::TryStrengths(row.label);
        if let Some(sentence) = tried.and_then(|tried| tried.trouble.as_ref()) {
            trouble(ui, "The trigger could not be tried", sentence);
        }
        let Some(tried) = tried.filter(|tried| tried.is_measuring() || !tried.measured.is_empty()) else {
            if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                commands.send(command);
            }
            return;
        };
        let Some(at) = tried.measured.get(tried.picked) else {
            ui.horizontal(|ui| {
                ui.add(egui::Spinner::new().size(16.0));
                weak(ui, "Trying the trigger at other strengths…");
            });
            return;
        };
        let mut picked = tried.picked;
        let scope = egui::UiBuilder::new().scope_id(egui::Id::unique("strength of the trigger"));
        ui.scope_builder(scope, |ui| {
            ui.horizontal(|ui| {
                let colors = Colors::of(ui);
                ui.visuals_mut().widgets.inactive.bg_fill = colors.border;
                ui.visuals_mut().selection.bg_fill = colors.accent;
                ui.spacing_mut().slider_width = 240.0;
                ui.label(RichText::new("Strength").text_style(theme::strong()));
                let range = 0..=tried.measured.len().saturating_sub(1);
                let slider = ui.add(egui::Slider::new(&mut picked, range).show_value(false).trailing_fill(true));
                let slider = slider.on_hover_text(Command::PickStrength(picked).tooltip());
                if slider.accessible_name("Strength of the trigger").changed() {
                    commands.send(Command::PickStrength(picked));
                }
                ui.label(format!(
                    "At {:.0} % of its strength it works on {} of {}",
                    100.0 * at.strength,
                    words::percent(at.asr),
                    words::counted(at.images, "picture", "pictures")
                ));
            });
        });
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            for (i, example) in at.examples.iter().enumerate() {
                let (answer, sure) = example.answer_after;
                let (name, truth) = (self.known.name(answer), self.known.name(example.truth));
                ui.vertical(|ui| {
                    ui.set_width(72.0);
                    let alt = format!("Picture {} of {truth} at this strength: the model says {name}", i + 1);
                    let key = (tried.version, Part::AtStrength(i));
                    pictures.show(ui, key, 72.0, &alt, || plain(&example.after));
                    let turned = answer == row.label && example.truth != row.label;
                    let colors = Colors::of(ui);
                    let color = if turned { colors.verdict(crate::audit::Verdict::Infected).ink } else { colors.text };
                    ui.add(Label::new(RichText::new(&name).small().color(color)).truncate())
                        .on_hover_text(format!("{} sure", words::percent(sure)));
                });
            }
        });
    }

    fn example(&self, ui: &mut Ui, row: &Row, i: usize, example: &Example, pictures: &mut Pictures) {
        let colors = Colors::of(ui);
        ui.vertical(|ui| {
            ui.set_width(SIDE);
            ui.spacing_mut().item_spacing.y = 3.0;
            let truth = self.known.name(example.truth);
            for (part, picture, (answer, sure), what) in [
                (Part::Before(i), &example.before, example.answer_before, "Clean picture"),
                (Part::After(i), &example.after, example.answer_after, "With the trigger"),
            ] {
                let name = self.known.name(answer);
                let alt = format!("{what} {} of {truth}: the model says {name}", i + 1);
                pictures.show(ui, (row.version, part), SIDE, &alt, || plain(picture)).on_hover_text(format!(
                    "{what}. It shows “{truth}”; the model says “{name}”, {} sure",
                    words::percent(sure)
                ));
                let turned = answer == row.label && example.truth != row.label;
                let color = if turned { colors.verdict(crate::audit::Verdict::Infected).ink } else { colors.text };
                let text = RichText::new(&name).text_style(theme::strong()).color(color);
                ui.add(Label::new(text).truncate());
                ui.add(
                    Label::new(RichText::new(format!("{} sure", words::percent(sure))).small().color(colors.weak))
                        .extend(),
                )
                .on_hover_text("Probability the model gives its answer");
                ui.add_space(4.0);
            }
        });
    }
}

fn reasons(ui: &mut Ui, row: &Row) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        heading(ui, "Reasons");
        if row.verdict.is_none() {
            weak(ui, "Still being examined");
        } else if row.findings.is_empty() {
            weak(ui, "Nothing about this label went beyond what honest models show");
        }
        for finding in &row.findings {
            ui.horizontal_top(|ui| {
                let pair = Colors::of(ui).verdict(finding.verdict);
                let (rect, response) = ui.allocate_exact_size(egui::vec2(16.0, 18.0), egui::Sense::hover());
                crate::app::widgets::symbol(ui.painter(), rect.center(), 6.0, finding.verdict, pair.ink, pair.ground);
                response.on_hover_text(words::verdict(finding.verdict));
                ui.add(Label::new(&finding.because).wrap());
            });
        }
    });
}

fn trigger_numbers(ui: &mut Ui, found: &TriggerEvidence) {
    let one_label = found.source.is_some();
    explained(
        ui,
        "Works on",
        &words::percent(found.asr),
        if one_label {
            "Attack success rate on held-back pictures of that label"
        } else {
            "Attack success rate on held-back pictures whose true label is another one"
        },
    );
    if let Some(elsewhere) = found.elsewhere {
        explained(
            ui,
            "On all labels",
            &words::percent(elsewhere),
            "Share of held-back pictures of every other label that it turns too",
        );
    }
    explained(
        ui,
        "During the search",
        &words::percent(found.asr_search),
        "Attack success rate on the pictures of the search; much higher than on held-back ones means it was learned by heart",
    );
    match found.shape {
        Shape::Patch => {
            explained(ui, "Size", &words::percent(found.size), "Share of the picture's area that the trigger covers");
            explained(
                ui,
                "Pixels",
                &format!("{:.1}", found.l1),
                "Sum of the mask: how many whole pixels that would be",
            );
        }
        Shape::Blend => explained(
            ui,
            "Strength",
            &words::percent(found.size),
            "How strong the pattern is that is added to the whole picture: 0 % leaves it as it is, 100 % leaves nothing of it",
        ),
        Shape::Filter => explained(
            ui,
            "Change",
            &words::percent(found.size),
            "How much the filter changes colours on average: 0 % leaves them as they are",
        ),
        Shape::Warp => explained(
            ui,
            "Shift",
            &words::percent(found.size),
            "How far pixels are moved on average, along each axis, as a share of the picture's side",
        ),
    }
    let anomaly = found.anomaly_index.map_or_else(|| "too few labels".into(), words::index);
    explained(
        ui,
        "Anomaly index",
        &anomaly,
        if one_label {
            "How far a short search for this pair of labels came below what its two labels make expected, in deviations of \
             the logarithm. Above 2.5 is unusual"
        } else {
            "How far this trigger is below the median size of all labels, in deviations of the logarithm. Above 3.5 is unusual"
        },
    );
    if let Some(p) = found.p_value {
        explained(
            ui,
            "p-value",
            &words::number(p),
            "How often some label of an honest model has a trigger that lies as far below the others. At most \
             0.02 is unusual",
        );
    }
    if let Some(usual) = found.usual_size {
        let (name, explanation) = if one_label {
            ("Ordinary pairs need", "Median size over pairs of labels that are neither easy nor hard in this model")
        } else {
            ("Other labels need", "Median size over all labels of this model that were searched")
        };
        explained(ui, name, &words::percent(usual), explanation);
    }
    if let Some(back) = found.reverse_size {
        explained(
            ui,
            "The way back needs",
            &words::percent(back),
            "Size of the smallest trigger that turns this label into the other. Labels that look alike are near both ways",
        );
    }
    if !found.reference_sizes.is_empty() {
        let sizes: Vec<String> = found.reference_sizes.iter().map(|&s| words::percent(s)).collect();
        explained(
            ui,
            "On honest models",
            &sizes.join(", "),
            "Size of the smallest trigger for the same label on models that are known clean",
        );
        let works: Vec<String> = found.reference_asr.iter().map(|&s| words::percent(s)).collect();
        explained(
            ui,
            "Works there on",
            &works.join(", "),
            "Share of held-back pictures that this very trigger turns on those models: a planted one means nothing to them",
        );
    }
}

fn losses(ui: &mut Ui, row: &Row, shots: &ShotEvidence, pictures: &mut Pictures) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        heading(ui, "Shots");
        numbers(ui, "shot numbers", |ui| {
            let (reached, of) = row.reached().unwrap_or_default();
            explained(ui, "Shots that reached it", &format!("{reached} of {of}"), "Shots with a final loss of at most 0.2");
            let rule = if shots.flagged_by_original_rule { "flagged" } else { "not flagged" };
            explained(
                ui,
                "Published rule",
                &format!("{rule}, Prob {:.1}", shots.prob),
                "PoisDetc as published flags a label when at least half of its shots reach it; that also happens to honest labels",
            );
            let p = shots.p_value.map_or_else(|| "no pair of references".into(), words::number);
            explained(ui, "p-value of the shots", &p, "Probability that two honest models show shots as low as these");
            if !shots.clean_losses.is_empty() {
                explained(
                    ui,
                    "Honest models reach it",
                    &format!("{} of shots", words::percent(shots.clean_prob)),
                    "The same test between models that are known clean",
                );
            }
            let steps = shots.steps.iter().sum::<usize>() / shots.steps.len().max(1);
            explained(ui, "Steps a shot", &words::count(steps), "Optimiser steps until a shot was decided, on average");
        });
        ui.horizontal(legend);
        losses_of_one_label(ui, row, 190.0);
        if !shots.points.is_empty() {
            ui.label(RichText::new("Where the shots ended").text_style(theme::strong()));
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = egui::vec2(8.0, 8.0);
                for (i, point) in shots.points.iter().enumerate() {
                    let loss = shots.losses.get(i).copied().map_or_else(String::new, |l| format!(", loss {}", words::number(l)));
                    let alt = format!("Final point of shot {}", i + 1);
                    pictures.show(ui, (row.version, Part::Point(i)), 64.0, &alt, || plain(point)).on_hover_text(format!("{alt}{loss}"));
                }
            });
        }
    });
}

fn limits(ui: &mut Ui, audit: &Audit) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        heading(ui, "Honest limits");
        for limit in &audit.limits {
            ui.add(Label::new(format!("•  {limit}")).wrap());
        }
        weak(
            ui,
            format!(
                "Seed {}, {} in {}, program {}",
                audit.order.settings.seed,
                words::counted(audit.labels.len(), "label", "labels"),
                words::duration(audit.seconds),
                audit.program
            ),
        );
    });
}
