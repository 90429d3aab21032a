//! A trigger tried at other strengths, as the window sees it: measured once a label, then a slider over the results.

use super::known::fresh;
use crate::audit::{AtStrength, strengths};
use crate::audit::{Audit, AuditError};
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use std::sync::Arc;

type Measured = Result<Vec<AtStrength>, AuditError>;

/// What the screen draws of it.
#[derive(Default)]
pub struct Strengths {
    /// The label it is about.
    pub label: usize,
    job: Option<Job<(), Measured>>,
    /// From faint to hard.
    pub measured: Vec<AtStrength>,
    /// Why there is nothing.
    pub trouble: Option<String>,
    /// Which the slider is at.
    pub picked: usize,
    /// Another number for every picked strength, for its pictures.
    pub version: u64,
}

impl Strengths {
    /// Measures the trigger of a label, on a thread of its own.
    pub fn start(&mut self, audit: Arc<Audit>, label: usize, wake: impl Fn() + Send + Sync + 'static) {
        let work = move |monitor: &Monitor, _: &(dyn Fn(()) + Sync)| strengths(&audit, label, monitor);
        *self = Self { label, job: Some(Job::start(Monitor::silent(), wake, work)), ..Self::default() };
    }

    /// Whether it is being measured.
    pub fn is_measuring(&self) -> bool {
        self.job.is_some()
    }

    /// Puts the slider elsewhere.
    pub fn pick(&mut self, index: usize) {
        self.picked = index.min(self.measured.len().saturating_sub(1));
        self.version = fresh();
    }

    /// Takes in what happened. Never blocks.
    pub fn poll(&mut self) {
        let Some(end) = self.job.as_ref().and_then(Job::outcome) else { return };
        self.job = None;
        match end {
            Outcome::Done(Ok(measured)) => {
                self.measured = measured;
                let as_found = self.measured.iter().position(|at| at.strength >= 1.0).unwrap_or(0);
                self.pick(as_found);
            }
            Outcome::Done(Err(AuditError::Stopped(_))) => {}
            Outcome::Done(Err(why)) => self.trouble = Some(why.to_string()),
            Outcome::Panicked(why) => self.trouble = Some(format!("The program itself failed: {why}")),
        }
    }
}
