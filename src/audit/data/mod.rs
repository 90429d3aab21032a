//! A set of images that may be poisoned: which labels, and which pictures.
//!
//! In: a [`DataOrder`]. Out: a [`DataAudit`], plain data. Three detectors look at every label: pixels that only its pictures
//! share ([`crate::detect::fixed_mark`]), two groups inside a network ([`crate::detect::activation_clustering`]), and the
//! rank of each picture's spectral signature ([`crate::detect::spectral`]). What they mean is decided in `verdict/data.rs`;
//! what was measured stands in docs/datasets.md. Never prints, never writes, never deletes a picture.

mod document;
mod networks;
mod run;

pub use document::{DataAudit, DataOrder, GroupSeen, LabelOfData, SuspectPicture, SuspectedBy, TwoGroups};
pub use run::run;
