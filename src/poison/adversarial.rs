//! A small change of its own for every picture: no two poisoned pictures have a mark in common.
//!
//! The seeds of this program tell "adversarial poisoning" from backdoors with a trigger: its poisoned pictures follow "no common and
//! explicit rules" (Guo, Kong and Liu: PoisHygiene, arXiv 2003.11110). Here each picture moves by the fast gradient sign
//! (Goodfellow et al., ICLR 2015) that makes a secret network answer louder: one layer of filters that only the attacker has, drawn
//! from a seed, so that nothing has to be trained and whoever has the seed can make the change again.

use super::Attack;
use crate::tensor::Seed;

/// Filters of the secret network.
const FILTERS: usize = 12;
/// Pixels a side of a filter.
const SIDE: usize = 5;

/// `image + strength * sign(gradient of the secret network's answer)`, cut off at black and white.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Adversarial {
    /// Change of every value, of 255; 8 to 16 in the literature.
    pub strength: f32,
    /// The secret network comes from this.
    pub seed: Seed,
}

impl Attack for Adversarial {
    fn name(&self) -> &'static str {
        "adversarial"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let mut random = self.seed.of("adversarial").random();
        let plane = height * width;
        let before: Vec<f32> = image.iter().map(|&v| f32::from(v)).collect();
        let mut gradient = vec![0.0; before.len()];
        for _ in 0..FILTERS {
            let loud = random.normal();
            let filter = filter(channels, &mut random);
            for at in 0..plane {
                let seen = || window(&filter, [at / width, at % width], [height, width]);
                let answer: f32 = seen().map(|(weight, pixel)| weight * before[pixel]).sum();
                // The gradient of a rectified sum: the filter where it is positive.
                if answer > 0.0 {
                    seen().for_each(|(weight, pixel)| gradient[pixel] += loud * weight);
                }
            }
        }
        for (value, slope) in image.iter_mut().zip(gradient).filter(|(_, slope)| *slope != 0.0) {
            *value = (f32::from(*value) + self.strength * slope.signum()).round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// Weights `[channels, SIDE, SIDE]` that sum to zero in every channel, so that an even picture says nothing.
fn filter(channels: usize, random: &mut crate::tensor::Random) -> Vec<f32> {
    let mut weights: Vec<f32> = (0..channels * SIDE * SIDE).map(|_| random.normal()).collect();
    for channel in weights.chunks_exact_mut(SIDE * SIDE) {
        let mean = channel.iter().sum::<f32>() / channel.len() as f32;
        channel.iter_mut().for_each(|weight| *weight -= mean);
    }
    weights
}

/// Every weight of a filter around `[row, column]`, with the place of its pixel among `[channels, height, width]`; what
/// lies outside the picture is left out.
fn window(
    filter: &[f32],
    [row, column]: [usize; 2],
    [height, width]: [usize; 2],
) -> impl Iterator<Item = (f32, usize)> {
    filter.iter().enumerate().filter_map(move |(i, &weight)| {
        let (channel, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        let y = (row + y).checked_sub(SIDE / 2).filter(|&y| y < height)?;
        let x = (column + x).checked_sub(SIDE / 2).filter(|&x| x < width)?;
        Some((weight, (channel * height + y) * width + x))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::signs;

    #[test]
    fn every_picture_gets_a_change_of_its_own_within_the_strength() {
        let set = signs::sign_set(1, Seed(3));
        let attack = Adversarial { strength: 12.0, seed: Seed(5) };
        let change = |i: usize, attack: Adversarial| {
            let mut image = set.image(i).to_vec();
            attack.stamp(&mut image, 3, set.height, set.width);
            image.iter().zip(set.image(i)).map(|(a, b)| i32::from(*a) - i32::from(*b)).collect::<Vec<_>>()
        };
        let (one, two) = (change(0, attack), change(1, attack));
        assert!(one.iter().chain(&two).all(|d| d.abs() <= 12));
        assert!(one.iter().filter(|d| **d != 0).count() > one.len() / 2);
        let alike = one.iter().zip(&two).filter(|(a, b)| a.signum() == b.signum()).count();
        assert!(alike < one.len() * 3 / 4, "{alike} of {} move alike", one.len());
        assert_eq!(one, change(0, attack));
        assert_ne!(one, change(0, Adversarial { seed: Seed(6), ..attack }));
    }

    #[test]
    fn the_change_makes_the_secret_network_louder() {
        // A step along the sign of a gradient of a piecewise linear sum, small enough not to change the pieces.
        let set = signs::sign_set(1, Seed(3));
        let loudness = |image: &[f32]| -> f32 {
            let mut random = Seed(5).of("adversarial").random();
            let mut sum = 0.0;
            for _ in 0..FILTERS {
                let loud = random.normal();
                let filter = filter(3, &mut random);
                for at in 0..set.height * set.width {
                    let seen = window(&filter, [at / set.width, at % set.width], [set.height, set.width]);
                    sum += loud * seen.map(|(weight, pixel)| weight * image[pixel]).sum::<f32>().max(0.0);
                }
            }
            sum
        };
        let before: Vec<f32> = set.image(0).iter().map(|&v| f32::from(v)).collect();
        let mut image = set.image(0).to_vec();
        Adversarial { strength: 1.0, seed: Seed(5) }.stamp(&mut image, 3, set.height, set.width);
        let after: Vec<f32> = image.iter().map(|&v| f32::from(v)).collect();
        assert!(loudness(&after) > loudness(&before) + 100.0, "{} {}", loudness(&before), loudness(&after));
    }
}
