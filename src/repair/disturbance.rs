//! What pictures are shown with while a trigger is unlearned: the recovered trigger in many variations, and additive
//! patterns searched for on the model as it is now.
//!
//! The attacker's trigger is not the recovered one: that is the smallest mark that works, often a corner of the real one in other colours.
//! So stamps are shifted, made weaker and stronger, and blocks of other colours are put in their place; and the
//! universal additive pattern that turns most pictures (I-BAU, Zeng et al., ICLR 2022) finds what no stamp covers,
//! watermarks and blends among it.

use super::{Problem, RepairError};
use crate::detect::Trigger;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Adam, Random, Seed, answers, cross_entropy, stamp};
use candle_core::{Tensor, Var};

/// Largest shift as a share of the picture's side.
const SHIFT: f32 = 0.06;
/// Factors on a mask, which stays within `[0, 1]`, and on an additive pattern.
const STRENGTH: (f32, f32) = (0.5, 2.0);
const LOUDNESS: (f32, f32) = (0.4, 1.0);
/// Blocks that are tried in the trigger's place, each on some pictures, and how many of those that work are kept.
const BLOCKS: usize = 120;
const TRIED_ON: usize = 24;
const KEPT: usize = 8;
/// A block works when it turns at least this share of the pictures.
const WORKS: f32 = 0.1;
/// Sides of a block in pixels of a picture of 32, and kinds of filling.
const BLOCK: (f32, f32) = (1.6, 8.4);
const FILLS: usize = 4;
/// Adam's step on an additive pattern, steps, and pictures a step.
const RATE: f64 = 0.02;
const STEPS: usize = 40;
const BATCH: usize = 32;

/// Something that is laid over pictures and should change no answer.
#[derive(Debug, Clone)]
pub(super) enum Disturbance {
    /// Covers part of the picture.
    Stamp(Trigger),
    /// `[1, c, h, w]` added to the picture, for the label it aims at.
    Added { label: usize, pattern: Tensor },
}

impl Disturbance {
    /// Whether it covers part of the picture.
    pub fn is_stamp(&self) -> bool {
        matches!(self, Self::Stamp(_))
    }

    /// The label it turns pictures into.
    pub fn label(&self) -> usize {
        match self {
            Self::Stamp(trigger) => trigger.label,
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
                let strength = f64::from(random.uniform(STRENGTH.0, STRENGTH.1));
                let mask = (shifted(&trigger.mask, shift)? * strength)?.clamp(0f32, 1f32)?;
                Ok(stamp(picture, &mask, &shifted(&trigger.pattern, shift)?)?)
            }
            Self::Added { pattern, .. } => {
                let loudness = f64::from(random.uniform(LOUDNESS.0, LOUDNESS.1));
                let pattern = if random.chance(0.5) { shifted(pattern, shift)? } else { pattern.clone() };
                Ok((picture + (pattern * loudness)?)?.clamp(0f32, 1f32)?)
            }
        }
    }
}

/// Blocks in the place of `trigger` that turn pictures of `model` into its label, the best first: attackers paint
/// squares and stickers, and the recovered mark says where.
pub(super) fn blocks(
    problem: &Problem,
    model: &Classifier,
    trigger: &Trigger,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Vec<Disturbance>, RepairError> {
    let images = &problem.parts.repair;
    let mut random = seed.random();
    let mut others: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != trigger.label).collect();
    random.shuffle(&mut others);
    others.truncate(TRIED_ON);
    let x = images.tensor(&others, &model.device())?;
    let mut found = Vec::new();
    for _ in 0..BLOCKS {
        monitor.check()?;
        let (mask, pattern) = block(trigger, &mut random)?;
        let said = answers(&model.logits(&stamp(&x, &mask, &pattern)?)?)?;
        let turned = said.into_iter().filter(|&a| a == trigger.label).count();
        if turned as f32 >= WORKS * others.len() as f32 {
            found.push((turned, Disturbance::Stamp(Trigger { mask, pattern, ..trigger.clone() })));
        }
    }
    found.sort_by_key(|f| std::cmp::Reverse(f.0));
    found.truncate(KEPT);
    Ok(found.into_iter().map(|f| f.1).collect())
}

/// A block of one colour, of black and white, or of noise, over a place the mask covers: `(mask, pattern)`.
fn block(trigger: &Trigger, random: &mut Random) -> Result<(Tensor, Tensor), RepairError> {
    let (_, c, h, w) = trigger.pattern.dims4()?;
    let weights = trigger.mask.flatten_all()?.to_vec1::<f32>()?;
    let mut left = random.uniform(0.0, weights.iter().sum());
    let at = weights.iter().position(|weight| {
        left -= weight;
        left <= 0.0
    });
    let at = at.unwrap_or(0);
    let mut side = |of: usize| {
        let side = of as f32 / 32.0;
        (random.uniform(BLOCK.0 * side, BLOCK.1 * side).round() as usize).clamp(1, of)
    };
    let (rows, columns) = (side(h), side(w));
    let mut start = |at: usize, size: usize, of: usize| at.saturating_sub(random.below(size)).min(of - size);
    let (top, first) = (start(at / w, rows, h), start(at % w, columns, w));
    let fill = random.below(FILLS);
    let colour: Vec<f32> = (0..c).map(|_| random.uniform(-0.5, 1.5).clamp(0.0, 1.0)).collect();
    let (mut mask, mut pattern) = (vec![0.0_f32; h * w], vec![0.0_f32; c * h * w]);
    for (y, x) in (top..top + rows).flat_map(|y| (first..first + columns).map(move |x| (y, x))) {
        mask[y * w + x] = 1.0;
        let shade = f32::from(u8::from(random.chance(0.5)));
        for (channel, colour) in colour.iter().enumerate() {
            pattern[(channel * h + y) * w + x] = match fill {
                0 => *colour,
                1 => shade,
                2 => random.uniform(0.0, 1.0),
                // White, the attackers' favourite.
                _ => 1.0,
            };
        }
    }
    let device = trigger.mask.device();
    Ok((Tensor::from_vec(mask, (1, 1, h, w), device)?, Tensor::from_vec(pattern, (1, c, h, w), device)?))
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
