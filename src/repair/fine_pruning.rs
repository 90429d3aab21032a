//! Fine-pruning (Liu et al., RAID 2018; BackdoorBench's variant): what the last layer reads but clean images hardly light up is
//! cut off, as much as clean accuracy allows, and the model is trained on. Backdoors like to live in such channels.

use super::choice::{Edit, Outcome, Trial};
use super::descent::{Numbers, Steps};
use super::lesson::{TRUE_LABEL, error, shown, wanted_answers};
use super::probe::{How, Place, probed};
use super::tune::{Batch, Learner, Schedule, fine_tune};
use super::{Point, Problem, Repair, RepairError};
use crate::images::ImageSet;
use crate::model::channels::last_layers;
use crate::model::graph::Op;
use crate::model::{Change, Classifier};
use crate::progress::Monitor;
use candle_core::Tensor;
use std::collections::BTreeSet;

/// See the module.
pub struct FinePruning;

/// BackdoorBench trains for 100 passes at this rate, on ten times as many images.
const SCHEDULE: Schedule =
    Schedule { method: "fine-pruning", passes: 15, at_least: 8, batch: 32, rate: 0.01, steps: Steps::Published };
/// Steps in which channels are cut off, up to all but one.
const STEPS: usize = 20;
/// Clean accuracy that cutting alone may cost; training brings back what the aim asks (BackdoorBench: a tenth).
const CUT_LOSS: f32 = 0.1;
/// Cuts that are trained on, as shares of the deepest.
const TRAINED: [f32; 3] = [0.5, 0.75, 1.0];
/// Share of the work that cutting takes.
const CUTTING: f32 = 0.1;

impl Repair for FinePruning {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Cuts off the channels in front of the last layer that clean images hardly use, then trains the model on clean images. \
         Needs clean images but no trigger; changes all weights; a few minutes and a point or two of accuracy. Weak where the backdoor shares its channels with clean pictures"
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let suspect = problem.suspect;
        let last = Last::of(suspect)?;
        monitor.step("Looking which channels clean images use", 0.0);
        let weakest = last.weakest_first(suspect, &problem.parts.repair, monitor)?;
        let deepest = deepest_cut(problem, &last, &weakest, watch, monitor)?;
        let mut trial = Trial::new(problem, "Share of the last layer's channels that are cut off before training");
        let mut earlier = 0;
        for (i, share) in TRAINED.iter().enumerate() {
            let count = (share * deepest as f32).round() as usize;
            if i > 0 && count == earlier {
                continue;
            }
            earlier = count;
            let at = |part: f32| CUTTING + (1.0 - CUTTING) * (i as f32 + part) / TRAINED.len() as f32;
            let told = |p: Point| watch(Point { done: at(p.done), ..p });
            let change = trained(problem, &last, &weakest[..count], &told, &monitor.part(at(0.0), at(1.0)))?;
            let what = format!("{:.0} %, {count} of {}", 100.0 * count as f32 / weakest.len() as f32, weakest.len());
            trial.add(what, Edit::Whole(change), monitor)?;
        }
        trial.end()
    }
}

/// The layer that gives the logits, and what it reads.
struct Last<'a> {
    weight: &'a str,
    /// Axis of the weight along which its inputs lie.
    axis: usize,
    reads: Place,
}

impl<'a> Last<'a> {
    fn of(suspect: &'a Classifier) -> Result<Self, RepairError> {
        let lacks =
            || RepairError::Lacks("this model does not end in a layer whose inputs could be cut off one by one".into());
        let graph = suspect.graph();
        let last: Vec<usize> = last_layers(graph).into_iter().collect();
        let [last] = last[..] else { return Err(lacks()) };
        let node = &graph.nodes[last];
        let (Some(weight), Some(&Some(value))) = (graph.parameter_read(node, 1), node.inputs.first()) else {
            return Err(lacks());
        };
        let dims = suspect.parameters().get(weight).map_or(&[][..], Tensor::dims);
        let axis = match node.op {
            Op::Gemm { transpose_a: false, transpose_b, .. } if dims.len() == 2 => usize::from(transpose_b),
            Op::MatMul if dims.len() == 2 => 0,
            // One group: what it reads are the channels of its kernels.
            Op::Conv(_) => 1,
            _ => return Err(lacks()),
        };
        let read = suspect.shape_of(value)?;
        let along = if matches!(node.op, Op::Conv(_)) { 1 } else { read.len() - 1 };
        let reads = Place { value, axis: along, rank: read.len(), channels: read[along] };
        if reads.channels != dims[axis] || reads.channels < 2 {
            return Err(lacks());
        }
        Ok(Self { weight, axis, reads })
    }

    /// Indices of the channels it reads, those clean images light up least first.
    fn weakest_first(
        &self,
        suspect: &Classifier,
        images: &ImageSet,
        monitor: &Monitor,
    ) -> Result<Vec<usize>, RepairError> {
        let means = probed(suspect, std::slice::from_ref(&self.reads), How::Mean, images, monitor)?.remove(0);
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|&a, &b| means[a].abs().total_cmp(&means[b].abs()));
        Ok(order)
    }

    /// 0 for the inputs that are cut off and 1 for the others, in a shape that broadcasts over the weight.
    fn stays(&self, cut: &[usize], weight: &Tensor) -> candle_core::Result<Tensor> {
        let mut stays = vec![1.0_f32; self.reads.channels];
        cut.iter().for_each(|&i| stays[i] = 0.0);
        let mut shape = vec![1; weight.rank()];
        shape[self.axis] = stays.len();
        Tensor::from_vec(stays, shape, weight.device())
    }

    /// The suspect without some of the inputs.
    fn without(&self, suspect: &Classifier, cut: &[usize]) -> Result<Change, RepairError> {
        let weight = &suspect.parameters()[self.weight];
        let mut change = Change::default();
        change.parameters.insert(self.weight.to_owned(), weight.broadcast_mul(&self.stays(cut, weight)?)?);
        Ok(change)
    }
}

/// How many of the weakest channels can go before clean accuracy falls too far.
fn deepest_cut(
    problem: &Problem,
    last: &Last<'_>,
    weakest: &[usize],
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<usize, RepairError> {
    let mut deepest = 0;
    for step in 1..=STEPS {
        let count = (weakest.len() - 1) * step / STEPS;
        if count == deepest {
            continue;
        }
        let done = CUTTING * step as f32 / STEPS as f32;
        monitor.step(format!("Cutting off {count} of {} channels", weakest.len()), done);
        let now = problem.measured(&last.without(problem.suspect, &weakest[..count])?, monitor)?;
        watch(Point::of(done, &now));
        if now.accuracy < problem.before.accuracy - CUT_LOSS {
            break;
        }
        deepest = count;
    }
    Ok(deepest)
}

/// The suspect without some channels, trained on clean images; what was cut off stays so.
fn trained(
    problem: &Problem,
    last: &Last<'_>,
    cut: &[usize],
    watch: &(dyn Fn(Point) + Sync),
    monitor: &Monitor,
) -> Result<Change, RepairError> {
    let suspect = problem.suspect;
    let images = &problem.parts.repair;
    let stays = last.stays(cut, &suspect.parameters()[last.weight])?;
    let mut gradients = |at: &Numbers, batch: &Batch<'_>| {
        let x = shown(images, batch.indices, batch.seed, &suspect.device())?;
        let wanted = wanted_answers(suspect, &x, images, batch.indices, TRUE_LABEL, &BTreeSet::new())?;
        let learner = Learner::new(suspect, at)?;
        let mut slopes = learner.gradients(&error(&learner.classifier.logits(&x)?, &wanted)?)?;
        if let Some(slope) = slopes.get_mut(last.weight) {
            *slope = slope.broadcast_mul(&stays)?;
        }
        Ok(slopes)
    };
    let from = last.without(suspect, cut)?.apply(suspect)?;
    fine_tune(problem, &from, SCHEDULE, &mut gradients, watch, monitor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;

    #[test]
    fn what_clean_images_do_not_use_is_cut_off_and_stays_off() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let silent = Monitor::silent();
        let last = Last::of(&suspect).unwrap();
        assert_eq!((last.weight, last.axis, last.reads.channels), ("last", 1, 3));
        let weakest = last.weakest_first(&suspect, &parts.repair, &silent).unwrap();
        assert_eq!(weakest[0], planted::CHANNEL);
        // Without a second channel dark and bright cannot be told apart.
        assert_eq!(deepest_cut(&problem, &last, &weakest, &|_| {}, &silent).unwrap(), 1);
        let outcome = FinePruning.run(&problem, &|_| {}, &silent).unwrap();
        let choices = outcome.choices.unwrap();
        let chosen = &choices.list[choices.chosen];
        assert_eq!((chosen.measured.accuracy, chosen.measured.worst_asr()), (1.0, Some(0.0)), "{}", chosen.what);
        let weight = outcome.change.parameters["last"].to_vec2::<f32>().unwrap();
        assert!(weight.iter().all(|row| row[planted::CHANNEL] == 0.0), "{weight:?}");
        assert_ne!(weight[0][1], 10.0, "the rest was trained");
    }
}
