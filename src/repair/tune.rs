//! The fine-tuning loop that several repairs share: steps over the trainable parameters, a measurement on the
//! validation images after every pass, the best state kept, an end as soon as the aim is met with room to spare.

use super::descent::{Descent, Numbers, Steps};
use super::{Aim, Point, Problem, RepairError, trainable};
use crate::model::{Change, Classifier, Parameters};
use crate::progress::Monitor;
use crate::tensor::Seed;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

/// Factors on the rate of the first try and of those after a try that ran away.
const SLOWER: [f64; 3] = [1.0, 0.25, 0.06];

/// How long and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Name of the method, for errors and progress.
    pub method: &'static str,
    /// Passes over the images at most; the rate falls along a cosine over all of them.
    pub passes: usize,
    /// Passes before the aim is asked.
    pub at_least: usize,
    /// Images a step.
    pub batch: usize,
    /// Learning rate at the start; a share of the parameters' length where steps are relative.
    pub rate: f64,
    /// What a step goes by.
    pub steps: Steps,
}

/// One step's images.
pub(super) struct Batch<'a> {
    /// Indices into the repair images.
    pub indices: &'a [usize],
    /// For random choices of this step alone.
    pub seed: Seed,
}

/// A classifier whose trainable parameters are variables, and those variables.
pub(super) struct Learner {
    pub classifier: Classifier,
    variables: BTreeMap<String, Var>,
}

impl Learner {
    /// `at`: the numbers of every trainable parameter.
    pub fn new(suspect: &Classifier, at: &Numbers) -> Result<Self, RepairError> {
        let mut parameters: Parameters = suspect.parameters().clone();
        let mut variables = BTreeMap::new();
        for (name, value) in at {
            let variable = Var::from_tensor(value)?;
            parameters.insert(name.clone(), variable.as_tensor().clone());
            variables.insert(name.clone(), variable);
        }
        Ok(Self { classifier: suspect.with_parameters(parameters), variables })
    }

    /// The gradient of every variable that `loss` depends on.
    pub fn gradients(&self, loss: &Tensor) -> Result<Numbers, RepairError> {
        let mut store: GradStore = loss.backward()?;
        let taken = self.variables.iter().filter_map(|(name, v)| Some((name.clone(), store.remove(v)?.detach())));
        Ok(taken.collect())
    }
}

/// The trainable numbers of a classifier as they are.
fn numbers(classifier: &Classifier) -> Numbers {
    let names = trainable(classifier.graph());
    classifier
        .parameters()
        .iter()
        .filter(|(name, _)| names.contains(*name))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect()
}

/// Gives the gradients at some numbers on one batch.
type Slope<'a> = dyn FnMut(&Numbers, &Batch<'_>) -> Result<Numbers, RepairError> + 'a;

/// Fine-tunes the trainable parameters of `from`, the suspect or what an earlier step has made of it. Where it runs
/// away it begins anew with smaller steps.
pub(super) fn fine_tune(
    problem: &Problem,
    from: &Classifier,
    schedule: Schedule,
    gradients: &mut Slope<'_>,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    for slower in SLOWER {
        let slower = Schedule { rate: schedule.rate * slower, ..schedule };
        match run(problem, numbers(from), slower, gradients, watch, monitor) {
            Err(RepairError::Diverged { .. }) => {}
            ended => return ended,
        }
    }
    Err(RepairError::Diverged { method: schedule.method })
}

fn run(
    problem: &Problem,
    start: Numbers,
    schedule: Schedule,
    gradients: &mut Slope<'_>,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    let images = &problem.parts.repair;
    // Accuracy lost up to half of what may be lost, and successes up to a fifth: then going on only costs time.
    let spare = Aim { accuracy_loss: 0.5 * problem.aim.accuracy_loss, asr: 0.2 * problem.aim.asr };
    let mut descent = Descent::new(start, schedule.steps);
    let mut best: Option<(f32, Change)> = None;
    let seed = problem.seed.of(schedule.method);
    let mut order: Vec<usize> = (0..images.len()).collect();
    let mut random = seed.of("order").random();
    let steps = (schedule.passes * images.len().div_ceil(schedule.batch)).max(1);
    let mut step = 0;
    for pass in 0..schedule.passes {
        random.shuffle(&mut order);
        for indices in order.chunks(schedule.batch) {
            monitor.check()?;
            let share = step as f64 / steps as f64;
            monitor
                .step(format!("Repair by {}, pass {} of {}", schedule.method, pass + 1, schedule.passes), share as f32);
            let rate = schedule.rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
            let slope = gradients(&descent.now, &Batch { indices, seed: seed.nth(step) })?;
            descent.step(slope, rate)?;
            step += 1;
        }
        if !descent.is_finite()? {
            return Err(RepairError::Diverged { method: schedule.method });
        }
        let change = Change { parameters: descent.kept().clone(), clamps: Vec::new() };
        let measured = problem.measured(&change, monitor)?;
        watch(Point::of(step as f32 / steps as f32, &measured));
        let missing = measured.misses(spare, &problem.before);
        if best.as_ref().is_none_or(|b| missing <= b.0) {
            best = Some((missing, change));
        }
        if pass + 1 >= schedule.at_least && missing == 0.0 {
            break;
        }
    }
    Ok(best.map(|b| b.1).unwrap_or_default())
}
