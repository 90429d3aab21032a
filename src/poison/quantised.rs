//! Fewer shades of each colour, dithered so that the eye hardly sees it (BppAttack).
//!
//! Wang, Zhai, Ma: "BppAttack: stealthy and efficient Trojan attacks against deep neural networks via image quantization and
//! contrastive adversarial learning", CVPR 2022. What it changes depends on the picture.

use super::Attack;

/// Every value becomes the nearest of a few, and what it lost goes to its neighbours (Floyd and Steinberg, 1976).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quantised {
    /// Shades of each colour, at least 2.
    pub shades: usize,
}

impl Attack for Quantised {
    fn name(&self) -> &'static str {
        "quantised"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let steps = self.shades.max(2) as f32 - 1.0;
        for plane in image.chunks_exact_mut(height * width).take(channels) {
            let mut wanted: Vec<f32> = plane.iter().map(|value| f32::from(*value)).collect();
            for i in 0..plane.len() {
                let (y, x) = (i / width, i % width);
                let nearest = ((wanted[i] / 255.0 * steps).round() / steps * 255.0).clamp(0.0, 255.0);
                let lost = wanted[i] - nearest;
                plane[i] = nearest.round() as u8;
                let below = y + 1 < height;
                let neighbours = [
                    (x + 1 < width, 1, 7.0),
                    (below && x > 0, width.wrapping_sub(1), 3.0),
                    (below, width, 5.0),
                    (below && x + 1 < width, width + 1, 1.0),
                ];
                for (is_there, away, share) in neighbours {
                    if is_there {
                        wanted[i + away] += lost * share / 16.0;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_shades_are_black_and_white_and_keep_the_mean() {
        let mut image = vec![100_u8; 32 * 32];
        Quantised { shades: 2 }.stamp(&mut image, 1, 32, 32);
        assert!(image.iter().all(|v| [0, 255].contains(v)));
        let mean = image.iter().map(|v| f32::from(*v)).sum::<f32>() / image.len() as f32;
        assert!((mean - 100.0).abs() < 4.0, "{mean}");
    }

    #[test]
    fn a_shade_that_is_there_stays_and_all_shades_change_nothing() {
        let mut image = vec![85_u8, 170, 0, 255];
        Quantised { shades: 4 }.stamp(&mut image, 1, 2, 2);
        assert_eq!(image, [85, 170, 0, 255]);
        let mut image = vec![3_u8, 99, 201, 17];
        Quantised { shades: 256 }.stamp(&mut image, 1, 2, 2);
        assert_eq!(image, [3, 99, 201, 17]);
    }
}
