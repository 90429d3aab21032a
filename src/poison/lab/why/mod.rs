//! Why a network answers as it does: where it looks, how it sorts pictures inside, what it mixes up, and how much
//! poison it takes.
//!
//! In: classifiers and pictures, or an order for the experiment. Out: plain numbers to be drawn. Never judges.

mod confusion;
mod features;
mod occlusion;
mod sweep;

pub use confusion::{Confusion, confusion};
pub use features::{Features, Place, features};
pub use occlusion::{Attention, attention};
pub use sweep::{Knob, SweepPoint, sweep};
