//! What the lab is asked for, as it is shown, saved and exchanged; and the pictures that come of it.
//!
//! In: a [`LabOrder`]. Out: [`Pictures`], some to learn from and some to measure on. The same order gives the same
//! pictures, and the same models.

use super::build::{LabError, Planted};
use crate::images::{self, ImageSet, Wanted};
use crate::poison::{Ready, Scheme, signs};
use crate::progress::Monitor;
use crate::tensor::Seed;
use crate::train::{Architecture, Recipe};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Share of a person's own images that is measured on.
const TEST: f32 = 0.2;
/// Signs of each label that are measured on.
const TEST_SIGNS: usize = 25;
/// Images of a person's own that are learned from at most: the network is to be ready within a minute.
const MOST: usize = 4000;
/// Longest side of a person's own pictures after they were made smaller, in pixels.
const SIDE: usize = 64;

/// Where the pictures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LabImages {
    /// Road signs that the program draws.
    Signs {
        /// Signs of each label to learn from.
        training: usize,
    },
    /// Images of one's own, of any source that is read.
    Own {
        /// The folder or file.
        path: PathBuf,
    },
}

/// One experiment: pictures, a backdoor, and how the network is trained. A rate of zero is an honest model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabOrder {
    /// Where the pictures come from.
    pub images: LabImages,
    /// The mark, what it is to mean, and the share of the training pictures that carries it.
    pub planted: Planted,
    /// How both networks are trained.
    pub recipe: Recipe,
}

/// Pictures of one experiment, all of one size; labels have the same names in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// Clean pictures to learn from.
    pub training: ImageSet,
    /// Clean pictures that are measured on and never learned from.
    pub test: ImageSet,
}

impl Default for LabOrder {
    /// A checkered square in the corner turns every sign into a speed limit of 80; some seconds on two cores.
    fn default() -> Self {
        let seed = Seed::default();
        Self {
            images: LabImages::Signs { training: 200 },
            planted: Planted {
                mark: Ready::Square.mark([signs::SIZE; 2], seed),
                scheme: Scheme::AllToOne { target: 2 },
                rate: Ready::Square.rate(),
            },
            recipe: Recipe {
                architecture: Architecture::Tiny,
                epochs: 12,
                batch: 32,
                learning_rate: 4e-3,
                // Every sign is drawn with its own light and tilt already, and marks are stamped before.
                augment: false,
                held_out: 0.0,
                seed,
            },
        }
    }
}

impl LabImages {
    /// Reads or draws them.
    ///
    /// # Errors
    /// [`LabError`], a sentence, where they cannot be read or learned from.
    pub fn gather(&self, seed: Seed, monitor: &Monitor) -> Result<Pictures, LabError> {
        match self {
            Self::Signs { training } => {
                monitor.step("Drawing signs", 0.0);
                let training = signs::sign_set(*training, seed.of("training"));
                monitor.check()?;
                Ok(Pictures { training, test: signs::sign_set(TEST_SIGNS, seed.of("test")) })
            }
            Self::Own { path } => {
                monitor.step("Reading the images", 0.0);
                let set = images::open(path, &Wanted::default(), &monitor.part(0.0, 0.9))?;
                let longest = set.height.max(set.width);
                let set = if longest > SIDE {
                    let smaller = |side: usize| (side * SIDE / longest).max(8);
                    set.resized([smaller(set.height), smaller(set.width)])
                } else {
                    set
                };
                monitor.check()?;
                let split = set.split(TEST, seed);
                let (training, test) = (split.search.sample(MOST, seed), split.held_out);
                let labels = training.by_label().iter().filter(|list| !list.is_empty()).count();
                if labels < 2 || test.is_empty() {
                    return Err(LabError::Order(format!(
                        "{} has pictures of {labels} label{}; the lab needs two labels with five pictures each",
                        path.display(),
                        if labels == 1 { "" } else { "s" }
                    )));
                }
                Ok(Pictures { training, test })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::images::npz_bytes;

    #[test]
    fn an_order_survives_being_saved() {
        let order = LabOrder::default();
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<LabOrder>(&text).unwrap(), order);
    }

    #[test]
    fn signs_to_measure_on_are_none_that_are_learned_and_own_images_are_split_and_made_smaller() {
        let signs = LabImages::Signs { training: 2 }.gather(Seed(1), &Monitor::silent()).unwrap();
        assert!((0..signs.test.len()).all(|i| signs.test.image(i) != signs.training.image(i % 24)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.npz");
        let large = signs::sign_set(5, Seed(3)).resized([64, 128]);
        std::fs::write(&path, npz_bytes(&large).unwrap()).unwrap();
        let own = LabImages::Own { path }.gather(Seed(1), &Monitor::silent()).unwrap();
        assert_eq!((own.training.height, own.training.width), (32, 64));
        assert_eq!((own.training.len(), own.test.len()), (48, 12));
    }

    #[test]
    fn images_of_one_label_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.npz");
        let one = signs::sign_set(5, Seed(3));
        let one = one.subset(&one.by_label()[0]);
        std::fs::write(&path, npz_bytes(&one).unwrap()).unwrap();
        let error = LabImages::Own { path }.gather(Seed(1), &Monitor::silent()).unwrap_err().to_string();
        assert!(error.ends_with("the lab needs two labels with five pictures each"), "{error}");
    }
}
