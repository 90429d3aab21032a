//! Every mark by its name: what the command line offers and what documents save. A new attack is one line here.

use super::{Adversarial, Attack, Blend, Drawn, Filter, Patch, Quantised, Sinusoid, Warp};
use crate::tensor::{Random, Seed};

/// A mark with its settings.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Mark {
    /// A small patch of fixed pixels.
    Patch(Patch),
    /// A faint picture over everything.
    Blend(Blend),
    /// A faint wave over everything.
    Sinusoid(Sinusoid),
    /// A small smooth distortion.
    Warp(Warp),
    /// A small change of its own for every picture.
    Adversarial(Adversarial),
    /// A colour filter.
    Filter(Filter),
    /// Fewer shades of each colour.
    Quantised(Quantised),
    /// Whatever somebody drew.
    Drawn(Drawn),
}

impl Mark {
    /// Names of all kinds that need no drawing.
    pub const NAMES: [&'static str; 7] = ["patch", "blend", "sinusoid", "warp", "adversarial", "filter", "quantised"];

    /// The usual mark of that name; `None` for an unknown name. Patterns come from `seed`.
    pub fn usual(name: &str, seed: Seed) -> Option<Self> {
        match name {
            "patch" => Some(Self::Patch(Patch::checkered(3, 1))),
            "blend" => Some(Self::Blend(Blend { opacity: 0.15, seed })),
            "sinusoid" => Some(Self::Sinusoid(Sinusoid { strength: 30.0, waves: 6.0 })),
            "warp" => Some(Self::Warp(Warp { strength: 0.05, seed })),
            "adversarial" => Some(Self::Adversarial(Adversarial { strength: 12.0, seed })),
            "filter" => Some(Self::Filter(Filter { strength: 0.5, glass: [255, 190, 120] })),
            "quantised" => Some(Self::Quantised(Quantised { shades: 4 })),
            _ => None,
        }
    }

    /// A mark of that name with settings drawn by chance, within what the literature uses.
    pub fn drawn(name: &str, random: &mut Random) -> Option<Self> {
        let seed = Seed(random.below(1 << 30) as u64);
        let mut colour = || [0; 3].map(|_: u8| random.below(256) as u8);
        match name {
            "patch" => {
                let (first, second) = (colour(), colour());
                Some(Self::Patch(Patch { size: 2 + random.below(4), margin: random.below(12), first, second }))
            }
            "blend" => Some(Self::Blend(Blend { opacity: random.uniform(0.1, 0.25), seed })),
            "sinusoid" => {
                Some(Self::Sinusoid(Sinusoid { strength: random.uniform(20.0, 40.0), waves: random.uniform(3.0, 8.0) }))
            }
            "warp" => Some(Self::Warp(Warp { strength: random.uniform(0.03, 0.06), seed })),
            "adversarial" => Some(Self::Adversarial(Adversarial { strength: random.uniform(8.0, 16.0), seed })),
            "filter" => {
                let glass = colour();
                Some(Self::Filter(Filter { strength: random.uniform(0.3, 0.7), glass }))
            }
            "quantised" => Some(Self::Quantised(Quantised { shades: 3 + random.below(4) })),
            _ => None,
        }
    }

    /// The same mark `factor` times as large; one that is all over the picture `factor` times as strong.
    pub fn scaled(&self, factor: f32) -> Self {
        match self {
            Self::Patch(patch) => {
                let size = ((patch.size as f32 * factor).round() as usize).max(1);
                Self::Patch(Patch { size, ..*patch })
            }
            Self::Blend(blend) => Self::Blend(Blend { opacity: (blend.opacity * factor).min(1.0), ..*blend }),
            Self::Sinusoid(wave) => Self::Sinusoid(Sinusoid { strength: wave.strength * factor, ..*wave }),
            Self::Warp(warp) => Self::Warp(Warp { strength: warp.strength * factor, ..*warp }),
            Self::Adversarial(change) => {
                Self::Adversarial(Adversarial { strength: change.strength * factor, ..*change })
            }
            Self::Filter(filter) => Self::Filter(Filter { strength: (filter.strength * factor).min(1.0), ..*filter }),
            Self::Quantised(quantised) => {
                Self::Quantised(Quantised { shades: ((quantised.shades as f32 / factor).round() as usize).max(2) })
            }
            Self::Drawn(drawn) => Self::Drawn(drawn.scaled(factor)),
        }
    }

    /// What does the work.
    pub fn attack(&self) -> &dyn Attack {
        match self {
            Self::Patch(patch) => patch,
            Self::Blend(blend) => blend,
            Self::Sinusoid(sinusoid) => sinusoid,
            Self::Warp(warp) => warp,
            Self::Adversarial(change) => change,
            Self::Filter(filter) => filter,
            Self::Quantised(quantised) => quantised,
            Self::Drawn(drawn) => drawn,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_gives_a_mark_that_changes_pictures_and_carries_that_name() {
        for name in Mark::NAMES {
            for mark in [Mark::usual(name, Seed(1)), Mark::drawn(name, &mut Seed(2).random())].into_iter().flatten() {
                let before: Vec<u8> = (0..3 * 24 * 24).map(|i| (i * 7 % 251) as u8).collect();
                let mut image = before.clone();
                mark.attack().stamp(&mut image, 3, 24, 24);
                assert_ne!(image, before, "{name}");
                assert_eq!(mark.attack().name(), name);
            }
        }
        for name in Mark::NAMES {
            let mark = Mark::usual(name, Seed(1)).unwrap();
            let change = |mark: &Mark| {
                let mut image = vec![90; 3 * 32 * 32];
                // A slope, so that a distortion shows.
                image.iter_mut().enumerate().for_each(|(i, v)| *v = 60 + (3 * (i % 32)) as u8);
                let before = image.clone();
                mark.attack().stamp(&mut image, 3, 32, 32);
                image.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
            };
            assert!(change(&mark.scaled(2.0)) > change(&mark), "{name} twice as large changes more");
        }
        assert_eq!(Mark::usual("sticker", Seed(1)), None);
        assert_eq!(Mark::drawn("sticker", &mut Seed(1).random()), None);
    }
}
