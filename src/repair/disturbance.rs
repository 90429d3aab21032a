//! What pictures are shown with while a trigger is unlearned: the recovered mark in many variations, blocks in its place, and
//! additive patterns searched for on the model as it is now.
//!
//! The attacker's trigger is not the recovered one: that is the smallest mark that works, often a corner of the real one
//! in other colours. So marks are shifted, made weaker and stronger, blocks are painted in their place; and the universal
//! additive pattern that turns most pictures (I-BAU, Zeng et al., ICLR 2022) finds what no block covers, watermarks and
//! blends among it.

use super::block::Block;
use super::{Problem, RepairError};
use crate::detect::{Shape, Trigger};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Adam, Random, Seed, cross_entropy};
use candle_core::{Tensor, Var};

/// Largest shift as a share of the picture's side.
const SHIFT: f32 = 0.06;
/// Factors on a mask, which stays within `[0, 1]`, and on an additive pattern.
const STRENGTH: (f32, f32) = (0.5, 2.0);
const LOUDNESS: (f32, f32) = (0.4, 1.0);
/// Share of the stamped marks whose colours and extent are changed.
const REMADE: f32 = 0.6;
/// Changes of a block at most.
const CHANGES: usize = 2;
/// Adam's step on an additive pattern, steps, and pictures a step.
const RATE: f64 = 0.02;
const STEPS: usize = 40;
const BATCH: usize = 32;

/// Something that is laid over pictures and should change no answer.
#[derive(Debug, Clone)]
pub(super) enum Disturbance {
    /// A recovered trigger.
    Stamp(Trigger),
    /// A rectangle painted in the place of the trigger.
    Block(Block),
    /// `[1, c, h, w]` added to the picture, for the label it aims at.
    Added { label: usize, pattern: Tensor },
}

impl Disturbance {
    /// The label it turns pictures into.
    pub fn label(&self) -> usize {
        match self {
            Self::Stamp(trigger) => trigger.label,
            Self::Block(block) => block.label,
            Self::Added { label, .. } => *label,
        }
    }

    /// One picture `[1, c, h, w]` under a variation of it.
    pub fn varied(&self, picture: &Tensor, random: &mut Random) -> Result<Tensor, RepairError> {
        let (_, _, h, w) = picture.dims4()?;
        let mut by = |side: usize| random.uniform(-SHIFT * side as f32, SHIFT * side as f32).round() as i64;
        let shift = [by(h), by(w)];
        match self {
            Self::Stamp(trigger) => {
                // Other numbers in a warp would scatter the pixels, and in a filter make other colours.
                let (mask, pattern) = if random.chance(REMADE) && trigger.shape.has_mask() {
                    remade(trigger, random)?
                } else {
                    (trigger.mask.clone(), trigger.pattern.clone())
                };
                let strength = f64::from(random.uniform(STRENGTH.0, STRENGTH.1));
                let mask = (shifted(&mask, shift)? * strength)?.clamp(0f32, 1f32)?;
                // The rows of a filter are no places.
                let pattern = if trigger.shape == Shape::Filter { pattern } else { shifted(&pattern, shift)? };
                Ok(trigger.shape.put_on(picture, &mask, &pattern)?)
            }
            Self::Block(block) => {
                let mut block = block.clone();
                for _ in 0..random.below(CHANGES + 1) {
                    block = block.changed([h, w], random);
                }
                let mut pixels = picture.flatten_all()?.to_vec1::<f32>()?;
                block.paint(&mut pixels, [h, w]);
                Ok(Tensor::from_vec(pixels, picture.shape(), picture.device())?)
            }
            Self::Added { pattern, .. } => {
                let loudness = f64::from(random.uniform(LOUDNESS.0, LOUDNESS.1));
                let pattern = if random.chance(0.5) { shifted(pattern, shift)? } else { pattern.clone() };
                Ok((picture + (pattern * loudness)?)?.clamp(0f32, 1f32)?)
            }
        }
    }
}

/// Mask and pattern of a trigger whose pixels have other colours in part, and which may be a pixel larger: the attacker's mark has
/// its pixels in the same place, but those that the search left out, and in colours that the search did not need.
fn remade(trigger: &Trigger, random: &mut Random) -> Result<(Tensor, Tensor), RepairError> {
    let pattern = trigger.pattern.flatten_all()?.to_vec1::<f32>()?;
    let share = random.uniform(0.0, 1.0);
    let mut recoloured = |value: f32| match random.chance(share) {
        true => (random.uniform(-0.5, 1.5)).clamp(0.0, 1.0),
        false => value,
    };
    let pattern: Vec<f32> = pattern.into_iter().map(&mut recoloured).collect();
    let pattern = Tensor::from_vec(pattern, trigger.pattern.shape(), trigger.pattern.device())?;
    let mut mask = trigger.mask.clone();
    if random.chance(0.5) {
        let by = if random.chance(0.5) { 1 } else { -1 };
        let way = if random.chance(0.5) { [0, by] } else { [by, 0] };
        mask = mask.maximum(&shifted(&mask, way)?)?;
    }
    Ok((mask, pattern))
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

/// The additive pattern of at most `radius` (Euclidean, pixels in `[0, 1]`) that turns most pictures of `model` into
/// `label`.
pub(super) fn universal(
    problem: &Problem,
    model: &Classifier,
    label: usize,
    radius: f64,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Disturbance, RepairError> {
    let images: &ImageSet = &problem.parts.repair;
    let mut random = seed.random();
    let device = model.device();
    let others: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != label).collect();
    let shape = (1, images.channels, images.height, images.width);
    let mut pattern = random.uniform_tensor(-0.01, 0.01, shape, &device)?;
    let mut adam = Adam::new(RATE, (0.9, 0.999));
    for _ in 0..STEPS {
        monitor.check()?;
        let some: Vec<usize> = (0..BATCH.min(others.len())).map(|_| others[random.below(others.len())]).collect();
        let added = Var::from_tensor(&pattern)?;
        let x = images.tensor(&some, &device)?.broadcast_add(&added)?.clamp(0f32, 1f32)?;
        let wanted = Tensor::full(label as u32, some.len(), &device)?;
        let loss = cross_entropy(&model.logits(&x)?, &wanted)?.mean_all()?;
        let mut gradients = loss.backward()?;
        let Some(slope) = gradients.remove(&added) else { break };
        pattern = adam.step(&pattern, &slope)?.detach();
        let length = f64::from(pattern.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt();
        if length > radius {
            pattern = (pattern * (radius / length))?;
        }
    }
    Ok(Disturbance::Added { label, pattern })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::detect::Shape;
    use candle_core::Device;

    /// A mark of two pixels in the middle of a gray picture of 6 x 6.
    fn mark() -> Trigger {
        let mut mask = vec![0.0_f32; 36];
        (mask[14], mask[15]) = (1.0, 0.5);
        let mask = Tensor::from_vec(mask, (1, 1, 6, 6), &Device::Cpu).unwrap();
        let pattern = Tensor::full(0.25_f32, (1, 3, 6, 6), &Device::Cpu).unwrap();
        Trigger { label: 0, source: None, shape: Shape::Patch, mask, pattern, l1: 1.5, asr_search: 1.0, reached: true }
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn remade_marks_keep_their_place_and_grow_by_a_pixel_at_most() {
        let (mark, mut random) = (mark(), Seed(5).random());
        let own = numbers(&mark.mask);
        // The pixels beside the two, in the four ways a mark can grow.
        let grown = |by: i64| -> Vec<f32> {
            let moved = |i: i64| own.get(usize::try_from(i - by).unwrap_or(usize::MAX)).copied().unwrap_or(0.0);
            (0..36).map(|i| own[i as usize].max(moved(i))).collect()
        };
        let possible = [own.clone(), grown(1), grown(-1), grown(6), grown(-6)];
        let mut seen = [0; 5];
        for _ in 0..400 {
            let (mask, _) = remade(&mark, &mut random).unwrap();
            let mask = numbers(&mask);
            seen[possible.iter().position(|p| *p == mask).unwrap()] += 1;
        }
        assert!((150..=250).contains(&seen[0]), "half stay as they are: {seen:?}");
        assert!(seen.iter().all(|&n| n > 20), "{seen:?}");
    }

    #[test]
    fn remade_marks_have_other_colours_in_part_and_the_recovered_one_stays_as_it_was() {
        let (mark, mut random) = (mark(), Seed(5).random());
        let mut kept = Vec::new();
        for _ in 0..100 {
            let (_, pattern) = remade(&mark, &mut random).unwrap();
            let pattern = numbers(&pattern);
            assert!(pattern.iter().all(|v| (0.0..=1.0).contains(v)));
            kept.push(pattern.iter().filter(|&&v| v == 0.25).count());
        }
        assert!(kept.iter().any(|&n| n > 90) && kept.iter().any(|&n| n < 18), "from few to most pixels: {kept:?}");
        assert_eq!(numbers(&mark.pattern), vec![0.25; 108]);
    }

    #[test]
    fn a_varied_mark_changes_the_picture_and_leaves_its_values_in_range() {
        let (picture, mut random) = (Tensor::full(0.6_f32, (1, 3, 6, 6), &Device::Cpu).unwrap(), Seed(5).random());
        let stamp = Disturbance::Stamp(mark());
        for _ in 0..50 {
            let shown = numbers(&stamp.varied(&picture, &mut random).unwrap());
            assert!(shown.iter().any(|&v| v != 0.6) && shown.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
