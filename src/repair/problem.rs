//! What a repair is given.

use super::block::{Block, first_of_each_kind, working};
use super::{Counted, Measured, RepairError, Stamp, measure};
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
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// The suspect model.
    pub suspect: &'a Classifier,
    /// Clean images; empty sets where there are none.
    pub parts: &'a Parts,
    /// The recovered triggers of all infected labels; may be empty.
    pub triggers: &'a [Trigger],
    /// What successes are counted with: the recovered triggers, and for each the blocks of colour and of dots that work best in its place. A model can
    /// forget the recovered trigger and still obey the attacker's; the block is nearer to that one (docs/repairs.md).
    pub measured_with: Vec<Counted>,
    /// For each trigger the blocks that work on the suspect in its place, the best first.
    pub(super) blocks: Vec<Vec<Block>>,
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
        let mark = |trigger: &Trigger| Counted { stamp: Stamp::Mark, trigger: trigger.clone() };
        let mut measured_with: Vec<Counted> = triggers.iter().map(mark).collect();
        let mut blocks = Vec::with_capacity(triggers.len());
        for (i, trigger) in triggers.iter().enumerate() {
            let seed = seed.of("block in the trigger's place").nth(i);
            let found = working(&parts.repair, suspect, trigger, &[], seed, monitor)?;
            for best in first_of_each_kind(&found) {
                measured_with.push(best.counted(trigger)?);
            }
            blocks.push(found);
        }
        let before = measure(suspect, &parts.validation, &measured_with, monitor)?;
        Ok(Self { suspect, parts, triggers, measured_with, blocks, aim, seed, before })
    }

    /// What a change makes of the suspect on the validation images.
    ///
    /// # Errors
    /// Where the change does not fit, the model fails, or somebody stops the work.
    pub fn measured(&self, change: &Change, monitor: &Monitor) -> Result<Measured, RepairError> {
        measure(&change.apply(self.suspect)?, &self.parts.validation, &self.measured_with, monitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;

    fn problem<'a>(suspect: &'a Classifier, parts: &'a Parts, triggers: &'a [Trigger]) -> Problem<'a> {
        Problem::new(suspect, parts, triggers, Aim::default(), Seed(1), &Monitor::silent()).unwrap()
    }

    #[test]
    fn a_block_that_works_where_the_mark_does_not_is_what_counts() {
        let (suspect, parts, mut trigger) = (planted::network(), planted::parts(), planted::trigger());
        // Not bright enough for the backdoor; one white pixel is.
        trigger.pattern = (trigger.pattern * 0.8).unwrap();
        let triggers = [trigger];
        let problem = problem(&suspect, &parts, &triggers);
        let stamps: Vec<Stamp> = problem.measured_with.iter().map(|counted| counted.stamp).collect();
        assert_eq!(stamps, [Stamp::Mark, Stamp::Block, Stamp::Block], "one of colour, one of dots");
        assert_eq!(problem.before.asr[0].share, 0.0);
        let worst = problem.before.worst().unwrap();
        assert_eq!((worst.label, worst.stamp, worst.share), (2, Stamp::Block, 1.0));
        assert_eq!(problem.measured_with[1].trigger.l1, 1.0, "a block of one pixel");
        assert_eq!(problem.before.of_first(1).worst().unwrap().stamp, Stamp::Mark);
        assert_eq!(problem.blocks.len(), 1);
    }

    #[test]
    fn without_a_block_that_works_the_mark_alone_counts() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        // Nothing lights up the backdoor's channel.
        let mut parameters = suspect.parameters().clone();
        parameters.insert("bias".into(), candle_core::Tensor::new(&[0.0_f32, 0.6, -50.0], &suspect.device()).unwrap());
        let honest = suspect.with_parameters(parameters);
        let problem = problem(&honest, &parts, &triggers);
        assert_eq!(problem.before.asr.len(), 1);
        assert_eq!(problem.before.worst().unwrap().stamp, Stamp::Mark);
        assert!(problem.blocks[0].is_empty());
    }
}
