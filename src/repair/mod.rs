//! Repairs of a poisoned classifier: new numbers (or bounds on activations) that take the backdoor out and leave the
//! rest as it was.
//!
//! In: a [`Problem`]: the suspect, clean images in three parts, the recovered triggers, the aim. Out: a
//! [`Change`](crate::model::Change), what it does on images held back from it, and where a method has a trade-off the
//! other settings it measured. One file a method, one line in [`methods`]; nothing here knows a file format or a screen.

mod anp;
mod block;
mod choice;
mod clamp;
mod clp;
mod descent;
mod disturbance;
mod dots;
mod drive;
mod error;
mod fine_pruning;
mod ft_sam;
mod lesson;
mod measure;
mod probe;
mod problem;
mod sau;
mod trainable;
mod tune;
mod unlearn;

pub use choice::{Choice, Choices, Outcome};
pub use drive::{Attempt, Repaired, recommended, repair};
pub use error::RepairError;
pub use measure::{Counted, Measured, Stamp, Success, measure};
pub use problem::{Aim, Parts, Problem};
pub use trainable::trainable;

use crate::progress::Monitor;

/// A way to repair.
pub trait Repair: Sync {
    /// Short name for the command line and for files: "unlearning".
    fn name(&self) -> &'static str;
    /// What it changes, what it needs and what it costs, in a sentence or two.
    fn price(&self) -> &'static str;
    /// Whether it cannot begin without a recovered trigger.
    fn needs_trigger(&self) -> bool {
        false
    }
    /// Whether it cannot begin without clean images.
    fn needs_images(&self) -> bool {
        true
    }
    /// Whether it adds steps to the network, which not every kind of file has a place for.
    fn adds_steps(&self) -> bool {
        false
    }
    /// Works out the change. `watch` gets a [`Point`] whenever the model was measured on the validation images.
    ///
    /// # Errors
    /// [`RepairError`], a sentence; [`RepairError::Stopped`] where somebody stops the work.
    fn run(&self, problem: &Problem, watch: &(dyn Fn(Point) + Sync), monitor: &Monitor)
    -> Result<Outcome, RepairError>;
}

/// One measurement while a repair works.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// Share of the method's work that is done, in `[0, 1]`.
    pub done: f32,
    /// Clean accuracy on the validation images, in `[0, 1]`.
    pub accuracy: f32,
    /// Attack success rate of the recovered triggers there, in `[0, 1]`; `None` without a trigger.
    pub asr: Option<f32>,
}

impl Point {
    /// A measurement as a point of a curve.
    pub fn of(done: f32, measured: &Measured) -> Self {
        Self { done, accuracy: measured.accuracy, asr: measured.worst_asr() }
    }
}

/// Every method, in the order they are shown.
pub fn methods() -> [&'static dyn Repair; 7] {
    [
        &unlearn::Unlearning,
        &sau::Sau,
        &ft_sam::FtSam,
        &anp::Anp,
        &fine_pruning::FinePruning,
        &clamp::Clamping,
        &clp::Clp,
    ]
}

/// The method called `name`.
pub fn method(name: &str) -> Option<&'static dyn Repair> {
    methods().into_iter().find(|m| m.name() == name)
}

#[cfg(test)]
pub(crate) mod planted;
#[cfg(test)]
mod tests;
