//! An audit at work, as the window sees it: how far it is, and its end.

use crate::audit::{Audit, AuditError, Event, Phase};
use crate::job::{Job, Outcome};
use crate::progress::{Monitor, Step};
use std::sync::mpsc::{Receiver, channel};

/// How an audit ended.
#[derive(Debug)]
pub enum End {
    /// With a document; perhaps stopped early.
    Finished(Box<Audit>),
    /// On request, before anything was known.
    Stopped,
    /// With a sentence that says what is wrong.
    Failed(String),
}

/// A running audit.
pub struct Running {
    job: Job<Event, Result<Audit, AuditError>>,
    steps: Receiver<Step>,
    /// The stage it is in.
    pub phase: Phase,
    /// Share of the whole, in `[0, 1]`.
    pub fraction: f32,
    /// What is being done.
    pub stage: String,
    /// Seconds left, where that can be told.
    pub seconds_left: Option<f32>,
}

impl Running {
    /// Starts `work` on its own thread; `wake` is called whenever there is something to see.
    pub fn start(
        wake: impl Fn() + Clone + Send + Sync + 'static,
        work: impl FnOnce(&Monitor, &(dyn Fn(Event) + Sync)) -> Result<Audit, AuditError> + Send + 'static,
    ) -> Self {
        let (sender, steps) = channel();
        let notify = wake.clone();
        let monitor = Monitor::new(move |step| {
            // The window is gone: the stop flag ends the work.
            let _ = sender.send(step);
            notify();
        });
        let job = Job::start(monitor, wake, work);
        Self { job, steps, phase: Phase::Open, fraction: 0.0, stage: String::new(), seconds_left: None }
    }

    /// Asks it to stop. Returns at once.
    pub fn stop(&self) {
        self.job.stop();
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.job.is_stopping()
    }

    /// What happened since the last call, and the end once it is there. Never blocks.
    pub fn poll(&mut self) -> (Vec<Event>, Option<End>) {
        // The outcome first: every event was sent before it.
        let outcome = self.job.outcome();
        if let Some(step) = self.steps.try_iter().last() {
            self.stage = step.stage;
        }
        let events = self.job.events();
        for event in &events {
            match event {
                Event::Phase(phase) => {
                    self.phase = *phase;
                    // What the phase before was doing last.
                    self.stage.clear();
                }
                Event::Progress { fraction, stage, seconds_left } => {
                    self.fraction = *fraction;
                    self.stage.clone_from(stage);
                    self.seconds_left = *seconds_left;
                }
                _ => {}
            }
        }
        let end = outcome.map(|outcome| match outcome {
            Outcome::Done(Ok(audit)) => End::Finished(Box::new(audit)),
            Outcome::Done(Err(AuditError::Stopped(_))) => End::Stopped,
            Outcome::Done(Err(why)) => End::Failed(why.to_string()),
            Outcome::Panicked(why) => {
                End::Failed(format!("The program itself failed: {why}. Your files are untouched; please report this"))
            }
        });
        (events, end)
    }
}
