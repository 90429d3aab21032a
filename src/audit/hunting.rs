//! What the searches for triggers have in common: following a search to its end, how far all of them are, and the
//! evidence of a trigger that was found.

use super::error::AuditError;
use super::following::Following;
use super::pace::Pace;
use super::{Journal, Phase};
use crate::detect::neural_cleanse::{Hunt, attack_success};
use crate::detect::{DetectError, Direction, Shape, Trigger, TriggerEvidence};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use candle_core::Device;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Held-back images a trigger is tried on at most.
pub(super) const TRIED_ON: usize = 1000;
/// Pictures shown with and without the trigger.
const EXAMPLES: usize = 6;

/// How many steps of a phase are through, all searches together.
pub(super) struct Steps<'a> {
    pace: &'a Pace<'a>,
    phase: Phase,
    done: AtomicUsize,
    total: usize,
}

impl<'a> Steps<'a> {
    pub(super) fn new(pace: &'a Pace<'a>, phase: Phase, total: usize) -> Self {
        Self { pace, phase, done: AtomicUsize::new(0), total: total.max(1) }
    }

    pub(super) fn add(&self, steps: usize, stage: &str) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        self.pace.at(self.phase, done as f32 / self.total as f32, stage);
    }
}

/// How far a search that has found no more than `trigger` still is from a small one: what works by its size, what does not behind
/// it by how often it fails.
pub(super) fn far(trigger: &Trigger) -> f32 {
    if trigger.reached { trigger.size() } else { 2.0 - trigger.asr_search }
}

/// The same of a search.
pub(super) fn farness(hunt: &Hunt<'_>) -> f32 {
    hunt.trigger().map_or(2.0, |trigger| far(&trigger))
}

/// How well `trigger` works on pictures held back. Nothing is known yet of other labels and of honest models.
pub(super) fn tried(
    trigger: &Trigger,
    suspect: &Classifier,
    held_out: &ImageSet,
    batch: usize,
    monitor: &Monitor,
) -> Result<TriggerEvidence, AuditError> {
    let (asr, asr_images) = attack_success(suspect, held_out, trigger, batch, monitor)?;
    Ok(TriggerEvidence {
        label: trigger.label,
        source: trigger.source,
        shape: trigger.shape,
        mask: trigger.mask_picture()?,
        pattern: trigger.pattern_picture()?,
        asr_search: trigger.asr_search,
        asr,
        asr_images,
        l1: trigger.l1,
        size: trigger.size(),
        reached: trigger.reached,
        second_search: false,
        anomaly_index: None,
        p_value: None,
        usual_size: None,
        reverse_size: None,
        elsewhere: None,
        all_to_all: None,
        reference_sizes: Vec::new(),
        reference_asr: Vec::new(),
        examples: trigger.examples(suspect, held_out, EXAMPLES)?,
    })
}

/// The size `trigger` counts with: one that never worked would have to cover more than the whole picture.
pub(super) fn size_of(trigger: &Trigger) -> f32 {
    if trigger.reached { trigger.size() } else { 1.0 }
}

/// The size with which the labels of one model are compared. Most warps never turn all pictures; how far they came is a lower
/// bound of what that would take.
pub(super) fn ranked_size(trigger: &Trigger) -> f32 {
    match trigger.shape {
        Shape::Warp => trigger.size(),
        Shape::Filter | Shape::Patch | Shape::Blend => size_of(trigger),
    }
}

/// What a search that has begun found so far.
pub(super) fn found_so_far(hunt: &Hunt<'_>) -> Result<Trigger, AuditError> {
    Ok(hunt.trigger().ok_or(DetectError::NoImages { label: hunt.direction().target })?)
}

fn run_out(
    (journal, key): (&Journal, &str),
    hunt: &mut Hunt<'_>,
    told: &dyn Fn(usize),
    monitor: &Monitor,
) -> Result<Trigger, AuditError> {
    Following::new(hunt, journal.checkpoint(key), told, monitor)?.run_out()?;
    // Those it did not need.
    told(hunt.steps_left());
    found_so_far(hunt)
}

/// What `hunt` ends with, as the piece `key` of `journal`; a search that was cut off goes on from where it had come to.
pub(super) fn followed(
    (journal, key): (&Journal, &str),
    mut hunt: Hunt<'_>,
    device: &Device,
    told: &dyn Fn(usize),
    monitor: &Monitor,
) -> Result<Trigger, AuditError> {
    journal.trigger(key, device, || run_out((journal, key), &mut hunt, told, monitor))
}

/// How large a trigger an honest model needs in the same direction as `of_suspect`, which is what `hunt` searches, and how
/// often that very trigger turns pictures there; as the piece `key` of `journal`.
pub(super) fn abroad(
    (journal, key): (&Journal, &str),
    mut hunt: Hunt<'_>,
    of_suspect: &Trigger,
    (model, held_out): (&Classifier, &ImageSet),
    batch: usize,
    told: &dyn Fn(usize),
    monitor: &Monitor,
) -> Result<(f32, f32), AuditError> {
    journal.once(key, || {
        let found = run_out((journal, key), &mut hunt, told, monitor)?;
        let (asr, _) = attack_success(model, held_out, of_suspect, batch, monitor)?;
        Ok((size_of(&found), asr))
    })
}

/// The same trigger meant for other pictures, or to another label.
pub(super) fn meant_for(direction: Direction, trigger: &Trigger) -> Trigger {
    Trigger { source: direction.source, label: direction.target, ..trigger.clone() }
}
