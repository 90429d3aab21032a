//! What is trained and how, what comes of it, and why it can fail.

use super::{Architecture, Training};
use crate::images::ImageSet;
use crate::model::{Classifier, Model, Preprocessing};
use crate::progress::{Monitor, Stepwise};
use crate::tensor::{Random, Seed};
use candle_core::Device;

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Recipe {
    /// Which network.
    pub architecture: Architecture,
    /// Passes over the images.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Adam's step at its largest; rises during the first steps, then falls along a cosine to zero.
    pub learning_rate: f32,
    /// Shifts, brightness and contrast, small turns; never mirror images (signs and digits change meaning).
    pub augment: bool,
    /// Share of images kept out of training to measure accuracy on, in `[0, 1)`.
    pub held_out: f32,
    /// Weights, order and augmentation come from this.
    pub seed: Seed,
}

/// Pictures of 32x32 pixels, three channels, that a reference model sees in all: some seconds of work.
const REFERENCE_VIEWS: usize = 30_000;

impl Recipe {
    /// The network before it is trained, to be given the numbers of one that was.
    ///
    /// # Errors
    /// [`TrainError`] where the network cannot be built for such images.
    pub fn network(&self, images: &ImageSet, device: &Device) -> Result<Classifier, TrainError> {
        let (channels, size) = (images.channels, [images.height, images.width]);
        let model = self.architecture.untrained(channels, size, images.names.len(), self.seed)?;
        Ok(Classifier::new(&model, Preprocessing::unit(size, channels), device)?)
    }

    /// A reference model for these images, trained in some seconds.
    pub fn reference(images: &ImageSet, seed: Seed) -> Self {
        let n = images.len().max(1);
        // Larger pictures cost more each, so they are seen less often, but never fewer than 8 times.
        let cost = (images.height * images.width) as f32 / (32.0 * 32.0);
        let views = REFERENCE_VIEWS as f32 / cost.clamp(0.75, 4.0);
        Self {
            architecture: Architecture::Small,
            epochs: ((views / n as f32).round() as usize).clamp(4, 40),
            batch: 16,
            learning_rate: 4e-3,
            augment: true,
            held_out: 0.2,
            seed,
        }
    }
}

/// A model trained here.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Ready to be asked.
    pub classifier: Classifier,
    /// The same as an opened model would be, to be written to a file; `path` and `sha256` are empty.
    pub model: Model,
    /// Accuracy on the images kept out, in `[0, 1]`; of the training images where none were kept out.
    pub accuracy: f32,
    /// Mean loss of each epoch.
    pub losses: Vec<f32>,
}

/// Why training failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Images that cannot be learned from, in words.
    #[error("{0}")]
    Images(String),
    /// The loss became infinite or no number.
    #[error("training ran away after {epochs} passes; try a smaller learning rate than {learning_rate}")]
    Diverged {
        /// Passes that were finished.
        epochs: usize,
        /// Of the recipe.
        learning_rate: f32,
    },
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// The graph failed.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Asking the images failed.
    #[error(transparent)]
    ImageSet(#[from] crate::images::ImageError),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
}

/// Trains a network from nothing. The same images and recipe give the same model on the same machine
/// (another processor may round sums differently).
///
/// # Errors
/// [`TrainError`], a sentence.
pub fn train(images: &ImageSet, recipe: &Recipe, device: &Device, monitor: &Monitor) -> Result<Trained, TrainError> {
    let mut training = Training::new(images, recipe, device)?;
    training.advance(usize::MAX, monitor)?;
    training.finish(monitor)
}

/// Images to learn from and images kept out, or why they will not do.
pub(super) fn parts(images: &ImageSet, recipe: &Recipe) -> Result<(ImageSet, ImageSet), TrainError> {
    let labels = images.by_label().iter().filter(|list| !list.is_empty()).count();
    if labels < 2 {
        return Err(TrainError::Images(format!(
            "a model cannot be trained on images of {labels} label{}; at least two labels need images",
            if labels == 1 { "" } else { "s" }
        )));
    }
    if recipe.held_out > 0.0 {
        let split = images.split(recipe.held_out, recipe.seed);
        return Ok((split.search, split.held_out));
    }
    Ok((images.clone(), images.subset(&[])))
}

/// Every image once in shuffled order; images of rare labels several times, so that a label with a
/// hundredth of the images of the most frequent one still gets a tenth of its attention.
pub(super) fn order(images: &ImageSet, random: &mut Random) -> Vec<usize> {
    let lists = images.by_label();
    let most = lists.iter().map(Vec::len).max().unwrap_or(0) as f32;
    let mut order: Vec<usize> = lists
        .into_iter()
        .filter(|list| !list.is_empty())
        .flat_map(|list| {
            let times = (most / list.len() as f32).sqrt().round().clamp(1.0, 10.0) as usize;
            list.repeat(times)
        })
        .collect();
    random.shuffle(&mut order);
    order
}
