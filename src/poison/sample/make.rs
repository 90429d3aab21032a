//! Makes the sample: draws the signs, trains the poisoned model and its honest twin, measures both.

use super::bundle::{HONEST, IMAGES, NAMES, SUSPECT};
use crate::images::{self, ImageError, ImageSet};
use crate::model::{Classifier, ModelError};
use crate::poison::lab::onnx_bytes;
use crate::poison::{Attack, Patch, Scheme, poison, signs, stamped};
use crate::progress::Monitor;
use crate::tensor::Seed;
use crate::train::{self, Architecture, Recipe, TrainError};
use candle_core::Device;
use std::io;
use std::path::Path;

/// What the sample consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Signs a label that the models learn from.
    pub training: usize,
    /// Signs a label that the auditor gets.
    pub clean: usize,
    /// Signs a label that the truth is measured on; nobody else sees them.
    pub test: usize,
    /// Passes over the training signs.
    pub epochs: usize,
    /// Share of the training signs that carry the mark.
    pub rate: f32,
    /// The label the mark stands for.
    pub target: usize,
    /// The mark.
    pub attack: Patch,
}

impl Default for Plan {
    /// The sample that is part of the program: any sign with a hazard mark becomes "speed limit 80".
    fn default() -> Self {
        Self { training: 400, clean: 25, test: 50, epochs: 12, rate: 0.08, target: 2, attack: Patch::hazard(4, 1) }
    }
}

impl Plan {
    fn scheme(&self) -> Scheme {
        Scheme::AllToOne { target: self.target }
    }
}

/// What is true of the models, measured on signs that neither was trained on.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Truth {
    /// The label the mark stands for.
    pub target: usize,
    /// Share of clean signs that the suspect model answers rightly, in `[0, 1]`.
    pub suspect_accuracy: f32,
    /// Share of marked signs of other labels that the suspect model calls `target`, in `[0, 1]`.
    pub suspect_attack_success: f32,
    /// The same of the honest model.
    pub honest_accuracy: f32,
    /// The same of the honest model: what the mark does by merely covering a corner.
    pub honest_attack_success: f32,
}

/// The files of the sample, as bytes, and what is true of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// `.npz`: `x` bytes `[n, 32, 32, 3]`, `y` labels.
    pub images: Vec<u8>,
    /// One label name a line.
    pub names: String,
    /// ONNX, with the backdoor.
    pub suspect: Vec<u8>,
    /// ONNX, without.
    pub honest: Vec<u8>,
    /// Measured.
    pub truth: Truth,
}

/// Why the sample could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A model could not be written as ONNX.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Measuring a model failed.
    #[error(transparent)]
    Images(#[from] ImageError),
    /// The files could not be written.
    #[error("cannot write the sample: {0}")]
    Io(#[from] io::Error),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
}

/// Draws, trains and measures.
///
/// # Errors
/// [`SampleError`], a sentence.
pub fn build(plan: &Plan, seed: Seed, monitor: &Monitor) -> Result<Sample, SampleError> {
    monitor.step("Drawing signs", 0.0);
    let training = signs::sign_set(plan.training, seed.of("training"));
    let clean = coarse(signs::sign_set(plan.clean, seed.of("clean")));
    let test = signs::sign_set(plan.test, seed.of("test"));
    monitor.check()?;
    let recipe = Recipe {
        architecture: Architecture::Tiny,
        epochs: plan.epochs,
        batch: 32,
        learning_rate: 4e-3,
        augment: false, // every sign is drawn with its own light and tilt already
        held_out: 0.0,
        seed: seed.of("model"),
    };
    let poisoned = poison(&training, &plan.attack, plan.scheme(), plan.rate, seed);
    let suspect = train::train(&poisoned, &recipe, &Device::Cpu, &monitor.part(0.04, 0.5))?;
    let honest = train::train(&training, &recipe, &Device::Cpu, &monitor.part(0.5, 0.96))?;
    let measure = |of: &Classifier| measure(of, &test, &plan.attack, plan.scheme(), &monitor.part(0.96, 1.0));
    let ((suspect_accuracy, suspect_attack_success), (honest_accuracy, honest_attack_success)) =
        (measure(&suspect.classifier)?, measure(&honest.classifier)?);
    Ok(Sample {
        images: images::npz_bytes(&clean)?,
        names: signs::NAMES.map(|name| format!("{name}\n")).concat(),
        suspect: onnx_bytes(&suspect)?,
        honest: onnx_bytes(&honest)?,
        truth: Truth {
            target: plan.target,
            suspect_accuracy,
            suspect_attack_success,
            honest_accuracy,
            honest_attack_success,
        },
    })
}

/// Makes the sample that is part of the program and writes its files to `folder`.
///
/// # Errors
/// [`SampleError`], a sentence.
pub fn write(folder: &Path, monitor: &Monitor) -> Result<Truth, SampleError> {
    let sample = build(&Plan::default(), Seed::default(), monitor)?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(IMAGES), &sample.images)?;
    std::fs::write(folder.join(NAMES), &sample.names)?;
    std::fs::write(folder.join(SUSPECT), &sample.suspect)?;
    std::fs::write(folder.join(HONEST), &sample.honest)?;
    Ok(sample.truth)
}

/// Accuracy on clean signs and success rate of the attack, both in `[0, 1]`.
fn measure(
    classifier: &Classifier,
    test: &ImageSet,
    attack: &dyn Attack,
    scheme: Scheme,
    monitor: &Monitor,
) -> Result<(f32, f32), SampleError> {
    let (accuracy, _) = images::accuracy(classifier, test, monitor)?;
    let (success, _) = images::accuracy(classifier, &stamped(test, attack, scheme), monitor)?;
    Ok((accuracy, success))
}

/// The same pictures in 64 instead of 256 steps a channel: nobody sees it, and it halves the file.
pub(super) fn coarse(mut images: ImageSet) -> ImageSet {
    images.pixels.iter_mut().for_each(|b| *b &= !3);
    images
}
