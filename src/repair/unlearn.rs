//! Unlearning with the recovered trigger (Neural Cleanse, Wang et al., IEEE S&P 2019, section VI): the model is shown
//! stamped pictures with their true labels until the trigger means nothing.
//!
//! The recovered trigger is only near the attacker's, so it is never shown twice alike: it is shifted, made weaker and
//! stronger. And a model that has unlearned it may still know the attacker's, so the search is run again on it, and
//! what is found is unlearned too, until the smallest trigger is as large as those of honest labels (after the
//! alternation of BTI-DBF, Xu et al., ICLR 2024). Pictures of the target label are not stamped.

use super::disturbance::{Disturbance, blocks, universal};
use super::tune::{Batch, Learner, Schedule, fine_tune};
use super::{Point, Problem, Repair, RepairError};
use crate::detect::Trigger;
use crate::detect::neural_cleanse::{Hunt, Search};
use crate::images::ImageSet;
use crate::model::{Change, Classifier};
use crate::progress::Monitor;
use crate::tensor::{Random, log_softmax};
use crate::train::augmented;
use candle_core::Tensor;
use std::collections::BTreeSet;

/// See the module.
pub struct Unlearning;

/// Passes of one round.
const SCHEDULE: Schedule = Schedule { method: "unlearning", passes: 3, at_least: 3, batch: 32, rate: 0.01 };
/// Rounds of searching and unlearning, at least and at most.
const FEWEST_ROUNDS: usize = 2;
const ROUNDS: usize = 10;
/// Share of the pictures of a batch that are stamped (BackdoorBench: a fifth; the trigger is inexact here).
const STAMPED: f32 = 0.5;
/// Weight of the true label in what the model should say; the rest is what the suspect says of the clean picture.
const TRUE_LABEL: f32 = 0.3;
/// Length of the additive patterns that are searched in every round.
const RADIUS: f64 = 1.5;
/// A trigger of at least this share of the usual size is a natural one: every label has it.
const NATURAL: f32 = 0.6;
/// Where the usual size is not known: so many times the smallest trigger that was found first.
const NATURAL_BESIDE_FIRST: f32 = 6.0;

impl Repair for Unlearning {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Shows the model pictures with the recovered trigger and their true labels until it ignores the trigger. Needs \
         a recovered trigger and clean images; changes all weights a little; some seconds to a few minutes"
    }

    fn needs_trigger(&self) -> bool {
        true
    }

    fn run(&self, problem: &Problem, watch: &(dyn Fn(Point) + Sync), monitor: &Monitor) -> Result<Change, RepairError> {
        let mut pool: Vec<Disturbance> = problem.triggers.iter().cloned().map(Disturbance::Stamp).collect();
        let smallest = problem.triggers.iter().map(Trigger::size).fold(f32::INFINITY, f32::min);
        let natural = problem.usual_size.map_or(NATURAL_BESIDE_FIRST * smallest, |usual| NATURAL * usual);
        let mut change = Change::default();
        for round in 0..ROUNDS {
            let share = |part: f32| (round as f32 + part) / ROUNDS as f32;
            monitor.step("Looking for what is left of the trigger", share(0.0));
            let current = change.apply(problem.suspect)?;
            let mut found = fresh(problem, &current, round, monitor)?;
            if round >= FEWEST_ROUNDS && !found.iter().any(Disturbance::is_stamp) {
                found.extend(left_over(problem, &current, natural, round, monitor)?);
                if !found.iter().any(Disturbance::is_stamp) {
                    break;
                }
            }
            pool.extend(found);
            let told = |p: Point| watch(Point { done: share(p.done), ..p });
            change = unlearned(problem, &current, &pool, round, &told, &monitor.part(share(0.1), share(1.0)))?;
        }
        Ok(change)
    }
}

/// One round: `current` trained on pictures stamped with all triggers found so far.
fn unlearned(
    problem: &Problem,
    current: &Classifier,
    pool: &[Disturbance],
    round: usize,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    let images = &problem.parts.repair;
    let device = problem.suspect.device();
    let mut gradients = |at: &_, batch: &Batch<'_>| {
        let learner = Learner::new(problem.suspect, at)?;
        let seed = batch.seed.nth(round);
        let clean = augmented(images, batch.indices, seed.of("augment"), &device)?;
        let wanted = wanted_answers(problem.suspect, &clean, images, batch.indices)?;
        let x = stamped(&clean, pool, images, batch.indices, &mut seed.random())?;
        let said = log_softmax(&learner.classifier.logits(&x)?)?;
        learner.gradients(&(said * wanted)?.sum(1)?.mean_all()?.neg()?)
    };
    fine_tune(problem, current, SCHEDULE, &mut gradients, watch, monitor)
}

/// What the model should say of each picture, with a trigger or without, `[n, classes]`: the true label and
/// what the suspect says of the clean picture. A few hundred images teach labels poorly, but the suspect's own answers
/// keep it as it is wherever there is no trigger.
fn wanted_answers(
    suspect: &Classifier,
    clean: &Tensor,
    images: &ImageSet,
    indices: &[usize],
) -> Result<Tensor, RepairError> {
    let said = log_softmax(&suspect.logits(clean)?)?.exp()?.detach();
    let (n, classes) = said.dims2()?;
    let mut truth = vec![0.0_f32; n * classes];
    indices.iter().enumerate().for_each(|(row, &i)| truth[row * classes + images.labels[i]] = 1.0);
    let truth = Tensor::from_vec(truth, (n, classes), clean.device())?;
    Ok(((truth * f64::from(TRUE_LABEL))? + (said * f64::from(1.0 - TRUE_LABEL))?)?)
}

/// Blocks and additive patterns that turn pictures into the infected labels, on the model as it is now.
fn fresh(
    problem: &Problem,
    current: &Classifier,
    round: usize,
    monitor: &Monitor,
) -> Result<Vec<Disturbance>, RepairError> {
    let seed = problem.seed.of("disturbance").nth(round);
    let mut found = Vec::new();
    for (i, trigger) in problem.triggers.iter().enumerate() {
        found.extend(blocks(problem, current, trigger, seed.of("blocks").nth(i), monitor)?);
        found.push(universal(problem, current, trigger.label, RADIUS, seed.of("universal").nth(i), monitor)?);
    }
    Ok(found)
}

/// Triggers towards the same labels that the model still knows and that are too small to be natural.
fn left_over(
    problem: &Problem,
    current: &Classifier,
    natural: f32,
    round: usize,
    monitor: &Monitor,
) -> Result<Vec<Disturbance>, RepairError> {
    let how = Search::quick();
    let seed = problem.seed.of("left over").nth(round);
    let labels: BTreeSet<usize> = problem.triggers.iter().map(|t| t.label).collect();
    let mut left = Vec::new();
    for label in labels {
        let mut hunt = Hunt::new(current, &problem.parts.repair, label, &how, seed)?;
        hunt.advance(how.steps, monitor)?;
        left.extend(hunt.trigger().filter(|t| t.reached && t.size() < natural).map(Disturbance::Stamp));
    }
    Ok(left)
}

/// The batch `x` with a varied trigger on about half of the pictures that are not of its label.
fn stamped(
    x: &Tensor,
    pool: &[Disturbance],
    images: &ImageSet,
    indices: &[usize],
    random: &mut Random,
) -> Result<Tensor, RepairError> {
    let mut rows = Vec::with_capacity(indices.len());
    for (row, &i) in indices.iter().enumerate() {
        let picture = x.narrow(0, row, 1)?;
        let disturbance = &pool[random.below(pool.len())];
        let stamps = random.chance(STAMPED) && images.labels[i] != disturbance.label();
        rows.push(if stamps { disturbance.varied(&picture, random)? } else { picture });
    }
    Ok(Tensor::cat(&rows, 0)?)
}
