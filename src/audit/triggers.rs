//! The trigger phase: the smallest trigger towards every label that stands out, how well it works on
//! images held back, and how large it would have to be on models known clean.

use super::budget::pictures_at_once;
use super::pace::Pace;
use super::references::Reference;
use super::run::{AuditError, Evidence, Subject};
use super::shots::how_many_stand_out;
use super::workers::{cores, each};
use super::{Event, Order, Phase};
use crate::detect::neural_cleanse::{self, Hunt, Search, anomaly_indices, attack_success};
use crate::detect::{Trigger, TriggerEvidence};
use crate::progress::Monitor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Labels whose size is compared with models known clean: the smallest triggers.
const COMPARED: usize = 4;
/// Steps of the short search that chooses the labels of a larger model.
const SCOUTING_STEPS: usize = 64;
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
    let mut how = if settings.thorough { Search::thorough() } else { Search::quick() };
    how.batch = how.batch.min(pictures_at_once(&[&subject.suspect], settings.memory_budget)?);
    let labels = scouted(order, subject, &how, pace, monitor)?;
    let compared = COMPARED.min(labels.len()) * known_clean.len();
    let total = (labels.len() + compared).max(1);
    let finished = AtomicUsize::new(0);
    let advance = |stage: &str| {
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        pace.at(Phase::Triggers, done as f32 / total as f32, stage);
    };
    let held_out = subject.split.held_out.sample(TRIED_ON, settings.seed);

    let (done, failure) = each(&labels, cores(), |&label| {
        let trigger =
            neural_cleanse::recover(&subject.suspect, &subject.split.search, label, &how, settings.seed, monitor)?;
        let (asr, asr_images) = attack_success(&subject.suspect, &held_out, &trigger, how.batch, monitor)?;
        let found = TriggerEvidence {
            label,
            mask: trigger.mask_picture()?,
            pattern: trigger.pattern_picture()?,
            asr_search: trigger.asr_search,
            asr,
            asr_images,
            l1: trigger.l1,
            size: trigger.size(),
            reached: trigger.reached,
            anomaly_index: None,
            reference_sizes: Vec::new(),
            examples: trigger.examples(&subject.suspect, &held_out, EXAMPLES)?,
        };
        advance("Searching the smallest trigger of each label");
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
        let (sizes, failure) = each(&comparisons, cores(), |&(i, r)| {
            let (label, model) = (found[i].1.label, &known_clean[r].classifier);
            let seed = settings.seed.of("reference").nth(r);
            let trigger = neural_cleanse::recover(model, &subject.split.search, label, &how, seed, monitor)?;
            advance("The same search on models known clean");
            // A trigger that never worked would have to cover more than the whole picture.
            Ok::<_, AuditError>(if trigger.reached { trigger.size() } else { 1.0 })
        });
        for ((i, _), size) in comparisons.iter().zip(sizes) {
            found[*i].1.reference_sizes.extend(size);
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

/// The labels worth a whole search, in order: all where few, else those at which a short one got furthest.
/// The shots do not choose them: where suspect and references are networks of different kinds all labels
/// look alike to them, and the infected one can be left out.
fn scouted(
    order: &Order,
    subject: &Subject,
    how: &Search,
    pace: &Pace<'_>,
    monitor: &Monitor,
) -> Result<Vec<usize>, AuditError> {
    let mut labels: Vec<usize> = (0..subject.suspect.classes()).collect();
    let wanted = how_many_stand_out(labels.len(), order.settings.thorough);
    if wanted == labels.len() {
        return Ok(labels);
    }
    let (done, failure) = each(&labels, cores(), |&label| {
        pace.at(Phase::Triggers, 0.0, "A short search at every label");
        let mut hunt = Hunt::new(&subject.suspect, &subject.split.search, label, how, order.settings.seed)?;
        hunt.advance(SCOUTING_STEPS, monitor)?;
        // What works by its size, what does not behind it by how often it fails.
        let far = hunt.trigger().map_or(f32::INFINITY, |t| if t.reached { t.size() } else { 2.0 - t.asr_search });
        Ok::<_, AuditError>(far)
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let far: Vec<f32> = done.into_iter().map(|f| f.unwrap_or(f32::INFINITY)).collect();
    labels.sort_by(|&a, &b| far[a].total_cmp(&far[b]));
    labels.truncate(wanted);
    labels.sort_unstable();
    Ok(labels)
}

/// The outlier test among the labels that were searched. A search that never succeeded counts as a
/// trigger over the whole picture.
fn add_anomaly_indices(found: &mut [(Trigger, TriggerEvidence)]) {
    let sizes: Vec<f32> = found.iter().map(|(t, _)| if t.reached { t.size() } else { 1.0 }).collect();
    for ((_, evidence), index) in found.iter_mut().zip(anomaly_indices(&sizes)) {
        evidence.anomaly_index = index;
    }
}
