//! The public JSON of a repair, for scripts; `schema` grows when a reader would have to change.

use crate::audit::Verdict;
use crate::audit::repairing::{RepairReport, UnseenReport};
use crate::repair::{Aim, Attempt, Choice, Choices, Measured, Success};
use serde::Serialize;
use std::path::Path;

/// Version of the layout written here.
pub const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    method: &'a str,
    /// Repaired, and the second audit finds nothing.
    clean: bool,
    meets_aim: bool,
    aim: Aim,
    accuracy: Pair<f32>,
    /// Of the mark or block that works best.
    asr: Pair<Option<f32>>,
    /// Which that is.
    works_best: Pair<Option<Success>>,
    before: &'a Measured,
    after: &'a Measured,
    rescan: Option<Rescan<'a>>,
    stopped: bool,
    attempts: &'a [Attempt],
    /// The settings of the method's trade-off, where it has one.
    settings: Option<Settings<'a>>,
    suspect: File<'a>,
    repaired: File<'a>,
    notes: &'a [String],
    limits: &'a [String],
    seed: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct Pair<T> {
    before: T,
    after: T,
}

#[derive(Serialize)]
struct Rescan<'a> {
    verdict: Verdict,
    summary: &'a str,
    seed: u64,
    stopped: bool,
    /// Whether there were pictures enough to search for triggers.
    searched: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct Settings<'a> {
    what: &'a str,
    chosen: usize,
    /// From mild to harsh, on the images the method chooses by.
    measured: Vec<Setting<'a>>,
}

#[derive(Serialize)]
struct Setting<'a> {
    setting: &'a str,
    accuracy: f32,
    asr: Option<f32>,
}

impl<'a> Settings<'a> {
    fn of(choices: &'a Choices) -> Self {
        let setting = |choice: &'a Choice| Setting {
            setting: &choice.what,
            accuracy: choice.measured.accuracy,
            asr: choice.measured.worst_asr(),
        };
        Self { what: choices.setting, chosen: choices.chosen, measured: choices.list.iter().map(setting).collect() }
    }
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    sha256: &'a str,
}

impl<'a> File<'a> {
    fn of(path: &Path, sha256: &'a str) -> Self {
        Self { path: path.display().to_string(), sha256 }
    }
}

/// `report` as indented JSON, with a line feed at the end.
pub fn text(report: &RepairReport) -> String {
    let order = &report.order;
    super::json::pretty(&Document {
        schema: SCHEMA,
        method: &report.method,
        clean: report.is_clean(),
        meets_aim: report.meets_aim,
        aim: order.aim,
        accuracy: Pair { before: report.before.accuracy, after: report.after.accuracy },
        asr: Pair { before: report.before.worst_asr(), after: report.after.worst_asr() },
        works_best: Pair { before: report.before.worst(), after: report.after.worst() },
        before: &report.before,
        after: &report.after,
        rescan: report.scanned_again.as_ref().map(|again| Rescan {
            verdict: again.verdict,
            summary: &again.summary,
            seed: again.order.settings.seed.0,
            stopped: again.stopped,
            searched: again.searched(),
            seconds: again.seconds,
        }),
        stopped: report.stopped,
        attempts: &report.attempts,
        settings: report.choices.as_ref().map(Settings::of),
        suspect: File::of(&order.audited.model, &order.sha256),
        repaired: File::of(&report.saved.path, &report.saved.sha256),
        notes: &report.saved.notes,
        limits: &report.limits,
        seed: order.audited.settings.seed.0,
        seconds: report.seconds,
    })
}

#[derive(Serialize)]
struct Unseen<'a> {
    schema: u32,
    method: &'a str,
    /// Never: nothing was measured.
    clean: bool,
    changed_parameters: usize,
    changed_numbers: usize,
    suspect: File<'a>,
    repaired: File<'a>,
    notes: &'a [String],
    limits: &'a [String],
}

/// A repair without images as indented JSON, with a line feed at the end.
pub fn unseen(report: &UnseenReport) -> String {
    super::json::pretty(&Unseen {
        schema: SCHEMA,
        method: report.method,
        clean: false,
        changed_parameters: report.changed.0,
        changed_numbers: report.changed.1,
        suspect: File::of(&report.order.model, &report.sha256),
        repaired: File::of(&report.saved.path, &report.saved.sha256),
        notes: &report.saved.notes,
        limits: &report.limits,
    })
}
