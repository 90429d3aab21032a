//! Where a network looks: a gray square is laid over one place of the picture after another, and where that brings the
//! answer nearer to being another one, it looked.
//!
//! Zeiler and Fergus: "Visualizing and Understanding Convolutional Networks", ECCV 2014.

use crate::images::ImageSet;
use crate::model::Classifier;
use crate::poison::lab::{Answer, LabError, asked};
use crate::progress::Monitor;
use candle_core::{Device, Tensor};

/// The square's side is this part of the picture's shorter side.
const PART: usize = 6;
/// Pictures asked at once.
const BATCH: usize = 32;

/// Where a network looks on one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// What it answers.
    pub answer: Answer,
    /// Rows and columns of the picture.
    pub size: [usize; 2],
    /// By how much the answer's logit is further ahead of the next one with the place than without, row after row, in
    /// nats; mean over the squares that covered the pixel. (The probability itself is near 1 almost everywhere in a
    /// trained network, and would show nothing.)
    pub drops: Vec<f32>,
}

/// Where `classifier` looks on picture `i` of `images`.
///
/// # Errors
/// Where the classifier fails, or on a request to stop.
pub fn attention(
    classifier: &Classifier,
    images: &ImageSet,
    i: usize,
    monitor: &Monitor,
) -> Result<Attention, LabError> {
    let (height, width) = (images.height, images.width);
    let answers = asked(classifier, &images.subset(&[i]))?;
    let answer = answers.first().copied().unwrap_or(Answer { label: 0, sure: 0.0 });
    let logits = classifier.logits(&images.tensor(&[i], &Device::Cpu)?)?.detach().to_vec2::<f32>()?;
    let whole = logits.first().map_or(0.0, |row| ahead(row, answer.label));
    let side = (height.min(width) / PART).max(2);
    let step = (side / 2).max(1);
    let places: Vec<[usize; 2]> = (0..height.saturating_sub(side) + 1)
        .step_by(step)
        .flat_map(|top| (0..width.saturating_sub(side) + 1).step_by(step).map(move |left| [top, left]))
        .collect();
    let picture: Vec<f32> = images.image(i).iter().map(|&b| f32::from(b) / 255.0).collect();
    let mut sums = vec![0.0; height * width];
    let mut counts = vec![0_u32; height * width];
    for batch in places.chunks(BATCH) {
        monitor.check()?;
        let mut values = Vec::with_capacity(batch.len() * picture.len());
        for &place in batch {
            values.extend(covered(&picture, [height, width], place, side));
        }
        let x = Tensor::from_vec(values, (batch.len(), images.channels, height, width), &Device::Cpu)?;
        let rows = classifier.logits(&x)?.detach().to_vec2::<f32>()?;
        for (&[top, left], row) in batch.iter().zip(rows) {
            let drop = whole - ahead(&row, answer.label);
            for at in (top..top + side).flat_map(|y| (left..left + side).map(move |x| y * width + x)) {
                sums[at] += drop;
                counts[at] += 1;
            }
        }
    }
    let drops = sums.iter().zip(&counts).map(|(sum, &count)| sum / count.max(1) as f32).collect();
    Ok(Attention { answer, size: [height, width], drops })
}

/// How far the logit of `label` is ahead of the largest other one, in nats.
fn ahead(logits: &[f32], label: usize) -> f32 {
    let others = logits.iter().enumerate().filter(|(other, _)| *other != label).map(|(_, &logit)| logit);
    logits.get(label).copied().unwrap_or(0.0) - others.fold(f32::NEG_INFINITY, f32::max)
}

/// The picture with a square of its own mean colour at `[top, left]`.
fn covered(picture: &[f32], [height, width]: [usize; 2], [top, left]: [usize; 2], side: usize) -> Vec<f32> {
    let mut covered = picture.to_vec();
    for plane in covered.chunks_exact_mut(height * width) {
        let mean = plane.iter().sum::<f32>() / plane.len() as f32;
        for y in top..(top + side).min(height) {
            plane[y * width + left..y * width + (left + side).min(width)].fill(mean);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::{Architecture, Recipe, train};

    #[test]
    fn a_network_that_only_sees_a_corner_looks_at_that_corner() {
        let mut random = Seed(3).random();
        let labels: Vec<usize> = (0..80).map(|i| i % 2).collect();
        let mut pixels = Vec::new();
        for &label in &labels {
            for at in 0..16 * 16 {
                let corner = at / 16 >= 12 && at % 16 >= 12;
                pixels.push(if corner { (200 * label) as u8 } else { random.below(255) as u8 });
            }
        }
        let names = vec!["dark".into(), "bright".into()];
        let images = ImageSet {
            pixels,
            channels: 1,
            height: 16,
            width: 16,
            labels,
            names,
            skipped: Vec::new(),
            files: Vec::new(),
        };
        let recipe = Recipe {
            architecture: Architecture::Tiny,
            epochs: 12,
            batch: 8,
            learning_rate: 4e-3,
            augment: false,
            held_out: 0.0,
            seed: Seed(1),
        };
        let trained = train(&images, &recipe, &Device::Cpu, &Monitor::silent()).unwrap();
        let looked = attention(&trained.classifier, &images, 1, &Monitor::silent()).unwrap();
        assert_eq!(looked.answer.label, 1);
        let mean = |wanted: bool| {
            let of = (0..256).filter(|at| (at / 16 >= 11 && at % 16 >= 11) == wanted);
            of.clone().map(|at| looked.drops[at]).sum::<f32>() / of.count() as f32
        };
        assert!(mean(true) > 5.0 * mean(false).abs() && mean(true) > 0.02, "{} {}", mean(true), mean(false));
    }
}
