//! Detectors, one file each. In: a suspect [`Classifier`](crate::model::Classifier), clean images,
//! reference models. Out: evidence, numbers and pictures per label, never a verdict.

pub mod activation_clustering;
pub mod all_to_all;
pub mod ban;
mod benign;
pub mod bti_dbf;
mod error;
mod evidence;
mod filter;
pub mod fixed_mark;
mod gathered;
mod gradient;
pub mod max_margin;
pub mod neural_cleanse;
mod outlier;
pub mod pairs;
pub mod poisdetc;
mod rank;
pub mod spectral;
mod trigger;
mod warp;

pub use error::DetectError;
pub use evidence::{AllToAll, Example, MarginEvidence, Picture, ShotEvidence, TriggerEvidence};
pub use gathered::Gathered;
pub use outlier::{Outlier, Spread, outliers};
pub use rank::lower_than;
pub use trigger::{Direction, Shape, Trigger};
