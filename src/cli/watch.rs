//! Runs one job while the progress line is kept up to date and Ctrl+C is listened to.

use super::progress::{Moved, Progress};
use super::{interrupt, panics};
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use anyhow::Result;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How often the progress line and Ctrl+C are looked at.
const TICK: Duration = Duration::from_millis(30);

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
