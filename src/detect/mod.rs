//! Detectors, one file each. In: a suspect [`Classifier`](crate::model::Classifier), clean images,
//! reference models. Out: evidence, numbers and pictures per label, never a verdict.

mod evidence;

pub use evidence::{Example, Picture, ShotEvidence, TriggerEvidence};
