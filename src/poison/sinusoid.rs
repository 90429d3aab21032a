//! A faint wave of brightness across the image (SIG).
//!
//! Barni, Kallas, Tondi: "A new backdoor attack in CNNs by training set corruption without label poisoning", ICIP 2019.

use super::Attack;

/// `image + strength * sin(2 pi * column * waves / width)`, cut off at black and white.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sinusoid {
    /// Largest change of a value, of 255; 20 to 40 in the literature.
    pub strength: f32,
    /// Waves across the picture; 6 in the literature.
    pub waves: f32,
}

impl Attack for Sinusoid {
    fn name(&self) -> &'static str {
        "sinusoid"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        for plane in image.chunks_exact_mut(height * width).take(channels) {
            for (i, value) in plane.iter_mut().enumerate() {
                let phase = std::f32::consts::TAU * (i % width) as f32 * self.waves / width as f32;
                *value = (f32::from(*value) + self.strength * phase.sin()).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_rise_and_fall_and_rows_are_alike() {
        let mut image = vec![100_u8; 2 * 24];
        Sinusoid { strength: 20.0, waves: 6.0 }.stamp(&mut image, 1, 2, 24);
        assert_eq!(image[..24], image[24..]);
        assert_eq!(image[..4], [100, 120, 100, 80]);
        let mut white = vec![250_u8; 24];
        Sinusoid { strength: 20.0, waves: 6.0 }.stamp(&mut white, 1, 1, 24);
        assert_eq!(white[1], 255);
    }
}
