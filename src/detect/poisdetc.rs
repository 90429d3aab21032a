//! PoisDetc (`annoymousLink/PoisDetc-Code`, 2020; its sibling is PoisHygiene, arXiv 2003.11110).
//!
//! In: a suspect and a reference model, a label, random points. Each shot moves one point so that
//! the suspect says the label while the reference does not. Out: for each shot the final
//! cross-entropy of both models and the final point. An honest label's features are shared by both
//! models, so the suspect's loss falls only if the reference's does; a poisoned label has a shortcut
//! that only the suspect knows, so its loss falls to nearly nothing.
//!
//! Never decides: [`published_rule`] is the original threshold, a number to show beside others.

mod live;
mod stages;
mod volley;

pub use volley::{Progress, Volley};

use crate::tensor::{Random, numbers};
use candle_core::{Device, Tensor};

/// A shot has reached its label at a cross-entropy of at most this (a probability of 0.82).
pub const REACHED: f32 = 0.2;
/// The published rule flags a label when at least this share of its shots reached it.
pub const SHARE: f32 = 0.5;
/// Adam's step size in all three stages, as published.
pub const RATE: f64 = 0.01;
/// TensorFlow's defaults, which the published code uses.
const BETAS: (f64, f64) = (0.9, 0.999);
/// Shots are looked at, and those that are decided leave, when they could have moved this far in tanh
/// space: every 25 steps of the published size.
const LOOK_AFTER: f64 = 0.25;

/// How the shots are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Shooting {
    /// Shots a label (published: 10).
    pub shots: usize,
    /// At most this many steps in each of the two long stages (published: 1000).
    pub steps: usize,
    /// Adam's step size in the two long stages (published: [`RATE`]). Steps and size together say how
    /// far a shot can move; fewer and longer ones reach the same places sooner and less smoothly.
    pub rate: f64,
    /// The published form: points of the first stage are taken for points in tanh space a second
    /// time, which confines all shots to `[0.5, 0.88]`. Otherwise corrected.
    pub original_form: bool,
    /// Leave early where a shot is decided.
    pub early: bool,
    /// At most this many shots are computed at once; each is a problem of its own, so that the result
    /// does not depend on it.
    pub at_once: usize,
}

impl Shooting {
    /// Steps between two looks.
    fn look_every(&self) -> usize {
        ((LOOK_AFTER / self.rate).round() as usize).max(1)
    }
}

/// What became of the shots at one label, one entry a shot.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Shots {
    /// The label aimed at.
    pub label: usize,
    /// Final cross-entropy of the suspect.
    pub losses: Vec<f32>,
    /// Final cross-entropy of the reference at the same point.
    pub reference_losses: Vec<f32>,
    /// Steps of both long stages together.
    pub steps: Vec<usize>,
    /// Final points `[shots, c, h, w]` in `[0, 1]`.
    #[serde(with = "numbers")]
    pub points: Tensor,
}

/// The share of shots that reached the label, and whether the published rule flags it.
pub fn published_rule(losses: &[f32]) -> (f32, bool) {
    if losses.is_empty() {
        return (0.0, false);
    }
    let prob = losses.iter().filter(|&&l| l <= REACHED).count() as f32 / losses.len() as f32;
    (prob, prob >= SHARE)
}

/// The random points all labels share, `[shots, c, h, w]`, uniform in `[0, 1)`.
///
/// # Errors
/// Where the device cannot hold them.
pub fn random_points(
    shots: usize,
    channels: usize,
    size: [usize; 2],
    random: &mut Random,
    device: &Device,
) -> candle_core::Result<Tensor> {
    random.uniform_tensor(0.0, 1.0, (shots, channels, size[0], size[1]), device)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The loss vectors printed in the published README (HEAD 9756411) and the Prob it prints.
    const PRINTED: [(usize, [f32; 10], f32, bool); 5] = [
        (
            0,
            [
                0.00266673, 0.02825947, 0.01446394, 0.0382086, 0.52626806, 0.0225951, 0.00342378, 0.00749703,
                0.00423891, 0.00645078,
            ],
            0.9,
            true,
        ),
        (
            1,
            [
                3.2156274, 0.81431085, 0.7940536, 0.7660262, 1.4209422, 42.576817, 0.27247506, 0.5878277, 0.5463749,
                1.6239564,
            ],
            0.0,
            false,
        ),
        (
            2,
            [9.112916, 1.2885572, 10.86104, 153.86241, 148.91853, 103.0526, 18.40843, 84.28017, 1.3558013, 92.16865],
            0.0,
            false,
        ),
        (
            3,
            [18.726677, 24.76916, 8.617739, 79.89331, 69.64562, 104.409676, 6.017133, 40.015766, 5.5535097, 23.91595],
            0.0,
            false,
        ),
        (
            4,
            [
                19.155365, 0.90590537, 15.5154705, 80.70176, 87.53547, 52.141125, 27.05077, 11.577556, 5.180358,
                12.741194,
            ],
            0.0,
            false,
        ),
    ];

    #[test]
    fn the_published_rule_gives_the_published_probabilities() {
        for (label, losses, prob, flagged) in PRINTED {
            assert_eq!(published_rule(&losses), (prob, flagged), "label {label}");
        }
        // Label 1 of the README's second model is flagged at exactly one half.
        let half = [0.0476, 0.1, 0.15, 0.19, 0.2, 0.21, 0.3, 0.5, 0.6, 0.7028];
        assert_eq!(published_rule(&half), (0.5, true));
        assert_eq!(published_rule(&[]), (0.0, false));
    }
}
