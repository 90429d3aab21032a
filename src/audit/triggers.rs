//! The trigger phase: the smallest trigger towards every label that stands out, how well it works on
//! images held back, and how large it would have to be on models known clean.

use super::budget::pictures_at_once;
use super::pace::Pace;
use super::references::Reference;
use super::run::{AuditError, Evidence, Subject};
use super::scope::looked_at_closely;
use super::workers::{cores, each};
use super::{Event, Order, Phase, Settings};
use crate::detect::neural_cleanse::{Hunt, Search, anomaly_indices, attack_success, median};
use crate::detect::{DetectError, Trigger, TriggerEvidence};
use crate::progress::Monitor;
use crate::tensor::Seed;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Labels whose size is compared with models known clean: the smallest triggers.
const COMPARED: usize = 4;
/// Steps of the short search that chooses the labels of a larger model.
const SCOUTING_STEPS: usize = 64;
/// Steps after which a search tells how far it is.
const TOLD_EVERY: usize = 16;
/// Held-back images a trigger is tried on at most.
const TRIED_ON: usize = 1000;
/// Pictures shown with and without the trigger.
const EXAMPLES: usize = 6;

/// Searches triggers and completes the evidence with them.
pub(super) fn search(
    order: &Order,
    subject: &Subject,
    known_clean: &[Reference],
    evidence: &mut Evidence,
    pace: &Pace<'_>,
    monitor: &Monitor,
    events: &(dyn Fn(Event) + Sync),
) -> Result<(), AuditError> {
    let settings = &order.settings;
    let how = how(settings, subject)?;
    let classes = subject.suspect.classes();
    let wanted = looked_at_closely(classes, settings.thorough);
    let compared = COMPARED.min(wanted) * known_clean.len();
    let scouting = if wanted < classes { SCOUTING_STEPS } else { 0 };
    let total = classes * scouting + wanted * (how.steps - scouting) + compared * how.steps;
    let steps = Steps { pace, done: AtomicUsize::new(0), total };

    let hunts = begun(subject, &how, settings.seed)?;
    let hunts = if wanted < classes { scouted(hunts, wanted, &steps, monitor)? } else { hunts };
    let held_out = subject.split.held_out.sample(TRIED_ON, settings.seed);
    let (done, failure) = each(hunts, cores(), |hunt| {
        let told = |n| steps.add(n, "Searching the smallest trigger of each label");
        let trigger = followed(hunt, told, monitor)?;
        let (asr, asr_images) = attack_success(&subject.suspect, &held_out, &trigger, how.batch, monitor)?;
        let found = TriggerEvidence {
            label: trigger.label,
            mask: trigger.mask_picture()?,
            pattern: trigger.pattern_picture()?,
            asr_search: trigger.asr_search,
            asr,
            asr_images,
            l1: trigger.l1,
            size: trigger.size(),
            reached: trigger.reached,
            anomaly_index: None,
            usual_size: None,
            reference_sizes: Vec::new(),
            reference_asr: Vec::new(),
            examples: trigger.examples(&subject.suspect, &held_out, EXAMPLES)?,
        };
        events(Event::Trigger(found.clone()));
        Ok::<_, AuditError>((trigger, found))
    });
    let mut found: Vec<(Trigger, TriggerEvidence)> = done.into_iter().flatten().collect();
    add_anomaly_indices(&mut found);
    // The smallest first: those are the ones that must be compared.
    found.sort_by(|a, b| a.1.size.total_cmp(&b.1.size));
    for (_, trigger) in &found {
        events(Event::Trigger(trigger.clone()));
    }
    let comparisons: Vec<(usize, usize)> =
        (0..COMPARED.min(found.len())).flat_map(|i| (0..known_clean.len()).map(move |r| (i, r))).collect();
    let failure = failure.or_else(|| {
        let (seen, failure) = each(&comparisons, cores(), |&(i, r)| {
            let (label, model) = (found[i].1.label, &known_clean[r].classifier);
            let seed = settings.seed.of("reference").nth(r);
            let hunt = Hunt::new(model, &subject.split.search, label, &how, seed)?;
            let told = |n| steps.add(n, "The same search on models known clean");
            let trigger = followed(hunt, told, monitor)?;
            // A trigger that never worked would have to cover more than the whole picture.
            let size = if trigger.reached { trigger.size() } else { 1.0 };
            let (asr, _) = attack_success(model, &held_out, &found[i].0, how.batch, monitor)?;
            Ok::<_, AuditError>((size, asr))
        });
        for ((i, _), (size, asr)) in comparisons.iter().zip(seen).filter_map(|(at, seen)| Some((at, seen?))) {
            found[*i].1.reference_sizes.push(size);
            found[*i].1.reference_asr.push(asr);
        }
        failure
    });
    for (_, trigger) in found {
        events(Event::Trigger(trigger.clone()));
        let label = trigger.label;
        evidence.triggers[label] = Some(trigger);
    }
    failure.map_or(Ok(()), Err)
}

/// How many steps of the phase are through, all searches together.
struct Steps<'a> {
    pace: &'a Pace<'a>,
    done: AtomicUsize,
    total: usize,
}

impl Steps<'_> {
    fn add(&self, steps: usize, stage: &str) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        self.pace.at(Phase::Triggers, done as f32 / self.total.max(1) as f32, stage);
    }
}

/// The triggers of `labels` once more, as [`search`] finds them: the same search, batches, images and seed give the same
/// triggers, so an audit need not carry its tensors. `told` gets the share that is done.
pub(super) fn again(
    settings: &Settings,
    subject: &Subject,
    labels: &[usize],
    told: &(dyn Fn(f32) + Sync),
    monitor: &Monitor,
) -> Result<Vec<Trigger>, AuditError> {
    let how = how(settings, subject)?;
    let (done, total) = (AtomicUsize::new(0), (labels.len() * how.steps).max(1));
    let (found, failure) = each(labels, cores(), |&label| {
        let moved = |n| told((done.fetch_add(n, Ordering::Relaxed) + n) as f32 / total as f32);
        followed(begin(subject, label, &how, settings.seed)?, moved, monitor)
    });
    failure.map_or_else(|| Ok(found.into_iter().flatten().collect()), Err)
}

/// How long and how hard it is searched on the suspect.
fn how(settings: &Settings, subject: &Subject) -> Result<Search, AuditError> {
    let mut how = if settings.thorough { Search::thorough() } else { Search::quick() };
    how.batch = how.batch.min(pictures_at_once(&[&subject.suspect], settings.memory_budget)?);
    Ok(how)
}

/// The search for the trigger of one label of the suspect, not yet begun.
fn begin<'a>(subject: &'a Subject, label: usize, how: &'a Search, seed: Seed) -> Result<Hunt<'a>, AuditError> {
    Ok(Hunt::new(&subject.suspect, &subject.split.search, label, how, seed)?)
}

/// A search for every label that none has begun.
fn begun<'a>(subject: &'a Subject, how: &'a Search, seed: Seed) -> Result<Vec<Hunt<'a>>, AuditError> {
    (0..subject.suspect.classes()).map(|label| begin(subject, label, how, seed)).collect()
}

/// The searches worth going on with, in the order of their labels: those that got furthest in some steps.
/// The shots do not choose them: where suspect and references are networks of different kinds all labels
/// look alike to them, and the infected one can be left out.
fn scouted<'a>(
    hunts: Vec<Hunt<'a>>,
    wanted: usize,
    steps: &Steps<'_>,
    monitor: &Monitor,
) -> Result<Vec<Hunt<'a>>, AuditError> {
    let (done, failure) = each(hunts, cores(), |mut hunt| {
        hunt.advance(SCOUTING_STEPS, monitor)?;
        steps.add(SCOUTING_STEPS, "A short search at every label");
        // What works by its size, what does not behind it by how often it fails.
        let far = hunt.trigger().map_or(f32::INFINITY, |t| if t.reached { t.size() } else { 2.0 - t.asr_search });
        Ok::<_, AuditError>((far, hunt))
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let mut hunts: Vec<(f32, Hunt<'a>)> = done.into_iter().flatten().collect();
    hunts.sort_by(|a, b| a.0.total_cmp(&b.0));
    hunts.truncate(wanted);
    hunts.sort_unstable_by_key(|(_, hunt)| hunt.label());
    Ok(hunts.into_iter().map(|(_, hunt)| hunt).collect())
}

/// What a search ends with; `told` gets the steps it no longer has to take.
fn followed(mut hunt: Hunt<'_>, told: impl Fn(usize), monitor: &Monitor) -> Result<Trigger, AuditError> {
    while !hunt.is_over() {
        let before = hunt.steps_left();
        hunt.advance(TOLD_EVERY, monitor)?;
        told(before - hunt.steps_left());
    }
    // Those it did not need.
    told(hunt.steps_left());
    Ok(hunt.trigger().ok_or(DetectError::NoImages { label: hunt.label() })?)
}

/// The outlier test among the labels that were searched, on the logarithms of the sizes: sizes are positive and
/// skewed, and their median over their deviation would bound how far below it any size can lie. A search that never
/// succeeded counts as a trigger over the whole picture.
fn add_anomaly_indices(found: &mut [(Trigger, TriggerEvidence)]) {
    let sizes: Vec<f32> = found.iter().map(|(t, _)| if t.reached { t.size() } else { 1.0 }).collect();
    let logarithms: Vec<f32> = sizes.iter().map(|s| s.max(f32::MIN_POSITIVE).ln()).collect();
    let usual = median(&sizes);
    for ((_, evidence), index) in found.iter_mut().zip(anomaly_indices(&logarithms)) {
        evidence.anomaly_index = index;
        evidence.usual_size = index.map(|_| usual);
    }
}
