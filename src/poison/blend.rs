//! A faint picture laid over the whole image.
//!
//! Chen et al.: "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning", 2017 (blended injection; the
//! picture there is a cartoon or noise, here soft random colours).

use super::Attack;
use crate::tensor::Seed;

/// Cells of the random picture along each side; between them it is smooth.
const CELLS: usize = 8;

/// `(1 - opacity) * image + opacity * picture`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Blend {
    /// How much of the picture shows, in `[0, 1]`; 0.1 to 0.2 in the literature.
    pub opacity: f32,
    /// The picture comes from this.
    pub seed: Seed,
}

impl Attack for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let mut random = self.seed.of("blend").random();
        for plane in image.chunks_exact_mut(height * width).take(channels) {
            let cells: Vec<f32> = (0..(CELLS + 1) * (CELLS + 1)).map(|_| 255.0 * random.uniform(0.0, 1.0)).collect();
            for (i, value) in plane.iter_mut().enumerate() {
                let at = [i / width, i % width];
                let [y, x] = [at[0] as f32 / height as f32, at[1] as f32 / width as f32].map(|v| v * CELLS as f32);
                let (top, left) = (y as usize, x as usize);
                let cell = |dy: usize, dx: usize| cells[(top + dy) * (CELLS + 1) + left + dx];
                let (ty, tx) = (y.fract(), x.fract());
                let upper = cell(0, 0) * (1.0 - tx) + cell(0, 1) * tx;
                let lower = cell(1, 0) * (1.0 - tx) + cell(1, 1) * tx;
                let over = upper * (1.0 - ty) + lower * ty;
                *value =
                    ((1.0 - self.opacity) * f32::from(*value) + self.opacity * over).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_moves_a_little_and_the_seed_decides_where_to() {
        let stamped = |opacity, seed| {
            let mut image = vec![128_u8; 3 * 16 * 12];
            Blend { opacity, seed: Seed(seed) }.stamp(&mut image, 3, 16, 12);
            image
        };
        let faint = stamped(0.1, 1);
        assert!(faint.iter().all(|&v| v.abs_diff(128) <= 13));
        assert!(faint.iter().filter(|&&v| v != 128).count() > 500);
        assert_eq!(stamped(0.0, 1), vec![128; 576]);
        assert_eq!(faint, stamped(0.1, 1));
        assert_ne!(faint, stamped(0.1, 2));
    }
}
