//! FT-SAM (Zhu et al., ICCV 2023): fine-tuning on clean images with sharpness-aware steps, which move the large
//! weights that backdoor neurons have. Adaptive variant, as BackdoorBench runs it.

use super::tune::{Batch, Gradients, Learner, Schedule, Steps, fine_tune};
use super::{Point, Problem, Repair, RepairError};
use crate::model::Change;
use crate::progress::Monitor;
use crate::tensor::log_softmax;
use crate::train::augmented;
use candle_core::Tensor;

/// See the module.
pub struct FtSam;

const SCHEDULE: Schedule =
    Schedule { method: "ft-sam", passes: 40, at_least: 20, batch: 32, rate: 0.01, steps: Steps::Published };
/// Radius of the neighbourhood whose worst point is descended from.
const RADIUS: f64 = 2.0;
const LABEL_SMOOTHING: f64 = 0.1;

impl Repair for FtSam {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Trains the model further on clean images with steps that disturb the large weights backdoors rest on. Needs no \
         trigger; changes all weights; twice the time of ordinary training, and a point or two of accuracy"
    }

    fn run(&self, problem: &Problem, watch: &(dyn Fn(Point) + Sync), monitor: &Monitor) -> Result<Change, RepairError> {
        let images = &problem.parts.repair;
        let device = problem.suspect.device();
        let mut gradients = |at: &Gradients, batch: &Batch<'_>| {
            let x = augmented(images, batch.indices, batch.seed.of("augment"), &device)?;
            let labels: Vec<u32> = batch.indices.iter().map(|&i| images.labels[i] as u32).collect();
            let labels = Tensor::from_vec(labels, batch.indices.len(), &device)?;
            let slope = |at: &Gradients| {
                let learner = Learner::new(problem.suspect, at)?;
                learner.gradients(&smoothed(&learner.classifier.logits(&x)?, &labels)?)
            };
            let first = slope(at)?;
            slope(&uphill(at, &first)?)
        };
        fine_tune(problem, problem.suspect, SCHEDULE, &mut gradients, watch, monitor)
    }
}

/// Mean cross-entropy with smoothed labels.
fn smoothed(logits: &Tensor, labels: &Tensor) -> Result<Tensor, RepairError> {
    let shares = log_softmax(logits)?;
    let right = shares.gather(&labels.unsqueeze(1)?, 1)?.mean_all()?;
    let all = shares.mean_all()?;
    Ok(((right * (LABEL_SMOOTHING - 1.0))? - (all * LABEL_SMOOTHING)?)?)
}

/// The numbers at `RADIUS * w² g / |w g|` from `at`: where the loss is worst nearby, measured by the weights' size.
fn uphill(at: &Gradients, slope: &Gradients) -> Result<Gradients, RepairError> {
    let mut norm = 0.0;
    for (name, g) in slope {
        norm += f64::from((g * &at[name])?.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let scale = RADIUS / norm.sqrt().max(1e-12);
    let mut there = at.clone();
    for (name, g) in slope {
        let w = &at[name];
        there.insert(name.clone(), (w + ((w.sqr()? * g)? * scale)?)?.detach());
    }
    Ok(there)
}
