//! The training loop: AdamW, cosine schedule, augmentation; held-out accuracy at the end.

use super::Architecture;
use super::augment::augmented;
use super::standardise::standardised;
use crate::images::{self, ImageSet};
use crate::model::{Classifier, Model, Parameters, Preprocessing};
use crate::progress::Monitor;
use crate::tensor::{Random, Seed, loss};
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

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

/// Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), PyTorch's default.
const WEIGHT_DECAY: f64 = 0.01;
/// Share of the steps during which the learning rate rises.
const WARM_UP: f64 = 0.06;
/// Images the weights are scaled to before training.
const FIRST_LOOK: usize = 128;
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
    let (training, held_out) = parts(images, recipe)?;
    let (channels, size) = (images.channels, [images.height, images.width]);
    let mut model = recipe.architecture.untrained(channels, size, images.names.len(), recipe.seed)?;
    let first = training.tensor(&some_of(&training, recipe.seed), &Device::Cpu)?;
    model.parameters = standardised(&model.graph, &model.parameters, &first)?;
    let start = Classifier::new(&model, Preprocessing::unit(size, channels), device)?;
    let (classifier, losses) = fit(&start, &training, recipe, &monitor.part(0.0, 0.97))?;
    model.parameters = on_processor(classifier.parameters())?;
    let judge = if held_out.is_empty() { &training } else { &held_out };
    let (accuracy, _) = images::accuracy(&classifier, judge, &monitor.part(0.97, 1.0))?;
    Ok(Trained { classifier, model, accuracy, losses })
}

/// Images to learn from and images kept out, or why they will not do.
fn parts(images: &ImageSet, recipe: &Recipe) -> Result<(ImageSet, ImageSet), TrainError> {
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

/// Images that stand for all when the network is started.
fn some_of(images: &ImageSet, seed: Seed) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..images.len()).collect();
    seed.of("first look").random().shuffle(&mut indices);
    indices.truncate(FIRST_LOOK);
    indices
}

/// The classifier after training, and the mean loss of each epoch.
fn fit(
    start: &Classifier,
    images: &ImageSet,
    recipe: &Recipe,
    monitor: &Monitor,
) -> Result<(Classifier, Vec<f32>), TrainError> {
    let device = start.device();
    let mut variables = Vec::new();
    let mut parameters = Parameters::new();
    for (name, tensor) in start.parameters() {
        let variable = Var::from_tensor(tensor)?;
        parameters.insert(name.clone(), variable.as_tensor().clone());
        variables.push(variable);
    }
    let classifier = start.with_parameters(parameters);
    let settings = ParamsAdamW { lr: 0.0, weight_decay: WEIGHT_DECAY, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(variables, settings)?;
    let mut random = recipe.seed.of("order").random();
    let batch = recipe.batch.max(1);
    let steps_an_epoch = order(images, &mut recipe.seed.random()).len().div_ceil(batch);
    let steps = (recipe.epochs * steps_an_epoch).max(1);
    let mut losses = Vec::with_capacity(recipe.epochs);
    let mut step = 0;
    for epoch in 0..recipe.epochs {
        let mut sum = Tensor::zeros((), candle_core::DType::F32, &device)?;
        for indices in order(images, &mut random).chunks(batch) {
            monitor.check()?;
            let share = step as f64 / steps as f64;
            monitor.step(format!("Training, pass {} of {}", epoch + 1, recipe.epochs), share as f32);
            optimiser.set_learning_rate(f64::from(recipe.learning_rate) * schedule(share));
            let x = if recipe.augment {
                augmented(images, indices, recipe.seed.of("augment").nth(step), &device)?
            } else {
                images.tensor(indices, &device)?
            };
            let labels: Vec<u32> = indices.iter().map(|&i| images.labels[i] as u32).collect();
            let labels = Tensor::from_vec(labels, indices.len(), &device)?;
            let loss = loss::cross_entropy(&classifier.logits(&x)?, &labels)?.mean_all()?;
            optimiser.backward_step(&loss)?;
            sum = (sum + loss.detach())?;
            step += 1;
        }
        let mean = sum.to_scalar::<f32>()? / steps_an_epoch as f32;
        if !mean.is_finite() {
            return Err(TrainError::Diverged { epochs: epoch + 1, learning_rate: recipe.learning_rate });
        }
        losses.push(mean);
    }
    let learned = classifier.parameters().iter().map(|(name, v)| Ok((name.clone(), v.copy()?.detach())));
    let learned = learned.collect::<candle_core::Result<Parameters>>()?;
    Ok((classifier.with_parameters(learned), losses))
}

/// Factor on the learning rate after a share of the steps: up along a line, down along a cosine.
fn schedule(share: f64) -> f64 {
    if share < WARM_UP {
        return 0.1 + 0.9 * share / WARM_UP;
    }
    let rest = (share - WARM_UP) / (1.0 - WARM_UP);
    0.5 * (1.0 + (std::f64::consts::PI * rest).cos())
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

/// Parameters as they are written to files.
fn on_processor(parameters: &Parameters) -> Result<Parameters, TrainError> {
    let copies = parameters.iter().map(|(name, p)| Ok((name.clone(), p.to_device(&Device::Cpu)?)));
    Ok(copies.collect::<candle_core::Result<_>>()?)
}
