//! The searches of all labels side by side. Where a label is far ahead of all others at half time and proves it at the end,
//! and no other is near, those that cannot be accused any more are left where they are (as K-Arm does: Shen et al., ICML 2021);
//! otherwise every search is followed to its end, so that nothing changes for a model without such a label.
//!
//! In: searches that have begun. Out: for each its trigger and how well that works; and where some ended early, the sizes of all
//! at half time, which are the ones that can be compared.

use super::Event;
use super::error::AuditError;
use super::hunting::{Following, Steps, followed, size_of, tried};
use super::subject::Subject;
use super::verdict::{HALF_AN_OUTLIER, WORKS};
use super::workers::{cores, each};
use crate::detect::neural_cleanse::{FEWEST_LABELS, Hunt, median};
use crate::detect::{Trigger, TriggerEvidence};
use crate::images::ImageSet;
use crate::progress::Monitor;
use std::collections::BTreeMap;

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
    /// Where there are such, the size at half time of every label: a mark shrinks on the way to the end, and one that was
    /// followed would look small beside those that were not.
    pub(super) at_half: BTreeMap<usize, f32>,
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
        let at_half: BTreeMap<usize, f32> = half.iter().map(|(_, t)| (t.label, size_of(t))).collect();
        let usual = median(&at_half.values().copied().collect::<Vec<_>>());
        let within = |share: f32| move |(_, t): &(Hunt<'a>, Trigger)| t.reached && t.size() <= share * usual;
        let may_win = if half.iter().any(within(FAR_AHEAD)) { HALF_AN_OUTLIER.1 } else { 0.0 };
        let (front, rest): (Vec<_>, Vec<_>) = half.into_iter().partition(within(may_win));
        outcome.take(each(front, cores(), |(hunt, _)| self.end(hunt)));
        if outcome.failure.is_none() && all_far_ahead(outcome.found.iter().map(|(_, e)| e), usual) {
            outcome.ended_early = rest.len();
            outcome.at_half = at_half;
            outcome.take(each(rest, cores(), |(hunt, so_far)| {
                self.subject.journal.checkpoint(&self.key_of(&hunt)).finished();
                self.steps.add(hunt.steps_left(), self.stage);
                self.found(so_far)
            }));
        } else if outcome.failure.is_none() {
            outcome.take(each(rest, cores(), |(hunt, _)| self.end(hunt)));
        }
        outcome
    }

    /// A search at half time, and what it found so far.
    fn half(&self, mut hunt: Hunt<'a>) -> Result<(Hunt<'a>, Trigger), AuditError> {
        let key = self.key_of(&hunt);
        let (journal, told) = (&self.subject.journal, |n| self.steps.add(n, self.stage));
        let so_far = journal.trigger(&format!("{key}-half"), &self.subject.device, || {
            Following::new(&mut hunt, journal.checkpoint(&key), &told, self.monitor)?.until(HALF)
        })?;
        Ok((hunt, so_far))
    }

    fn end(&self, hunt: Hunt<'a>) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let key = self.key_of(&hunt);
        let (journal, told) = (&self.subject.journal, |n| self.steps.add(n, self.stage));
        self.found(followed((journal, &key), hunt, &self.subject.device, &told, self.monitor)?)
    }

    fn key_of(&self, hunt: &Hunt<'_>) -> String {
        format!("{}-{}", self.key, hunt.direction().target)
    }

    fn found(&self, trigger: Trigger) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let evidence = tried(&trigger, &self.subject.suspect, self.held_out, self.batch, self.monitor)?;
        (self.events)(Event::Trigger(evidence.clone()));
        Ok((trigger, evidence))
    }
}

/// Whether there are any, and all of them prove at the end that they are far ahead of what was `usual` at half time. One
/// that is small but not so far ahead can only be judged beside others that were followed as far.
fn all_far_ahead<'e>(ends: impl Iterator<Item = &'e TriggerEvidence>, usual: f32) -> bool {
    let far_ahead = |e: &TriggerEvidence| e.reached && e.asr >= WORKS && e.size <= FAR_AHEAD * usual;
    ends.map(far_ahead).reduce(|all, one| all && one).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verdict::tests::trigger;

    #[test]
    fn searches_end_early_only_where_nothing_is_left_to_be_judged_beside_them() {
        let of_size = |size| trigger(size, None, None);
        let ends_early = |ends: &[TriggerEvidence]| all_far_ahead(ends.iter(), 0.072);
        assert!(ends_early(&[of_size(0.005)]) && ends_early(&[of_size(0.005), of_size(0.01)]));
        // What happened: beside a planted mark an honest label, 0.28 of what was usual at half time, looked like another.
        assert!(!ends_early(&[of_size(0.005), of_size(0.02)]));
        assert!(!ends_early(&[]) && !ends_early(&[of_size(0.05)]));
        assert!(!ends_early(&[TriggerEvidence { asr: 0.5, ..of_size(0.005) }]));
    }
}
