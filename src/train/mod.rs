//! A small training loop on our own graphs: reference models, lab models, the sample, fine-tuning.
//!
//! In: an [`ImageSet`](crate::images::ImageSet) and a [`Recipe`]. Out: a [`Trained`] classifier.
//! Knows nothing of poison, detectors or files.

mod adamw;
mod architecture;
mod augment;
mod learn;
mod standardise;
mod trainer;
mod training;

pub use architecture::Architecture;
#[cfg(test)]
pub(crate) use architecture::tiny;
pub use augment::augmented;
pub use learn::{Recipe, TrainError, Trained, train};
pub use trainer::Trainer;
pub use training::{Progress, Training};

#[cfg(test)]
mod tests;
