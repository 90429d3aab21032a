//! Attacks, one file each, for the lab and for building known-bad models; and the sample's signs.
//!
//! In: clean images. Out: the same images, some of them stamped and relabelled ([`poison`]), and road
//! signs drawn here ([`signs`]). Never judges a model: that is the work of `detect`.

mod attack;
mod patch;
pub mod sample;
pub mod signs;

pub use attack::{Attack, poison, stamped};
pub use patch::Patch;
