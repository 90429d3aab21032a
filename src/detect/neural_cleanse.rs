//! Neural Cleanse (Wang et al., IEEE S&P 2019): the smallest trigger that turns every picture into
//! one label.
//!
//! In: a model, clean images, a label. Out: mask and pattern, their size, and how often they work.
//! A label with a planted patch needs far less of the picture than honest labels do.
//! Improved where the original is known to fail: success is judged on a window of batches rather
//! than on a pass of a thousand images, a label that never succeeds is said so instead of counting
//! as small, medians of even counts are means of the middle two, and a deviation of zero gives no
//! index. Never decides.

use super::{DetectError, Direction, Shape, Trigger, warp};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::{Monitor, Stepwise};
use crate::tensor::{Adam, Random, Seed, answers, cross_entropy, numbers, squash, unsquash};
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

/// Adam's step size and decays, as published.
const RATE: f64 = 0.1;
const BETAS: (f64, f64) = (0.5, 0.9);
/// A mask or pattern is never started nearer than this to 0 or 1, where the gradient vanishes.
const MARGIN: f32 = 1e-3;
/// Every cell of the mask starts here.
const FIRST_MASK: f32 = 0.3;
/// Weight of the mask's size in the loss, a pixel, when it first comes in.
const FIRST_COST: f64 = 1e-3;
/// The weight is multiplied by this after successes, and divided by its power 1.5 after failures.
const COST_UP: f64 = 1.8;
/// Batches in one window over which success is judged.
const WINDOW: usize = 4;
/// Windows in a row that must agree before the weight of the size changes.
const PATIENCE: usize = 2;
/// A smaller mask counts as progress when it is smaller by this share.
const PROGRESS: f32 = 0.02;
/// Below this many sizes an outlier test among labels says nothing.
pub(crate) const FEWEST_LABELS: usize = 8;
/// Makes the median absolute deviation a standard deviation for normal data.
const TO_SIGMA: f32 = 1.4826;

/// How long and how hard to search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Which masks count as small.
    pub shape: Shape,
    /// Images a step.
    pub batch: usize,
    /// At most this many steps.
    pub steps: usize,
    /// Share of pictures that must become the label for a mask to count.
    pub success: f32,
    /// Windows without a smaller mask after which the search ends.
    pub rest: usize,
}

impl Search {
    /// A few seconds a label on a small network.
    pub fn quick() -> Self {
        Self { shape: Shape::Patch, batch: 32, steps: 240, success: 0.98, rest: 14 }
    }

    /// Until nothing moves any more.
    pub fn thorough() -> Self {
        Self { shape: Shape::Patch, batch: 32, steps: 1000, success: 0.99, rest: 30 }
    }
}

/// The search for the smallest trigger of one label; it can be taken further step by step, so that labels which cannot
/// win are left early.
pub struct Hunt<'a> {
    model: &'a Classifier,
    direction: Direction,
    search: &'a Search,
    images: &'a ImageSet,
    /// The images it is about, shuffled; they are shown round and round.
    order: Vec<usize>,
    at: Progress,
}

/// How far a search has come: with it, the same search goes on as if it had never been interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    descent: Descent,
    control: CostControl,
    best: Option<Trigger>,
    nearest: Option<Trigger>,
    /// Windows since the mask became smaller.
    rested: usize,
    steps: usize,
    hits: usize,
    seen: usize,
    /// Place in the order of the images.
    next: usize,
}

impl<'a> Hunt<'a> {
    /// A search that has not begun.
    ///
    /// # Errors
    /// Where there is no image that `direction` is about.
    pub fn new(
        model: &'a Classifier,
        images: &'a ImageSet,
        direction: Direction,
        search: &'a Search,
        seed: Seed,
    ) -> Result<Self, DetectError> {
        let mut random = direction.seed(seed.of("neural cleanse")).random();
        let mut order = direction.of(images);
        if order.is_empty() {
            return Err(DetectError::NoImages { label: direction.target });
        }
        random.shuffle(&mut order);
        let (device, [h, w]) = (model.device(), [images.height, images.width]);
        let descent = Descent::new(search.shape, &mut random, images.channels, [h, w], &device)?;
        Ok(Self {
            model,
            direction,
            search,
            images,
            order,
            at: Progress {
                descent,
                control: CostControl::default(),
                best: None,
                nearest: None,
                rested: 0,
                steps: 0,
                hits: 0,
                seen: 0,
                next: 0,
            },
        })
    }

    /// The next images.
    fn batch(&mut self, device: &Device) -> candle_core::Result<Tensor> {
        let all = self.order.len();
        let n = self.search.batch.min(all);
        let chosen: Vec<usize> = (0..n).map(|k| self.order[(self.at.next + k) % all]).collect();
        self.at.next = (self.at.next + n) % all;
        self.images.tensor(&chosen, device)
    }

    /// What it searches.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Steps it may still take.
    pub fn steps_left(&self) -> usize {
        self.search.steps - self.at.steps
    }

    /// The smallest mask that worked; else the one that came nearest; `None` before the first window.
    pub fn trigger(&self) -> Option<Trigger> {
        self.at.best.clone().or_else(|| self.at.nearest.clone())
    }

    /// Looks at the window that has just ended.
    fn judge(&mut self, mask: Tensor, pattern: Tensor) -> Result<(), DetectError> {
        let rate = self.at.hits as f32 / self.at.seen as f32;
        (self.at.hits, self.at.seen) = (0, 0);
        let reached = rate >= self.search.success;
        let shape = self.search.shape;
        let l1 = shape.sum(&mask, &pattern)?.to_scalar::<f32>()?;
        let found = Trigger {
            label: self.direction.target,
            source: self.direction.source,
            shape,
            mask,
            pattern,
            l1,
            asr_search: rate,
            reached,
        };
        self.at.rested += 1;
        let before = self.at.best.as_ref().map(|b| b.l1);
        if reached {
            if before.is_none_or(|b| l1 < b * (1.0 - PROGRESS)) {
                self.at.rested = 0;
            }
            if before.is_none_or(|b| l1 < b) {
                self.at.best = Some(found);
            }
        } else if self.at.nearest.as_ref().is_none_or(|n| rate > n.asr_search) {
            self.at.nearest = Some(found);
        }
        self.at.control.window(reached);
        Ok(())
    }
}

impl Stepwise for Hunt<'_> {
    type State = Progress;
    type Error = DetectError;

    fn steps_taken(&self) -> usize {
        self.at.steps
    }

    fn is_over(&self) -> bool {
        self.at.steps >= self.search.steps
            || (self.at.best.is_some() && self.at.control.went_both_ways() && self.at.rested >= self.search.rest)
    }

    fn step(&mut self, _: &Monitor) -> Result<(), DetectError> {
        let x = self.batch(&self.model.device())?;
        let (target, small) = (self.direction.target, (self.search.shape, self.at.control.cost));
        let (mask, pattern, right) = self.at.descent.step(self.model, &x, target, small)?;
        self.at.steps += 1;
        self.at.hits += right;
        self.at.seen += x.dim(0)?;
        if self.at.steps.is_multiple_of(WINDOW) {
            self.judge(mask, pattern)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<Progress, DetectError> {
        Ok(self.at.clone())
    }

    fn go_on_from(&mut self, progress: Progress) -> Result<(), DetectError> {
        let found = [&progress.best, &progress.nearest];
        let same = |t: &Trigger| t.direction() == self.direction && t.shape == self.search.shape;
        let fits = progress.descent.is_like(&self.at.descent)
            && (self.at.steps..=self.search.steps).contains(&progress.steps)
            && progress.next < self.order.len()
            && found.into_iter().flatten().all(same);
        if fits {
            self.at = progress.on(&self.model.device())?;
        }
        Ok(())
    }
}

/// How often pictures that the trigger is meant for become its target, and of how many.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn attack_success(
    model: &Classifier,
    images: &ImageSet,
    trigger: &Trigger,
    batch: usize,
    monitor: &Monitor,
) -> Result<(f32, usize), DetectError> {
    let others = trigger.direction().of(images);
    let device = model.device();
    let mut hits = 0;
    for piece in others.chunks(batch.max(1)) {
        monitor.check()?;
        let x = trigger.put_on(&images.tensor(piece, &device)?)?;
        hits += answers(&model.logits(&x)?)?.into_iter().filter(|&a| a == trigger.label).count();
    }
    Ok((if others.is_empty() { 0.0 } else { hits as f32 / others.len() as f32 }, others.len()))
}

/// For each size how many deviations it lies below (positive) or above (negative) the median of all;
/// `None` where there are too few sizes or they do not differ.
pub fn anomaly_indices(sizes: &[f32]) -> Vec<Option<f32>> {
    if sizes.len() < FEWEST_LABELS {
        return vec![None; sizes.len()];
    }
    let middle = median(sizes);
    let deviation = deviation(sizes, middle);
    if deviation <= f32::EPSILON * middle.abs() {
        return vec![None; sizes.len()];
    }
    sizes.iter().map(|s| Some((middle - s) / deviation)).collect()
}

/// Standard deviation of `values` about their `middle` as the median of their distances tells it: what is looked for may be
/// among them and hardly moves it.
pub(super) fn deviation(values: &[f32], middle: f32) -> f32 {
    TO_SIGMA * median(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>())
}

/// The middle value; the mean of the middle two of an even count; 0 of none.
pub fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, m) if n % 2 == 1 => sorted[m],
        (_, m) => 0.5 * (sorted[m - 1] + sorted[m]),
    }
}

impl Progress {
    fn on(self, device: &Device) -> candle_core::Result<Self> {
        let move_all = |found: Option<Trigger>| found.map(|t| t.on(device)).transpose();
        Ok(Self {
            descent: self.descent.on(device)?,
            best: move_all(self.best)?,
            nearest: move_all(self.nearest)?,
            ..self
        })
    }
}

/// Mask and pattern on their way down, as the numbers that are searched in: of a warp, its control points.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Descent {
    #[serde(with = "numbers")]
    mask: Tensor,
    #[serde(with = "numbers")]
    pattern: Tensor,
    mask_steps: Adam,
    pattern_steps: Adam,
}

impl Descent {
    fn new(
        shape: Shape,
        random: &mut Random,
        channels: usize,
        [h, w]: [usize; 2],
        device: &Device,
    ) -> candle_core::Result<Self> {
        let (mask, pattern) = match shape {
            Shape::Patch | Shape::Blend => {
                let pattern = random.uniform_tensor(-1.0, 1.0, (1, channels, h, w), device)?;
                (Tensor::full(unsquash(FIRST_MASK, MARGIN), (1, 1, h, w), device)?, pattern)
            }
            Shape::Warp => warp::beginning(random, [h, w], device)?,
        };
        let steps = || Adam::new(RATE, BETAS);
        Ok(Self { mask, pattern, mask_steps: steps(), pattern_steps: steps() })
    }

    /// Mask and pattern of the numbers that are searched in.
    fn trigger(shape: Shape, mask: &Tensor, pattern: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        match shape {
            Shape::Patch | Shape::Blend => Ok((squash(mask)?, squash(pattern)?)),
            Shape::Warp => {
                let (_, _, h, w) = mask.dims4()?;
                Ok((mask.detach(), warp::pattern(pattern, [h, w])?))
            }
        }
    }

    /// Whether it is of the same shapes.
    fn is_like(&self, other: &Self) -> bool {
        self.mask.dims() == other.mask.dims()
            && self.pattern.dims() == other.pattern.dims()
            && self.mask_steps.fits(&self.mask)
            && self.pattern_steps.fits(&self.pattern)
    }

    fn on(self, device: &Device) -> candle_core::Result<Self> {
        Ok(Self {
            mask: self.mask.to_device(device)?,
            pattern: self.pattern.to_device(device)?,
            mask_steps: self.mask_steps.on(device)?,
            pattern_steps: self.pattern_steps.on(device)?,
        })
    }

    /// One step; gives mask and pattern as they were when judged, and how many pictures they turned.
    fn step(
        &mut self,
        model: &Classifier,
        x: &Tensor,
        label: usize,
        (shape, cost): (Shape, f64),
    ) -> Result<(Tensor, Tensor, usize), DetectError> {
        let (u, v) = (Var::from_tensor(&self.mask)?, Var::from_tensor(&self.pattern)?);
        let (mask, pattern) = Self::trigger(shape, &u, &v)?;
        let logits = model.logits(&shape.put_on(x, &mask, &pattern)?)?;
        let targets = Tensor::full(label as u32, x.dim(0)?, x.device())?;
        let size = (shape.sum(&mask, &pattern)? * (cost * shape.weight()))?;
        let loss = (cross_entropy(&logits, &targets)?.mean_all()? + size)?;
        let mut gradients = loss.backward()?;
        if shape != Shape::Warp {
            let to_mask = gradients.remove(&u).ok_or(DetectError::NoGradient)?;
            self.mask = self.mask_steps.step(&self.mask, &to_mask)?;
        }
        let to_pattern = gradients.remove(&v).ok_or(DetectError::NoGradient)?;
        self.pattern = self.pattern_steps.step(&self.pattern, &to_pattern)?;
        let right = answers(&logits)?.into_iter().filter(|&a| a == label).count();
        Ok((mask.detach(), pattern.detach(), right))
    }
}

/// The weight of the mask's size: nothing until the trigger works, then up with every success and
/// down with every failure.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct CostControl {
    cost: f64,
    successes: usize,
    failures: usize,
    went_up: bool,
    went_down: bool,
}

impl CostControl {
    fn window(&mut self, success: bool) {
        if success {
            self.successes += 1;
            self.failures = 0;
        } else {
            self.failures += 1;
            self.successes = 0;
        }
        if self.successes >= PATIENCE {
            self.successes = 0;
            if self.cost == 0.0 {
                self.cost = FIRST_COST;
            } else {
                self.cost *= COST_UP;
                self.went_up = true;
            }
        } else if self.failures >= PATIENCE && self.cost > 0.0 {
            self.failures = 0;
            self.cost /= COST_UP.powf(1.5);
            self.went_down = true;
        }
    }

    fn went_both_ways(&self) -> bool {
        self.went_up && self.went_down
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Preprocessing;
    use crate::poison::signs::sign_set;
    use crate::train::Architecture;

    #[test]
    fn a_search_that_was_written_down_goes_on_as_if_nothing_had_been() {
        let images = sign_set(4, Seed(1));
        let size = [images.height, images.width];
        let model = Architecture::Tiny.untrained(3, size, images.names.len(), Seed(1)).unwrap();
        let model = Classifier::new(&model, Preprocessing::unit(size, 3), &Device::Cpu).unwrap();
        let search = Search { batch: 6, ..Search::quick() };
        let hunt = |target| Hunt::new(&model, &images, Direction::all_to(target), &search, Seed(5)).unwrap();
        let monitor = Monitor::silent();
        let bits = |hunt: &Hunt<'_>| serde_json::to_string(&hunt.state().unwrap()).unwrap();

        let mut whole = hunt(3);
        whole.advance(30, &monitor).unwrap();
        // In the middle of a window, and of a round of the images.
        let mut first = hunt(3);
        first.advance(13, &monitor).unwrap();
        let written = bits(&first);
        let mut second = hunt(3);
        second.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
        assert_eq!(second.steps_taken(), 13);
        second.advance(17, &monitor).unwrap();
        assert_eq!(bits(&second), bits(&whole));

        // Nearer to the beginning, of another label, of another size: nothing is taken.
        second.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
        assert_eq!(second.steps_taken(), 30);
        let mut other = hunt(4);
        other.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
        assert_eq!(other.steps_taken(), 0);
        let meddled = written.replace("[1,1,32,32]", "[1,1,64,16]");
        assert!(meddled != written);
        let mut fresh = hunt(3);
        fresh.go_on_from(serde_json::from_str(&meddled).unwrap()).unwrap();
        assert_eq!(fresh.steps_taken(), 0);
    }

    #[test]
    fn the_median_of_an_even_count_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn only_a_small_outlier_among_enough_labels_has_a_high_index() {
        let mut sizes = vec![60.0, 66.0, 70.0, 72.0, 64.0, 68.0, 75.0, 59.0, 63.0];
        sizes.push(16.0);
        let indices = anomaly_indices(&sizes);
        assert!(indices[9].is_some_and(|i| i > 3.0));
        assert!(indices[..9].iter().all(|i| i.is_some_and(|i| i < 2.0)));
        assert_eq!(anomaly_indices(&[1.0, 50.0, 50.0]), vec![None; 3], "too few");
        assert_eq!(anomaly_indices(&[50.0; 12]), vec![None; 12], "no deviation");
    }

    #[test]
    fn the_cost_starts_after_success_and_falls_after_failure() {
        let mut control = CostControl::default();
        control.window(true);
        control.window(false);
        assert_eq!(control.cost, 0.0);
        (0..2).for_each(|_| control.window(true));
        assert_eq!(control.cost, FIRST_COST);
        (0..2).for_each(|_| control.window(true));
        assert!(control.cost > FIRST_COST && !control.went_both_ways());
        (0..2).for_each(|_| control.window(false));
        assert!(control.cost < FIRST_COST && control.went_both_ways());
    }
}
