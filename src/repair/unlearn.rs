//! Unlearning with the recovered trigger (Neural Cleanse, Wang et al., IEEE S&P 2019, section VI): the model is shown
//! stamped pictures with their true labels until the trigger means nothing.
//!
//! The recovered trigger is only near the attacker's, so it is never shown twice alike: it is shifted, made weaker and
//! stronger, and parts of it are left out. Pictures of the target label are not stamped.

use super::tune::{Batch, Learner, Schedule, fine_tune, numbers};
use super::{Point, Problem, Repair, RepairError};
use crate::detect::Trigger;
use crate::model::Change;
use crate::progress::Monitor;
use crate::tensor::{Random, cross_entropy, stamp};
use crate::train::augmented;
use candle_core::Tensor;

/// See the module.
pub struct Unlearning;

const SCHEDULE: Schedule = Schedule { method: "unlearning", passes: 20, at_least: 3, batch: 32, rate: 0.01 };
/// Share of the pictures of a batch that are stamped (BackdoorBench: a fifth; the trigger is inexact here).
const STAMPED: f32 = 0.5;
/// Largest shift of the trigger as a share of the picture's side.
const SHIFT: f32 = 0.06;
/// Factors on the mask, which stays within `[0, 1]`.
const STRENGTH: (f32, f32) = (0.5, 2.0);

impl Repair for Unlearning {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Shows the model pictures with the recovered trigger and their true labels until it ignores the trigger. Needs \
         a recovered trigger and clean images; changes all weights a little; some seconds to a few minutes"
    }

    fn needs_trigger(&self) -> bool {
        true
    }

    fn run(&self, problem: &Problem, watch: &(dyn Fn(Point) + Sync), monitor: &Monitor) -> Result<Change, RepairError> {
        let images = &problem.parts.repair;
        let device = problem.suspect.device();
        let mut gradients = |at: &_, batch: &Batch<'_>| {
            let learner = Learner::new(problem.suspect, at)?;
            let mut random = batch.seed.random();
            let x = augmented(images, batch.indices, batch.seed.of("augment"), &device)?;
            let x = stamped(&x, problem, batch.indices, &mut random)?;
            let labels: Vec<u32> = batch.indices.iter().map(|&i| images.labels[i] as u32).collect();
            let labels = Tensor::from_vec(labels, batch.indices.len(), &device)?;
            let loss = cross_entropy(&learner.classifier.logits(&x)?, &labels)?.mean_all()?;
            learner.gradients(&loss)
        };
        fine_tune(problem, numbers(problem.suspect), SCHEDULE, &mut gradients, watch, monitor)
    }
}

/// The batch `x` with a varied trigger on about half of the pictures that are not of its label.
fn stamped(x: &Tensor, problem: &Problem, indices: &[usize], random: &mut Random) -> Result<Tensor, RepairError> {
    let labels = &problem.parts.repair.labels;
    let mut rows = Vec::with_capacity(indices.len());
    for (row, &i) in indices.iter().enumerate() {
        let picture = x.narrow(0, row, 1)?;
        let trigger = &problem.triggers[random.below(problem.triggers.len())];
        let stamps = random.chance(STAMPED) && labels[i] != trigger.label;
        rows.push(if stamps { varied(&picture, trigger, random)? } else { picture });
    }
    Ok(Tensor::cat(&rows, 0)?)
}

/// One picture `[1, c, h, w]` with the trigger shifted and of another strength.
fn varied(picture: &Tensor, trigger: &Trigger, random: &mut Random) -> Result<Tensor, RepairError> {
    let (_, _, h, w) = picture.dims4()?;
    let mut by = |side: usize| random.uniform(-SHIFT * side as f32, SHIFT * side as f32).round() as i64;
    let shift = [by(h), by(w)];
    let strength = f64::from(random.uniform(STRENGTH.0, STRENGTH.1));
    let mask = (shifted(&trigger.mask, shift)? * strength)?.clamp(0f32, 1f32)?;
    Ok(stamp(picture, &mask, &shifted(&trigger.pattern, shift)?)?)
}

/// A plane `[1, c, h, w]` moved down and right; what leaves on one side comes in on the other.
fn shifted(plane: &Tensor, by: [i64; 2]) -> Result<Tensor, RepairError> {
    let mut plane = plane.clone();
    for (axis, by) in [(2, by[0]), (3, by[1])] {
        let side = plane.dim(axis)?;
        let at = by.rem_euclid(side as i64) as usize;
        if at > 0 {
            plane = Tensor::cat(&[plane.narrow(axis, side - at, at)?, plane.narrow(axis, 0, side - at)?], axis)?;
        }
    }
    Ok(plane.contiguous()?)
}
