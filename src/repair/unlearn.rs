//! Unlearning with the recovered trigger (Neural Cleanse, Wang et al., IEEE S&P 2019, section VI): the model is shown
//! stamped pictures with their true labels until the trigger means nothing.
//!
//! The recovered trigger is only near the attacker's: a model that has unlearned it may still know the other. So in every
//! round blocks of colour that work on the model as it is now are searched for in the mark's place, and additive
//! patterns that turn most pictures (after the alternation of BTI-DBF, Xu et al., ICLR 2024); what is found is unlearned too, varied so that it
//! is never shown twice alike. Pictures of the target label are not stamped.

use super::block::{Block, first_of_each_kind, strongest, working};
use super::choice::{Choice, Edit, Trial};
use super::descent::Steps;
use super::disturbance::{Disturbance, universal};
use super::lesson::{error, shown, wanted_answers};
use super::tune::{Batch, Learner, Schedule, fine_tune};
use super::{Counted, Measured, Outcome, Point, Problem, Repair, RepairError, measure};
use crate::detect::Trigger;
use crate::images::ImageSet;
use crate::model::{Change, Classifier};
use crate::progress::Monitor;
use crate::tensor::Random;
use candle_core::Tensor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// See the module.
pub struct Unlearning;

const NAME: &str = "unlearning";
/// Passes and images a step of one round.
const PASSES: usize = 5;
const BATCH: usize = 32;
/// Steps of one round at least.
const FEWEST_STEPS: usize = 60;
/// Rounds of searching and unlearning at most, and their learning rates: the next one is taken where a round has left more than
/// `GOOD` of how well the trigger worked before it. It ends as soon as nothing that is found works any more, and accuracy suffers
/// no more than it has to.
const ROUNDS: usize = 6;
const RATES: [f64; ROUNDS] = [0.0004, 0.0006, 0.001, 0.002, 0.002, 0.002];
const GOOD: f32 = 0.5;
/// So many rounds are done though nothing that is found works any more, as long as accuracy is at most half of what may be
/// lost lower: the attacker's own mark outlives what is found of it (docs/repairs.md).
const WHILE_AFFORDABLE: usize = 2;
/// So many, where no accuracy is lost at all.
const WHILE_FREE: usize = 4;
/// Share of a round that the search takes.
const SEARCH: f32 = 0.3;
/// Share of the pictures of a batch that are stamped (BackdoorBench: a fifth; the trigger is inexact here).
const STAMPED: f32 = 0.5;
/// What stamped pictures get: a block found, any block in the mark's place, an additive pattern; the rest the mark itself.
const FOUND_BLOCK: f32 = 0.35;
const ANY_BLOCK: f32 = 0.15;
const ADDED: f32 = 0.2;
/// Share of a batch that pictures of the infected labels have at least; more are added where there are fewer. Whatever makes a
/// picture look like its label is unlearned with the trigger unless it is shown often enough.
const TARGETS: f32 = 0.2;
/// Euclidean length of the additive patterns, and how many are searched in every round for each trigger.
const RADIUS: f64 = 2.0;
const PATTERNS: usize = 2;
/// Added to the infected labels' logits in the loss for each learning rate after so many gentle ones: the
/// model has to answer without that head start (logit adjustment, Menon et al., ICLR 2021). Poisoned training pictures
/// made the infected label too frequent, and a weak model then takes for it what it is unsure of.
const HEAD_START: f32 = 0.5;
const GENTLE: usize = 2;
/// Labels that nobody attacked whose blocks are searched for, too.
const NATURAL: usize = 2;
/// Share of the aim that may be left of what was found: the attacker's own trigger works a little better.
const SPARE: f32 = 0.4;
/// Shares of the way to the unlearned model that are measured beside all of it (WiSE-FT, Wortsman et al., CVPR 2022), and the
/// least of them that is taken unasked: halfway the recovered trigger is dead long before the attacker's own (docs/repairs.md).
const BLENDS: [f64; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];
const MILDEST: f64 = 0.9;
/// Share of the accuracy that may be lost above which less than all of the way is thought of.
const DEAR: f32 = 0.5;
/// Share of the aim that may be left there of the recovered mark and of blocks.
const MILD: f32 = 0.8;
/// Accuracy that a later round may cost where an earlier one was good enough: what is not found is weaker after it.
const SLIGHT: f32 = 0.005;
/// So many of the strongest blocks are counted.
const LEFT: usize = 4;

impl Repair for Unlearning {
    fn name(&self) -> &'static str {
        NAME
    }

    fn price(&self) -> &'static str {
        "Shows the model pictures with the recovered trigger and their true labels until it ignores the trigger. Needs \
         a recovered trigger and clean images; changes all weights a little; one to a few minutes and a point or two of \
         accuracy"
    }

    fn needs_trigger(&self) -> bool {
        true
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let mut pool = Pool::new(problem);
        // A block that is found on the way counts as much as the mark: both must stop working.
        let mut wider = problem.clone();
        let mut state = Change::default();
        let mut left = problem.before.clone();
        let mut best = Best::new(problem);
        let (mut pace, mut worked) = (0, f32::INFINITY);
        for round in 0..ROUNDS {
            let share = |part: f32| (round as f32 + part) / ROUNDS as f32;
            monitor.step("Looking for what is left of the trigger", share(0.0));
            let current = state.apply(problem.suspect)?;
            if round > 0 {
                wider.measured_with.extend(pool.find_blocks(problem, &current, round, monitor)?);
                left = measure(&current, &problem.parts.validation, &wider.measured_with, monitor)?;
                best.consider(&state, &left);
            }
            // What works on the suspect has to go. Blocks found on the way may be what turns pictures in any model.
            let small = SPARE * problem.aim.asr;
            let own = left.of_first(problem.measured_with.len()).worst_asr().unwrap_or(0.0);
            let worst = left.worst_asr().unwrap_or(0.0);
            let works = own > small || (worst > small && worst > pool.natural(problem, &current, round, monitor)?);
            let lost = problem.before.accuracy - left.accuracy;
            let affordable = (round < WHILE_AFFORDABLE && lost <= 0.5 * problem.aim.accuracy_loss)
                || (round < WHILE_FREE && lost <= 0.0);
            if !(works || affordable) {
                break;
            }
            pace += usize::from(own > GOOD * worked);
            worked = own;
            pool.find_patterns(problem, &current, round, monitor)?;
            let told = |p: Point| watch(Point { done: share(SEARCH + (1.0 - SEARCH) * p.done), ..p });
            let part = monitor.part(share(SEARCH), share(1.0));
            state = unlearned(&wider, &current, &pool, round, pace, &told, &part)?;
            if round + 1 == ROUNDS {
                best.consider(&state, &problem.measured(&state, monitor)?);
            }
        }
        blended(problem, best, &pool, monitor)
    }
}

/// The state that came nearest to the aim; of equals the latest, unless it costs accuracy.
struct Best<'a> {
    problem: &'a Problem<'a>,
    missing: f32,
    state: Change,
    measured: Measured,
}

impl<'a> Best<'a> {
    /// The suspect as it is.
    fn new(problem: &'a Problem<'a>) -> Self {
        let mut best =
            Self { problem, missing: f32::INFINITY, state: Change::default(), measured: problem.before.clone() };
        best.consider(&Change::default(), &problem.before);
        best
    }

    /// Blocks found on the way do not count: each works best on the state it was searched on, and would speak for those before.
    fn consider(&mut self, state: &Change, measured: &Measured) {
        let measured = measured.of_first(self.problem.measured_with.len());
        let missing = measured.misses(self.problem.aim.with_spare(SPARE), &self.problem.before);
        let dearer = measured.accuracy + SLIGHT < self.measured.accuracy;
        if missing < self.missing || (missing == self.missing && !dearer) {
            *self = Self { problem: self.problem, missing, state: state.clone(), measured };
        }
    }
}

/// The unlearned model and what lies on the way to it. The less of that way is taken the more accuracy is kept, so where much was
/// lost the mildest is taken that gives a search for blocks little, or little more than the end of the way does.
fn blended(problem: &Problem, unlearned: Best<'_>, pool: &Pool<'_>, monitor: &Monitor) -> Result<Outcome, RepairError> {
    monitor.step("Looking for the mildest change that is enough", 1.0);
    let mild = MILD * problem.aim.asr;
    let mut trial = Trial::new(problem, "Share of the way from the suspect to the unlearned model");
    let end = Arc::new(unlearned.state.clone());
    let outlived = |change: &Change| pool.outlive(problem, &change.apply(problem.suspect)?, monitor);
    // Where little accuracy was lost there is little to win back, and all of the way is safer: nine tenths of it left 13 % of
    // an attacker's mark that had been down to 2 %, and no search found what was left (docs/repairs.md).
    let lost = problem.before.accuracy - unlearned.measured.accuracy > DEAR * problem.aim.accuracy_loss;
    let mut taken = None;
    for share in BLENDS {
        let edit = Edit::Blend(end.clone(), share);
        let (measured, _) = trial.add(format!("{:.0} %", 100.0 * share), edit.clone(), monitor)?;
        let may = lost && taken.is_none() && share >= MILDEST && measured.worst_asr().is_none_or(|asr| asr <= mild);
        if may && outlived(&edit.change(problem.suspect)?)? <= mild.max(outlived(&end)? + SPARE * problem.aim.asr) {
            taken = Some(trial.latest());
        }
    }
    trial.push(Choice::new("100 %".into(), unlearned.state, unlearned.measured));
    let last = trial.latest();
    trial.take(taken.unwrap_or(last))
}

/// What pictures are stamped with.
struct Pool<'a> {
    marks: &'a [Trigger],
    blocks: Vec<Block>,
    added: Vec<Disturbance>,
}

impl<'a> Pool<'a> {
    /// The marks, and the blocks that work on the suspect.
    fn new(problem: &'a Problem<'a>) -> Self {
        Self { marks: problem.triggers, blocks: problem.blocks.concat(), added: Vec::new() }
    }

    /// Adds the blocks that work on the model as it is now to those of earlier rounds. The best come back to be counted.
    fn find_blocks(
        &mut self,
        problem: &Problem,
        current: &Classifier,
        round: usize,
        monitor: &Monitor,
    ) -> Result<Vec<Counted>, RepairError> {
        let mut new = Vec::new();
        for (i, mark) in self.marks.iter().enumerate() {
            let seed = problem.seed.of("disturbance").nth(round).nth(i);
            let found = working(&problem.parts.repair, current, mark, &self.blocks, seed.of("blocks"), monitor)?;
            for best in first_of_each_kind(&found) {
                new.push(best.counted(mark)?);
            }
            self.blocks.extend(found);
        }
        Ok(new)
    }

    /// Share of the validation pictures that the strongest blocks turn that a search finds for `model`.
    fn outlive(&self, problem: &Problem, model: &Classifier, monitor: &Monitor) -> Result<f32, RepairError> {
        let mut left = Vec::new();
        for (i, mark) in self.marks.iter().enumerate() {
            let seed = problem.seed.of("blocks that outlive").nth(i);
            let found = strongest(&problem.parts.repair, model, mark, &self.blocks, seed, monitor)?;
            for (_, block) in found.iter().take(LEFT) {
                left.push(block.counted(mark)?);
            }
        }
        let left = measure(model, &problem.parts.validation, &left, monitor)?.worst_asr().unwrap_or(0.0);
        Ok(left)
    }

    /// Share of the validation pictures that a search as that for blocks turns into labels that nobody attacked: so many turn in
    /// any model, and unlearning them costs accuracy for nothing.
    fn natural(
        &self,
        problem: &Problem,
        current: &Classifier,
        round: usize,
        monitor: &Monitor,
    ) -> Result<f32, RepairError> {
        let seed = problem.seed.of("natural").nth(round);
        let mut random = seed.of("labels").random();
        let mut others: Vec<usize> = (0..problem.suspect.classes()).collect();
        others.retain(|label| self.marks.iter().all(|mark| mark.label != *label));
        random.shuffle(&mut others);
        let mut turned = Vec::new();
        for (i, label) in others.into_iter().take(NATURAL).enumerate() {
            let mark = Trigger { label, ..self.marks[i % self.marks.len()].clone() };
            let known: Vec<Block> = self.blocks.iter().map(|block| Block { label, ..block.clone() }).collect();
            let found = strongest(&problem.parts.repair, current, &mark, &known, seed.nth(i), monitor)?;
            let found: Vec<Block> = found.into_iter().map(|(_, block)| block).collect();
            for best in first_of_each_kind(&found) {
                turned.push(best.counted(&mark)?);
            }
        }
        Ok(measure(current, &problem.parts.validation, &turned, monitor)?.worst_asr().unwrap_or(0.0))
    }

    /// Additive patterns that work on the model as it is now, in place of those of earlier rounds.
    fn find_patterns(
        &mut self,
        problem: &Problem,
        current: &Classifier,
        round: usize,
        monitor: &Monitor,
    ) -> Result<(), RepairError> {
        self.added.clear();
        for (i, mark) in self.marks.iter().enumerate() {
            let seed = problem.seed.of("disturbance").nth(round).nth(i).of("universal");
            for k in 0..PATTERNS {
                self.added.push(universal(problem, current, mark.label, RADIUS, seed.nth(k), monitor)?);
            }
        }
        Ok(())
    }

    /// One of them, for one picture.
    fn draw(&self, random: &mut Random) -> Result<Disturbance, RepairError> {
        let mark = &self.marks[random.below(self.marks.len())];
        let kind = random.uniform(0.0, 1.0);
        Ok(if kind < FOUND_BLOCK && !self.blocks.is_empty() {
            Disturbance::Block(self.blocks[random.below(self.blocks.len())].clone())
        } else if kind < FOUND_BLOCK + ANY_BLOCK {
            Disturbance::Block(Block::random(mark, random)?)
        } else if kind < FOUND_BLOCK + ANY_BLOCK + ADDED {
            self.added[random.below(self.added.len())].clone()
        } else {
            Disturbance::Stamp(mark.clone())
        })
    }
}

/// One round: `current` trained on pictures stamped with all triggers found so far, at the `pace`-th learning rate.
fn unlearned(
    problem: &Problem,
    current: &Classifier,
    pool: &Pool<'_>,
    round: usize,
    pace: usize,
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    let images = &problem.parts.repair;
    let device = problem.suspect.device();
    let labels: BTreeSet<usize> = pool.marks.iter().map(|mark| mark.label).collect();
    let targets: Vec<usize> = (0..images.len()).filter(|&i| labels.contains(&images.labels[i])).collect();
    // The rest is what the suspect says of the clean picture: the more often that is right, the more it counts.
    let true_label = 1.0 - problem.before.accuracy;
    let lead = HEAD_START * pace.saturating_sub(GENTLE) as f32;
    let lead: Vec<f32> =
        (0..problem.suspect.classes()).map(|label| if labels.contains(&label) { lead } else { 0.0 }).collect();
    let lead = Tensor::new(lead, &device)?;
    let mut gradients = |at: &_, batch: &Batch<'_>| {
        let learner = Learner::new(problem.suspect, at)?;
        let seed = batch.seed.nth(round);
        let indices = with_targets(batch.indices, &targets, &mut seed.of("targets").random());
        let clean = shown(images, &indices, seed, &device)?;
        let wanted = wanted_answers(problem.suspect, &clean, images, &indices, true_label, &labels)?;
        let x = stamped(&clean, pool, images, &indices, &mut seed.random())?;
        learner.gradients(&error(&learner.classifier.logits(&x)?.broadcast_add(&lead)?, &wanted)?)
    };
    // Few images are shown more often: what counts is the number of steps.
    let passes = PASSES.max(FEWEST_STEPS.div_ceil(images.len().div_ceil(BATCH).max(1)));
    let rate = RATES[pace.min(ROUNDS - 1)];
    let schedule = Schedule { method: NAME, passes, at_least: passes, batch: BATCH, rate, steps: Steps::Relative };
    fine_tune(problem, current, schedule, &mut gradients, watch, monitor)
}

/// The pictures of a batch, and as many more of the infected labels as are lacking.
fn with_targets(indices: &[usize], targets: &[usize], random: &mut Random) -> Vec<usize> {
    let wanted = (TARGETS * indices.len() as f32).round() as usize;
    let there = indices.iter().filter(|i| targets.binary_search(i).is_ok()).count();
    let more = if targets.is_empty() { 0 } else { wanted.saturating_sub(there) };
    let mut shown = indices.to_vec();
    shown.extend((0..more).map(|_| targets[random.below(targets.len())]));
    shown
}

/// The batch `x` with a varied trigger on about half of the pictures that are not of its label.
fn stamped(
    x: &Tensor,
    pool: &Pool<'_>,
    images: &ImageSet,
    indices: &[usize],
    random: &mut Random,
) -> Result<Tensor, RepairError> {
    let mut rows = Vec::with_capacity(indices.len());
    for (row, &i) in indices.iter().enumerate() {
        let picture = x.narrow(0, row, 1)?;
        let disturbance = pool.draw(random)?;
        let stamps = random.chance(STAMPED) && images.labels[i] != disturbance.label();
        rows.push(if stamps { disturbance.varied(&picture, random)? } else { picture });
    }
    Ok(Tensor::cat(&rows, 0)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;
    use candle_core::Device;

    /// What is taken of the way to a network whose backdoor weighs `weight` instead of 50, where `lost` accuracy is said to be lost.
    fn taken(weight: f32, lost: f32) -> String {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let last = Tensor::new(&[[0.0_f32, 10.0, 0.0], [10.0, 0.0, 0.0], [0.0, 0.0, weight]], &Device::Cpu).unwrap();
        let state = Change { parameters: [("last".to_owned(), last)].into(), clamps: Vec::new() };
        let measured = problem.measured(&state, &Monitor::silent()).unwrap();
        assert_eq!((measured.accuracy, measured.worst_asr()), (1.0, Some(0.0)));
        let mut unlearned = Best::new(&problem);
        (unlearned.state, unlearned.measured) = (state, Measured { accuracy: measured.accuracy - lost, ..measured });
        let outcome = blended(&problem, unlearned, &Pool::new(&problem), &Monitor::silent()).unwrap();
        let choices = outcome.choices.unwrap();
        choices.list[choices.chosen].what.clone()
    }

    #[test]
    fn the_later_of_two_states_that_are_good_enough_is_kept_unless_it_costs_accuracy() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let kept = |accuracies: [f32; 2]| {
            let mut best = Best::new(&problem);
            for accuracy in accuracies {
                let mut measured = Measured { accuracy, ..problem.before.clone() };
                measured.asr.iter_mut().for_each(|success| success.share = 0.0);
                best.consider(&Change::default(), &measured);
            }
            best.measured.accuracy
        };
        assert_eq!(kept([1.0, 0.997]), 0.997);
        assert_eq!(kept([1.0, 0.99]), 1.0);
        assert_eq!(kept([0.985, 1.0]), 1.0);
    }

    #[test]
    fn less_than_all_of_the_way_is_taken_only_where_accuracy_was_lost_and_the_trigger_is_gone_there() {
        assert_eq!(taken(-100.0, 0.05), "90 %");
        assert_eq!(taken(-100.0, 0.0), "100 %", "nothing to win back");
        assert_eq!(taken(-100.0, 0.008), "100 %", "little to win back");
        // At nine tenths the backdoor would still weigh 5, and white is 3 * 5 for it against 10 for bright.
        assert_eq!(taken(0.0, 0.05), "100 %");
    }
}
