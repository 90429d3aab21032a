//! Runs one job while the progress line is kept up to date and Ctrl+C is listened to.

use super::progress::{Moved, Progress};
use super::{interrupt, panics};
use crate::job::{Job, Outcome};
use crate::progress::{Monitor, Step};
use anyhow::Result;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How often the progress line and Ctrl+C are looked at.
const TICK: Duration = Duration::from_millis(30);

/// As [`watch`], of work that tells how far it is by the steps of its monitor.
///
/// # Errors
/// As [`watch`].
pub fn watch_steps<T: Send + 'static>(quiet: bool, work: impl FnOnce(&Monitor) -> T + Send + 'static) -> Result<T> {
    let (moved, moves) = channel::<Moved>();
    let monitor = Monitor::new(move |step: Step| {
        // The receiver lives until the work has ended.
        let _ = moved.send(step.into());
    });
    watch(quiet, monitor, &moves, work)
}

/// The result of `work`, which runs on its own thread; `moves` says how far it is.
///
/// # Errors
/// A sentence where the work panicked.
pub fn watch<T: Send + 'static>(
    quiet: bool,
    monitor: Monitor,
    moves: &Receiver<Moved>,
    work: impl FnOnce(&Monitor) -> T + Send + 'static,
) -> Result<T> {
    interrupt::stops(&monitor);
    let mut progress = Progress::new(quiet);
    let job: Job<(), T> = Job::start(monitor, || {}, move |monitor, _| work(monitor));
    let mut told = false;
    let end = loop {
        for moved in moves.try_iter() {
            progress.show(&moved);
        }
        if job.is_stopping() && !told {
            progress.say("Stopping; press Ctrl+C again to end at once");
            told = true;
        }
        if let Some(end) = job.outcome() {
            break end;
        }
        std::thread::sleep(TICK);
    };
    progress.finish();
    match end {
        Outcome::Done(result) => Ok(result),
        Outcome::Panicked(text) => Err(panics::fault(&text)),
    }
}
