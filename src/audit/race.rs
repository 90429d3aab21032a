//! The searches of all labels side by side. Where one label is far ahead of all others at half time and proves it at the end,
//! those that cannot be accused any more are left where they are (as K-Arm does: Shen et al., ICML 2021); otherwise every
//! search is followed to its end, so that nothing changes for a model without such a label.
//!
//! In: searches that have begun. Out: for each its trigger and how well that works, and how many ended early.

use super::error::AuditError;
use super::hunting::{Steps, followed, taken_to, tried};
use super::subject::Subject;
use super::verdict::{HALF_AN_OUTLIER, WORKS};
use super::workers::{cores, each};
use super::{Event, Journal};
use crate::detect::neural_cleanse::{FEWEST_LABELS, Hunt, median};
use crate::detect::{Trigger, TriggerEvidence};
use crate::images::ImageSet;
use crate::progress::Monitor;

/// Steps after which it is looked who is ahead.
const HALF: usize = 112;
/// A label is far ahead when it needs at most this share of what the labels usually need: honest labels have been seen at a half
/// (docs/verdict.md).
const FAR_AHEAD: f32 = 0.25;

/// What every search needs.
pub(super) struct Race<'a> {
    pub(super) subject: &'a Subject,
    pub(super) held_out: &'a ImageSet,
    /// What the searches are called in the journal.
    pub(super) key: &'a str,
    pub(super) batch: usize,
    pub(super) steps: &'a Steps<'a>,
    /// What is told while they run.
    pub(super) stage: &'a str,
    pub(super) monitor: &'a Monitor,
    pub(super) events: &'a (dyn Fn(Event) + Sync),
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) found: Vec<(Trigger, TriggerEvidence)>,
    /// Searches that were left before their end.
    pub(super) ended_early: usize,
    /// Why not all were done.
    pub(super) failure: Option<AuditError>,
}

impl Outcome {
    fn take(&mut self, (done, failure): (Vec<Option<(Trigger, TriggerEvidence)>>, Option<AuditError>)) {
        self.found.extend(done.into_iter().flatten());
        self.failure = self.failure.take().or(failure);
    }
}

impl<'a> Race<'a> {
    /// Follows every search to its end.
    pub(super) fn to_the_end(&self, hunts: Vec<Hunt<'a>>) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.take(each(hunts, cores(), |hunt| self.end(hunt)));
        outcome
    }

    /// The same, but leaves those that cannot win any more.
    pub(super) fn run(&self, hunts: Vec<Hunt<'a>>) -> Outcome {
        if hunts.len() < FEWEST_LABELS {
            return self.to_the_end(hunts);
        }
        let (half, failure) = each(hunts, cores(), |hunt| self.half(hunt));
        let half: Vec<(Hunt<'a>, Trigger)> = half.into_iter().flatten().collect();
        let mut outcome = Outcome { failure, ..Outcome::default() };
        if outcome.failure.is_some() {
            return outcome;
        }
        let usual = median(&half.iter().map(|(_, t)| t.size()).collect::<Vec<_>>());
        let within = |(_, t): &(Hunt<'a>, Trigger), share: f32| t.reached && t.size() <= share * usual;
        let may_win = if half.iter().any(|search| within(search, FAR_AHEAD)) { HALF_AN_OUTLIER.1 } else { 0.0 };
        let (front, rest): (Vec<_>, Vec<_>) = half.into_iter().partition(|search| within(search, may_win));
        outcome.take(each(front, cores(), |(hunt, _)| self.end(hunt)));
        let won = outcome.found.iter().any(|(_, e)| e.reached && e.asr >= WORKS && e.size <= FAR_AHEAD * usual);
        if won {
            outcome.ended_early = rest.len();
            outcome.take(each(rest, cores(), |(hunt, so_far)| {
                self.steps.add(hunt.steps_left(), self.stage);
                self.found(so_far)
            }));
        } else if outcome.failure.is_none() {
            outcome.take(each(rest, cores(), |(hunt, _)| self.end(hunt)));
        }
        outcome
    }

    fn journal(&self) -> &Journal {
        &self.subject.journal
    }

    /// A search at half time, and what it found so far. One whose half is kept stays at its beginning: what goes on with it
    /// takes these steps again.
    fn half(&self, mut hunt: Hunt<'a>) -> Result<(Hunt<'a>, Trigger), AuditError> {
        let target = hunt.direction().target;
        let so_far = self.journal().trigger(&format!("{}-{target}-half", self.key), &self.subject.device, || {
            taken_to(HALF, &mut hunt, &|n| self.steps.add(n, self.stage), self.monitor)
        })?;
        Ok((hunt, so_far))
    }

    fn end(&self, hunt: Hunt<'a>) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let told = |n| self.steps.add(n, self.stage);
        let key = format!("{}-{}", self.key, hunt.direction().target);
        let trigger = self.journal().trigger(&key, &self.subject.device, || followed(hunt, told, self.monitor))?;
        self.found(trigger)
    }

    fn found(&self, trigger: Trigger) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let evidence = tried(&trigger, &self.subject.suspect, self.held_out, self.batch, self.monitor)?;
        (self.events)(Event::Trigger(evidence.clone()));
        Ok((trigger, evidence))
    }
}
