//! One model, poisoned as ordered, and what is true of it.

use crate::images::{self, ImageError, ImageSet};
use crate::model::{ModelError, onnx};
use crate::poison::{Mark, Scheme, poison, stamped};
use crate::progress::Monitor;
use crate::tensor::Seed;
use crate::train::{self, Recipe, TrainError, Trained};
use candle_core::Device;

/// One backdoor: a mark, whom it is meant for, and the share of the training images that carries it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Planted {
    /// What is put on pictures.
    pub mark: Mark,
    /// What they become.
    pub scheme: Scheme,
    /// Share of all training images, in `[0, 1]`.
    pub rate: f32,
}

/// A trained model and what is true of it.
#[derive(Debug, Clone)]
pub struct Built {
    /// The model.
    pub trained: Trained,
    /// Accuracy on clean test images, in `[0, 1]`.
    pub accuracy: f32,
    /// Success rate of each backdoor on test images it is meant for, in `[0, 1]`.
    pub success: Vec<f32>,
}

/// Why a model could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// An order that makes no sense.
    #[error("{0}")]
    Order(String),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A model could not be written as ONNX.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// Measuring a model failed.
    #[error(transparent)]
    Images(#[from] ImageError),
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
}

impl LabError {
    /// Whether somebody asked to stop, rather than something going wrong.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Stopped(_) | Self::Train(TrainError::Stopped(_)) | Self::Images(ImageError::Stopped(_)))
    }
}

impl Built {
    /// The model as an ONNX file.
    ///
    /// # Errors
    /// Where it cannot be written as ONNX.
    pub fn onnx(&self) -> Result<Vec<u8>, LabError> {
        Ok(onnx_bytes(&self.trained)?)
    }
}

/// Trains on `training` with all of `planted` in it, none for an honest model, and measures on `test`.
///
/// # Errors
/// [`LabError`], a sentence.
pub fn build(
    training: &ImageSet,
    test: &ImageSet,
    planted: &[Planted],
    recipe: &Recipe,
    monitor: &Monitor,
) -> Result<Built, LabError> {
    let labels = training.names.len();
    let mut poisoned = training.clone();
    for (i, backdoor) in planted.iter().enumerate() {
        possible(backdoor, labels)?;
        let seed = recipe.seed.of("backdoor").nth(i);
        poisoned = poison(&poisoned, backdoor.mark.attack(), backdoor.scheme, backdoor.rate, seed);
    }
    let trained = train::train(&poisoned, recipe, &Device::Cpu, &monitor.part(0.0, 0.95))?;
    let measure = monitor.part(0.95, 1.0);
    let (accuracy, _) = images::accuracy(&trained.classifier, test, &measure)?;
    let mut success = Vec::with_capacity(planted.len());
    for backdoor in planted {
        let marked = stamped(test, backdoor.mark.attack(), backdoor.scheme);
        success.push(if marked.is_empty() { 0.0 } else { images::accuracy(&trained.classifier, &marked, &measure)?.0 });
    }
    Ok(Built { trained, accuracy, success })
}

/// A trained model as an ONNX file.
pub(in crate::poison) fn onnx_bytes(trained: &Trained) -> Result<Vec<u8>, ModelError> {
    let model = &trained.model;
    onnx::write(&model.graph, &model.parameters, &model.input, model.classes)
}

pub(super) fn possible(backdoor: &Planted, labels: usize) -> Result<(), LabError> {
    let beyond = |what: &str, label: usize| {
        (label >= labels).then(|| {
            LabError::Order(format!(
                "there is no label {label} for the {what}: the images have labels 0 to {}",
                labels - 1
            ))
        })
    };
    let wrong = match backdoor.scheme {
        Scheme::AllToOne { target } | Scheme::CleanLabel { target } => beyond("target", target),
        Scheme::OneToOne { source, target } => beyond("target", target)
            .or_else(|| beyond("source", source))
            .or_else(|| (source == target).then(|| LabError::Order("source and target are the same label".into()))),
        Scheme::AllToAll => None,
    };
    wrong.map_or(Ok(()), Err)
}

/// A seed for the `attempt`-th try at the same model.
pub(super) fn another(recipe: &Recipe, attempt: usize) -> Seed {
    if attempt == 0 { recipe.seed } else { recipe.seed.of("attempt").nth(attempt) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs;
    use crate::train::Architecture;

    fn recipe() -> Recipe {
        Recipe {
            architecture: Architecture::Tiny,
            epochs: 1,
            batch: 16,
            learning_rate: 4e-3,
            augment: false,
            held_out: 0.0,
            seed: Seed(1),
        }
    }

    #[test]
    fn an_order_that_makes_no_sense_is_refused_in_words() {
        let few = signs::sign_set(2, Seed(1));
        let mark = Mark::usual("patch", Seed(1)).unwrap();
        let refused = |scheme| {
            let planted = [Planted { mark: mark.clone(), scheme, rate: 0.1 }];
            build(&few, &few, &planted, &recipe(), &Monitor::silent()).unwrap_err().to_string()
        };
        let last = few.names.len() - 1;
        assert_eq!(
            refused(Scheme::AllToOne { target: 99 }),
            format!("there is no label 99 for the target: the images have labels 0 to {last}")
        );
        assert!(refused(Scheme::OneToOne { source: 99, target: 1 }).contains("for the source"));
        assert!(refused(Scheme::OneToOne { source: 1, target: 1 }).contains("the same label"));
    }

    #[test]
    fn the_same_order_gives_the_same_file_and_its_truth() {
        let few = signs::sign_set(3, Seed(1));
        let mark = Mark::usual("patch", Seed(1)).unwrap();
        let planted = [Planted { mark, scheme: Scheme::AllToAll, rate: 0.1 }];
        let make = |planted: &[Planted]| build(&few, &few, planted, &recipe(), &Monitor::silent()).unwrap();
        let (one, two, honest) = (make(&planted), make(&planted), make(&[]));
        assert_eq!(one.onnx().unwrap(), two.onnx().unwrap());
        assert_ne!(one.onnx().unwrap(), honest.onnx().unwrap());
        assert_eq!((one.success.len(), honest.success.len()), (1, 0));
        assert!((0.0..=1.0).contains(&one.accuracy));
    }
}
