//! Every random number of the program. candle's CPU generator cannot be seeded, so none of its
//! random functions is ever called; draw here and build the tensor from the numbers.

use candle_core::{Device, Result, Shape, Tensor};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The one number an audit is reproduced from; shown on screen and saved in every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Default for Seed {
    fn default() -> Self {
        Self(1)
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Seed {
    /// The seed of one named purpose, so that adding a step somewhere does not shift the numbers of
    /// every other step. FNV-1a over the name, mixed with the seed.
    pub fn of(self, purpose: &str) -> Seed {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in purpose.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Seed(hash)
    }

    /// Like [`Seed::of`] for the `index`-th of several alike.
    pub fn nth(self, index: usize) -> Seed {
        self.of(&index.to_string())
    }

    /// A generator that starts at this seed.
    pub fn random(self) -> Random {
        Random(ChaCha8Rng::seed_from_u64(self.0))
    }
}

/// A seeded generator, the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f32 {
        let u = 1.0 - self.0.random::<f64>(); // (0, 1]: the logarithm is finite
        let v = self.0.random::<f64>();
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }

    /// Uniform in `0..n`; 0 for `n == 0`.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.0.next_u64() % n as u64) as usize }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.0.random::<f32>() < p
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// A tensor of uniform numbers in `[low, high)`.
    ///
    /// # Errors
    /// Where the device cannot hold the tensor.
    pub fn uniform_tensor(&mut self, low: f32, high: f32, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f32> = (0..shape.elem_count()).map(|_| self.uniform(low, high)).collect();
        Tensor::from_vec(values, shape, device)
    }

    /// A tensor of standard normal numbers times `scale`.
    ///
    /// # Errors
    /// Where the device cannot hold the tensor.
    pub fn normal_tensor(&mut self, scale: f32, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f32> = (0..shape.elem_count()).map(|_| scale * self.normal()).collect();
        Tensor::from_vec(values, shape, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_purposes_do_not_share_them() {
        let draw = |s: Seed| {
            (0..4)
                .map(|_| 0)
                .zip(std::iter::repeat_with({
                    let mut r = s.random();
                    move || r.uniform(0.0, 1.0).to_bits()
                }))
                .map(|(_, x)| x)
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(Seed(7)), draw(Seed(7)));
        assert_ne!(draw(Seed(7)), draw(Seed(8)));
        assert_ne!(draw(Seed(7).of("shots")), draw(Seed(7).of("split")));
        assert_ne!(draw(Seed(7).nth(1)), draw(Seed(7).nth(2)));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut r = Seed(3).random();
        let xs: Vec<f32> = (0..20_000).map(|_| r.normal()).collect();
        let mean = xs.iter().sum::<f32>() / xs.len() as f32;
        let var = xs.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / xs.len() as f32;
        assert!(mean.abs() < 0.03 && (var - 1.0).abs() < 0.05, "mean {mean}, variance {var}");
    }
}
