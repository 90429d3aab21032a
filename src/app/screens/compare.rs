//! Two audits side by side: before and after a repair, or two vendors' models.

use super::column;
use crate::app::command::{Command, Commands};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{badge, heading, weak};
use crate::app::words;
use crate::audit::{Audit, LabelFindings};
use egui::{Align, Label, Layout, RichText, Ui};
use egui_extras::{Column, TableBuilder};

/// Height of a row of the table.
const ROW: f32 = 30.0;

/// What the screen shows.
pub struct Compare<'a> {
    /// The audit that is looked at.
    pub left: &'a Audit,
    /// The one beside it.
    pub right: &'a Audit,
}

impl Compare<'_> {
    /// Draws the screen.
    pub fn ui(&self, ui: &mut Ui, commands: &mut Commands) {
        ui.horizontal(|ui| {
            heading(ui, "Two audits side by side");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let command = Command::EndCompare;
                if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                    commands.send(command);
                }
            });
        });
        for note in self.notes() {
            weak(ui, note);
        }
        ui.columns(2, |columns| {
            for (ui, audit, side) in
                columns.iter_mut().zip([self.left, self.right]).zip(["A", "B"]).map(|((u, a), s)| (u, a, s))
            {
                column(ui, |ui| about(ui, side, audit));
            }
        });
        ui.add_space(4.0);
        self.labels(ui);
    }

    /// What a reader must know before the numbers are compared.
    fn notes(&self) -> Vec<&'static str> {
        let (a, b) = (self.left, self.right);
        let mut notes = Vec::new();
        if a.model.sha256 == b.model.sha256 {
            notes.push("Both audits are of the same model file");
        }
        if a.images.sha256 != b.images.sha256 || a.images.sha256.is_none() {
            notes.push("They were made with different images, or it is not known: small differences mean nothing");
        }
        if a.images.names != b.images.names {
            notes.push("Their labels have different names: rows of the same index may be different things");
        }
        let settings = |audit: &Audit| (audit.order.settings.thorough, audit.order.settings.shots);
        if settings(a) != settings(b) {
            notes.push("One of them was more thorough than the other");
        }
        notes
    }

    fn labels(&self, ui: &mut Ui) {
        let count = self.left.labels.len().max(self.right.labels.len());
        let height = ui.available_height();
        TableBuilder::new(ui)
            .id_salt("compared labels")
            .striped(true)
            .cell_layout(Layout::left_to_right(Align::Center))
            .auto_shrink(false)
            .max_scroll_height(height)
            .column(Column::remainder().at_least(90.0).clip(true))
            .columns(Column::exact(164.0), 2)
            .columns(Column::exact(86.0), 4)
            .header(30.0, |mut header| {
                for title in ["Label", "Verdict A", "Verdict B", "Works on A", "Works on B", "Size A", "Size B"] {
                    header.col(|ui| {
                        let color = Colors::of(ui).weak;
                        let text = RichText::new(title).size(12.5).family(theme::strong_family()).color(color);
                        ui.add(Label::new(text));
                    });
                }
            })
            .body(|body| {
                body.rows(ROW, count, |mut row| {
                    let both = [self.left, self.right].map(|audit| audit.labels.get(row.index()));
                    let title = both.iter().flatten().next().map_or_else(String::new, |l| title(l));
                    row.col(|ui| {
                        ui.add(Label::new(RichText::new(&title).text_style(theme::strong())).truncate())
                            .on_hover_text(&title);
                    });
                    for label in both {
                        row.col(|ui| match label {
                            Some(label) => {
                                badge(ui, label.verdict);
                            }
                            None => {
                                weak(ui, "no such label");
                            }
                        });
                    }
                    for say in [words::works_on, words::size] {
                        for label in both {
                            let text = label.and_then(|l| l.trigger.as_ref()).map_or_else(|| "–".into(), say);
                            row.col(|ui| {
                                ui.label(text);
                            });
                        }
                    }
                });
            });
    }
}

fn title(label: &LabelFindings) -> String {
    words::label(label.label, &label.name)
}

fn about(ui: &mut Ui, side: &str, audit: &Audit) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let name = words::file_name(&audit.model.path);
        ui.add(Label::new(RichText::new(format!("{side}  {name}")).text_style(theme::strong())).truncate())
            .on_hover_text(audit.model.path.display().to_string());
        badge(ui, audit.verdict);
        ui.add(Label::new(&audit.summary).wrap());
        let when = audit.finished_at.map_or_else(|| "time not recorded".into(), words::time);
        let accuracy = words::percent(audit.clean_accuracy);
        weak(
            ui,
            format!(
                "Clean accuracy {accuracy} · {} · {when} · seed {}",
                words::counted(audit.images.count, "image", "images"),
                audit.order.settings.seed
            ),
        );
    });
}
