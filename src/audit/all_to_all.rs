//! The all-to-all phase: one mark that sends every label to another one of its own.
//!
//! In: a suspect. Out: where such a mark is found, the mark as a trigger for each label that it moves, and what it is to honest
//! models. One search for all labels, which is left early where the answers all go to the same few labels.

use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::hunting::{Steps, TRIED_ON, meant_for, tried};
use super::scope::PairsExamined;
use super::subject::{Evidence, Subject};
use super::verdict::{all_to_all, an_all_to_all_mark_is_confirmed};
use super::{Event, Journal, Phase, Settings};
use crate::detect::all_to_all::{Scatter, changed, moves, scattered};
use crate::detect::neural_cleanse::Search;
use crate::detect::{AllToAll, DetectError, Direction, Trigger, TriggerEvidence};
use crate::progress::Monitor;

/// After so many steps it is looked whether the answers go to many labels; planted marks moved 0.8 and more of them then.
const LOOKED_AT: usize = 64;
const STAGE: &str = "Searching one mark that sends each label to another";

/// Searches such a mark and completes the evidence with it.
pub(super) fn search(case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, known_clean, pace, monitor, events } = case;
    let how = how(settings, subject);
    let steps = Steps::new(pace, Phase::AllToAll, how.steps * (1 + known_clean.len()));
    let held_out = subject.split.held_out.sample(TRIED_ON, settings.seed);
    let Some(trigger) = found(settings, subject, &how, &steps, monitor)? else { return Ok(()) };
    let suspect = &subject.suspect;
    let moves = moves(suspect, &held_out, &trigger, how.batch, monitor)?;
    let moved: Vec<_> = moves.iter().filter(|one| one.is_one()).collect();
    let of_all = AllToAll { share: scattered(&moves), labels: moves.len(), pictures: held_out.len() };
    if !all_to_all::may_be_planted(&trigger, of_all) {
        return Ok(());
    }
    let (mut sizes, mut changes) = (Vec::new(), Vec::new());
    for (r, reference) in known_clean.iter().enumerate() {
        let model = &reference.classifier;
        let key = format!("all-to-all-abroad-{r}");
        let (size, change) = subject.journal.once(&key, || {
            let seed = settings.seed.of("reference").nth(r);
            let mut there = Scatter::new(model, &subject.split.search, &how, seed)?;
            let told = |n| steps.add(n, "The same search on models known clean");
            Following::new(&mut there, subject.journal.checkpoint(&key), &told, monitor)?.run_out()?;
            let found = there.trigger(None, 0).filter(|t| t.reached);
            let change = changed(model, &held_out, &trigger, how.batch, monitor)?;
            Ok((found.map_or(1.0, |t| t.size()), change))
        })?;
        sizes.push(size);
        changes.push(change);
    }
    for one in moved {
        let meant = meant_for(Direction::pair(one.source, one.target), &trigger);
        let tried = tried(&meant, suspect, &held_out, how.batch, monitor)?;
        let (reference_sizes, reference_asr) = (sizes.clone(), changes.clone());
        let of_pair = TriggerEvidence { all_to_all: Some(of_all), reference_sizes, reference_asr, ..tried };
        events(Event::Trigger(of_pair.clone()));
        evidence.pairs.push(of_pair);
    }
    if an_all_to_all_mark_is_confirmed(evidence) {
        evidence.pairs_examined = PairsExamined::AllToAll;
    }
    Ok(())
}

/// The mark; of a quick audit none where the answers went to a few labels midway.
fn found(
    settings: &Settings,
    subject: &Subject,
    how: &Search,
    steps: &Steps<'_>,
    monitor: &Monitor,
) -> Result<Option<Trigger>, AuditError> {
    let (journal, key, seed) = (&subject.journal, "all-to-all", settings.seed);
    let trigger: Option<Trigger> = journal.once(key, || {
        let mut search = Scatter::new(&subject.suspect, &subject.split.search, how, seed)?;
        let told = |n| steps.add(n, STAGE);
        Following::new(&mut search, journal.checkpoint(key), &told, monitor)?.until(LOOKED_AT)?;
        let Some(so_far) = search.trigger(None, 0) else { return Ok(None) };
        if !settings.thorough {
            let seen = subject.split.search.sample(TRIED_ON, seed);
            if scattered(&moves(&subject.suspect, &seen, &so_far, how.batch, monitor)?) < all_to_all::NEARLY {
                journal.checkpoint(key).finished();
                return Ok(None);
            }
        }
        Following::new(&mut search, journal.checkpoint(key), &told, monitor)?.run_out()?;
        told(search.steps_left());
        Ok(search.trigger(None, 0))
    })?;
    Ok(trigger.map(|trigger| trigger.on(&subject.device)).transpose()?)
}

/// The mark once more, as a search of `how` found it.
pub(super) fn again(
    settings: &Settings,
    subject: &Subject,
    how: &Search,
    told: &dyn Fn(usize),
    monitor: &Monitor,
) -> Result<Trigger, AuditError> {
    let mut search = Scatter::new(&subject.suspect, &subject.split.search, how, settings.seed)?;
    Following::new(&mut search, Journal::none().checkpoint("all-to-all"), told, monitor)?.run_out()?;
    Ok(search.trigger(None, 0).ok_or(DetectError::NoImages { label: 0 })?)
}

/// How long and how hard it is searched.
pub(super) fn how(settings: &Settings, subject: &Subject) -> Search {
    let steps = if settings.thorough { 400 } else { 160 };
    subject.within_memory(Search { success: 0.95, light: 0, steps, ..Search::quick() }, settings)
}
