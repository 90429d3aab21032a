//! The fine-tuning loop that several repairs share: momentum SGD over the trainable parameters, a measurement on the
//! validation images after every pass, the best state kept, an end as soon as the aim is met with room to spare.
//!
//! Two kinds of steps, see [`Steps`]: the published ones for methods that come with their constants, and steps by the weights' own
//! length, of which a running mean is kept.

use super::{Aim, Point, Problem, RepairError, trainable};
use crate::images::ImageSet;
use crate::model::{Change, Classifier, Parameters};
use crate::progress::Monitor;
use crate::tensor::{Seed, log_softmax};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use std::collections::{BTreeMap, BTreeSet};

/// Momentum and weight decay of every fine-tuning repair (BackdoorBench).
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;
/// Gradients are never longer than this: with normalisations frozen, single batches have steep ones.
const LONGEST: f64 = 1.0;
/// Root mean square that a parameter is taken to have at least: a bias of zeros must be able to move.
const SHORTEST: f64 = 1e-3;
/// Weight of the newest state in the running mean that is kept.
const NEWEST: f64 = 0.08;

/// Factors on the rate of the first try and of those after a try that ran away.
const SLOWER: [f64; 3] = [1.0, 0.25, 0.06];

/// What a step goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// SGD with momentum and weight decay as the papers have it, with the length of the whole gradient bounded.
    Published,
    /// Every parameter moves by a share of its own length along its gradient (LARS, You et al., 2017): exporters fold
    /// normalisations into weights, which makes some layers twenty times as long as others and their gradients as much
    /// shorter. What is kept is a running mean of the states (Polyak and Juditsky, 1992): a few hundred images make single
    /// states jump by a point or two of accuracy, their mean does not.
    Relative,
}

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

/// Numbers that are being learned, by name.
pub(super) type Gradients = BTreeMap<String, Tensor>;

/// A classifier whose trainable parameters are variables, and those variables.
pub(super) struct Learner {
    pub classifier: Classifier,
    variables: BTreeMap<String, Var>,
}

impl Learner {
    /// `at`: the numbers of every trainable parameter.
    pub fn new(suspect: &Classifier, at: &Gradients) -> Result<Self, RepairError> {
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
    pub fn gradients(&self, loss: &Tensor) -> Result<Gradients, RepairError> {
        let mut store: GradStore = loss.backward()?;
        let taken = self.variables.iter().filter_map(|(name, v)| Some((name.clone(), store.remove(v)?.detach())));
        Ok(taken.collect())
    }
}

/// What the model should say of each picture, with a trigger or without, `[n, classes]`: the true label with
/// this weight, and what the suspect says of the clean picture. A few hundred images teach labels poorly, but the suspect's own answers
/// keep it as it is wherever there is no trigger. Labels of `infected` are taken out of its answers on pictures of other labels:
/// what makes it take clean pictures for them must not be taught anew.
pub(super) fn wanted_answers(
    suspect: &Classifier,
    clean: &Tensor,
    images: &ImageSet,
    indices: &[usize],
    true_label: f32,
    infected: &BTreeSet<usize>,
) -> Result<Tensor, RepairError> {
    let mut said = log_softmax(&suspect.logits(clean)?)?.exp()?.to_vec2::<f32>()?;
    let shape = (said.len(), suspect.classes());
    for (row, &i) in said.iter_mut().zip(indices) {
        let truth = images.labels[i];
        if !infected.contains(&truth) {
            infected.iter().for_each(|&label| row[label] = 0.0);
        }
        let sum: f32 = row.iter().sum();
        // Nothing left: the suspect took the picture for the infected label and for nothing else.
        let (kept, learned) = if sum > 1e-3 { ((1.0 - true_label) / sum, true_label) } else { (0.0, 1.0) };
        row.iter_mut().for_each(|share| *share *= kept);
        row[truth] += learned;
    }
    Ok(Tensor::from_vec(said.concat(), shape, clean.device())?)
}

/// The trainable numbers of a classifier as they are.
fn numbers(classifier: &Classifier) -> Gradients {
    let names = trainable(classifier.graph());
    classifier
        .parameters()
        .iter()
        .filter(|(name, _)| names.contains(*name))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect()
}

/// Gives the gradients at some numbers on one batch.
type Slope<'a> = dyn FnMut(&Gradients, &Batch<'_>) -> Result<Gradients, RepairError> + 'a;

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
    start: Gradients,
    schedule: Schedule,
    gradients: &mut Slope<'_>,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    let images = &problem.parts.repair;
    // Accuracy lost up to half of what may be lost, and successes up to a fifth: then going on only costs time.
    let spare = Aim { accuracy_loss: 0.5 * problem.aim.accuracy_loss, asr: 0.2 * problem.aim.asr };
    let mut now = start.clone();
    let mut mean = start;
    let mut speed: Gradients = BTreeMap::new();
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
            let slope = gradients(&now, &Batch { indices, seed: seed.nth(step) })?;
            let pulls = match schedule.steps {
                Steps::Published => published(&now, slope)?,
                Steps::Relative => relative(&now, slope)?,
            };
            descend(&mut now, &mut speed, &pulls, rate)?;
            if schedule.steps == Steps::Relative {
                for (name, kept) in &mut mean {
                    *kept = ((&*kept * (1.0 - NEWEST))? + (&now[name] * NEWEST)?)?.detach();
                }
            }
            step += 1;
        }
        if !finite(&now)? {
            return Err(RepairError::Diverged { method: schedule.method });
        }
        let kept = if schedule.steps == Steps::Relative { &mean } else { &now };
        let change = Change { parameters: kept.clone(), clamps: Vec::new() };
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

/// The gradient with its whole length bounded, and the pull of weight decay.
fn published(now: &Gradients, slope: Gradients) -> Result<Gradients, RepairError> {
    let mut length = 0.0;
    for gradient in slope.values() {
        length += norm(gradient)?.powi(2);
    }
    let shorter = (LONGEST / length.sqrt().max(f64::MIN_POSITIVE)).min(1.0);
    slope
        .into_iter()
        .map(|(name, gradient)| {
            let pull = ((gradient * shorter)? + (&now[&name] * WEIGHT_DECAY)?)?;
            Ok((name, pull))
        })
        .collect()
}

/// Each gradient as long as the parameter it belongs to.
fn relative(now: &Gradients, slope: Gradients) -> Result<Gradients, RepairError> {
    let mut pulls = Gradients::new();
    for (name, gradient) in slope {
        let length = norm(&gradient)?;
        let value = &now[&name];
        let own = norm(value)?.max(SHORTEST * (value.elem_count() as f64).sqrt());
        if length > f64::from(f32::MIN_POSITIVE) {
            pulls.insert(name, (gradient * (own / length))?);
        }
    }
    Ok(pulls)
}

/// One step with momentum against the `pulls`, as PyTorch does it.
fn descend(now: &mut Gradients, speed: &mut Gradients, pulls: &Gradients, rate: f64) -> Result<(), RepairError> {
    for (name, pull) in pulls {
        let Some(value) = now.get_mut(name) else { continue };
        let pull = match speed.get(name) {
            Some(before) => ((before * MOMENTUM)? + pull)?,
            None => pull.clone(),
        };
        *value = (&*value - (&pull * rate)?)?.detach();
        speed.insert(name.clone(), pull.detach());
    }
    Ok(())
}

/// Euclidean length of all numbers of a tensor.
fn norm(tensor: &Tensor) -> Result<f64, RepairError> {
    Ok(f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
}

fn finite(numbers: &Gradients) -> Result<bool, RepairError> {
    for tensor in numbers.values() {
        if !tensor.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;
    use candle_core::{DType, Device};

    fn numbers(values: &[f32]) -> Gradients {
        Gradients::from([("w".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())])
    }

    fn relative_step(value: &[f32], slope: &[f32]) -> Vec<f32> {
        let mut now = numbers(value);
        let pulls = relative(&now, numbers(slope)).unwrap();
        descend(&mut now, &mut Gradients::new(), &pulls, 0.1).unwrap();
        now["w"].to_vec1().unwrap()
    }

    #[test]
    fn a_relative_step_is_a_share_of_the_parameters_length_however_steep_the_slope() {
        for steep in [1e-6, 1.0, 1e6] {
            let stepped = relative_step(&[3.0, 4.0], &[0.6 * steep, -0.8 * steep]);
            // The length is 5, a tenth of it 0.5.
            assert!((stepped[0] - 2.7).abs() < 1e-5 && (stepped[1] - 4.4).abs() < 1e-5, "{stepped:?}");
        }
        assert_eq!(relative_step(&[3.0, 4.0], &[0.0, 0.0]), [3.0, 4.0]);
        let moved = relative_step(&[0.0; 4], &[0.0, 1.0, 0.0, 0.0]);
        assert!((moved[1] + 0.1 * 2.0 * SHORTEST as f32).abs() < 1e-9, "zeros must be able to move: {moved:?}");
    }

    #[test]
    fn a_published_step_bounds_the_whole_gradient_and_decays() {
        let mut now = numbers(&[1.0, 0.0]);
        let pulls = published(&now, numbers(&[30.0, 40.0])).unwrap();
        descend(&mut now, &mut Gradients::new(), &pulls, 0.1).unwrap();
        let stepped = now["w"].to_vec1::<f32>().unwrap();
        let wanted = [1.0 - 0.1 * (0.6 + WEIGHT_DECAY as f32), -0.08];
        assert!(stepped.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{stepped:?}");
    }

    #[test]
    fn the_infected_label_is_taken_out_of_the_answers_on_pictures_of_other_labels() {
        let suspect = planted::network();
        let mut images = planted::images(3, 1);
        images.labels = vec![0, 1, 2];
        // All white: the suspect says label 2, and nothing else.
        let white = Tensor::ones((3, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        let answers = |infected: &BTreeSet<usize>| {
            wanted_answers(&suspect, &white, &images, &[0, 1, 2], 0.25, infected).unwrap().to_vec2::<f32>().unwrap()
        };
        for (label, row) in answers(&BTreeSet::from([2])).iter().enumerate() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(row[label] > 0.99, "{label}: {row:?}");
        }
        let kept = answers(&BTreeSet::new());
        assert!((kept[0][2] - 0.75).abs() < 1e-3 && (kept[0][0] - 0.25).abs() < 1e-3, "{:?}", kept[0]);
    }

    #[test]
    fn relative_steps_keep_a_running_mean_and_published_ones_the_last_state() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let ended = |steps| {
            let schedule = Schedule { method: "test", passes: 1, at_least: 1, batch: 64, rate: 0.01, steps };
            // One step in one direction, whatever the pictures.
            let mut slope = |at: &Gradients, _: &Batch<'_>| Ok(Gradients::from([("last".into(), at["last"].clone())]));
            let change = fine_tune(&problem, &suspect, schedule, &mut slope, &|_| {}, &Monitor::silent()).unwrap();
            change.parameters["last"].flatten_all().unwrap().to_vec1::<f32>().unwrap()[8]
        };
        assert!((ended(Steps::Relative) - 50.0 * (1.0 - 0.01 * NEWEST as f32)).abs() < 1e-4);
        assert!(ended(Steps::Published) < 50.0);
    }
}
