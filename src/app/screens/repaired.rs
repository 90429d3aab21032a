//! What a repair did: numbers and pictures before and after, the second audit, and what is not proved.

use super::repair_pictures::RepairPictures;
use super::{report_button, saved_line};
use crate::app::command::{Command, Commands};
use crate::app::known::Known;
use crate::app::repairing::Repairing;
use crate::app::saving::Saving;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Pictures, TypedPath, badge, heading, repair_legend, repair_plot, trouble, weak};
use crate::app::words;
use crate::audit::Verdict;
use crate::audit::repairing::RepairReport;
use crate::repair::{Choices, Measured};
use egui::{Button, Frame, Grid, Label, Margin, RichText, Ui};

/// With more labels than this only those that changed most are shown.
const MANY_LABELS: usize = 20;

/// What is drawn.
pub struct Repaired<'a> {
    /// All labels of the audit.
    pub known: &'a Known,
    /// The repair.
    pub repair: &'a Repairing,
    /// What came of it.
    pub report: &'a RepairReport,
    /// What came of saving the audit's report, which tells of the repair.
    pub saving: &'a Saving,
    /// Whether there is an audit to report of.
    pub can_report: bool,
}

impl Repaired<'_> {
    /// Draws it.
    pub fn ui(&self, ui: &mut Ui, pictures: &mut Pictures, commands: &mut Commands) {
        self.banner(ui, commands);
        self.export(ui, commands);
        saved_line(ui, self.saving, commands);
        if let Some(choices) = &self.report.choices {
            self.settings(ui, choices, commands);
        }
        if !self.repair.is_proved() {
            self.proving(ui);
            return;
        }
        self.numbers(ui);
        let name = |label| self.name(label);
        RepairPictures { all: &self.report.pictures, name: &name, version: self.repair.version }.ui(ui, pictures);
        self.second_audit(ui, commands);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "What this does not prove");
            for limit in &self.report.limits {
                ui.add(Label::new(format!("•  {limit}")).wrap());
            }
        });
        self.labels(ui);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "How it went");
            ui.horizontal(repair_legend);
            repair_plot(ui, &self.repair.curves, 190.0);
        });
    }

    /// Name of a label; the second audit knows it even while another audit runs.
    fn name(&self, label: usize) -> String {
        let again = self.report.scanned_again.as_ref().and_then(|again| again.images.names.get(label));
        again.cloned().unwrap_or_else(|| self.known.name(label))
    }

    fn banner(&self, ui: &mut Ui, commands: &mut Commands) {
        let clean = self.report.is_clean() && self.repair.is_proved();
        let pair = Colors::of(ui).verdict(if clean { Verdict::NoEvidence } else { Verdict::Suspicious });
        Frame::NONE
            .fill(pair.ground)
            .stroke(egui::Stroke::new(1.0, pair.ink.gamma_multiply(0.35)))
            .corner_radius(8)
            .inner_margin(Margin::symmetric(16, 12))
            .show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                let came = if self.repair.is_proved() { words::repaired(self.report) } else { "Another setting" };
                let text = RichText::new(came).text_style(egui::TextStyle::Heading);
                ui.add(Label::new(text.color(pair.ink)).wrap());
                let about = format!(
                    "{}, {}. The suspect's file was left as it is",
                    words::method(&self.report.method),
                    words::duration(self.report.seconds)
                );
                ui.add(Label::new(RichText::new(about).color(Colors::of(ui).text)).wrap());
                ui.horizontal(|ui| {
                    let primary = Colors::of(ui).primary;
                    let text = RichText::new(Command::Export.text()).text_style(theme::strong()).color(primary.ink);
                    let export = Button::new(text).fill(primary.ground).stroke(egui::Stroke::NONE);
                    let scan = Button::new(Command::ScanAgain.text());
                    // What is exported and examined is what the numbers are of.
                    let proved = self.repair.is_proved();
                    for (command, button) in [(Command::Export, export), (Command::ScanAgain, scan)] {
                        let button = ui.add_enabled(proved, button).on_hover_text(command.tooltip());
                        if button.on_disabled_hover_text("This setting has not been measured yet").clicked() {
                            commands.send(command);
                        }
                    }
                    if self.can_report {
                        report_button(ui, commands);
                    }
                    let again = Command::RepairAgain;
                    if ui.button(again.text()).on_hover_text(again.tooltip()).clicked() {
                        commands.send(again);
                    }
                });
            });
    }

    fn export(&self, ui: &mut Ui, commands: &mut Commands) {
        match &self.repair.exported {
            Some(Ok(path)) => {
                let text = format!("The repaired model is in {}", path.display());
                ui.add(Label::new(RichText::new(text).text_style(theme::strong())).wrap());
            }
            Some(Err(sentence)) => trouble(ui, "The repaired model was not exported", sentence),
            None => {}
        }
        if let Some(typed) = &self.repair.typed {
            let field = TypedPath {
                asks: "Type where the repaired model should go",
                label: "Export to",
                button: ("Export here", "Write the repaired model to this path"),
                typed: &Command::TypeExport,
                done: Command::ExportTyped,
            };
            field.ui(ui, typed, commands);
        }
    }

    /// The trade-off of the method: a slider over what was measured, and the numbers of the setting it is at.
    fn settings(&self, ui: &mut Ui, choices: &Choices, commands: &mut Commands) {
        let Some(choice) = choices.list.get(self.repair.picked) else { return };
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Setting");
            weak(ui, choices.setting);
            let mut picked = self.repair.picked;
            // An identity that does not hang on what stands above: the slider must keep the keyboard while it is moved.
            let scope = egui::UiBuilder::new().scope_id(egui::Id::unique("setting of the repair"));
            ui.scope_builder(scope, |ui| {
                ui.horizontal(|ui| {
                    let colors = Colors::of(ui);
                    ui.visuals_mut().widgets.inactive.bg_fill = colors.border;
                    ui.visuals_mut().selection.bg_fill = colors.accent;
                    ui.spacing_mut().slider_width = 320.0;
                    ui.label(RichText::new("mild").color(colors.weak));
                    let range = 0..=choices.list.len().saturating_sub(1);
                    let slider = egui::Slider::new(&mut picked, range).show_value(false).trailing_fill(true);
                    let slider = ui.add(slider).on_hover_text(Command::PickSetting(picked).tooltip());
                    if slider.accessible_name("Setting of the repair").changed() {
                        commands.send(Command::PickSetting(picked));
                    }
                    ui.label(RichText::new("harsh").color(colors.weak));
                    ui.add_space(10.0);
                    ui.label(RichText::new(&choice.what).text_style(theme::strong()));
                });
            });
            let measured = &choice.measured;
            let trigger = measured
                .worst_asr()
                .map_or_else(String::new, |asr| format!(", recovered trigger works on {}", words::percent(asr)));
            ui.label(format!("Clean accuracy {}{trigger}", words::percent(measured.accuracy)));
            let images = words::counted(measured.images, "image", "images");
            weak(ui, format!("Measured on {images} the repair chose by; below on images it never saw"));
        });
    }

    /// What stands in place of the numbers until the picked setting's are there.
    fn proving(&self, ui: &mut Ui) {
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            match &self.repair.unproved {
                Some(sentence) => trouble(ui, "This setting could not be measured", sentence),
                None => {
                    let images = words::counted(self.report.before.images, "image", "images");
                    weak(ui, format!("Measuring this setting on {images} held back…"));
                }
            }
        });
    }

    fn numbers(&self, ui: &mut Ui) {
        let (before, after) = (&self.report.before, &self.report.after);
        let asr = |m: &Measured| m.worst_asr().map_or_else(|| "–".to_owned(), words::percent);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Before and after");
            Grid::new("before and after").num_columns(3).spacing([36.0, 8.0]).show(ui, |ui| {
                let color = Colors::of(ui).weak;
                for title in ["", "Before", "After"] {
                    ui.label(RichText::new(title).color(color));
                }
                ui.end_row();
                for (what, [before, after]) in [
                    ("Clean accuracy", [words::percent(before.accuracy), words::percent(after.accuracy)]),
                    ("Recovered trigger works on", [asr(before), asr(after)]),
                ] {
                    ui.label(what);
                    for (value, when) in [(before, "before"), (after, "after")] {
                        let text = RichText::new(&value).text_style(egui::TextStyle::Heading);
                        ui.label(text).on_hover_text(format!("{what} {when} the repair"));
                    }
                    ui.end_row();
                }
                if let (Some(before), Some(after)) = (words::works_best(before), words::works_best(after)) {
                    ui.label(RichText::new(words::WORKS_BEST).color(color));
                    for what in [before, after] {
                        ui.label(RichText::new(what).color(color));
                    }
                    ui.end_row();
                }
            });
            let aim = words::aim(self.report.order.aim, before.worst_asr().is_some());
            let met = if self.report.meets_aim { "met" } else { "not met" };
            weak(ui, format!("Aim, {met}: {}{}", aim[..1].to_lowercase(), &aim[1..]));
            weak(ui, format!("Measured on {} held back", words::counted(after.images, "image", "images")));
        });
    }

    fn second_audit(&self, ui: &mut Ui, commands: &mut Commands) {
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Second audit, of the repaired model");
            match &self.report.scanned_again {
                Some(again) => {
                    badge(ui, again.verdict);
                    ui.add(Label::new(&again.summary).wrap());
                    weak(ui, format!("Seed {}, in {}", again.order.settings.seed, words::duration(again.seconds)));
                    let compare = Command::CompareRepaired;
                    if self.can_report && ui.button(compare.text()).on_hover_text(compare.tooltip()).clicked() {
                        commands.send(compare);
                    }
                }
                None => {
                    weak(ui, "The repaired model was not examined again");
                }
            }
        });
    }

    fn labels(&self, ui: &mut Ui) {
        let (shown, hidden) = self.report.changed_most(MANY_LABELS);
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Clean accuracy by label");
            Grid::new("by label").num_columns(3).spacing([36.0, 4.0]).striped(true).show(ui, |ui| {
                let color = Colors::of(ui).weak;
                for title in ["Label", "Before", "After"] {
                    ui.label(RichText::new(title).color(color));
                }
                ui.end_row();
                for (label, before, after) in &shown {
                    ui.label(format!("{label} {}", self.name(*label)));
                    ui.label(words::percent(*before));
                    ui.label(words::percent(*after));
                    ui.end_row();
                }
            });
            if hidden > 0 {
                weak(ui, format!("{} that changed less are not shown", words::counted(hidden, "label", "labels")));
            }
        });
    }
}
