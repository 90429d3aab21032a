//! The repair of the audited model, as the window sees it: what is chosen, how far it is, what came of it.
//!
//! The repaired file is written to a folder of the program's own, examined there, and exported where the person wants
//! it; the folder goes away with the next audit of another model or with the window.

use super::known::fresh;
use crate::audit::repairing::{RepairEvent, RepairOrder, RepairReport, RepairingError, choose, export};
use crate::audit::{Audit, Order};
use crate::job::{Job, Outcome};
use crate::model::Overwrite;
use crate::progress::Monitor;
use crate::repair::{self, Point};
use crate::tensor::Seed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// What came of proving the setting at an index.
type Proved = (usize, Result<RepairReport, RepairingError>);

/// Everything the Repair screen draws.
#[derive(Default)]
pub struct Repairing {
    /// The chosen method; the recommended ones in order where absent.
    pub method: Option<String>,
    job: Option<Job<RepairEvent, Result<RepairReport, RepairingError>>>,
    exporting: Option<Job<(), Result<PathBuf, String>>>,
    /// Folders of repaired files. An audit of one may be on the screen, so they go only with an unrelated audit.
    workshops: Vec<TempDir>,
    /// Share of the whole, in `[0, 1]`.
    pub fraction: f32,
    /// What is being done.
    pub stage: String,
    /// Seconds left, where that can be told.
    pub seconds_left: Option<f32>,
    /// The methods that were tried so far, each with its curve.
    pub curves: Vec<(String, Vec<Point>)>,
    /// Why there is no repaired model.
    pub failure: Option<String>,
    /// What came of it, with the setting that was proved last.
    pub report: Option<RepairReport>,
    /// Index of the setting the slider is at, where the method has a trade-off.
    pub picked: usize,
    /// Why the picked setting could not be proved.
    pub unproved: Option<String>,
    /// Settings that were proved, by index.
    proved: BTreeMap<usize, RepairReport>,
    proving: Option<Job<(), Proved>>,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Where it was exported to, or why not.
    pub exported: Option<Result<PathBuf, String>>,
    /// A path to export to, typed where no dialog can be opened.
    pub typed: Option<String>,
    /// Another number for every report, for its pictures.
    pub version: u64,
}

impl Repairing {
    /// The order for `audit` with what is chosen.
    ///
    /// # Errors
    /// A sentence where there is no room for the repaired file.
    pub fn order(&mut self, audit: &Audit) -> Result<RepairOrder, String> {
        let folder = tempfile::tempdir()
            .map_err(|why| format!("No folder for the repaired model can be made: {why}. Make room on your disk"))?;
        let adds_steps = self.method.as_deref().and_then(repair::method).is_some_and(|method| method.adds_steps());
        let destination = folder.path().join(file_name(&audit.order.model, adds_steps));
        self.workshops.push(folder);
        Ok(RepairOrder { method: self.method.clone(), ..RepairOrder::of(audit, destination) })
    }

    /// Starts `work` on its own thread; `wake` is called whenever there is something to see.
    pub fn start(
        &mut self,
        wake: impl Fn() + Clone + Send + Sync + 'static,
        work: impl FnOnce(&Monitor, &(dyn Fn(RepairEvent) + Sync)) -> Result<RepairReport, RepairingError> + Send + 'static,
    ) {
        let (method, workshops) = (self.method.take(), std::mem::take(&mut self.workshops));
        let job = Some(Job::start(Monitor::silent(), wake.clone(), work));
        *self = Self { method, workshops, job, wake: Some(Arc::new(wake)), ..Self::default() };
    }

    /// Whether a repair runs.
    pub fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_stopping)
    }

    /// Asks it to stop. Returns at once.
    pub fn stop(&self) {
        if let Some(job) = &self.job {
            job.stop();
        }
    }

    /// Takes in what happened. Never blocks.
    pub fn poll(&mut self) {
        if let Some(end) = self.exporting.as_ref().and_then(Job::outcome) {
            self.exporting = None;
            self.exported = Some(match end {
                Outcome::Done(end) => end,
                Outcome::Panicked(why) => Err(format!("The program itself failed: {why}")),
            });
            if self.exported.as_ref().is_some_and(Result::is_ok) {
                self.typed = None;
            }
        }
        self.poll_proof();
        let Some(job) = &self.job else { return };
        // The outcome first: every event was sent before it.
        let outcome = job.outcome();
        for event in job.events() {
            match event {
                RepairEvent::Progress { fraction, stage, seconds_left } => {
                    (self.fraction, self.stage, self.seconds_left) = (fraction, stage, seconds_left);
                }
                RepairEvent::Point(method, point) => match self.curves.last_mut().filter(|c| c.0 == method) {
                    Some((_, curve)) => curve.push(point),
                    None => self.curves.push((method, vec![point])),
                },
                RepairEvent::Saved(_) => {}
            }
        }
        let Some(outcome) = outcome else { return };
        self.job = None;
        self.version = fresh();
        match outcome {
            Outcome::Done(Ok(report)) => {
                if let Some(choices) = &report.choices {
                    self.picked = choices.chosen;
                    self.proved.insert(choices.chosen, report.clone());
                }
                self.report = Some(report);
            }
            Outcome::Done(Err(stop)) if stop.is_stop() => {
                self.failure = Some("It was stopped before the repaired model was written; nothing was changed".into());
            }
            Outcome::Done(Err(why)) => self.failure = Some(why.to_string()),
            Outcome::Panicked(why) => {
                self.failure =
                    Some(format!("The program itself failed: {why}. Your files are untouched; please report this"));
            }
        }
    }

    /// Puts the slider to a setting. Its proof begins as soon as no other is being made.
    pub fn pick(&mut self, index: usize) {
        if index == self.picked {
            return;
        }
        self.picked = index;
        // What was exported is another setting.
        (self.exported, self.typed, self.unproved) = (None, None, None);
        if let Some(job) = &self.proving {
            job.stop();
        }
    }

    /// Whether the report is of the setting the slider is at.
    pub fn is_proved(&self) -> bool {
        let choices = self.report.as_ref().and_then(|report| report.choices.as_ref());
        choices.is_none_or(|choices| choices.chosen == self.picked)
    }

    /// Takes in the proof of a setting, and begins that of the picked one. Never blocks.
    fn poll_proof(&mut self) {
        if let Some(end) = self.proving.as_ref().and_then(Job::outcome) {
            self.proving = None;
            match end {
                Outcome::Done((index, Ok(report))) => {
                    self.proved.insert(index, report);
                }
                Outcome::Done((_, Err(stop))) if stop.is_stop() => {}
                Outcome::Done((index, Err(why))) if index == self.picked => self.unproved = Some(why.to_string()),
                Outcome::Done(_) => {}
                Outcome::Panicked(why) => self.unproved = Some(format!("The program itself failed: {why}")),
            }
        }
        if self.proving.is_some() || self.is_proved() || self.unproved.is_some() {
            return;
        }
        if let Some(report) = self.proved.get(&self.picked) {
            self.report = Some(report.clone());
            self.version = fresh();
        } else if let (Some(report), Some(wake)) = (self.report.clone(), self.wake.clone()) {
            let index = self.picked;
            let file = file_name(&report.order.audited.model, !report.change.clamps.is_empty());
            let destination = report.order.destination.with_file_name(format!("setting-{index}-{file}"));
            let work =
                move |monitor: &Monitor, _: &(dyn Fn(()) + Sync)| (index, choose(&report, index, destination, monitor));
            self.proving = Some(Job::start(Monitor::silent(), move || wake(), work));
        }
    }

    /// Forgets the result, so that another method can be chosen.
    pub fn again(&mut self) {
        *self = Self { workshops: std::mem::take(&mut self.workshops), ..Self::default() };
    }

    /// Forgets a repair that has nothing to do with the audit that begins.
    pub fn keep_for(&mut self, order: &Order) {
        let ours = self.workshops.iter().any(|folder| order.model.starts_with(folder.path()));
        let exported = self.exported.as_ref().is_some_and(|e| e.as_ref().is_ok_and(|path| *path == order.model));
        if !ours && !exported {
            *self = Self::default();
        }
    }

    /// Writes the repaired model to `path` on a thread of its own.
    pub fn export(&mut self, path: PathBuf, overwrite: Overwrite, wake: impl Fn() + Send + Sync + 'static) {
        let Some(report) = self.report.clone().filter(|_| self.exporting.is_none()) else { return };
        self.exported = None;
        self.exporting = Some(Job::start(Monitor::silent(), wake, move |_, _| {
            export(&report, &path, overwrite).map(|saved| saved.path).map_err(|why| why.to_string())
        }));
    }

    /// An audit of the repaired model with a seed no audit of it had.
    pub fn scan(&self) -> Option<Order> {
        let report = self.report.as_ref()?;
        let exported = self.exported.as_ref().and_then(|e| e.as_ref().ok());
        let mut order = report.order.audited.clone();
        order.model = exported.unwrap_or(&report.saved.path).clone();
        let earlier = report.scanned_again.as_ref().map_or(order.settings.seed, |again| again.order.settings.seed);
        order.settings.seed = Seed(earlier.of("scan again").0 >> 32);
        Some(order)
    }
}

/// What a repaired model is called beside the suspect: "signs-repaired.onnx". It keeps its kind of file unless steps were
/// added that only ONNX has a place for.
pub fn file_name(suspect: &Path, adds_steps: bool) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let stem = part(suspect.file_stem()).unwrap_or_else(|| "model".into());
    let ending = part(suspect.extension()).filter(|_| !adds_steps).unwrap_or_else(|| "onnx".into());
    format!("{stem}-repaired.{ending}")
}
