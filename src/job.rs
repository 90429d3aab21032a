//! Work off the calling thread: events out, stop in, panics contained.
//!
//! In: a closure. Out: a [`Job`] that is polled; it never blocks its owner and stops when dropped. Where the system lets it, the
//! work takes only what the window leaves of the processor.

use crate::progress::Monitor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// How a job ended.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It returned.
    Done(T),
    /// It panicked; the message, for the error shown and the log.
    Panicked(String),
}

/// A piece of work on its own thread that sends `E` while it runs and ends with a `T`.
#[derive(Debug)]
pub struct Job<E, T> {
    events: Receiver<E>,
    outcome: Receiver<Outcome<T>>,
    monitor: Monitor,
}

/// Gives the window the way: with the priority of all others a job on all cores makes it wait (docs/performance.md). Threads
/// that this one starts inherit it.
#[cfg(target_os = "linux")]
fn step_back() {
    // Of the calling thread alone, on Linux. Where it is forbidden the work goes on as it is.
    let _ = rustix::process::setpriority_process(None, 10);
}

/// Elsewhere priorities are not inherited, so that the workers would not have it.
#[cfg(not(target_os = "linux"))]
fn step_back() {}

impl<E: Send + 'static, T: Send + 'static> Job<E, T> {
    /// Starts `work` on a new thread. `wake` is called after every event and at the end (a window
    /// repaints itself there). `work` gets the monitor to watch for the stop request and the sender
    /// of events.
    pub fn start(
        monitor: Monitor,
        wake: impl Fn() + Send + Sync + 'static,
        work: impl FnOnce(&Monitor, &(dyn Fn(E) + Sync)) -> T + Send + 'static,
    ) -> Self {
        let (event_sender, events): (Sender<E>, _) = channel();
        let (outcome_sender, outcome) = channel();
        let watched = monitor.clone();
        std::thread::spawn(move || {
            step_back();
            let result = catch_unwind(AssertUnwindSafe(|| {
                work(&watched, &|event| {
                    // A dropped receiver means nobody watches any more; the stop flag ends the work.
                    let _ = event_sender.send(event);
                    wake();
                })
            }));
            let end = match result {
                Ok(value) => Outcome::Done(value),
                Err(panic) => Outcome::Panicked(panic_text(&*panic)),
            };
            let _ = outcome_sender.send(end);
            wake();
        });
        Self { events, outcome, monitor }
    }

    /// Events since the last call, oldest first. Never blocks.
    pub fn events(&self) -> Vec<E> {
        self.events.try_iter().collect()
    }

    /// The end, once. Never blocks.
    pub fn outcome(&self) -> Option<Outcome<T>> {
        match self.outcome.try_recv() {
            Ok(end) => Some(end),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Asks the work to stop; it ends within a quarter of a second with what it has.
    pub fn stop(&self) {
        self.monitor.stop();
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.monitor.is_stopped()
    }
}

impl<E, T> Drop for Job<E, T> {
    fn drop(&mut self) {
        self.monitor.stop();
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn wait<E: Send + 'static, T: Send + 'static>(job: &Job<E, T>) -> Outcome<T> {
        let start = Instant::now();
        loop {
            if let Some(end) = job.outcome() {
                return end;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "the job never ended");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn events_and_result_arrive() {
        let job = Job::start(
            Monitor::silent(),
            || {},
            |_, send| {
                send(1);
                send(2);
                "end"
            },
        );
        assert!(matches!(wait(&job), Outcome::Done("end")));
        assert_eq!(job.events(), vec![1, 2]);
    }

    #[test]
    fn a_panic_becomes_an_outcome() {
        let job: Job<(), ()> = Job::start(Monitor::silent(), || {}, |_, _| panic!("boom {}", 7));
        assert!(matches!(wait(&job), Outcome::Panicked(text) if text == "boom 7"));
    }

    #[test]
    fn a_stop_reaches_the_work() {
        let job: Job<(), bool> = Job::start(
            Monitor::silent(),
            || {},
            |monitor, _| {
                while monitor.check().is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                monitor.is_stopped()
            },
        );
        job.stop();
        assert!(matches!(wait(&job), Outcome::Done(true)));
    }
}
