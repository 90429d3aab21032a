//! One mark that sends every label to another one of its own (all-to-all: Gu et al., "BadNets", 2017).
//!
//! In: a model, clean images. Out: the smallest mark found that changes every answer, and where the answers of each label go then.
//! A mark that changes all answers of an honest model drives them to the two or three labels that it likes best (the dominant labels
//! of Moosavi-Dezfooli et al., "Universal adversarial perturbations", CVPR 2017); a planted one sends each label to its own. It takes
//! one search for a model, however many labels that has. Ours, not from a paper. Never decides.

use super::neural_cleanse::{Goal, Search, Smallest};
use super::{DetectError, Trigger};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Seed, answers};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A label has moved where at least this share of its pictures goes to one other label.
const MOVED: f32 = 0.5;
/// Takes the logit of the true label out of a sum of exponentials.
const OUT: f32 = -1e4;

/// The search for the smallest mark that changes every answer.
pub type Scatter<'a> = Smallest<'a, Change>;

/// The answer is no longer the true label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change;

impl<'a> Scatter<'a> {
    /// A search that has not begun.
    ///
    /// # Errors
    /// Where there is no image.
    pub fn new(
        model: &'a Classifier,
        images: &'a ImageSet,
        search: &'a Search,
        seed: Seed,
    ) -> std::result::Result<Self, DetectError> {
        if images.is_empty() {
            return Err(DetectError::NoImages { label: 0 });
        }
        let order = (0..images.len()).collect();
        Ok(Self::begun((model, images), Change, order, search, seed.of("all to all").random())?)
    }

    /// The smallest mask that worked, else the one that came nearest, as if meant for `source` to become `label`; `None` before the
    /// first window.
    pub fn trigger(&self, source: Option<usize>, label: usize) -> Option<Trigger> {
        self.found(source, label)
    }
}

impl Goal for Change {
    /// How far the true label is ahead of all others together, in logits.
    fn loss(&self, logits: &Tensor, images: &ImageSet, chosen: &[usize]) -> Result<Tensor> {
        let (n, classes) = logits.dims2()?;
        let mut without = vec![0.0; n * classes];
        for (row, &i) in chosen.iter().enumerate() {
            without[row * classes + images.labels[i]] = OUT;
        }
        let others = (logits + Tensor::from_vec(without, (n, classes), logits.device())?)?;
        (logits.log_sum_exp(1)? - others.log_sum_exp(1)?)?.mean_all()
    }

    fn done(&self, logits: &Tensor, images: &ImageSet, chosen: &[usize]) -> Result<usize> {
        Ok(answers(logits)?.into_iter().zip(chosen).filter(|&(answer, &i)| answer != images.labels[i]).count())
    }
}

/// Where the answers to pictures of one label go under a mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// The true label.
    pub source: usize,
    /// The most frequent answer.
    pub target: usize,
    /// How frequent, in `[0, 1]`.
    pub share: f32,
    /// Of how many pictures.
    pub pictures: usize,
}

impl Move {
    /// Whether most pictures of the label become one other label.
    pub fn is_one(&self) -> bool {
        self.source != self.target && self.share >= MOVED
    }
}

/// Where the answers of each label go under `trigger`, for labels with pictures.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn moves(
    model: &Classifier,
    images: &ImageSet,
    trigger: &Trigger,
    batch: usize,
    monitor: &Monitor,
) -> std::result::Result<Vec<Move>, DetectError> {
    let device = model.device();
    let mut all = Vec::new();
    for (source, pictures) in images.by_label().into_iter().enumerate().filter(|(_, of)| !of.is_empty()) {
        let mut counts = vec![0_usize; model.classes()];
        for piece in pictures.chunks(batch.max(1)) {
            monitor.check()?;
            let x = trigger.put_on(&images.tensor(piece, &device)?)?;
            answers(&model.logits(&x)?)?.into_iter().for_each(|answer| counts[answer] += 1);
        }
        let (target, &most) = counts.iter().enumerate().max_by_key(|(_, n)| **n).unwrap_or((source, &0));
        let share = most as f32 / pictures.len() as f32;
        all.push(Move { source, target, share, pictures: pictures.len() });
    }
    Ok(all)
}

/// The share of labels, in `[0, 1]`, that become each another one: two that become the same count once. At most 0.21 was seen
/// in honest models of ten to 43 labels, 0.7 and more where such a mark was planted.
pub fn scattered(moves: &[Move]) -> f32 {
    let targets: BTreeSet<usize> = moves.iter().filter(|one| one.is_one()).map(|one| one.target).collect();
    targets.len() as f32 / moves.len().max(1) as f32
}

/// How often the mark changes the model's own answer to a picture, in `[0, 1]`.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn changed(
    model: &Classifier,
    images: &ImageSet,
    trigger: &Trigger,
    batch: usize,
    monitor: &Monitor,
) -> std::result::Result<f32, DetectError> {
    let (device, all) = (model.device(), (0..images.len()).collect::<Vec<_>>());
    let mut changed = 0;
    for piece in all.chunks(batch.max(1)) {
        monitor.check()?;
        let x = images.tensor(piece, &device)?;
        let before = answers(&model.logits(&x)?)?;
        let after = answers(&model.logits(&trigger.put_on(&x)?)?)?;
        changed += before.iter().zip(&after).filter(|(before, after)| before != after).count();
    }
    Ok(changed as f32 / images.len().max(1) as f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::progress::Stepwise;
    use crate::train::tiny;
    use candle_core::Device;

    fn moved(source: usize, target: usize, share: f32) -> Move {
        Move { source, target, share, pictures: 20 }
    }

    #[test]
    fn labels_that_all_become_the_same_are_not_scattered() {
        let honest: Vec<Move> = (0..10).map(|label| moved(label, 3 + label % 2, 0.9)).collect();
        assert_eq!(scattered(&honest), 0.2);
        let planted: Vec<Move> = (0..10).map(|label| moved(label, (label + 1) % 10, 0.9)).collect();
        assert_eq!(scattered(&planted), 1.0);
        let stayed: Vec<Move> = (0..10).map(|label| moved(label, label, 1.0)).collect();
        assert_eq!(scattered(&stayed), 0.0);
        let hardly: Vec<Move> = (0..10).map(|label| moved(label, (label + 1) % 10, 0.4)).collect();
        assert_eq!((scattered(&hardly), scattered(&[])), (0.0, 0.0));
    }

    #[test]
    fn the_loss_is_how_far_the_true_label_is_ahead_and_its_slope_is_right() {
        let images = sign_set(4, Seed(1));
        let truth = images.labels[0];
        let mut row = vec![0.0_f32; images.names.len()];
        row[truth] = 2.0;
        let loss = |row: &[f32]| {
            let logits = Tensor::from_slice(row, (1, row.len()), &Device::Cpu).unwrap();
            Change.loss(&logits, &images, &[0]).unwrap().to_scalar::<f32>().unwrap()
        };
        let others = (row.len() - 1) as f32;
        assert!((loss(&row) - ((2.0_f32.exp() + others).ln() - others.ln())).abs() < 1e-5);
        let var = candle_core::Var::from_slice(&row, (1, row.len()), &Device::Cpu).unwrap();
        let slope = Change.loss(var.as_tensor(), &images, &[0]).unwrap().backward().unwrap();
        let slope = slope.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for i in 0..row.len() {
            let (mut up, mut down) = (row.clone(), row.clone());
            (up[i], down[i]) = (row[i] + 1e-2, row[i] - 1e-2);
            let measured = (loss(&up) - loss(&down)) / 2e-2;
            assert!((slope[i] - measured).abs() < 1e-3, "{i}: {} for {measured}", slope[i]);
        }
    }

    #[test]
    fn a_search_that_was_written_down_goes_on_as_if_nothing_had_been() {
        let images = sign_set(4, Seed(1));
        let size = [images.height, images.width];
        let model = tiny(size, images.names.len(), Seed(1));
        let search = Search { batch: 6, success: 0.95, ..Search::quick() };
        let begin = || Scatter::new(&model, &images, &search, Seed(5)).unwrap();
        let monitor = Monitor::silent();
        let mut whole = begin();
        whole.advance(20, &monitor).unwrap();
        let mut first = begin();
        first.advance(9, &monitor).unwrap();
        let written = serde_json::to_string(&first.state().unwrap()).unwrap();
        let mut second = begin();
        second.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
        second.advance(11, &monitor).unwrap();
        let bits = |search: &Scatter<'_>| serde_json::to_string(&search.state().unwrap()).unwrap();
        assert_eq!(bits(&second), bits(&whole));
    }
}
