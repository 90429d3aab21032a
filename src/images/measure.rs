//! What a classifier answers on images, in batches small enough to stop between.
//!
//! In: a classifier, images, a monitor. Out: one answer an image and the mean cross-entropy of the true
//! labels. Keeps no gradient. Never lets a NaN out: an answer with one is wrong, its loss a large number.

use super::{ImageError, ImageSet};
use crate::model::Classifier;
use crate::progress::Monitor;
use candle_core::Device;

/// Pixels of a batch on a processor: 32 pictures of 32x32, about a tenth of a second of the zoo's largest model.
const PIXELS_AT_ONCE: usize = 32 * 32 * 32;
/// Largest batch anywhere, and the batch of small pictures on an accelerator.
const LARGEST_BATCH: usize = 256;
/// Cross-entropy of an answer that is no number.
const LOSS_OF_NAN: f32 = 1e4;

/// The answers of a classifier on a set of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Label with the largest logit; `None` where a logit is NaN.
    pub labels: Vec<Option<usize>>,
    /// Mean cross-entropy of the true labels.
    pub loss: f32,
}

impl Answers {
    /// Share of right answers, in `[0, 1]`; 0 for no images.
    pub fn accuracy(&self, images: &ImageSet) -> f32 {
        let right = self.labels.iter().zip(&images.labels).filter(|(a, l)| **a == Some(**l)).count();
        right as f32 / images.len().max(1) as f32
    }

    /// Share of right answers by label, in `[0, 1]`; `None` where a label has no image.
    pub fn by_label(&self, images: &ImageSet) -> Vec<Option<f32>> {
        let share = |(label, list): (usize, Vec<usize>)| {
            let right = list.iter().filter(|&&i| self.labels[i] == Some(label)).count();
            (!list.is_empty()).then(|| right as f32 / list.len() as f32)
        };
        images.by_label().into_iter().enumerate().map(share).collect()
    }

    /// Mean over the labels that have images of the share of right answers: what a constant answer makes
    /// of the most frequent label is no merit.
    pub fn balanced_accuracy(&self, images: &ImageSet) -> f32 {
        let shares: Vec<f32> = self.by_label(images).into_iter().flatten().collect();
        shares.iter().sum::<f32>() / shares.len().max(1) as f32
    }
}

/// Share of `images` that `classifier` answers rightly, in `[0, 1]`, and mean cross-entropy. Images of
/// another size or number of channels than the classifier's preprocessing names are converted first.
///
/// # Errors
/// Where the model fails, or somebody stops the work.
pub fn accuracy(classifier: &Classifier, images: &ImageSet, monitor: &Monitor) -> Result<(f32, f32), ImageError> {
    let answers = answered(classifier, images, monitor)?;
    Ok((answers.accuracy(images), answers.loss))
}

/// The answers of `classifier` on `images`.
///
/// # Errors
/// As [`accuracy`].
pub fn answered(classifier: &Classifier, images: &ImageSet, monitor: &Monitor) -> Result<Answers, ImageError> {
    answers(classifier, images, "Measuring the accuracy", monitor)
}

/// The answers of `classifier` on `images`; `stage` is what the monitor shows.
pub(super) fn answers(
    classifier: &Classifier,
    images: &ImageSet,
    stage: &str,
    monitor: &Monitor,
) -> Result<Answers, ImageError> {
    let wanted = classifier.preprocessing();
    if images.channels != wanted.channels || [images.height, images.width] != wanted.size {
        let images = images.converted(wanted.channels, wanted.size, monitor)?;
        return answers(classifier, &images, stage, monitor);
    }
    let device = classifier.device();
    let indices: Vec<usize> = (0..images.len()).collect();
    let (mut labels, mut loss) = (Vec::with_capacity(images.len()), 0.0_f64);
    for batch in indices.chunks(batch_size(images, &device)) {
        monitor.check()?;
        let logits = classifier.logits(&images.tensor(batch, &device)?)?.detach().to_device(&Device::Cpu)?;
        for (row, &i) in logits.to_vec2::<f32>()?.iter().zip(batch) {
            labels.push(largest(row));
            loss += f64::from(cross_entropy(row, images.labels[i]));
        }
        monitor.step(stage, labels.len() as f32 / images.len() as f32);
    }
    Ok(Answers { loss: (loss / images.len().max(1) as f64) as f32, labels })
}

fn batch_size(images: &ImageSet, device: &Device) -> usize {
    let pixels = PIXELS_AT_ONCE * if device.is_cpu() { 1 } else { 64 };
    (pixels / (images.height * images.width).max(1)).clamp(1, LARGEST_BATCH)
}

fn largest(logits: &[f32]) -> Option<usize> {
    if logits.iter().any(|l| l.is_nan()) {
        return None;
    }
    // The first of equals, as NumPy's argmax.
    logits.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i)
}

fn cross_entropy(logits: &[f32], label: usize) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - highest).exp()).sum();
    let loss = logits.get(label).map_or(f32::NAN, |l| sum.ln() + highest - l);
    if loss.is_finite() { loss.min(LOSS_OF_NAN) } else { LOSS_OF_NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_the_largest_logit_and_nan_is_wrong() {
        assert_eq!(largest(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(largest(&[1.0, f32::NAN]), None);
        assert_eq!(largest(&[f32::INFINITY, 1.0]), Some(0));
    }

    #[test]
    fn cross_entropy_is_that_of_the_softmax_and_always_a_number() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - 2.0_f32.ln()).abs() < 1e-6);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-3);
        for bad in [&[f32::NAN, 0.0][..], &[f32::INFINITY, 0.0], &[f32::NEG_INFINITY; 2], &[]] {
            assert_eq!(cross_entropy(bad, 0), LOSS_OF_NAN, "{bad:?}");
        }
    }

    #[test]
    fn a_constant_answer_has_the_balanced_accuracy_of_chance() {
        let images = ImageSet {
            pixels: vec![0; 10],
            channels: 1,
            height: 1,
            width: 1,
            labels: [vec![0; 9], vec![1]].concat(),
            names: vec!["a".into(), "b".into()],
            skipped: vec![],
            files: vec![],
        };
        let answers = Answers { labels: vec![Some(0); 10], loss: 0.0 };
        assert!((answers.accuracy(&images) - 0.9).abs() < 1e-6);
        assert!((answers.balanced_accuracy(&images) - 0.5).abs() < 1e-6);
    }
}
