//! FT-SAM (Zhu et al., ICCV 2023): fine-tuning on clean images with sharpness-aware steps, which move the large
//! weights that backdoor neurons have. Adaptive variant, as BackdoorBench runs it.

use super::descent::{Numbers, Steps};
use super::lesson::{TRUE_LABEL, error, shown, wanted_answers};
use super::tune::{Batch, Learner, Schedule, fine_tune};
use super::{Outcome, Point, Problem, Repair, RepairError};
use crate::model::Change;
use crate::progress::Monitor;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// See the module.
pub struct FtSam;

const SCHEDULE: Schedule =
    Schedule { method: "ft-sam", passes: 20, at_least: 10, batch: 32, rate: 0.01, steps: Steps::Published };
/// Radii of the neighbourhood whose worst point is descended from: the published one, which networks without
/// normalisations do not survive, then smaller ones. The last is the end of the list whatever it costs.
const RADII: [f64; 3] = [2.0, 0.5, 0.1];
/// A radius is given up when, after this many passes or later, clean accuracy on the validation images lies further below
/// the suspect's than this share.
const PATIENCE: usize = 3;
const FALLEN: f32 = 0.05;

impl Repair for FtSam {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Trains the model further with steps that disturb the large weights backdoors rest on. Needs clean images but no \
         trigger; changes all weights; a few minutes and a point or two of accuracy. Begins gentler where the model loses \
         accuracy under the usual steps"
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        // How far the work is when a radius begins; trials that were given up have taken their part.
        let mut begun = 0.0;
        for (i, &radius) in RADII.iter().enumerate() {
            match tuned(problem, radius, begun, i + 1 == RADII.len(), watch, monitor)? {
                Ended::Tuned(change) => return Ok(change.into()),
                Ended::Fallen(done) => begun = done,
            }
        }
        Err(RepairError::Diverged { method: SCHEDULE.method })
    }
}

/// How a radius ended.
enum Ended {
    Tuned(Change),
    /// It cost too much accuracy; how far the work was then.
    Fallen(f32),
}

/// Fine-tunes with one radius, from the share `begun` of the work on.
fn tuned(
    problem: &Problem,
    radius: f64,
    begun: f32,
    last: bool,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Ended, RepairError> {
    let images = &problem.parts.repair;
    let device = problem.suspect.device();
    let fallen = AtomicBool::new(false);
    let reached = Mutex::new(begun);
    let told = |p: Point| {
        let done = begun + (1.0 - begun) * p.done;
        *reached.lock().unwrap_or_else(PoisonError::into_inner) = done;
        let passes = (p.done * SCHEDULE.passes as f32).round() as usize;
        if !last && passes >= PATIENCE && p.accuracy < problem.before.accuracy - FALLEN {
            fallen.store(true, Ordering::Relaxed);
        }
        watch(Point { done, ..p });
    };
    let mut gradients = |at: &Numbers, batch: &Batch<'_>| {
        if fallen.load(Ordering::Relaxed) {
            return Err(RepairError::CostsAccuracy { method: SCHEDULE.method });
        }
        let x = shown(images, batch.indices, batch.seed, &device)?;
        let wanted = wanted_answers(problem.suspect, &x, images, batch.indices, TRUE_LABEL, &BTreeSet::new())?;
        let slope = |at: &Numbers| {
            monitor.check()?;
            let learner = Learner::new(problem.suspect, at)?;
            learner.gradients(&error(&learner.classifier.logits(&x)?, &wanted)?)
        };
        let first = slope(at)?;
        slope(&uphill(at, &first, radius)?)
    };
    match fine_tune(problem, problem.suspect, SCHEDULE, &mut gradients, &told, &monitor.part(begun, 1.0)) {
        Ok(change) => Ok(Ended::Tuned(change)),
        Err(RepairError::CostsAccuracy { .. } | RepairError::Diverged { .. }) if !last => {
            Ok(Ended::Fallen(*reached.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        Err(error) => Err(error),
    }
}

/// The numbers at `radius * w² g / |w g|` from `at`: where the loss is worst nearby, measured by the weights' size.
fn uphill(at: &Numbers, slope: &Numbers, radius: f64) -> Result<Numbers, RepairError> {
    let mut norm = 0.0;
    for (name, g) in slope {
        norm += f64::from((g * &at[name])?.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let scale = radius / norm.sqrt().max(1e-12);
    let mut there = at.clone();
    for (name, g) in slope {
        let w = &at[name];
        there.insert(name.clone(), (w + ((w.sqr()? * g)? * scale)?)?.detach());
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;
    use candle_core::{Device, Tensor};

    #[test]
    fn a_radius_that_costs_accuracy_is_given_up_after_some_passes_and_the_last_is_not() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let mut problem = planted::problem(&suspect, &parts, &triggers);
        let silent = Monitor::silent();
        // Beside a suspect that is righter than right, every accuracy has fallen.
        problem.before.accuracy = 2.0;
        let ended = tuned(&problem, 0.01, 0.5, false, &|_| {}, &silent).unwrap();
        let given_up = 0.5 + 0.5 * PATIENCE as f32 / SCHEDULE.passes as f32;
        assert!(matches!(ended, Ended::Fallen(done) if (done - given_up).abs() < 1e-6));
        assert!(matches!(tuned(&problem, 0.01, 0.5, true, &|_| {}, &silent).unwrap(), Ended::Tuned(_)));
        problem.before.accuracy = 1.0;
        assert!(matches!(tuned(&problem, 0.01, 0.0, false, &|_| {}, &silent).unwrap(), Ended::Tuned(_)));
    }

    #[test]
    fn the_worst_point_nearby_is_as_far_as_the_radius_by_the_weights_own_size() {
        let one = |values: &[f32]| Numbers::from([("w".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())]);
        let there = uphill(&one(&[2.0, 1.0]), &one(&[0.3, 0.8]), 0.5).unwrap();
        // |w g| = |(0.6, 0.8)| = 1, so the step is 0.5 * (4 * 0.3, 1 * 0.8).
        let there = there["w"].to_vec1::<f32>().unwrap();
        assert!((there[0] - 2.6).abs() < 1e-6 && (there[1] - 1.4).abs() < 1e-6, "{there:?}");
    }
}
