//! The searches of all labels side by side. Midway it is looked which of them can still come to stand out (as K-Arm does: Shen
//! et al., ICML 2021); those are followed to their end first. Where one is far ahead of all others and proves it, or where none can
//! be accused any more, the rest is left where it is; otherwise every search is followed to its end, so that labels are judged beside
//! others that went as far.
//!
//! In: searches that have begun. Out: for each its trigger and how well that works; and where some ended early, the sizes of all
//! midway, which are the ones that can be compared.

use super::Event;
use super::error::AuditError;
use super::following::Following;
use super::hunting::{Steps, followed, found_so_far, ranked_size, tried};
use super::scope::EndedEarly;
use super::subject::Subject;
use super::verdict::works;
use super::workers::{cores, each};
use crate::detect::neural_cleanse::{FEWEST_LABELS, Hunt, median};
use crate::detect::{Trigger, TriggerEvidence};
use crate::images::ImageSet;
use crate::progress::Monitor;
use std::collections::BTreeMap;

/// When the searches are looked at, and what a label needs then; sizes as shares of what the labels usually need at that time
/// (docs/verdict.md says what was seen).
pub(super) struct Midway {
    /// After so many steps.
    pub(super) steps: usize,
    /// A label that needs no more may come to stand out, and is followed first.
    pub(super) may_win: f32,
    /// At its end it must need no more than this to be accused at all. Marks and patterns only shrink: one that needs more of
    /// what was usual midway needs more still of what is usual at the end.
    pub(super) accused: f32,
    /// One that needs no more at its end is far ahead; 0 where that never settles it.
    pub(super) far_ahead: f32,
}

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
    /// `None` follows every search to its end.
    pub(super) midway: Option<Midway>,
    pub(super) monitor: &'a Monitor,
    pub(super) events: &'a (dyn Fn(Event) + Sync),
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) found: Vec<(Trigger, TriggerEvidence)>,
    /// Searches that were left before their end.
    pub(super) ended_early: EndedEarly,
    /// Where there are such, the size midway of every label: a mark shrinks on the way to the end, and one that was
    /// followed would look small beside those that were not.
    pub(super) sizes_midway: BTreeMap<usize, f32>,
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
    /// Follows the searches.
    pub(super) fn run(&self, hunts: Vec<Hunt<'a>>) -> Outcome {
        match &self.midway {
            // Of a few labels none can be told to be usual.
            Some(midway) if hunts.len() >= FEWEST_LABELS => self.with_a_look_midway(midway, hunts),
            _ => {
                let mut outcome = Outcome::default();
                outcome.take(each(hunts, cores(), |hunt| self.end(hunt)));
                outcome
            }
        }
    }

    fn with_a_look_midway(&self, midway: &Midway, hunts: Vec<Hunt<'a>>) -> Outcome {
        let (so_far, failure) = each(hunts, cores(), |hunt| self.until(midway.steps, hunt));
        let so_far: Vec<(Hunt<'a>, Trigger)> = so_far.into_iter().flatten().collect();
        let mut outcome = Outcome { failure, ..Outcome::default() };
        if outcome.failure.is_some() {
            return outcome;
        }
        let sizes_midway: BTreeMap<usize, f32> = so_far.iter().map(|(_, t)| (t.label, ranked_size(t))).collect();
        let usual = median(&sizes_midway.values().copied().collect::<Vec<_>>());
        let may_win = |(_, t): &(Hunt<'a>, Trigger)| ranked_size(t) <= midway.may_win * usual;
        let (front, rest): (Vec<_>, Vec<_>) = so_far.into_iter().partition(may_win);
        // Where many are in front, the middle of all is not what is usual for labels that nobody attacked.
        let is_usual_known = front.len() <= rest.len() / 3;
        outcome.take(each(front, cores(), |(hunt, _)| self.end(hunt)));
        if outcome.failure.is_some() {
            return outcome;
        }
        let ends: Vec<&TriggerEvidence> = outcome.found.iter().map(|(_, evidence)| evidence).collect();
        outcome.ended_early =
            if is_usual_known { midway.settled(&ends, usual, rest.len()) } else { EndedEarly::default() };
        if outcome.ended_early == EndedEarly::default() {
            outcome.take(each(rest, cores(), |(hunt, _)| self.end(hunt)));
        } else {
            outcome.sizes_midway = sizes_midway;
            outcome.take(each(rest, cores(), |(hunt, so_far)| {
                self.subject.journal.checkpoint(&self.key_of(&hunt)).finished();
                self.steps.add(hunt.steps_left(), self.stage);
                self.found(so_far)
            }));
        }
        outcome
    }

    /// A search after so many steps, and what it found so far.
    fn until(&self, steps: usize, mut hunt: Hunt<'a>) -> Result<(Hunt<'a>, Trigger), AuditError> {
        let key = self.key_of(&hunt);
        let (journal, told) = (&self.subject.journal, |n| self.steps.add(n, self.stage));
        let so_far = journal.trigger(&format!("{key}-midway"), &self.subject.device, || {
            Following::new(&mut hunt, journal.checkpoint(&key), &told, self.monitor)?.until(steps)?;
            found_so_far(&hunt)
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

impl Midway {
    /// Which of the `others` need not be followed, `ends` being what those that might win came to, beside what was `usual`
    /// midway. One that could be accused but is not far ahead can only be judged beside others that were followed as far.
    fn settled(&self, ends: &[&TriggerEvidence], usual: f32, others: usize) -> EndedEarly {
        let needs_at_most = |e: &TriggerEvidence, share: f32| works(e) && e.size <= share * usual;
        let mut accusable = ends.iter().filter(|e| needs_at_most(e, self.accused)).peekable();
        match () {
            () if accusable.peek().is_none() => EndedEarly { level: others, behind: 0 },
            () if accusable.all(|e| needs_at_most(e, self.far_ahead)) => EndedEarly { level: 0, behind: others },
            () => EndedEarly::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verdict::tests::trigger;

    #[test]
    fn searches_end_early_only_where_nothing_is_left_to_be_judged_beside_them() {
        let midway = Midway { steps: 112, may_win: 0.7, accused: 0.55, far_ahead: 0.25 };
        let of_size = |size| trigger(size, None, None);
        let settled = |ends: &[TriggerEvidence]| midway.settled(&ends.iter().collect::<Vec<_>>(), 0.072, 9);
        let (behind, level) = (EndedEarly { behind: 9, level: 0 }, EndedEarly { behind: 0, level: 9 });
        assert_eq!(settled(&[of_size(0.005)]), behind);
        assert_eq!(settled(&[of_size(0.005), of_size(0.01)]), behind);
        // Nobody came near, or not near enough.
        assert_eq!(settled(&[]), level);
        assert_eq!(settled(&[of_size(0.05)]), level);
        // What happened: beside a planted mark an honest label, 0.28 of what was usual midway, looked like another.
        assert_eq!(settled(&[of_size(0.005), of_size(0.02)]), EndedEarly::default());
        assert_eq!(settled(&[of_size(0.03)]), EndedEarly::default());
        // Small, but it does not work: nobody who could be accused.
        assert_eq!(settled(&[TriggerEvidence { asr: 0.5, ..of_size(0.005) }]), level);
        assert_eq!(settled(&[TriggerEvidence { asr: 0.5, ..of_size(0.005) }, of_size(0.005)]), behind);
    }
}
