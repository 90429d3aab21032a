//! Rectangles of one colour, or of dots, that work as a trigger, searched for in the place of the
//! recovered mark.
//!
//! The recovered mark is the smallest that works, often a few odd pixels of the attacker's. Attackers paint squares and
//! stickers: an evolving search that starts in the mark's place ends at them. In: a model, a trigger. Out: [`Block`]s, the best
//! first.

use super::dots::Dots;
use super::{Counted, RepairError, Stamp};
use crate::detect::Trigger;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Random, Seed, answers, log_softmax};
use candle_core::{Device, Tensor};

/// Random blocks at the start; then so many generations of so many children of so many parents, half of them of colour and half
/// of dots: dots that fit a model a little better would crowd out the attacker's plain square otherwise, which
/// outlives them (docs/repairs.md).
const FIRST: usize = 160;
const GENERATIONS: usize = 8;
const CHILDREN: usize = 60;
const PARENTS: usize = 16;
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

/// Share of the random blocks that are of dots.
const DOTTED: f32 = 0.4;
/// The search begins at so many changes of the mark in dots, too: so far from it at most.
const MARKS: usize = 20;
const MARK_CHANGES: usize = 4;

/// What a block is painted with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Paint {
    /// One value a channel, in `[0, 1]`.
    Colour(Vec<f32>),
    /// As many as the block has pixels.
    Dots(Dots),
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
    pub paint: Paint,
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
        let sides = [rows, columns];
        let paint = if random.chance(DOTTED) {
            Paint::Dots(Dots::random(c, sides, random))
        } else {
            let plain = random.chance(0.3).then(|| f32::from(u8::from(random.chance(0.7))));
            Paint::Colour((0..c).map(|_| plain.unwrap_or_else(|| random.uniform(-0.5, 1.5).clamp(0.0, 1.0))).collect())
        };
        Ok(Self { label: trigger.label, start, sides, paint })
    }

    /// The trigger itself in dots: what its mask covers more than half, as far as a block can reach.
    pub fn of_mark(trigger: &Trigger) -> Result<Self, RepairError> {
        let (_, c, h, w) = trigger.pattern.dims4()?;
        let mask = trigger.mask.flatten_all()?.to_vec1::<f32>()?;
        let pattern = trigger.pattern.flatten_all()?.to_vec1::<f32>()?;
        let strongest = (0..h * w).max_by(|&a, &b| mask[a].total_cmp(&mask[b])).unwrap_or(0);
        let covered = |at: usize| mask[at] > 0.5 * mask[strongest];
        // Around the strongest pixel, so that a stray pixel far away takes no part.
        let reach = |along: &dyn Fn(usize) -> bool, middle: usize, of: usize| {
            let longest = scaled(LONGEST_SIDE, of);
            let (from, to) = (middle.saturating_sub(longest - 1), (middle + longest).min(of));
            let first = (from..to).find(|at| along(*at)).unwrap_or(middle);
            let last = (first..to.min(first + longest)).rev().find(|at| along(*at)).unwrap_or(middle);
            (first, last + 1 - first)
        };
        let (top, rows) = reach(&|row| (0..w).any(|column| covered(row * w + column)), strongest / w, h);
        let (left, columns) = reach(&|column| (0..h).any(|row| covered(row * w + column)), strongest % w, w);
        let lit = |c: usize, row: usize, column: usize| pattern[(c * h + top + row) * w + left + column] > 0.5;
        let sides = [rows, columns];
        Ok(Self { label: trigger.label, start: [top, left], sides, paint: Paint::Dots(Dots::of(c, sides, lit)) })
    }

    /// The block with a side moved, the whole moved, or painted otherwise; `size` is the picture's.
    pub fn changed(&self, size: [usize; 2], random: &mut Random) -> Self {
        let mut block = self.clone();
        let grows = random.chance(0.5);
        let (change, axis) = (random.below(5), random.below(2));
        let step = |value: usize| if grows { value + 1 } else { value.saturating_sub(1) };
        // There are many more ways to place dots than to choose a colour.
        let repainted = change == 4 || (self.is_dotted() && random.chance(0.5));
        if repainted {
            block.paint = self.paint.changed(random);
        } else if change < 2 {
            block.start[axis] = step(block.start[axis]);
        } else {
            block.sides[axis] = step(block.sides[axis]).clamp(1, scaled(LONGEST_SIDE, size[axis]));
            if random.chance(0.5) {
                block.start[axis] = if grows { block.start[axis].saturating_sub(1) } else { block.start[axis] + 1 };
            }
        }
        for ((start, side), size) in block.start.iter_mut().zip(block.sides).zip(size) {
            *start = (*start).min(size - side);
        }
        if let (Paint::Dots(dots), true) = (&self.paint, block.sides != self.sides) {
            let by = [0, 1].map(|axis| block.start[axis] as isize - self.start[axis] as isize);
            block.paint = Paint::Dots(dots.reaching(by, block.sides, random));
        }
        block
    }

    /// Paints it over the pixels `[c, h, w]` of one picture.
    pub fn paint(&self, pixels: &mut [f32], [h, w]: [usize; 2]) {
        for (channel, plane) in pixels.chunks_exact_mut(h * w).enumerate() {
            for (row, line) in plane.chunks_exact_mut(w).skip(self.start[0]).take(self.sides[0]).enumerate() {
                for (column, pixel) in line[self.start[1]..self.start[1] + self.sides[1]].iter_mut().enumerate() {
                    *pixel = match &self.paint {
                        Paint::Colour(colour) => colour[channel],
                        Paint::Dots(dots) => dots.value(channel, row, column),
                    };
                }
            }
        }
    }

    /// Whether it is of dots rather than of one colour.
    fn is_dotted(&self) -> bool {
        matches!(self.paint, Paint::Dots(_))
    }

    /// The block as what successes are counted with, in place of the trigger `like`.
    pub fn counted(&self, like: &Trigger) -> Result<Counted, RepairError> {
        let (_, c, h, w) = like.pattern.dims4()?;
        let (mut mask, mut pattern) = (vec![0.0; h * w], vec![0.0; c * h * w]);
        Self { paint: Paint::Colour(vec![1.0]), ..self.clone() }.paint(&mut mask, [h, w]);
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

impl Paint {
    /// Another colour, or other dots.
    fn changed(&self, random: &mut Random) -> Self {
        match self {
            Self::Dots(dots) => Self::Dots(dots.changed(random)),
            Self::Colour(colour) => {
                let by = RECOLOUR * random.normal();
                let only = random.below(colour.len() + 1);
                let changed = |(channel, value): (usize, &f32)| match only == channel || only == colour.len() {
                    true => (value + by).clamp(0.0, 1.0),
                    false => *value,
                };
                Self::Colour(colour.iter().enumerate().map(changed).collect())
            }
        }
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
    let mut found = strongest(images, model, trigger, known, seed, monitor)?;
    found.retain(|(score, _)| *score > WORKS);
    keep_of_each_kind(&mut found, KEPT);
    Ok(found.into_iter().map(|(_, block)| block).collect())
}

/// The blocks that come nearest to making `model` see the trigger's label, the best first, each with its score. The search
/// begins at random ones, at the mark in dots, and at those `known`.
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
    let mark = Block::of_mark(trigger)?;
    young.extend(
        (0..MARKS).map(|_| {
            (0..random.below(MARK_CHANGES + 1)).fold(mark.clone(), |block, _| block.changed(size, &mut random))
        }),
    );
    young.extend(known.iter().filter(|block| block.label == trigger.label).cloned());
    let mut best: Vec<(f32, Block)> = Vec::new();
    for _ in 0..=GENERATIONS {
        let scores = scores(model, &pictures, [others.len(), images.channels, size[0], size[1]], &young, monitor)?;
        best.extend(scores.into_iter().zip(young));
        // Stable: of equals the older stays in front.
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        best.dedup_by(|a, b| a.1 == b.1);
        keep_of_each_kind(&mut best, PARENTS);
        young = Vec::with_capacity(CHILDREN);
        for dotted in [false, true] {
            let parents: Vec<&Block> = best.iter().map(|(_, b)| b).filter(|b| b.is_dotted() == dotted).collect();
            for _ in 0..if parents.is_empty() { 0 } else { CHILDREN / 2 } {
                let child = parents[random.below(parents.len())].changed(size, &mut random);
                young.push(if random.chance(0.5) { child.changed(size, &mut random) } else { child });
            }
        }
    }
    Ok(best)
}

/// Leaves the first `count / 2` blocks of colour and as many of dots.
fn keep_of_each_kind(blocks: &mut Vec<(f32, Block)>, count: usize) {
    let mut left = [count / 2; 2];
    blocks.retain(|(_, block)| {
        let left = &mut left[usize::from(block.is_dotted())];
        let keep = *left > 0;
        *left = left.saturating_sub(1);
        keep
    });
}

/// The first block of colour and the first of dots.
pub(super) fn first_of_each_kind(blocks: &[Block]) -> impl Iterator<Item = &Block> {
    [false, true].into_iter().filter_map(|dotted| blocks.iter().find(|block| block.is_dotted() == dotted))
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
        let known = Block { label: 2, start: [0, 0], sides: [4, 4], paint: Paint::Colour(vec![1.0]) };
        let search = |known: &[Block]| {
            strongest(&images, &model, &trigger, known, Seed(1), &Monitor::silent()).unwrap().remove(0).0
        };
        let all_white = score(&[0.0]);
        assert!(search(&[known]) > 0.999 * all_white);
    }

    #[test]
    fn neither_kind_crowds_out_the_other() {
        let (model, images, trigger) = (planted::network(), planted::images(40, 2), planted::trigger());
        let found = strongest(&images, &model, &trigger, &[], Seed(1), &Monitor::silent()).unwrap();
        assert!(found.windows(2).all(|two| two[0].0 >= two[1].0));
        let dotted = found.iter().filter(|(_, block)| block.is_dotted()).count();
        assert_eq!((dotted, found.len() - dotted), (PARENTS / 2, PARENTS / 2));
        let blocks: Vec<Block> = found.into_iter().map(|(_, block)| block).collect();
        let first: Vec<bool> = first_of_each_kind(&blocks).map(Block::is_dotted).collect();
        assert_eq!(first, [false, true]);
    }

    fn block() -> Block {
        Block { label: 0, start: [6, 1], sides: [2, 3], paint: Paint::Colour(vec![0.25, 1.0]) }
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
    fn the_mark_in_dots_is_what_the_mask_covers_and_no_stray_pixel() {
        let (mut mask, mut pattern) = (vec![0.0_f32; 1024], vec![0.0_f32; 2048]);
        for (row, column) in [(30, 28), (31, 28), (31, 31)] {
            mask[row * 32 + column] = 1.0;
            pattern[row * 32 + column] = 0.9;
        }
        mask[31 * 32 + 31] = 1.1;
        mask[2 * 32 + 2] = 1.0;
        mask[31 * 32 + 24] = 0.3;
        let trigger = Trigger {
            mask: Tensor::from_vec(mask, (1, 1, 32, 32), &Device::Cpu).unwrap(),
            pattern: Tensor::from_vec(pattern, (1, 2, 32, 32), &Device::Cpu).unwrap(),
            ..planted::trigger()
        };
        let block = Block::of_mark(&trigger).unwrap();
        assert_eq!((block.start, block.sides), ([30, 28], [2, 4]));
        let mut pixels = vec![0.5; 2048];
        block.paint(&mut pixels, [32, 32]);
        let painted = |value: f32| pixels.iter().filter(|v| **v == value).count();
        assert_eq!((painted(1.0), painted(0.0), painted(0.5)), (3, 13, 2048 - 16));
    }

    #[test]
    fn changed_blocks_stay_inside_the_picture() {
        let mut random = Seed(4).random();
        let dots = Paint::Dots(Dots::random(2, [2, 3], &mut random));
        for first in [block(), Block { paint: dots, ..block() }] {
            let mut now = first;
            for _ in 0..2000 {
                now = now.changed([8, 9], &mut random);
                assert!(now.sides[0] >= 1 && now.sides[1] >= 1);
                assert!(now.start[0] + now.sides[0] <= 8 && now.start[1] + now.sides[1] <= 9, "{now:?}");
                let mut pixels = vec![0.5; 2 * 8 * 9];
                now.paint(&mut pixels, [8, 9]);
                assert!(pixels.iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
}
