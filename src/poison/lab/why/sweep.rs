//! How much poison it takes: the same network trained anew for several poison rates, or for several sizes of the trigger.
//!
//! In: an order and what is to be turned. Out: accuracy and success rate at each value, as soon as each is known.

use crate::poison::lab::{LabError, LabOrder, Pictures, Planted, build};
use crate::progress::Monitor;
use crate::train::Recipe;
use rayon::prelude::*;

/// What is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    /// Share of the training pictures that carries the mark.
    Rate,
    /// How large, or how strong, the mark is beside what was drawn.
    Size,
}

impl Knob {
    /// The values that are tried.
    pub fn values(self) -> &'static [f32] {
        match self {
            Self::Rate => &[0.0, 0.01, 0.02, 0.05, 0.1, 0.2],
            Self::Size => &[0.25, 0.5, 0.75, 1.0, 1.5, 2.0],
        }
    }
}

/// What came of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepPoint {
    /// The value.
    pub value: f32,
    /// Clean accuracy, in `[0, 1]`.
    pub accuracy: f32,
    /// Success rate of the mark, in `[0, 1]`.
    pub success: f32,
}

/// Share of the passes that each of these models gets; the question is which value is larger, not the last digit.
const PASSES: f32 = 0.5;

/// Trains one model for every value of the knob, and tells of each as soon as it is measured.
///
/// # Errors
/// [`LabError`], a sentence, or on a request to stop; what was told stays true.
pub fn sweep(
    order: &LabOrder,
    pictures: &Pictures,
    knob: Knob,
    monitor: &Monitor,
    tell: &(dyn Fn(SweepPoint) + Sync),
) -> Result<(), LabError> {
    let epochs = ((order.recipe.epochs as f32 * PASSES).round() as usize).max(1);
    let recipe = Recipe { epochs, ..order.recipe.clone() };
    let values = knob.values();
    let one = |value: f32, monitor: &Monitor| -> Result<(), LabError> {
        let planted = match knob {
            Knob::Rate => Planted { rate: value, ..order.planted.clone() },
            Knob::Size => Planted { mark: order.planted.mark.scaled(value), ..order.planted.clone() },
        };
        let built = build(&pictures.training, &pictures.test, &[planted], &recipe, monitor)?;
        let success = built.success.first().copied().unwrap_or(0.0);
        tell(SweepPoint { value, accuracy: built.accuracy, success });
        Ok(())
    };
    // Threads of its own: whole trainings in the common pool would keep everything else in it waiting.
    let pool = rayon::ThreadPoolBuilder::new().build();
    let pool =
        pool.map_err(|why| LabError::Order(format!("no threads can be started: {why}; close other programs")))?;
    let monitors = monitor.side_by_side(values.len());
    pool.install(|| values.par_iter().zip(monitors).try_for_each(|(&value, monitor)| one(value, &monitor)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::lab::LabImages;
    use std::sync::Mutex;

    #[test]
    fn every_value_is_told_once_and_a_stop_ends_it() {
        let order = LabOrder { images: LabImages::Signs { training: 2 }, ..LabOrder::default() };
        let pictures = order.images.gather(order.recipe.seed, &Monitor::silent()).unwrap();
        let told = Mutex::new(Vec::new());
        let small = LabOrder { recipe: Recipe { epochs: 2, ..order.recipe.clone() }, ..order };
        sweep(&small, &pictures, Knob::Size, &Monitor::silent(), &|p| told.lock().unwrap().push(p.value)).unwrap();
        let mut told = told.into_inner().unwrap();
        told.sort_by(f32::total_cmp);
        assert_eq!(told, Knob::Size.values());
        let monitor = Monitor::silent();
        monitor.stop();
        assert!(sweep(&small, &pictures, Knob::Rate, &monitor, &|_| {}).is_err());
    }
}
