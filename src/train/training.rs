//! A training from its beginning to its end: AdamW, cosine schedule, augmentation; held-out accuracy at the end. It can be left
//! after any step, written down, and gone on with.
//!
//! In: images and a [`Recipe`]. Out: a [`Trained`] network. Whoever wants to look at the network in between takes a
//! [`Trainer`].

use super::learn::{Recipe, TrainError, Trained, parts};
use super::trainer::{Place, Trainer};
use crate::images::{self, ImageSet};
use crate::progress::{Monitor, Stepwise};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Share of the work after which only the accuracy is left to be measured.
const LEARNED: f32 = 0.97;

/// A network, how far it is trained, and what it is measured on in the end.
pub struct Training {
    trainer: Trainer,
    held_out: ImageSet,
    /// Mean loss of each pass that is through.
    losses: Vec<f32>,
    /// Sum of the losses of the pass in hand.
    sum: Tensor,
}

/// How far a training has come: with it, the same training goes on as if it had never been interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    place: Place,
    losses: Vec<f32>,
    sum: f32,
}

impl Training {
    /// A training that has not begun.
    ///
    /// # Errors
    /// [`TrainError`] where no network can learn from such images, or the device cannot hold it.
    pub fn new(images: &ImageSet, recipe: &Recipe, device: &Device) -> Result<Self, TrainError> {
        let (training, held_out) = parts(images, recipe)?;
        let trainer = Trainer::new(training, recipe, device)?;
        Ok(Self { trainer, held_out, losses: Vec::new(), sum: Tensor::new(0_f32, device)? })
    }

    fn end_of_a_pass(&mut self) -> Result<(), TrainError> {
        let mean = self.sum.to_scalar::<f32>()? / self.trainer.steps_a_pass() as f32;
        self.sum = self.sum.zeros_like()?;
        if !mean.is_finite() {
            let epochs = self.losses.len() + 1;
            return Err(TrainError::Diverged { epochs, learning_rate: self.trainer.recipe().learning_rate });
        }
        self.losses.push(mean);
        Ok(())
    }

    /// The network as it is now, measured on the images kept out.
    ///
    /// # Errors
    /// [`TrainError`] where asking fails or somebody stops it.
    pub fn finish(self, monitor: &Monitor) -> Result<Trained, TrainError> {
        let (classifier, model) = (self.trainer.classifier()?, self.trainer.model()?);
        let judge = if self.held_out.is_empty() { self.trainer.images() } else { &self.held_out };
        let (accuracy, _) = images::accuracy(&classifier, judge, &monitor.part(LEARNED, 1.0))?;
        Ok(Trained { classifier, model, accuracy, losses: self.losses })
    }
}

impl Stepwise for Training {
    type State = Progress;
    type Error = TrainError;

    fn steps_taken(&self) -> usize {
        self.trainer.done()
    }

    fn is_over(&self) -> bool {
        self.trainer.is_finished()
    }

    fn step(&mut self, monitor: &Monitor) -> Result<(), TrainError> {
        let share = self.trainer.done() as f32 / self.trainer.steps().max(1) as f32;
        let stage = format!("Training, pass {} of {}", self.losses.len() + 1, self.trainer.recipe().epochs);
        monitor.part(0.0, LEARNED).step(stage, share);
        let Some(loss) = self.trainer.step()? else { return Ok(()) };
        self.sum = (&self.sum + loss)?;
        if self.trainer.done().is_multiple_of(self.trainer.steps_a_pass()) {
            self.end_of_a_pass()?;
        }
        Ok(())
    }

    fn state(&self) -> Result<Progress, TrainError> {
        Ok(Progress { place: self.trainer.place()?, losses: self.losses.clone(), sum: self.sum.to_scalar()? })
    }

    fn go_on_from(&mut self, progress: Progress) -> Result<(), TrainError> {
        if self.trainer.go_on_from(&progress.place)? {
            self.sum = Tensor::new(progress.sum, self.sum.device())?;
            self.losses = progress.losses;
        }
        Ok(())
    }
}
