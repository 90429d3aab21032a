//! Rectangles of one colour, or of dots, that work as a trigger, searched for in the place of the
//! recovered mark.
//!
//! The recovered mark is the smallest that works, often a few odd pixels of the attacker's. Attackers paint squares and
//! stickers: an evolving search that starts in the mark's place ends at them. In: a model, a trigger. Out: [`Block`]s, the best
//! first.

use super::{Counted, RepairError, Stamp};
use crate::detect::Trigger;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Random, Seed, answers, log_softmax};
use candle_core::{Device, Tensor};

/// Random blocks at the start; then so many generations of so many children of so many parents.
const FIRST: usize = 150;
const GENERATIONS: usize = 8;
const CHILDREN: usize = 40;
const PARENTS: usize = 12;
/// Pictures a block is tried on, and blocks that are tried at once.
const TRIED_ON: usize = 16;
const AT_ONCE: usize = 4;
/// A block's score is the mean probability of its label over the pictures, and this times the mean log-probability, which shows the
/// way where no picture turns yet. By log-probability alone a block that turns every third picture is worth less than
/// one that turns none and is half believed on all: the attacker's own was missed on half-unlearned models (docs/repairs.md).
const SLOPE: f32 = 0.02;
/// Log-probabilities count as at least this.
const FLOOR: f32 = -8.0;
/// Score from which a block is said to work: about a tenth of the pictures turned.
const WORKS: f32 = 0.05;
/// Blocks that are kept.
const KEPT: usize = 8;
/// Longest side of the first blocks and of all, in pixels of a picture of 32.
const FIRST_SIDE: f32 = 8.0;
const LONGEST_SIDE: f32 = 10.0;
/// Standard deviation of a change of colour.
const RECOLOUR: f32 = 0.4;

/// Share of the blocks at the start that are of dots.
const SPECKLED: f32 = 0.35;

/// Pixels that are each 0 or 1 by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Speckles {
    seed: Seed,
    /// Every channel has dots of its own; otherwise they are black and white.
    coloured: bool,
}

impl Speckles {
    fn random(random: &mut Random) -> Self {
        Self { seed: Seed(random.below(usize::MAX) as u64), coloured: random.chance(0.5) }
    }
}

/// A rectangle painted over a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    /// The label it aims at.
    pub label: usize,
    /// First row and first column.
    pub start: [usize; 2],
    /// Rows and columns.
    pub sides: [usize; 2],
    /// One value a channel, in `[0, 1]`.
    pub colour: Vec<f32>,
    /// Dots by this seed instead of the colour: attackers paint grids, chequers and rows of odd pixels, too.
    pub speckles: Option<Speckles>,
}

impl Block {
    /// A block whose place is drawn by the weights of the trigger's mask.
    pub fn random(trigger: &Trigger, random: &mut Random) -> Result<Self, RepairError> {
        let (_, c, h, w) = trigger.pattern.dims4()?;
        let weights = trigger.mask.flatten_all()?.to_vec1::<f32>()?;
        let mut left = random.uniform(0.0, weights.iter().sum());
        let at = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        let at = at.unwrap_or(0);
        let mut side = |of: usize| 1 + random.below(scaled(FIRST_SIDE, of));
        let rows = side(h);
        let columns = side(w);
        // Squares are what attackers like best.
        let columns = if random.chance(0.7) { rows.min(w) } else { columns };
        let mut start = |at: usize, size: usize, of: usize| at.saturating_sub(random.below(size)).min(of - size);
        let start = [start(at / w, rows, h), start(at % w, columns, w)];
        let plain = random.chance(0.3).then(|| f32::from(u8::from(random.chance(0.7))));
        let colour = (0..c).map(|_| plain.unwrap_or_else(|| random.uniform(-0.5, 1.5).clamp(0.0, 1.0))).collect();
        let speckles = random.chance(SPECKLED).then(|| Speckles::random(random));
        Ok(Self { label: trigger.label, start, sides: [rows, columns], colour, speckles })
    }

    /// The block with a side moved, the whole moved, or another colour; `size` is the picture's.
    pub fn changed(&self, size: [usize; 2], random: &mut Random) -> Self {
        let mut block = self.clone();
        let grows = random.chance(0.5);
        let (change, axis) = (random.below(5), random.below(2));
        let step = |value: usize| if grows { value + 1 } else { value.saturating_sub(1) };
        match change {
            0 | 1 => block.start[axis] = step(block.start[axis]),
            2 | 3 => {
                block.sides[axis] = step(block.sides[axis]).clamp(1, scaled(LONGEST_SIDE, size[axis]));
                if random.chance(0.5) {
                    block.start[axis] = if grows { block.start[axis].saturating_sub(1) } else { block.start[axis] + 1 };
                }
            }
            _ if self.speckles.is_some() => block.speckles = Some(Speckles::random(random)),
            _ => {
                let by = RECOLOUR * random.normal();
                let only = random.below(block.colour.len() + 1);
                for (channel, value) in block.colour.iter_mut().enumerate() {
                    if only == channel || only == self.colour.len() {
                        *value = (*value + by).clamp(0.0, 1.0);
                    }
                }
            }
        }
        for ((start, side), size) in block.start.iter_mut().zip(block.sides).zip(size) {
            *start = (*start).min(size - side);
        }
        block
    }

    /// Paints it over the pixels `[c, h, w]` of one picture.
    pub fn paint(&self, pixels: &mut [f32], [h, w]: [usize; 2]) {
        for (channel, (plane, &value)) in pixels.chunks_exact_mut(h * w).zip(&self.colour).enumerate() {
            let dots = self.speckles.map(|s| if s.coloured { s.seed.nth(channel) } else { s.seed });
            let mut dots = dots.map(Seed::random);
            for row in plane.chunks_exact_mut(w).skip(self.start[0]).take(self.sides[0]) {
                for pixel in &mut row[self.start[1]..self.start[1] + self.sides[1]] {
                    *pixel = dots.as_mut().map_or(value, |dots| f32::from(u8::from(dots.chance(0.5))));
                }
            }
        }
    }

    /// The block as what successes are counted with, in place of the trigger `like`.
    pub fn counted(&self, like: &Trigger) -> Result<Counted, RepairError> {
        let (_, c, h, w) = like.pattern.dims4()?;
        let (mut mask, mut pattern) = (vec![0.0; h * w], vec![0.0; c * h * w]);
        Self { colour: vec![1.0], speckles: None, ..self.clone() }.paint(&mut mask, [h, w]);
        self.paint(&mut pattern, [h, w]);
        let device = like.mask.device();
        let l1 = mask.iter().sum();
        let trigger = Trigger {
            mask: Tensor::from_vec(mask, (1, 1, h, w), device)?,
            pattern: Tensor::from_vec(pattern, (1, c, h, w), device)?,
            l1,
            ..like.clone()
        };
        Ok(Counted { stamp: Stamp::Block, trigger })
    }
}

/// A length in pixels of a picture of 32, in pixels of a side `of`; at least 1.
fn scaled(length: f32, of: usize) -> usize {
    ((length * of as f32 / 32.0).round() as usize).clamp(1, of)
}

/// Blocks that make `model` see the trigger's label, the best first; none where none works.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub(super) fn working(
    images: &ImageSet,
    model: &Classifier,
    trigger: &Trigger,
    known: &[Block],
    seed: Seed,
    monitor: &Monitor,
) -> Result<Vec<Block>, RepairError> {
    let found = strongest(images, model, trigger, known, seed, monitor)?;
    Ok(found.into_iter().filter(|b| b.0 > WORKS).take(KEPT).map(|b| b.1).collect())
}

/// The blocks that come nearest to making `model` see the trigger's label, the best first, each with its score. The search
/// begins at random ones and at those `known`.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub(super) fn strongest(
    images: &ImageSet,
    model: &Classifier,
    trigger: &Trigger,
    known: &[Block],
    seed: Seed,
    monitor: &Monitor,
) -> Result<Vec<(f32, Block)>, RepairError> {
    let size = [images.height, images.width];
    let mut random = seed.random();
    let others = untouched(images, model, trigger.label, &mut random)?;
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let pictures = images.tensor(&others, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let mut young = (0..FIRST).map(|_| Block::random(trigger, &mut random)).collect::<Result<Vec<_>, _>>()?;
    young.extend(known.iter().filter(|block| block.label == trigger.label).cloned());
    let mut best: Vec<(f32, Block)> = Vec::new();
    for _ in 0..=GENERATIONS {
        let scores = scores(model, &pictures, [others.len(), images.channels, size[0], size[1]], &young, monitor)?;
        best.extend(scores.into_iter().zip(young));
        // Stable: of equals the older stays in front.
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        best.dedup_by(|a, b| a.1 == b.1);
        best.truncate(PARENTS);
        young = (0..CHILDREN)
            .map(|_| {
                let child = best[random.below(best.len())].1.changed(size, &mut random);
                if random.chance(0.5) { child.changed(size, &mut random) } else { child }
            })
            .collect();
    }
    Ok(best)
}

/// Pictures of other labels, at random, that `model` does not take for `label` as they are: others would turn under any block.
fn untouched(
    images: &ImageSet,
    model: &Classifier,
    label: usize,
    random: &mut Random,
) -> Result<Vec<usize>, RepairError> {
    let mut others: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != label).collect();
    random.shuffle(&mut others);
    let mut untouched = Vec::with_capacity(TRIED_ON);
    for some in others.chunks(AT_ONCE * TRIED_ON) {
        let said = answers(&model.logits(&images.tensor(some, &model.device())?)?)?;
        untouched.extend(some.iter().zip(said).filter(|(_, said)| *said != label).map(|(&i, _)| i));
        if untouched.len() >= TRIED_ON {
            break;
        }
    }
    untouched.truncate(TRIED_ON);
    Ok(untouched)
}

/// The score that comes of a label's log-probabilities.
fn score(said: &[f32]) -> f32 {
    said.iter().map(|l| l.exp() + SLOPE * l.max(FLOOR)).sum::<f32>() / said.len() as f32
}

/// The score of each block over the pictures `[n, c, h, w]`.
fn scores(
    model: &Classifier,
    pictures: &[f32],
    [n, c, h, w]: [usize; 4],
    blocks: &[Block],
    monitor: &Monitor,
) -> Result<Vec<f32>, RepairError> {
    let mut scores = Vec::with_capacity(blocks.len());
    for some in blocks.chunks(AT_ONCE) {
        monitor.check()?;
        let mut pixels = Vec::with_capacity(some.len() * pictures.len());
        for block in some {
            let from = pixels.len();
            pixels.extend_from_slice(pictures);
            pixels[from..].chunks_exact_mut(c * h * w).for_each(|picture| block.paint(picture, [h, w]));
        }
        let x = Tensor::from_vec(pixels, (some.len() * n, c, h, w), &model.device())?;
        let said = log_softmax(&model.logits(&x)?)?.to_vec2::<f32>()?;
        for (rows, block) in said.chunks(n).zip(some) {
            let of_label: Vec<f32> = rows.iter().map(|row| row[block.label]).collect();
            scores.push(score(&of_label));
        }
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;

    #[test]
    fn what_turns_some_pictures_counts_more_than_what_is_half_believed_on_all() {
        let third = score(&[-0.1, -7.0, -7.0]);
        assert!(third > WORKS && score(&[-4.0; 3]) < WORKS, "{third}");
        assert!(third > score(&[-2.5; 3]));
        assert!(score(&[-4.0; 3]) > score(&[-5.0; 3]), "it must be seen which way to go");
        assert!((score(&[-8.0, -8.0]) - score(&[-50.0, -9.0])).abs() < 1e-3);
    }

    #[test]
    fn pictures_that_are_taken_for_the_label_anyway_are_not_tried() {
        let (model, mut images) = (planted::network(), planted::images(40, 2));
        // Ten bright pictures are said to be dark; the model still takes them for bright.
        (0..20).filter(|i| i % 2 == 1).for_each(|i| images.labels[i] = 0);
        let tried = untouched(&images, &model, 1, &mut Seed(3).random()).unwrap();
        assert_eq!(tried.len(), TRIED_ON);
        assert!(tried.iter().all(|i| i % 2 == 0), "{tried:?}");
    }

    #[test]
    fn a_known_block_is_where_the_search_begins() {
        let (model, images, trigger) = (planted::network(), planted::images(40, 2), planted::trigger());
        let known = Block { label: 2, start: [0, 0], sides: [4, 4], colour: vec![1.0], speckles: None };
        let search = |known: &[Block]| {
            strongest(&images, &model, &trigger, known, Seed(1), &Monitor::silent()).unwrap().remove(0).0
        };
        let all_white = score(&[0.0]);
        assert!(search(&[known]) > 0.999 * all_white);
    }

    fn block() -> Block {
        Block { label: 0, start: [6, 1], sides: [2, 3], colour: vec![0.25, 1.0], speckles: None }
    }

    #[test]
    fn a_block_paints_its_rectangle_and_nothing_else() {
        let mut pixels = vec![0.0; 2 * 8 * 8];
        block().paint(&mut pixels, [8, 8]);
        for (i, value) in pixels.iter().enumerate() {
            let (channel, row, column) = (i / 64, i / 8 % 8, i % 8);
            let inside = (6..8).contains(&row) && (1..4).contains(&column);
            assert_eq!(*value, if inside { [0.25, 1.0][channel] } else { 0.0 }, "{channel} {row} {column}");
        }
    }

    #[test]
    fn speckles_are_the_same_every_time_and_of_one_colour_unless_they_are_coloured() {
        let speckles = |coloured| Some(Speckles { seed: Seed(9), coloured });
        let coloured = Block { speckles: speckles(true), start: [0, 0], sides: [8, 8], ..block() };
        let mut pixels = vec![0.5; 2 * 8 * 8];
        coloured.paint(&mut pixels, [8, 8]);
        assert_ne!(pixels[..64], pixels[64..]);
        assert!(pixels.iter().all(|&v| v == 0.0 || v == 1.0));
        let block = Block { speckles: speckles(false), start: [0, 0], sides: [8, 8], ..block() };
        let mut pixels = vec![0.5; 2 * 8 * 8];
        block.paint(&mut pixels, [8, 8]);
        assert_eq!(pixels[..64], pixels[64..]);
        assert!(pixels.iter().all(|&v| v == 0.0 || v == 1.0));
        assert!(pixels.contains(&0.0) && pixels.contains(&1.0));
        let mut again = vec![0.5; 2 * 8 * 8];
        block.paint(&mut again, [8, 8]);
        assert_eq!(pixels, again);
    }

    #[test]
    fn changed_blocks_stay_inside_the_picture() {
        let (mut now, mut random) = (block(), Seed(4).random());
        for _ in 0..2000 {
            now = now.changed([8, 9], &mut random);
            assert!(now.sides[0] >= 1 && now.sides[1] >= 1);
            assert!(now.start[0] + now.sides[0] <= 8 && now.start[1] + now.sides[1] <= 9, "{now:?}");
            assert!(now.colour.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
