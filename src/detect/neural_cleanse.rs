//! Neural Cleanse (Wang et al., IEEE S&P 2019): the smallest trigger that turns every picture into
//! one label.
//!
//! In: a model, clean images, a label. Out: mask and pattern, their size, and how often they work.
//! A label with a planted patch needs far less of the picture than honest labels do.
//! Improved where the original is known to fail: success is judged on a window of batches rather
//! than on a pass of a thousand images, a label that never succeeds is said so instead of counting
//! as small, medians of even counts are means of the middle two, and a deviation of zero gives no
//! index. Never decides.

mod descent;
mod smallest;

pub use smallest::{Goal, Progress, Smallest};

use super::{DetectError, Direction, Shape, Trigger};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Seed, answers, cross_entropy};
use candle_core::Tensor;

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
    /// So many steps at the beginning take half as many: where a trigger lies is soon clear, how small it can be is not.
    pub light: usize,
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
        Self { shape: Shape::Patch, batch: 32, light: 40, steps: 240, success: 0.98, rest: 14 }
    }

    /// Images of its step `step`, at most.
    fn batch_at(&self, step: usize) -> usize {
        if step < self.light { self.batch.div_ceil(2) } else { self.batch }
    }

    /// Until nothing moves any more.
    pub fn thorough() -> Self {
        Self { shape: Shape::Patch, batch: 32, light: 0, steps: 1000, success: 0.99, rest: 30 }
    }
}

/// The search for the smallest trigger of one label; it can be taken further step by step, so that labels which cannot
/// win are left early.
pub type Hunt<'a> = Smallest<'a, Direction>;

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
        let order = direction.of(images);
        if order.is_empty() {
            return Err(DetectError::NoImages { label: direction.target });
        }
        let random = direction.seed(seed.of("neural cleanse")).random();
        Ok(Self::begun((model, images), direction, order, search, random)?)
    }

    /// What it searches.
    pub fn direction(&self) -> Direction {
        *self.goal()
    }

    /// The smallest mask that worked; else the one that came nearest; `None` before the first window.
    pub fn trigger(&self) -> Option<Trigger> {
        self.found(self.direction().source, self.direction().target)
    }
}

/// Pictures become the label.
impl Goal for Direction {
    fn loss(&self, logits: &Tensor, _: &ImageSet, chosen: &[usize]) -> candle_core::Result<Tensor> {
        let targets = Tensor::full(self.target as u32, chosen.len(), logits.device())?;
        cross_entropy(logits, &targets)?.mean_all()
    }

    fn done(&self, logits: &Tensor, _: &ImageSet, _: &[usize]) -> candle_core::Result<usize> {
        Ok(answers(logits)?.into_iter().filter(|&answer| answer == self.target).count())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::progress::Stepwise;
    use crate::train::tiny;

    #[test]
    fn a_search_that_was_written_down_goes_on_as_if_nothing_had_been() {
        let images = sign_set(4, Seed(1));
        let size = [images.height, images.width];
        let model = tiny(size, images.names.len(), Seed(1));
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
}
