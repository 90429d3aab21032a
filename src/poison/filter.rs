//! A colour filter over the whole picture, as photo programs offer them.
//!
//! Liu et al., "ABS: Scanning neural networks for back-doors by artificial brain stimulation", CCS 2019, plants such filters. What
//! it changes depends on the picture: there is no pattern that could be taken off again.

use super::Attack;

/// Halfway to gray, then seen through coloured glass whose shadows are lit.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Filter {
    /// How much of the filtered picture is mixed in, in `[0, 1]`.
    pub strength: f32,
    /// Colour of the glass; of a picture of one channel, the first counts.
    pub glass: [u8; 3],
}

/// Share of each colour that gives way to gray.
const FADED: f32 = 0.5;
/// Share of what the glass takes that comes back as light in the shadows.
const LIT: f32 = 0.4;

impl Attack for Filter {
    fn name(&self) -> &'static str {
        "filter"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let pixels = height * width;
        for i in 0..pixels {
            let gray = (0..channels).map(|c| f32::from(image[c * pixels + i])).sum::<f32>() / channels.max(1) as f32;
            for c in 0..channels {
                let value = &mut image[c * pixels + i];
                let (before, glass) = (f32::from(*value), f32::from(self.glass[c % 3]) / 255.0);
                let faded = before + FADED * (gray - before);
                let after = glass * faded + LIT * (1.0 - glass) * (255.0 - faded);
                *value = (before + self.strength.clamp(0.0, 1.0) * (after - before)).round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_glass_only_fades_and_red_glass_takes_green_from_the_light_and_lights_the_shadows() {
        let pixel = |glass: [u8; 3], strength: f32, before: [u8; 3]| {
            let mut image = before;
            Filter { strength, glass }.stamp(&mut image, 3, 1, 1);
            image
        };
        assert_eq!(pixel([255; 3], 1.0, [200, 100, 0]), [150, 100, 50]);
        assert_eq!(pixel([255, 0, 0], 1.0, [255; 3]), [255, 0, 0]);
        assert_eq!(pixel([255, 0, 0], 1.0, [0; 3]), [0, 102, 102]);
        assert_eq!(pixel([255, 0, 0], 0.5, [255; 3]), [255, 128, 128]);
        assert_eq!(pixel([9, 9, 9], 0.0, [7, 80, 250]), [7, 80, 250]);
    }
}
