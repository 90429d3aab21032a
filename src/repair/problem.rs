//! What a repair is given.

use super::block::working;
use super::{Measured, RepairError, measure};
use crate::detect::Trigger;
use crate::images::ImageSet;
use crate::model::{Change, Classifier};
use crate::progress::Monitor;
use crate::tensor::Seed;

/// What a repaired model must reach on images held back from the repair.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Aim {
    /// Clean accuracy may fall by at most this share.
    pub accuracy_loss: f32,
    /// The recovered triggers may work on at most this share of pictures.
    pub asr: f32,
}

impl Default for Aim {
    fn default() -> Self {
        Self { accuracy_loss: 0.02, asr: 0.05 }
    }
}

impl Aim {
    /// The same aim with only this share of its successes allowed.
    pub fn with_spare(self, share: f32) -> Self {
        Self { asr: share * self.asr, ..self }
    }
}

/// Clean images in three parts that share none.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What methods learn from.
    pub repair: ImageSet,
    /// What thresholds are chosen on, and when to end.
    pub validation: ImageSet,
    /// What is reported; no method sees it, and the search for the triggers did not see it either.
    pub proof: ImageSet,
}

/// Share of the images of the search that are kept for choices.
const VALIDATION: f32 = 0.25;
/// More images than this make a repair slower, not better.
const ENOUGH: usize = 1000;
/// Validation images at most: they are measured after every pass.
const MEASURED: usize = 400;

impl Parts {
    /// The images the audit searched on, for repair and validation; those it held back, for the proof.
    pub fn of(searched: &ImageSet, held_back: &ImageSet, seed: Seed) -> Self {
        let seed = seed.of("repair");
        let parts = searched.split(VALIDATION, seed);
        Self {
            repair: parts.search.sample(ENOUGH, seed),
            validation: parts.held_out.sample(MEASURED, seed),
            proof: held_back.clone(),
        }
    }
}

/// A suspect and what is known of its backdoor.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The suspect model.
    pub suspect: &'a Classifier,
    /// Clean images; empty sets where there are none.
    pub parts: &'a Parts,
    /// The recovered triggers of all infected labels; may be empty.
    pub triggers: &'a [Trigger],
    /// What successes are counted with: the recovered triggers, and for each the block that works best in its place. A model can
    /// forget the recovered trigger and still obey the attacker's; the block is nearer to that one (docs/repairs.md).
    pub measured_with: Vec<Trigger>,
    /// What the repair must reach.
    pub aim: Aim,
    /// Every random number comes from this.
    pub seed: Seed,
    /// The suspect on the validation images.
    pub before: Measured,
}

impl<'a> Problem<'a> {
    /// A problem, with the blocks that work in the triggers' places, and the suspect measured on the validation images.
    ///
    /// # Errors
    /// Where the model fails or somebody stops the work.
    pub fn new(
        suspect: &'a Classifier,
        parts: &'a Parts,
        triggers: &'a [Trigger],
        aim: Aim,
        seed: Seed,
        monitor: &Monitor,
    ) -> Result<Self, RepairError> {
        let mut measured_with = triggers.to_vec();
        for (i, trigger) in triggers.iter().enumerate() {
            let seed = seed.of("block in the trigger's place").nth(i);
            if let Some(block) = working(&parts.repair, suspect, trigger, seed, monitor)?.first() {
                measured_with.push(block.trigger(trigger)?);
            }
        }
        let before = measure(suspect, &parts.validation, &measured_with, monitor)?;
        Ok(Self { suspect, parts, triggers, measured_with, aim, seed, before })
    }

    /// What a change makes of the suspect on the validation images.
    ///
    /// # Errors
    /// Where the change does not fit, the model fails, or somebody stops the work.
    pub fn measured(&self, change: &Change, monitor: &Monitor) -> Result<Measured, RepairError> {
        measure(&change.apply(self.suspect)?, &self.parts.validation, &self.measured_with, monitor)
    }
}
