//! How far the whole audit is and how long it still takes.
//!
//! In: the expected cost of each phase, in any one unit, and how far the running phase is. Out:
//! [`Event::Progress`]. The estimate of time left corrects itself: what the finished work really
//! took scales what is still to come.

use super::{Event, Phase};
use crate::progress::{Monitor, Step};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Phases in order with the expected cost of each.
type Plan = Vec<(Phase, f32)>;

/// Follows an audit through its phases.
pub(super) struct Pace<'a> {
    plan: Plan,
    started: Instant,
    events: &'a (dyn Fn(Event) + Sync),
    last: Mutex<Option<Instant>>,
}

/// Reports closer together than this are dropped.
const OFTEN: Duration = Duration::from_millis(50);

impl<'a> Pace<'a> {
    pub(super) fn new(plan: Plan, events: &'a (dyn Fn(Event) + Sync)) -> Self {
        Self { plan, started: Instant::now(), events, last: Mutex::new(None) }
    }

    /// Says that `phase` begins.
    pub(super) fn begin(&self, phase: Phase) {
        (self.events)(Event::Phase(phase));
    }

    /// Says how far `phase` is, `done` in `[0, 1]`.
    pub(super) fn at(&self, phase: Phase, done: f32, stage: &str) {
        {
            let Ok(mut last) = self.last.lock() else { return };
            if last.is_some_and(|l| l.elapsed() < OFTEN) && done < 1.0 {
                return;
            }
            *last = Some(Instant::now());
        }
        let fraction = self.fraction(phase, done);
        let elapsed = self.started.elapsed().as_secs_f32();
        // Before a second or a fiftieth of the work an estimate would only jump about.
        let seconds_left = (fraction > 0.02 && elapsed > 1.0).then(|| elapsed * (1.0 - fraction) / fraction);
        (self.events)(Event::Progress { fraction, stage: stage.into(), seconds_left });
    }

    fn fraction(&self, phase: Phase, done: f32) -> f32 {
        let plan = &self.plan;
        let total: f32 = plan.iter().map(|e| e.1).sum();
        let before: f32 = plan.iter().filter(|e| e.0 < phase).map(|e| e.1).sum();
        let now: f32 = plan.iter().filter(|e| e.0 == phase).map(|e| e.1).sum();
        ((before + now * done.clamp(0.0, 1.0)) / total.max(f32::EPSILON)).clamp(0.0, 1.0)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// Runs a piece of work that reports [`Step`]s through a monitor of its own, shows them as `phase`,
/// and hands the stop request of `outer` on to it.
pub(super) fn listen<T>(pace: &Pace<'_>, phase: Phase, outer: &Monitor, work: impl FnOnce(&Monitor) -> T) -> T {
    forwarded(outer, &|step| pace.at(phase, step.fraction.unwrap_or(0.0), &step.stage), work)
}

/// Runs a piece of work whose [`Step`]s go to `told`, which may borrow where a monitor's listener may not.
pub(super) fn forwarded<T>(outer: &Monitor, told: &(dyn Fn(Step) + Sync), work: impl FnOnce(&Monitor) -> T) -> T {
    let steps: Arc<Mutex<Vec<Step>>> = Arc::default();
    let sink = Arc::clone(&steps);
    let inner = outer.with_listener(move |step| {
        if let Ok(mut steps) = sink.lock() {
            steps.push(step);
        }
    });
    // A scoped thread forwards what the work reports, so that its listener needs no borrow of ours.
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::sleep(OFTEN);
                let newest = steps.lock().ok().and_then(|mut s| s.drain(..).next_back());
                if let Some(step) = newest {
                    told(step);
                }
            }
        });
        let _end = RaiseOnDrop(&over);
        work(&inner)
    })
}

/// Ends the forwarding thread even where the work panics, so that the scope does not wait for ever.
struct RaiseOnDrop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_grows_through_the_phases() {
        let seen = Mutex::new(Vec::new());
        let events = |e: Event| {
            if let (Event::Progress { fraction, .. }, Ok(mut seen)) = (e, seen.lock()) {
                seen.push(fraction);
            }
        };
        let pace = Pace::new(vec![(Phase::Open, 1.0), (Phase::Shots, 2.0), (Phase::Triggers, 1.0)], &events);
        pace.at(Phase::Open, 1.0, "");
        pace.at(Phase::Shots, 1.0, "");
        pace.at(Phase::Triggers, 1.0, "");
        drop(pace);
        let seen = seen.into_inner().unwrap_or_default();
        assert_eq!(seen, vec![0.25, 0.75, 1.0]);
    }
}
