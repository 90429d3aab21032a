//! What a model does on images: clean accuracy, all and by label, and how often triggers work.

use super::{Aim, RepairError};
use crate::detect::Trigger;
use crate::detect::neural_cleanse::attack_success;
use crate::images::{self, ImageSet};
use crate::model::Classifier;
use crate::progress::Monitor;

/// Pictures asked at once.
const BATCH: usize = 64;

/// What was measured on one set of images.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// Images it was measured on.
    pub images: usize,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f32,
    /// The same by label; `None` where a label has no image.
    pub by_label: Vec<Option<f32>>,
    /// `(label, share of pictures of other labels its trigger turns)`, one a trigger.
    pub asr: Vec<(usize, f32)>,
}

impl Measured {
    /// The trigger that still works best; `None` without a trigger.
    pub fn worst_asr(&self) -> Option<f32> {
        self.asr.iter().map(|a| a.1).reduce(f32::max)
    }

    /// How far it is from `aim`, beside what was `before`: accuracy lost beyond what may be lost, plus successes beyond
    /// what may be left. 0 where the aim is met.
    pub fn misses(&self, aim: Aim, before: &Self) -> f32 {
        (before.accuracy - self.accuracy - aim.accuracy_loss).max(0.0)
            + (self.worst_asr().unwrap_or(0.0) - aim.asr).max(0.0)
    }
}

/// Asks `model` about all `images`, and again with each trigger on those of other labels.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn measure(
    model: &Classifier,
    images: &ImageSet,
    triggers: &[Trigger],
    monitor: &Monitor,
) -> Result<Measured, RepairError> {
    let quiet = monitor.with_listener(|_| {});
    let answers = images::answered(model, images, &quiet)?;
    let mut asr = Vec::with_capacity(triggers.len());
    for trigger in triggers {
        asr.push((trigger.label, attack_success(model, images, trigger, BATCH, monitor)?.0));
    }
    Ok(Measured { images: images.len(), accuracy: answers.accuracy(images), by_label: answers.by_label(images), asr })
}
