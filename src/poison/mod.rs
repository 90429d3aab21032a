//! Attacks, one file each, for the lab and for building known-bad models; and the sample's signs.
//!
//! In: clean images. Out: the same images, some of them stamped and relabelled ([`poison`]), models trained on them
//! ([`lab`]), and road signs drawn here ([`signs`]). Never judges a model: that is the work of `detect`.

mod adversarial;
mod attack;
mod blend;
mod drawn;
mod filter;
pub mod lab;
mod mark;
mod patch;
mod quantised;
mod ready;
pub mod sample;
mod scheme;
pub mod signs;
mod sinusoid;
mod warp;

pub use adversarial::Adversarial;
pub use attack::{Attack, poison, stamped};
pub use blend::Blend;
pub use drawn::{Drawn, DrawnError};
pub use filter::Filter;
pub use mark::Mark;
pub use patch::Patch;
pub use quantised::Quantised;
pub use ready::Ready;
pub use scheme::Scheme;
pub use sinusoid::Sinusoid;
pub use warp::Warp;
