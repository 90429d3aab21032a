//! The searches of all labels side by side. Early on the labels that are farthest from a trigger are left where they are (as K-Arm
//! does: Shen et al., ICML 2021). Midway it is looked which of the others can still come to stand out; those are followed to their end
//! first. Where none can be accused any more, or where one is far ahead of pacers that went as far and proves it, the rest is left where
//! it is; otherwise every search is followed to its end, so that labels are judged beside others that went as far.
//!
//! In: searches that have begun. Out: for each its trigger and how well that works; and where some ended early, the sizes that can be
//! compared.

use super::Event;
use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::hunting::{Steps, far, followed, found_so_far, ranked_size, tried};
use super::scope::EndedEarly;
use super::searched::Searched;
use super::verdict::{is_in_doubt, works};
use super::workers::{cores, each};
use crate::detect::neural_cleanse::{FEWEST_LABELS, Hunt, Search, median};
use crate::detect::{Direction, Trigger, TriggerEvidence};
use crate::images::ImageSet;
use std::collections::BTreeMap;

/// So many of the labels go on after the first look: of forty attacked labels none was behind the third place by then.
const GO_ON: f32 = 0.6;

/// Ordinary labels that are followed to the end beside one that is far ahead: how much a mark still shrinks after midway differs from
/// model to model, between a half and a seventh.
const PACERS: usize = 2;

/// Held-back images that a trigger is tried on at most where its search was left: it convicts nobody.
const TRIED_BRIEFLY: usize = 100;

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
    /// One that needs no more of what is usual at the end is far ahead; 0 where that never settles it.
    pub(super) far_ahead: f32,
}

/// What every search needs.
pub(super) struct Race<'a> {
    pub(super) case: Case<'a>,
    pub(super) held_out: &'a ImageSet,
    /// What the searches are called in the journal.
    pub(super) key: &'a str,
    pub(super) how: &'a Search,
    pub(super) steps: &'a Steps<'a>,
    /// What is told while they run.
    pub(super) stage: &'a str,
    /// `None` follows every search to its end.
    pub(super) midway: Option<Midway>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) found: Vec<(Trigger, TriggerEvidence)>,
    /// Searches that were left before their end.
    pub(super) ended_early: EndedEarly,
    /// Where there are such, the size with which every label is compared: midway where no label could be accused, else at the end,
    /// estimated where the search was left before.
    pub(super) sizes: BTreeMap<usize, f32>,
    /// Why not all were done.
    pub(super) failure: Option<AuditError>,
}

/// A search under way.
struct Runner<'a> {
    hunt: Hunt<'a>,
    so_far: Trigger,
    /// The size it is compared with.
    size: f32,
}

impl Outcome {
    fn evidence(&self) -> impl Iterator<Item = &TriggerEvidence> {
        self.found.iter().map(|(_, evidence)| evidence)
    }

    fn sizes_found(&self) -> impl Iterator<Item = (usize, f32)> {
        self.found.iter().map(|(trigger, _)| (trigger.label, ranked_size(trigger)))
    }
}

impl<'a> Race<'a> {
    /// Follows the searches.
    pub(super) fn run(&self, hunts: Vec<Hunt<'a>>) -> Outcome {
        let mut outcome = Outcome::default();
        let done = match &self.midway {
            // Of a few labels none can be told to be usual.
            Some(midway) if hunts.len() >= FEWEST_LABELS => self.with_a_look_midway(midway, hunts, &mut outcome),
            _ => self.to_the_end(hunts, &mut outcome),
        };
        outcome.failure = done.err();
        outcome
    }

    fn with_a_look_midway(
        &self,
        midway: &Midway,
        hunts: Vec<Hunt<'a>>,
        outcome: &mut Outcome,
    ) -> Result<(), AuditError> {
        let mut early = self.taken_to(self.how.light, hunts)?;
        early.sort_by(|a, b| far(&a.so_far).total_cmp(&far(&b.so_far)));
        let mut left = early.split_off((GO_ON * early.len() as f32).ceil() as usize);
        let before = sizes(&early);
        let ahead = self.taken_to(midway.steps, early.into_iter().map(|runner| runner.hunt).collect())?;
        // The others would have changed by now as those did that were next to them.
        let next = ahead.len() / 2;
        change_with(&mut left, &before[next..], &sizes(&ahead[next..]));
        let midway_sizes: BTreeMap<usize, f32> =
            ahead.iter().chain(&left).map(|runner| (runner.so_far.label, runner.size)).collect();
        let usual = median(&midway_sizes.values().copied().collect::<Vec<_>>());
        let (front, rest): (Vec<_>, Vec<_>) = ahead.into_iter().partition(|r| r.size <= midway.may_win * usual);
        left.extend(rest);
        // Where many are in front, the middle of all is not what is usual for labels that nobody attacked.
        let is_usual_known = front.len() <= left.len() / 2;
        self.to_the_end(front.into_iter().map(|runner| runner.hunt), outcome)?;
        if is_usual_known {
            match accusable(outcome.evidence(), midway.accused, usual) {
                None => {
                    outcome.sizes = midway_sizes;
                    outcome.ended_early.level = left.len();
                    return self.leave(left, outcome);
                }
                Some(share) if share <= midway.far_ahead => {
                    let usual = self.paced(&mut left, usual, outcome)?;
                    if accusable(outcome.evidence(), midway.accused, usual)
                        .is_some_and(|share| share <= midway.far_ahead)
                    {
                        outcome.sizes = left.iter().map(|runner| (runner.so_far.label, runner.size)).collect();
                        outcome.sizes.extend(outcome.sizes_found().collect::<Vec<_>>());
                        outcome.ended_early.behind = left.len();
                        return self.leave(left, outcome);
                    }
                }
                Some(_) => {}
            }
        }
        self.to_the_end(left.into_iter().map(|runner| runner.hunt), outcome)
    }

    /// Follows the pacers, those nearest to what was `usual` midway; what is usual at the end, as far as they tell.
    fn paced(&self, left: &mut Vec<Runner<'a>>, usual: f32, outcome: &mut Outcome) -> Result<f32, AuditError> {
        let distance = |runner: &Runner<'_>| (runner.size / usual).ln().abs();
        left.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        let pacers: Vec<_> = left.drain(..PACERS.min(left.len())).collect();
        let before = sizes(&pacers);
        let known = outcome.found.len();
        self.to_the_end(pacers.into_iter().map(|runner| runner.hunt), outcome)?;
        let after: Vec<f32> = outcome.sizes_found().skip(known).map(|(_, size)| size).collect();
        change_with(left, &before, &after);
        let at_the_end = outcome.sizes_found().map(|(_, size)| size).chain(sizes(left));
        Ok(median(&at_the_end.collect::<Vec<_>>()))
    }

    /// These searches after so many steps.
    fn taken_to(&self, steps: usize, hunts: Vec<Hunt<'a>>) -> Result<Vec<Runner<'a>>, AuditError> {
        let (done, failure) = each(hunts, cores(), |mut hunt| {
            let key = self.key_of(&hunt);
            let (journal, told) = (&self.case.subject.journal, |n| self.steps.add(n, self.stage));
            let so_far = journal.trigger(&format!("{key}-to-{steps}"), &self.case.subject.device, || {
                Following::new(&mut hunt, journal.checkpoint(&key), &told, self.case.monitor)?.until(steps)?;
                found_so_far(&hunt)
            })?;
            let size = ranked_size(&so_far);
            Ok(Runner { hunt, so_far, size })
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }

    fn to_the_end(&self, hunts: impl IntoIterator<Item = Hunt<'a>>, outcome: &mut Outcome) -> Result<(), AuditError> {
        let (done, failure) = each(hunts, cores(), |hunt| self.end(hunt));
        outcome.found.extend(done.into_iter().flatten());
        failure.map_or(Ok(()), Err)
    }

    /// Leaves these where they are.
    fn leave(&self, left: Vec<Runner<'a>>, outcome: &mut Outcome) -> Result<(), AuditError> {
        let some = self.held_out.sample(TRIED_BRIEFLY, self.case.settings.seed);
        let (done, failure) = each(left, cores(), |Runner { hunt, so_far, .. }| {
            self.case.subject.journal.checkpoint(&self.key_of(&hunt)).finished();
            self.steps.add(hunt.steps_left(), self.stage);
            self.found(so_far, &some)
        });
        outcome.found.extend(done.into_iter().flatten());
        failure.map_or(Ok(()), Err)
    }

    fn end(&self, hunt: Hunt<'a>) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let key = self.key_of(&hunt);
        let (journal, told) = (&self.case.subject.journal, |n| self.steps.add(n, self.stage));
        self.found(followed((journal, &key), hunt, &self.case.subject.device, &told, self.case.monitor)?, self.held_out)
    }

    /// Searches what stands out, but not by far, a second time with other random numbers, and believes that one: of a dozen labels one is
    /// the smallest by chance. `sizes` are those that are compared where some searches ended early.
    ///
    /// # Errors
    /// Where a search fails or somebody stops it.
    pub(super) fn again(
        &self,
        found: &mut [(Trigger, TriggerEvidence)],
        sizes: &mut BTreeMap<usize, f32>,
    ) -> Result<(), AuditError> {
        let doubtful = found.iter_mut().filter(|(_, evidence)| is_in_doubt(evidence));
        let (done, failure) = each(doubtful, cores(), |one| {
            let label = one.0.label;
            let second = Searched::first(Direction::all_to(label), self.how.shape).second();
            let hunt = second.hunt(self.case.subject, self.how, self.case.settings.seed)?;
            let (journal, device) = (&self.case.subject.journal, &self.case.subject.device);
            let key = format!("{}-again", self.key_of(&hunt));
            *one = self.found(followed((journal, &key), hunt, device, &|_| (), self.case.monitor)?, self.held_out)?;
            one.1.second_search = true;
            Ok::<_, AuditError>((label, ranked_size(&one.0)))
        });
        for (label, size) in done.into_iter().flatten() {
            sizes.entry(label).and_modify(|known| *known = size);
        }
        failure.map_or(Ok(()), Err)
    }

    fn key_of(&self, hunt: &Hunt<'_>) -> String {
        format!("{}-{}", self.key, hunt.direction().target)
    }

    fn found(&self, trigger: Trigger, held_out: &ImageSet) -> Result<(Trigger, TriggerEvidence), AuditError> {
        let evidence = tried(&trigger, &self.case.subject.suspect, held_out, self.how.batch, self.case.monitor)?;
        (self.case.events)(Event::Trigger(evidence.clone()));
        Ok((trigger, evidence))
    }
}

/// The largest share of `usual` that a label needs of those that work with at most `share` of it; `None` where none does.
fn accusable<'e>(evidence: impl Iterator<Item = &'e TriggerEvidence>, share: f32, usual: f32) -> Option<f32> {
    let shares = evidence.filter(|e| works(e) && e.size <= share * usual).map(|e| e.size / usual);
    shares.max_by(f32::total_cmp)
}

fn sizes(runners: &[Runner<'_>]) -> Vec<f32> {
    runners.iter().map(|runner| runner.size).collect()
}

/// Those that were `left` would have changed as others did.
fn change_with(left: &mut [Runner<'_>], before: &[f32], after: &[f32]) {
    let changes: Vec<f32> = before.iter().zip(after).map(|(b, a)| a / b.max(f32::EPSILON)).collect();
    if !changes.is_empty() {
        let change = median(&changes);
        left.iter_mut().for_each(|runner| runner.size *= change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verdict::tests::trigger;

    #[test]
    fn of_labels_that_work_the_one_that_needs_most_decides_whether_all_are_far_ahead() {
        let of_size = |size| trigger(size, None, None);
        let share = |found: &[TriggerEvidence]| accusable(found.iter(), 0.5, 0.125);
        assert_eq!(share(&[]), None);
        assert_eq!(share(&[of_size(0.03125)]), Some(0.25));
        assert_eq!(share(&[of_size(0.03125), of_size(0.046_875), of_size(0.07)]), Some(0.375));
        // Small, but it does not work: nobody who could be accused.
        assert_eq!(share(&[TriggerEvidence { asr: 0.5, ..of_size(0.01) }]), None);
    }
}
