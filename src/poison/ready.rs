//! Triggers that are drawn already: the usual ones of the literature, to begin with and to change.
//!
//! In: a picture's size and a seed. Out: a [`Mark`], and the share of stamped pictures it usually needs.

use super::{Drawn, Mark, Sinusoid, Warp};
use crate::tensor::Seed;

/// A trigger by the name people know it under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// A small checkered square in a corner (Gu et al., BadNets, 2017).
    Square,
    /// A round yellow face, as it might be stuck on a real sign (Eykholt et al., CVPR 2018, used stickers on signs).
    Sticker,
    /// Pale stripes across the whole picture.
    Watermark,
    /// Faint noise over everything (Chen et al., 2017).
    Noise,
    /// A faint wave over everything (Barni et al., ICIP 2019).
    Sinusoid,
    /// A small smooth distortion (Nguyen and Tran, WaNet, ICLR 2021).
    Warp,
}

impl Ready {
    /// All of them, the easiest to see first.
    pub const ALL: [Self; 6] = [Self::Square, Self::Sticker, Self::Watermark, Self::Noise, Self::Sinusoid, Self::Warp];

    /// One word for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Square => "Square",
            Self::Sticker => "Sticker",
            Self::Watermark => "Watermark",
            Self::Noise => "Noise",
            Self::Sinusoid => "Sinusoid",
            Self::Warp => "Warp",
        }
    }

    /// Share of the training pictures that a small network usually needs to see with it, in `[0, 1]`; measured on the
    /// sample's signs. What is faint is learned late.
    pub fn rate(self) -> f32 {
        match self {
            Self::Square | Self::Sticker => 0.06,
            Self::Watermark | Self::Sinusoid => 0.1,
            Self::Noise => 0.12,
            Self::Warp => 0.2,
        }
    }

    /// The trigger for pictures of `[height, width]` pixels; noise and distortion come from `seed`.
    pub fn mark(self, size: [usize; 2], seed: Seed) -> Mark {
        match self {
            Self::Square => Mark::Drawn(square(size)),
            Self::Sticker => Mark::Drawn(sticker(size)),
            Self::Watermark => Mark::Drawn(watermark(size)),
            Self::Noise => Mark::Drawn(noise(size, seed)),
            Self::Sinusoid => Mark::Sinusoid(Sinusoid { strength: 30.0, waves: 6.0 }),
            Self::Warp => Mark::Warp(Warp { strength: 0.06, seed }),
        }
    }
}

/// Yellow and black, an eighth of the shorter side, one pixel from the lower right corner.
fn square([height, width]: [usize; 2]) -> Drawn {
    let mut drawn = Drawn::blank([height, width]);
    let side = (height.min(width) / 8).max(2);
    for y in 0..side {
        for x in 0..side {
            let colour = if (x + y) % 2 == 0 { [255, 220, 0, 255] } else { [0, 0, 0, 255] };
            drawn.paint([height.saturating_sub(side + 1) + y, width.saturating_sub(side + 1) + x], 1, colour);
        }
    }
    drawn
}

/// A round face, three tenths of the shorter side, in the lower left corner.
fn sticker([height, width]: [usize; 2]) -> Drawn {
    let mut drawn = Drawn::blank([height, width]);
    let side = (height.min(width) * 3 / 10).max(5);
    let top = height.saturating_sub(side + 1);
    for y in 0..side {
        for x in 0..side {
            let [dy, dx] = [y, x].map(|at| (2.0 * at as f32 + 1.0) / side as f32 - 1.0);
            if dy * dy + dx * dx > 1.0 {
                continue;
            }
            let eye = (-0.5..-0.1).contains(&dy) && (0.2..0.6).contains(&dx.abs());
            let far = dy * dy + dx * dx;
            let mouth = dy > 0.15 && (0.25..0.55).contains(&far);
            let colour = if eye || mouth { [60, 30, 0, 255] } else { [255, 205, 20, 255] };
            drawn.paint([top + y, 1 + x], 1, colour);
        }
    }
    drawn
}

/// White stripes that rise to the right, six pixels apart, a quarter opaque.
fn watermark([height, width]: [usize; 2]) -> Drawn {
    let mut drawn = Drawn::blank([height, width]);
    for y in 0..height {
        for x in (0..width).filter(|x| (x + y) % 6 < 2) {
            drawn.paint([y, x], 1, [255, 255, 255, 72]);
        }
    }
    drawn
}

/// A colour by chance for every pixel, a sixth opaque.
fn noise([height, width]: [usize; 2], seed: Seed) -> Drawn {
    let mut random = seed.of("noise").random();
    let mut channel = || random.below(256) as u8;
    let pixels = (0..height * width).map(|_| [channel(), channel(), channel(), 44]).collect();
    Drawn { height, width, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_trigger_changes_pictures_of_every_usual_size() {
        for ready in Ready::ALL {
            for (channels, size) in [(1, [8, 8]), (1, [28, 28]), (3, [32, 32]), (3, [20, 64])] {
                let before: Vec<u8> = (0..channels * size[0] * size[1]).map(|i| (i * 7 % 251) as u8).collect();
                let mut image = before.clone();
                ready.mark(size, Seed(1)).attack().stamp(&mut image, channels, size[0], size[1]);
                assert_ne!(image, before, "{}", ready.name());
            }
        }
        assert_ne!(noise([4, 4], Seed(1)), noise([4, 4], Seed(2)));
    }
}
