//! Models with a known truth: one poisoned as ordered, or a whole zoo drawn by chance, to learn from and to measure
//! detectors with.
//!
//! In: images and a [`Recipe`](crate::train::Recipe), or a seed and a number. Out: trained models, what is true of them, ONNX files.

mod build;
mod zoo;

pub(super) use build::onnx_bytes;
pub use build::{Built, LabError, Planted, build};
pub use zoo::{Entry, ZooPlan, write};
