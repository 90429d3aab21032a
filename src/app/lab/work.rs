//! A piece of the lab's work on its own thread: how far it is, and how long it still takes.

use crate::job::{Job, Outcome};
use crate::progress::{Monitor, Step};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// A job whose progress is followed.
pub struct Work<E, T> {
    job: Job<E, T>,
    steps: Receiver<Step>,
    /// When the first share was told, and which.
    began: Option<(Instant, f32)>,
    /// What is being done.
    pub stage: String,
    /// Share of the whole, in `[0, 1]`.
    pub fraction: f32,
}

impl<E: Send + 'static, T: Send + 'static> Work<E, T> {
    /// Starts `work`; `wake` is called whenever there is something to see.
    pub fn start(
        wake: impl Fn() + Clone + Send + Sync + 'static,
        work: impl FnOnce(&Monitor, &(dyn Fn(E) + Sync)) -> T + Send + 'static,
    ) -> Self {
        let (sender, steps) = channel();
        let notify = wake.clone();
        let monitor = Monitor::new(move |step| {
            // The window is gone: the stop flag ends the work.
            let _ = sender.send(step);
            notify();
        });
        let job = Job::start(monitor, wake, work);
        Self { job, steps, began: None, stage: String::new(), fraction: 0.0 }
    }

    /// What happened since the last call, and the end once it is there. Never blocks.
    pub fn poll(&mut self) -> (Vec<E>, Option<Outcome<T>>) {
        // The outcome first: every event was sent before it.
        let outcome = self.job.outcome();
        if let Some(step) = self.steps.try_iter().last() {
            self.stage = step.stage;
            self.fraction = step.fraction.unwrap_or(self.fraction);
            self.began = self.began.or(Some((Instant::now(), self.fraction)));
        }
        (self.job.events(), outcome)
    }

    /// Seconds left at the speed so far; `None` before there is an estimate.
    pub fn seconds_left(&self) -> Option<f32> {
        let (began, from) = self.began?;
        let done = self.fraction - from;
        (done > 0.02).then(|| began.elapsed().as_secs_f32() * (1.0 - self.fraction) / done)
    }

    /// Asks it to stop. Returns at once.
    pub fn stop(&self) {
        self.job.stop();
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.job.is_stopping()
    }
}

/// The end of a job that may fail, with every kind of failure as a sentence.
pub fn end_of<T, E: std::fmt::Display>(outcome: Outcome<Result<T, E>>) -> Result<T, String> {
    match outcome {
        Outcome::Done(end) => end.map_err(|why| why.to_string()),
        Outcome::Panicked(why) => Err(format!("The program itself failed: {why}. Please report this")),
    }
}
