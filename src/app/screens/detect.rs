//! The second step: the verdict in one sentence, the losses as they come in, and a table of all labels.

use super::{plot_button, report_button, saved_line};
use crate::app::command::{Command, Commands};
use crate::app::known::{Known, Row, ordered};
use crate::app::saving::Saving;
use crate::app::theme::{self, Colors};
use crate::app::widgets::{
    LossPlot, Part, Pictures, badge, close_up, heading, legend, meaning, primary_button, symbol, trouble, weak,
};
use crate::app::words;
use crate::audit::Audit;
use crate::detect::{Shape, TriggerEvidence};
use egui::{Align, Button, CursorIcon, Frame, Label, Layout, Margin, RichText, Sense, Ui, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

/// Points below which the plot's legend does not fit beside its buttons.
const LEGEND_BESIDE_BUTTONS: f32 = 800.0;

/// Height of a row of the table.
const ROW: f32 = 34.0;
/// A name takes no more, so that on a wide screen its verdict still stands beside it.
const WIDEST_NAME: f32 = 560.0;

/// From this width on there is room for a dot a shot.
const WIDE: f32 = 770.0;

/// What the table can be sorted by; its columns, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Label,
    Verdict,
    Shots,
    Trigger,
    WorksOn,
    Size,
    Anomaly,
    PValue,
}

impl By {
    const ALL: [Self; 8] = [
        Self::Label,
        Self::Verdict,
        Self::Shots,
        Self::Trigger,
        Self::WorksOn,
        Self::Size,
        Self::Anomaly,
        Self::PValue,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Label => "Label",
            Self::Verdict => "Verdict",
            Self::Shots => "Shots that reached it",
            Self::Trigger => "Trigger",
            Self::WorksOn => "Works on",
            Self::Size => "Size",
            Self::Anomaly => "Anomaly",
            Self::PValue => "p-value",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Label => "Index and name of the label",
            Self::Verdict => "What the evidence says about this label. “No evidence found” is not a proof",
            Self::Shots => {
                "PoisDetc starts from random points and searches for pictures that the suspect takes for this label \
                 while the reference model does not. A shot with a final loss of at most 0.2 has reached the label"
            }
            Self::Trigger => {
                "The recovered mark, close up: what it covers a picture with, gray where it covers nothing"
            }
            Self::WorksOn => {
                "Attack success rate: share of held-back pictures of other labels, or of the one label named, that the trigger \
                 turns into this label"
            }
            Self::Size => {
                "Share of the picture that the trigger covers, or how strong a faint pattern over all of it is. A planted \
                 trigger is usually small"
            }
            Self::Anomaly => {
                "Anomaly index: how far this trigger is below the median size of all labels, in deviations. Above 3.5 is unusual"
            }
            Self::PValue => {
                "How often some label of an honest model has a trigger that lies as far below the others. At most 0.02 is unusual"
            }
        }
    }

    /// Sort key; larger is more suspicious, except for the label.
    fn key(self, row: &Row) -> i64 {
        let trigger = row.trigger.as_ref();
        let known = |x: Option<f32>| x.map_or(i64::MIN, ordered);
        match self {
            Self::Label => -(row.label as i64),
            Self::Verdict => row.verdict.map_or(-1, |v| v as i64),
            Self::Shots => known(row.reached().map(|(n, of)| n as f32 / of.max(1) as f32)),
            Self::Trigger | Self::Size => known(trigger.map(|t| -t.size)),
            Self::WorksOn => known(trigger.map(|t| t.asr)),
            Self::Anomaly => known(trigger.and_then(|t| t.anomaly_index)),
            Self::PValue => known(trigger.and_then(|t| t.p_value).map(|p| -p)),
        }
    }
}

/// What the screen remembers.
#[derive(Debug)]
pub struct Detect {
    sort: By,
    /// The least suspicious first.
    reversed: bool,
    why: bool,
}

impl Default for Detect {
    fn default() -> Self {
        Self { sort: By::Verdict, reversed: false, why: false }
    }
}

/// What the screen shows.
pub struct Shown<'a> {
    /// All labels so far.
    pub known: &'a Known,
    /// The finished document.
    pub audit: Option<&'a Audit>,
    /// Whether an audit runs.
    pub running: bool,
    /// Why the audit failed.
    pub failure: Option<&'a str>,
    /// What came of saving the report.
    pub saving: &'a Saving,
    /// Whether model and images are chosen.
    pub ready: bool,
}

impl Detect {
    /// Draws the screen.
    pub fn ui(&mut self, ui: &mut Ui, shown: &Shown<'_>, pictures: &mut Pictures, commands: &mut Commands) {
        if let Some(sentence) = shown.failure {
            trouble(ui, "The audit could not be done", sentence);
        }
        if let Some(audit) = shown.audit {
            self.verdict(ui, audit, commands);
            saved_line(ui, shown.saving, commands);
        } else if shown.running {
            heading(ui, "Auditing…");
        } else if shown.failure.is_none() {
            nothing_yet(ui, shown.ready, commands);
            return;
        }
        if shown.known.rows.is_empty() {
            if shown.running {
                weak(ui, "Losses and labels appear here as soon as the first shots are decided");
            }
            return;
        }
        let plot = (ui.available_height() * 0.36).clamp(150.0, 300.0);
        // The legend gets a line of its own where it would run under the buttons.
        let narrow = ui.available_width() < LEGEND_BESIDE_BUTTONS;
        let table = (ui.available_height() - plot - if narrow { 78.0 } else { 56.0 }).max(120.0);
        Frame::NONE.show(ui, |ui| {
            ui.set_height(table);
            self.table(ui, shown.known, pictures, commands);
        });
        ui.horizontal(|ui| {
            ui.label(RichText::new("Losses of all shots").text_style(theme::strong()));
            ui.add_space(10.0);
            if !narrow {
                legend(ui);
            }
            if shown.audit.is_some() {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    plot_button(ui, commands);
                    let command = Command::CopyTable;
                    if ui.button(command.text()).on_hover_text(command.hint(ui.ctx())).clicked() {
                        commands.send(command);
                    }
                });
            }
        });
        if shown.audit.is_some_and(|audit| !audit.searched()) {
            weak(ui, "No shot was made and no trigger searched for; the limits at each label say why");
            return;
        }
        if narrow {
            ui.horizontal(legend);
        }
        if let Some(label) = (LossPlot { rows: &shown.known.rows, height: plot }).ui(ui) {
            commands.send(Command::Inspect(label));
        }
    }

    fn verdict(&mut self, ui: &mut Ui, audit: &Audit, commands: &mut Commands) {
        let pair = Colors::of(ui).verdict(audit.verdict);
        Frame::NONE
            .fill(pair.ground)
            .stroke(egui::Stroke::new(1.0, pair.ink.gamma_multiply(0.35)))
            .corner_radius(8)
            .inner_margin(Margin::symmetric(16, 12))
            .show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(30.0, 30.0), Sense::hover());
                    symbol(ui.painter(), rect.center(), 13.0, audit.verdict, pair.ink, pair.ground);
                    ui.add_space(4.0);
                    let word = RichText::new(words::verdict(audit.verdict)).text_style(theme::title()).color(pair.ink);
                    ui.label(word).on_hover_text(meaning(audit.verdict));
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        let text = if self.why { "Hide reasons" } else { "Why?" };
                        if ui.button(text).on_hover_text("The reasons behind this verdict, in plain words").clicked() {
                            self.why = !self.why;
                        }
                        report_button(ui, commands);
                    });
                });
                let text = Colors::of(ui).text;
                ui.add(Label::new(RichText::new(&audit.summary).color(text)).wrap());
                if audit.stopped {
                    ui.add(
                        Label::new(
                            RichText::new("Stopped before the end: labels that are missing were not examined")
                                .color(text),
                        )
                        .wrap(),
                    );
                }
                if self.why {
                    reasons(ui, audit);
                }
            });
    }

    fn table(&mut self, ui: &mut Ui, known: &Known, pictures: &mut Pictures, commands: &mut Commands) {
        let mut rows: Vec<&Row> = known.rows.iter().collect();
        let by = self.sort;
        let tie = |row: &&Row| (By::Verdict.key(row), By::PValue.key(row), By::WorksOn.key(row));
        rows.sort_by(|a, b| {
            let order = by.key(b).cmp(&by.key(a));
            let order = if self.reversed { order.reverse() } else { order };
            order.then_with(|| tie(b).cmp(&tie(a))).then(a.label.cmp(&b.label))
        });
        ui.spacing_mut().item_spacing = vec2(10.0, 0.0);
        let height = ui.available_height();
        let dots = ui.available_width() >= WIDE;
        // "98.0 % of 4" and "5.7 % strong" need more room than a share alone.
        let any = |told: fn(&TriggerEvidence) -> bool| rows.iter().filter_map(|row| row.trigger.as_ref()).any(told);
        let works_on = if any(|t| t.source.is_some()) { 92.0 } else { 62.0 };
        let size = if any(|t| t.shape != Shape::Patch) { 92.0 } else { 50.0 };
        TableBuilder::new(ui)
            .id_salt("labels")
            .striped(true)
            .sense(Sense::click())
            .cell_layout(Layout::left_to_right(Align::Center))
            .auto_shrink(false)
            .min_scrolled_height(60.0)
            .max_scroll_height(height)
            .column(Column::remainder().at_least(76.0).at_most(WIDEST_NAME).clip(true))
            .column(Column::exact(160.0))
            .column(Column::exact(if dots { 136.0 } else { 50.0 }))
            .column(Column::exact(50.0))
            .column(Column::exact(works_on))
            .column(Column::exact(size))
            .column(Column::exact(66.0))
            .column(Column::exact(70.0))
            .header(30.0, |mut header| {
                for by in By::ALL {
                    header.col(|ui| self.header(ui, by, dots));
                }
            })
            .body(|body| {
                body.rows(ROW, rows.len(), |mut table_row| {
                    let row = rows[table_row.index()];
                    cells(&mut table_row, row, dots, pictures, commands);
                    let response = table_row.response().on_hover_cursor(CursorIcon::PointingHand);
                    if response.clicked() {
                        commands.send(Command::Inspect(row.label));
                    }
                });
            });
    }

    fn header(&mut self, ui: &mut Ui, by: By, dots: bool) {
        let chosen = self.sort == by;
        let colors = Colors::of(ui);
        let color = if chosen { colors.text } else { colors.weak };
        let title = match by {
            By::Shots if dots => "Shots reached",
            By::Shots => "Shots",
            _ => by.title(),
        };
        let text = RichText::new(title).size(12.5).family(theme::strong_family()).color(color);
        ui.spacing_mut().button_padding = vec2(0.0, 2.0);
        let response = ui
            .add(Button::new(text).frame(false))
            .accessible_name(format!("Sort by {}", by.title().to_lowercase()))
            .on_hover_text(by.explanation());
        if chosen {
            let center = response.rect.right_center() + vec2(7.0, 0.0);
            let up = if self.reversed { -1.0 } else { 1.0 };
            let corners = [vec2(-3.5, -2.0 * up), vec2(3.5, -2.0 * up), vec2(0.0, 2.5 * up)].map(|v| center + v);
            ui.painter().add(egui::Shape::convex_polygon(corners.into(), color, egui::Stroke::NONE));
        }
        if response.clicked() {
            self.reversed = chosen && !self.reversed;
            self.sort = by;
        }
    }
}

fn nothing_yet(ui: &mut Ui, ready: bool, commands: &mut Commands) {
    ui.add_space(ui.available_height() * 0.25);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new("No audit yet").text_style(theme::title()));
        ui.add_space(4.0);
        if ready {
            weak(ui, "Model and images are chosen. The audit tests every label and shows what it finds here");
            ui.add_space(12.0);
            primary_button(ui, Command::Start, true, 200.0, commands);
        } else {
            weak(ui, "Choose a suspect model and clean images on the left, or look at the sample first");
            ui.add_space(12.0);
            primary_button(ui, Command::TrySample, true, 200.0, commands);
        }
    });
}

fn reasons(ui: &mut Ui, audit: &Audit) {
    let text = Colors::of(ui).text;
    ui.add_space(2.0);
    egui::ScrollArea::vertical().max_height(150.0).show(ui, |ui| {
        let mut any = false;
        for label in
            audit.labels.iter().filter(|l| l.verdict == audit.verdict && l.verdict > crate::audit::Verdict::NoEvidence)
        {
            for finding in &label.findings {
                any = true;
                let name = if label.name.is_empty() { label.label.to_string() } else { label.name.clone() };
                ui.add(Label::new(RichText::new(format!("•  {name}: {}", finding.because)).color(text)).wrap());
            }
        }
        if !any {
            let sentence = format!(
                "•  None of {} went beyond what honest models show, and no trigger was confirmed",
                words::counted(audit.labels.len(), "label", "labels")
            );
            ui.add(Label::new(RichText::new(sentence).color(text)).wrap());
        }
        let about = format!(
            "•  The suspect answers {} of the clean images rightly; compared with {}",
            words::percent(audit.clean_accuracy),
            audit.references.iter().map(|r| r.description.clone()).collect::<Vec<_>>().join("; ")
        );
        ui.add(Label::new(RichText::new(about).color(text)).wrap());
    });
}

fn cells(table_row: &mut TableRow<'_, '_>, row: &Row, dots: bool, pictures: &mut Pictures, commands: &mut Commands) {
    let dash = |ui: &mut Ui| {
        ui.add(Label::new(RichText::new("–").color(Colors::of(ui).weak)).selectable(false)).on_hover_text("Not known");
    };
    let number = |ui: &mut Ui, text: Option<String>, by: By| match text {
        Some(text) => {
            ui.add(Label::new(text).selectable(false)).on_hover_text(by.explanation());
        }
        None => dash(ui),
    };
    let trigger_found = row.trigger.as_ref();
    table_row.col(|ui| {
        let title = Button::new(RichText::new(row.title()).text_style(theme::strong())).frame(false).truncate();
        let response = ui.add(title).on_hover_text(format!("{}: click for the details", row.title()));
        if response.clicked() {
            commands.send(Command::Inspect(row.label));
        }
    });
    table_row.col(|ui| match row.verdict {
        Some(verdict) => {
            badge(ui, verdict);
        }
        None => {
            ui.add(Label::new(RichText::new("being examined").color(Colors::of(ui).weak)).selectable(false));
        }
    });
    table_row.col(|ui| match row.reached() {
        Some((reached, of)) => shots(ui, reached, of, dots),
        None => dash(ui),
    });
    table_row.col(|ui| match trigger_found {
        Some(found) => {
            let alt = format!("Trigger of label {}", row.title());
            let paint = || close_up(found.shape, &found.mask, &found.pattern);
            pictures
                .show(ui, (row.version, Part::Thumbnail), ROW - 8.0, &alt, paint)
                .on_hover_text(By::Trigger.explanation());
        }
        None => dash(ui),
    });
    table_row.col(|ui| number(ui, trigger_found.map(words::works_on), By::WorksOn));
    table_row.col(|ui| number(ui, trigger_found.map(words::size), By::Size));
    table_row.col(|ui| number(ui, trigger_found.and_then(|t| t.anomaly_index).map(words::index), By::Anomaly));
    table_row.col(|ui| number(ui, trigger_found.and_then(|t| t.p_value).map(words::number), By::PValue));
}

/// "9/10", and before it, where `drawn`, one dot a shot, filled where it reached the label.
fn shots(ui: &mut Ui, reached: usize, of: usize, drawn: bool) {
    const SHOWN: usize = 10;
    let colors = Colors::of(ui);
    let dots = if drawn { of.min(SHOWN) } else { 0 };
    let filled = if of > SHOWN { reached * SHOWN / of } else { reached };
    ui.spacing_mut().item_spacing.x = if drawn { 4.0 } else { 0.0 };
    let (rect, _) = ui.allocate_exact_size(vec2(dots as f32 * 8.5, 10.0), Sense::hover());
    for i in 0..dots {
        let center = rect.left_center() + vec2(4.0 + 8.5 * i as f32, 0.0);
        if i < filled {
            ui.painter().circle_filled(center, 3.2, colors.suspect);
        } else {
            ui.painter().circle_stroke(center, 2.7, egui::Stroke::new(1.0, colors.weak));
        }
    }
    ui.add(Label::new(format!("{reached}/{of}")).selectable(false)).on_hover_text(By::Shots.explanation());
}
