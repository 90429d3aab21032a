//! What a model does on images: clean accuracy, all and by label, and how often triggers work.

use super::{Problem, RepairError};
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

    /// Whether it is as good as the aim of `problem` asks, beside what was `before`.
    pub fn meets(&self, problem: &Problem, before: &Self) -> bool {
        self.accuracy >= before.accuracy - problem.aim.accuracy_loss
            && self.worst_asr().is_none_or(|asr| asr <= problem.aim.asr)
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
    let lists = images.by_label();
    let by_label = lists.iter().enumerate().map(|(label, list)| {
        let right = list.iter().filter(|&&i| answers[i] == Some(label)).count();
        (!list.is_empty()).then(|| right as f32 / list.len() as f32)
    });
    let right = answers.iter().zip(&images.labels).filter(|(a, l)| **a == Some(**l)).count();
    let mut asr = Vec::with_capacity(triggers.len());
    for trigger in triggers {
        asr.push((trigger.label, attack_success(model, images, trigger, BATCH, monitor)?.0));
    }
    Ok(Measured {
        images: images.len(),
        accuracy: right as f32 / images.len().max(1) as f32,
        by_label: by_label.collect(),
        asr,
    })
}
