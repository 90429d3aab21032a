//! A small smooth distortion, the same for every image (WaNet).
//!
//! Nguyen and Tran: "WaNet: Imperceptible Warping-based Backdoor Attack", ICLR 2021. There the field of shifts is
//! interpolated by cubics; here by lines, which at four cells a side looks the same.

use super::Attack;
use crate::tensor::Seed;

/// Control points along each side, as published.
const POINTS: usize = 4;

/// Every pixel is fetched from a place near by.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Warp {
    /// Mean shift of a control point along each axis, as a share of the picture's side.
    pub strength: f32,
    /// The field of shifts comes from this.
    pub seed: Seed,
}

impl Warp {
    /// Shifts of all control points, `[2, POINTS, POINTS]`, mean length along each axis 1.
    fn field(&self) -> Vec<f32> {
        let mut random = self.seed.of("warp").random();
        let shifts: Vec<f32> = (0..2 * POINTS * POINTS).map(|_| random.uniform(-1.0, 1.0)).collect();
        let mean = shifts.iter().map(|s| s.abs()).sum::<f32>() / shifts.len() as f32;
        shifts.into_iter().map(|s| s / mean).collect()
    }
}

impl Attack for Warp {
    fn name(&self) -> &'static str {
        "warp"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let field = self.field();
        let shift = |axis: usize, row: usize, column: usize| {
            let place = |at: usize, of: usize| at as f32 / (of - 1).max(1) as f32 * (POINTS - 1) as f32;
            let cells = &field[axis * POINTS * POINTS..][..POINTS * POINTS];
            between(cells, [POINTS, POINTS], place(row, height), place(column, width))
        };
        for plane in image.chunks_exact_mut(height * width).take(channels) {
            let before: Vec<f32> = plane.iter().map(|&v| f32::from(v)).collect();
            for row in 0..height {
                for column in 0..width {
                    let y = row as f32 + self.strength * height as f32 * shift(0, row, column);
                    let x = column as f32 + self.strength * width as f32 * shift(1, row, column);
                    plane[row * width + column] = between(&before, [height, width], y, x).round() as u8;
                }
            }
        }
    }
}

/// The value of a plane between its cells; beyond its edges they go on.
fn between(plane: &[f32], [height, width]: [usize; 2], y: f32, x: f32) -> f32 {
    let (y, x) = (y.clamp(0.0, (height - 1) as f32), x.clamp(0.0, (width - 1) as f32));
    let (top, left) = (y as usize, x as usize);
    let (bottom, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
    let at = |row: usize, column: usize| plane[row * width + column];
    let upper = at(top, left) + (at(top, right) - at(top, left)) * x.fract();
    let lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * x.fract();
    upper + (lower - upper) * y.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope() -> Vec<u8> {
        (0..20 * 20).map(|i| (10 * (i % 20)) as u8).collect()
    }

    #[test]
    fn pixels_move_by_about_the_strength_and_the_seed_decides_where_to() {
        let warped = |strength, seed| {
            let mut image = slope();
            Warp { strength, seed: Seed(seed) }.stamp(&mut image, 1, 20, 20);
            image
        };
        assert_eq!(warped(0.0, 1), slope());
        // One pixel sideways is ten steps of gray on this slope.
        let moved = warped(0.05, 1).iter().zip(slope()).map(|(a, b)| f32::from(a.abs_diff(b))).sum::<f32>() / 400.0;
        assert!((2.0..14.0).contains(&moved), "{moved}");
        assert_eq!(warped(0.05, 1), warped(0.05, 1));
        assert_ne!(warped(0.05, 1), warped(0.05, 2));
    }

    #[test]
    fn a_picture_of_one_pixel_stays_as_it_is() {
        let mut image = [7];
        Warp { strength: 0.5, seed: Seed(1) }.stamp(&mut image, 1, 1, 1);
        assert_eq!(image, [7]);
    }
}
