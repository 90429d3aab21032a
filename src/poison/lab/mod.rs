//! Models with a known truth: one poisoned as ordered, one beside its clean twin step by step, or a whole zoo drawn by
//! chance; to learn from and to measure detectors with.
//!
//! In: images and a [`Recipe`](crate::train::Recipe), a [`LabOrder`], or a seed and a number. Out: trained models, what
//! is true of them, why they answer as they do ([`why`]), ONNX files, folders to exchange ([`save`], [`open`]).

mod asked;
mod build;
mod challenge;
mod folder;
mod handing;
mod moment;
mod order;
mod pair;
mod session;
pub mod why;
mod zoo;

pub use asked::{Answer, asked};
pub(super) use build::onnx_bytes;
pub use build::{Built, LabError, Planted, build};
pub use challenge::{Judgement, Mark as ChallengeMark, challenge, marked};
pub use folder::{open, save, write_pictures};
pub use handing::Handed;
pub use moment::{Moment, Numbers, Said, Watched};
pub use order::{LabImages, LabOrder, Pictures};
pub use pair::Pair;
pub use session::Session;
pub use zoo::{Entry, ZooPlan, write};
