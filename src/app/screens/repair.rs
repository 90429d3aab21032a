//! The fourth step: how to repair, how far it is, and what the repair did, before and after side by side.

use super::repaired::Repaired;
use crate::app::command::{Command, Commands};
use crate::app::known::Known;
use crate::app::repairing::Repairing;
use crate::app::saving::Saving;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{Pictures, heading, lit, repair_legend, repair_plot, trouble, weak};
use crate::app::words;
use crate::audit::{Audit, Verdict};
use crate::repair::{self, Aim};
use egui::{Label, RichText, Ui};

/// What the screen shows.
pub struct RepairScreen<'a> {
    /// All labels of the audit.
    pub known: &'a Known,
    /// The finished audit.
    pub audit: Option<&'a Audit>,
    /// The repair.
    pub repair: &'a Repairing,
    /// What came of saving the report.
    pub saving: &'a Saving,
}

impl RepairScreen<'_> {
    /// Draws the screen. What was typed as a path is written back by the commands it sends.
    pub fn ui(&self, ui: &mut Ui, pictures: &mut Pictures, commands: &mut Commands) {
        egui::ScrollArea::vertical().auto_shrink(false).id_salt("repair").show(ui, |ui| {
            if let Some(sentence) = &self.repair.failure {
                trouble(ui, "The model was not repaired", sentence);
            }
            if self.repair.is_running() {
                self.running(ui);
            } else if let Some(report) = &self.repair.report {
                let (known, repair, saving) = (self.known, self.repair, self.saving);
                let can_report = self.audit.is_some();
                Repaired { known, repair, report, saving, can_report }.ui(ui, pictures, commands);
            } else if let Some(audit) = self.audit {
                self.choose(ui, audit, commands);
            } else {
                ui.add_space(ui.available_height() * 0.25);
                ui.vertical_centered(|ui| {
                    ui.label(RichText::new("Nothing to repair yet").text_style(theme::title()));
                    weak(ui, "Start an audit first; a repair goes on from what it found");
                });
            }
        });
    }

    fn running(&self, ui: &mut Ui) {
        heading(ui, "Repairing…");
        weak(ui, "The suspect's file stays as it is. The repaired model is examined again before you see the result");
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.label(RichText::new("On images the repair does not learn from").text_style(theme::strong()));
            ui.horizontal(repair_legend);
            repair_plot(ui, &self.repair.curves, 260.0);
        });
    }

    fn choose(&self, ui: &mut Ui, audit: &Audit, commands: &mut Commands) {
        let triggers = audit.labels.iter().filter(|l| l.verdict == Verdict::Infected).count();
        let found = match triggers {
            0 => "No trigger was confirmed, so it cannot be shown that one stopped working. The repair changes what \
                  backdoors usually rest on"
                .to_owned(),
            n => format!(
                "The repair goes on from {}. The suspect's file stays as it is: you choose a new file at the end",
                words::counted(n, "recovered trigger", "recovered triggers")
            ),
        };
        ui.horizontal(|ui| {
            heading(ui, "Repair this model");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let primary = Colors::of(ui).primary;
                let text = RichText::new(Command::StartRepair.text()).text_style(theme::strong()).color(primary.ink);
                let start = egui::Button::new(text)
                    .fill(primary.ground)
                    .stroke(egui::Stroke::NONE)
                    .min_size(egui::vec2(150.0, 32.0));
                let start = ui.add(start).on_hover_text(Command::StartRepair.tooltip());
                if lit(ui, start, Command::StartRepair.text()).clicked() {
                    commands.send(Command::StartRepair);
                }
            });
        });
        ui.add(Label::new(found).wrap());
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Aim");
            ui.add(Label::new(words::aim(Aim::default(), triggers > 0)).wrap());
            weak(
                ui,
                format!(
                    "Measured on {} that were held back from the search and from the repair",
                    words::counted(audit.images.held_out, "image", "images")
                ),
            );
        });
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "Method");
            theme::outline(ui);
            let order: Vec<String> =
                repair::recommended(triggers > 0, true).iter().map(|m| words::method(m.name())).collect();
            let price = format!("Tries {} in this order until the aim is met, and keeps the best", order.join(", "));
            self.method(ui, None, "Recommended", &price, true, commands);
            for method in repair::methods() {
                let possible = triggers > 0 || !method.needs_trigger();
                let title = words::method(method.name());
                self.method(ui, Some(method.name()), &title, method.price(), possible, commands);
            }
        });
    }

    fn method(
        &self,
        ui: &mut Ui,
        name: Option<&str>,
        title: &str,
        price: &str,
        possible: bool,
        commands: &mut Commands,
    ) {
        let chosen = self.repair.method.as_deref() == name;
        let text = RichText::new(title).text_style(theme::strong());
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let radio = ui.add_enabled(possible, egui::RadioButton::new(chosen, text));
            if radio.accessible_name(format!("Method: {title}")).on_hover_text(price).clicked() {
                commands.send(Command::ChooseMethod(name.map(str::to_owned)));
            }
            let color = Colors::of(ui).weak;
            egui::Frame::NONE.inner_margin(egui::Margin { left: 22, ..Default::default() }).show(ui, |ui| {
                ui.add(Label::new(RichText::new(price).color(color)).wrap());
            });
        });
    }
}
