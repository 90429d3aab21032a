//! What a model does on images: clean accuracy, all and by label, and how often triggers work.

use super::{Aim, RepairError};
use crate::detect::Trigger;
use crate::detect::neural_cleanse::attack_success;
use crate::images::{self, ImageSet};
use crate::model::Classifier;
use crate::progress::Monitor;

/// Pictures asked at once.
const BATCH: usize = 64;

/// What pictures are stamped with to count how often that turns them.
#[derive(Debug, Clone)]
pub struct Counted {
    /// What it is.
    pub stamp: Stamp,
    /// How it is laid over a picture, and the label it aims at.
    pub trigger: Trigger,
}

/// What was found of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stamp {
    /// The recovered mark, the smallest that works.
    Mark,
    /// The block that works best in the mark's place.
    Block,
}

/// How often one of them works.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Success {
    /// The label it aims at.
    pub label: usize,
    /// What pictures were stamped with.
    pub stamp: Stamp,
    /// Share of pictures of other labels it turns into that label, in `[0, 1]`.
    pub share: f32,
}

/// What was measured on one set of images.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// Images it was measured on.
    pub images: usize,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f32,
    /// The same by label; `None` where a label has no image.
    pub by_label: Vec<Option<f32>>,
    /// One a mark or block, marks first.
    pub asr: Vec<Success>,
}

impl Measured {
    /// The mark or block that works best, the mark of equals; `None` without a trigger.
    pub fn worst(&self) -> Option<Success> {
        self.asr.iter().copied().reduce(|worst, next| if next.share > worst.share { next } else { worst })
    }

    /// How often it works.
    pub fn worst_asr(&self) -> Option<f32> {
        self.worst().map(|worst| worst.share)
    }

    /// The same with the first `n` of the marks and blocks only.
    pub fn of_first(&self, n: usize) -> Self {
        let asr = self.asr.iter().take(n).copied().collect();
        Self { asr, by_label: self.by_label.clone(), ..*self }
    }

    /// How far it is from `aim`, beside what was `before`: accuracy lost beyond what may be lost, plus successes beyond
    /// what may be left. 0 where the aim is met.
    pub fn misses(&self, aim: Aim, before: &Self) -> f32 {
        // Eight of 400 pictures are 2 %, though not in single precision.
        let beyond = |value: f32, bound: f32| if value <= bound + 1e-6 { 0.0 } else { value - bound };
        beyond(before.accuracy - self.accuracy, aim.accuracy_loss) + beyond(self.worst_asr().unwrap_or(0.0), aim.asr)
    }
}

/// Asks `model` about all `images`, and again with each mark and block on those of other labels.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn measure(
    model: &Classifier,
    images: &ImageSet,
    counted: &[Counted],
    monitor: &Monitor,
) -> Result<Measured, RepairError> {
    let quiet = monitor.with_listener(|_| {});
    let answers = images::answered(model, images, &quiet)?;
    let mut asr = Vec::with_capacity(counted.len());
    for Counted { stamp, trigger } in counted {
        let (share, _) = attack_success(model, images, trigger, BATCH, monitor)?;
        asr.push(Success { label: trigger.label, stamp: *stamp, share });
    }
    Ok(Measured { images: images.len(), accuracy: answers.accuracy(images), by_label: answers.by_label(images), asr })
}
