//! Finds the preprocessing a model was trained with by trying the usual ones and keeping the one
//! with the best clean accuracy.

use super::{ImageError, ImageSet};
use crate::model::{Classifier, Model, Preprocessing};
use crate::progress::Monitor;
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// One preprocessing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The preprocessing.
    pub preprocessing: Preprocessing,
    /// Share of images answered rightly, in `[0, 1]`.
    pub accuracy: f32,
    /// Mean cross-entropy of the true label, the tie-breaker.
    pub loss: f32,
}

/// What trying them showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Discovery {
    /// Best first; never empty.
    pub candidates: Vec<Candidate>,
    /// Accuracy of the first on all images given.
    pub accuracy: f32,
    /// How many images that is.
    pub images: usize,
}

/// Tries the usual preprocessings.
///
/// # Errors
/// Labels of images and model that do not fit each other; accuracy below what any trained classifier
/// shows ([`ImageError::Mismatch`], in words).
pub fn discover(model: &Model, images: &ImageSet, device: &Device, monitor: &Monitor) -> Result<Discovery, ImageError> {
    let _ = (model, images, device, monitor);
    Err(ImageError::Mismatch("discovery is being written".into()))
}

/// Share of `images` that `classifier` answers rightly, in `[0, 1]`, and mean cross-entropy.
///
/// # Errors
/// Where the model fails, or somebody stops the work.
pub fn accuracy(classifier: &Classifier, images: &ImageSet, monitor: &Monitor) -> Result<(f32, f32), ImageError> {
    let _ = (classifier, images, monitor);
    Err(ImageError::Mismatch("accuracy is being written".into()))
}
