//! How a long piece of work says how far it is, learns that it should stop, and is gone on with later.
//!
//! In: a [`Monitor`] handed down from whoever started the work. Out: [`Step`]s to its listener.
//! Never prints, never blocks, knows nothing of threads or screens.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Somebody asked the work to stop; what was done so far is kept by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Stopped;

/// How far one named stage is.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is being done, in words for the user: "Reading images", "Label 14 of 43: trigger".
    pub stage: String,
    /// Share of this stage that is done, in `[0, 1]`; `None` where it cannot be known.
    pub fraction: Option<f32>,
}

/// Work in steps that can be left between any two of them, written down, and gone on with as if it had never been interrupted.
pub trait Stepwise {
    /// All that has to be kept.
    type State: Serialize + DeserializeOwned;
    /// Why a step can fail.
    type Error: From<Stopped>;

    /// Steps that were taken.
    fn steps_taken(&self) -> usize;

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool;

    /// Takes one step; only called while it is not over.
    ///
    /// # Errors
    /// Where the work fails.
    fn step(&mut self, monitor: &Monitor) -> Result<(), Self::Error>;

    /// A copy of how far it has come.
    ///
    /// # Errors
    /// Where there is no room for it.
    fn state(&self) -> Result<Self::State, Self::Error>;

    /// Goes on from where the same work had come to; left as it is where that was other work.
    ///
    /// # Errors
    /// Where the device cannot hold it.
    fn go_on_from(&mut self, state: Self::State) -> Result<(), Self::Error>;

    /// Goes up to `steps` steps further, at most to the end.
    ///
    /// # Errors
    /// Where a step fails or somebody stops the work.
    fn advance(&mut self, steps: usize, monitor: &Monitor) -> Result<(), Self::Error> {
        for _ in 0..steps {
            if self.is_over() {
                break;
            }
            monitor.check()?;
            self.step(monitor)?;
        }
        Ok(())
    }
}

type Listener = dyn Fn(Step) + Send + Sync;

/// The line between a worker and whoever waits for it. Cheap to clone; clones share one stop flag.
#[derive(Clone)]
pub struct Monitor {
    stop: Arc<AtomicBool>,
    listener: Arc<Listener>,
}

impl Monitor {
    /// A monitor that hands every step to `listener` (called on the worker's threads; keep it quick).
    pub fn new(listener: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), listener: Arc::new(listener) }
    }

    /// A monitor nobody listens to; it can still be stopped.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Asks the work to stop. Returns at once; the work notices within a quarter of a second.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the work to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Call at least every 100 ms of work.
    ///
    /// # Errors
    /// [`Stopped`] once [`Monitor::stop`] was called.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_stopped() { Err(Stopped) } else { Ok(()) }
    }

    /// Says how far `stage` is; `fraction` is clamped to `[0, 1]`.
    pub fn step(&self, stage: impl Into<String>, fraction: impl Into<Option<f32>>) {
        let fraction = fraction.into().map(|f| f.clamp(0.0, 1.0));
        (self.listener)(Step { stage: stage.into(), fraction });
    }

    /// A monitor with another listener and the same stop flag.
    pub fn with_listener(&self, listener: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self { stop: Arc::clone(&self.stop), listener: Arc::new(listener) }
    }

    /// A monitor for one part of a larger piece of work: its fractions in `[0, 1]` are reported as
    /// `[from, to]` of the whole. Shares the stop flag.
    pub fn part(&self, from: f32, to: f32) -> Self {
        let listener = Arc::clone(&self.listener);
        Self {
            stop: Arc::clone(&self.stop),
            listener: Arc::new(move |s: Step| {
                let fraction = s.fraction.map(|f| from + (to - from) * f);
                listener(Step { stage: s.stage, fraction });
            }),
        }
    }

    /// Monitors for `n` pieces done at the same time: the whole is as far as they are on average. Share
    /// the stop flag.
    pub fn side_by_side(&self, n: usize) -> Vec<Self> {
        let shares = Arc::new(Mutex::new(vec![0.0; n]));
        let one = |i: usize| {
            let (listener, shares) = (Arc::clone(&self.listener), Arc::clone(&shares));
            self.with_listener(move |s: Step| {
                let mean = shares.lock().ok().map(|mut shares| {
                    shares[i] = s.fraction.unwrap_or(shares[i]);
                    shares.iter().sum::<f32>() / n as f32
                });
                listener(Step { stage: s.stage, fraction: mean });
            })
        };
        (0..n).map(one).collect()
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("stopped", &self.is_stopped()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_report_their_share_of_the_whole_and_stop_together() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let whole = Monitor::new(move |s| log.lock().unwrap().push(s.fraction));
        let part = whole.part(0.5, 0.7);
        part.step("half of the part", 0.5);
        part.step("unknown", None);
        assert_eq!(*seen.lock().unwrap(), vec![Some(0.6), None]);
        seen.lock().unwrap().clear();
        let pieces = whole.side_by_side(2);
        pieces[0].step("one", 0.5);
        pieces[1].step("other", 1.0);
        assert_eq!(*seen.lock().unwrap(), vec![Some(0.25), Some(0.75)]);
        whole.stop();
        assert_eq!(part.check(), Err(Stopped));
        assert_eq!(pieces[1].check(), Err(Stopped));
    }
}
