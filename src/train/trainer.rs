//! Training one step at a time, so that whoever owns it can look at the network in between, wait, and go on.
//!
//! In: images and a [`Recipe`]. Out: after every [`Trainer::step`] the loss of that step, and the network as it is by
//! then. The steps are the same ones, in the same order, whether they are done in one go or with pauses.

use super::adamw::{self, AdamW};
use super::augment::augmented;
use super::learn::{Recipe, TrainError, order};
use super::standardise::standardised;
use crate::images::ImageSet;
use crate::model::{Classifier, Model, Parameters, Preprocessing};
use crate::tensor::{Random, Seed, loss};
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

/// Share of the steps during which the learning rate rises.
const WARM_UP: f64 = 0.06;
/// Images the weights are scaled to before training.
const FIRST_LOOK: usize = 128;

/// How far a training has come: with it, the same training goes on as if it had never been interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    done: usize,
    numbers: adamw::State,
}

/// A network that is being trained.
pub struct Trainer {
    images: ImageSet,
    recipe: Recipe,
    /// Graph and shape of the network; its numbers are those before training.
    model: Model,
    /// The network whose numbers the optimiser changes.
    classifier: Classifier,
    optimiser: AdamW,
    random: Random,
    /// Images of the pass in hand, in the order they are shown.
    pass: Vec<usize>,
    steps_a_pass: usize,
    done: usize,
}

impl Trainer {
    /// An untrained network for `images`, all of which will be learned from.
    ///
    /// # Errors
    /// [`TrainError`] where no network can learn from such images, or the device cannot hold it.
    pub fn new(images: ImageSet, recipe: &Recipe, device: &Device) -> Result<Self, TrainError> {
        let (channels, size) = (images.channels, [images.height, images.width]);
        let mut model = recipe.architecture.untrained(channels, size, images.names.len(), recipe.seed)?;
        let first = images.tensor(&some_of(&images, recipe.seed), &Device::Cpu)?;
        model.parameters = standardised(&model.graph, &model.parameters, &first)?;
        let start = Classifier::new(&model, Preprocessing::unit(size, channels), device)?;
        let mut variables = Vec::new();
        let mut parameters = Parameters::new();
        for (name, tensor) in start.parameters() {
            let variable = Var::from_tensor(tensor)?;
            parameters.insert(name.clone(), variable.as_tensor().clone());
            variables.push((name.clone(), variable));
        }
        let steps_a_pass = order(&images, &mut recipe.seed.random()).len().div_ceil(recipe.batch.max(1));
        Ok(Self {
            classifier: start.with_parameters(parameters),
            optimiser: AdamW::new(variables)?,
            random: recipe.seed.of("order").random(),
            pass: Vec::new(),
            steps_a_pass,
            done: 0,
            recipe: recipe.clone(),
            images,
            model,
        })
    }

    /// Steps that were done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Steps of the whole training.
    pub fn steps(&self) -> usize {
        self.recipe.epochs * self.steps_a_pass
    }

    /// Steps of one pass over the images.
    pub fn steps_a_pass(&self) -> usize {
        self.steps_a_pass
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.done >= self.steps()
    }

    /// Shows the network one batch and corrects it; the batch's mean loss before that, a scalar without gradient.
    /// After the last step it does nothing more and says `None`.
    ///
    /// # Errors
    /// [`TrainError`] where the arithmetic fails.
    pub fn step(&mut self) -> Result<Option<Tensor>, TrainError> {
        if self.is_finished() {
            return Ok(None);
        }
        let place = self.done % self.steps_a_pass;
        if place == 0 {
            self.pass = order(&self.images, &mut self.random);
        }
        let batch = self.recipe.batch.max(1);
        let indices = &self.pass[place * batch..((place + 1) * batch).min(self.pass.len())];
        let device = self.classifier.device();
        let share = self.done as f64 / self.steps().max(1) as f64;
        let rate = f64::from(self.recipe.learning_rate) * schedule(share);
        let x = if self.recipe.augment {
            augmented(&self.images, indices, self.recipe.seed.of("augment").nth(self.done), &device)?
        } else {
            self.images.tensor(indices, &device)?
        };
        let labels = self.images.truth(indices, &device)?;
        let loss = loss::cross_entropy(&self.classifier.logits(&x)?, &labels)?.mean_all()?;
        self.optimiser.step(&loss.backward()?, rate)?;
        self.done += 1;
        Ok(Some(loss.detach()))
    }

    /// How far it has come.
    pub(super) fn place(&self) -> Result<Place, TrainError> {
        Ok(Place { done: self.done, numbers: self.optimiser.state()? })
    }

    /// Goes on from where the same training had come to; `false`, and nothing changes, where that was of another one.
    pub(super) fn go_on_from(&mut self, place: &Place) -> Result<bool, TrainError> {
        if place.done > self.steps() || !self.optimiser.fits(&place.numbers) {
            return Ok(false);
        }
        self.optimiser.go_on_from(&place.numbers)?;
        self.done = place.done;
        // The passes that were begun, drawn once more.
        self.random = self.recipe.seed.of("order").random();
        for _ in 0..self.done.div_ceil(self.steps_a_pass) {
            self.pass = order(&self.images, &mut self.random);
        }
        Ok(true)
    }

    /// The network as it is now, apart from the one that is trained on.
    ///
    /// # Errors
    /// Where the device cannot hold a copy.
    pub fn classifier(&self) -> Result<Classifier, TrainError> {
        let numbers = self.classifier.parameters().iter().map(|(name, v)| Ok((name.clone(), v.copy()?.detach())));
        Ok(self.classifier.with_parameters(numbers.collect::<candle_core::Result<Parameters>>()?))
    }

    /// The same as an opened model would be, to be written to a file; `path` and `sha256` are empty.
    ///
    /// # Errors
    /// Where there is no memory for a copy.
    pub fn model(&self) -> Result<Model, TrainError> {
        let numbers = self.classifier.parameters().iter();
        // Copied before it is moved: on a processor the move alone would go on showing what is trained.
        let copies = numbers.map(|(name, p)| Ok((name.clone(), p.copy()?.detach().to_device(&Device::Cpu)?)));
        Ok(Model { parameters: copies.collect::<candle_core::Result<_>>()?, ..self.model.clone() })
    }

    /// How it is trained.
    pub(super) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What it learns from.
    pub fn images(&self) -> &ImageSet {
        &self.images
    }
}

/// Images that stand for all when the network is started.
fn some_of(images: &ImageSet, seed: Seed) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..images.len()).collect();
    seed.of("first look").random().shuffle(&mut indices);
    indices.truncate(FIRST_LOOK);
    indices
}

/// Factor on the learning rate after a share of the steps: up along a line, down along a cosine.
fn schedule(share: f64) -> f64 {
    if share < WARM_UP {
        return 0.1 + 0.9 * share / WARM_UP;
    }
    let rest = (share - WARM_UP) / (1.0 - WARM_UP);
    0.5 * (1.0 + (std::f64::consts::PI * rest).cos())
}
