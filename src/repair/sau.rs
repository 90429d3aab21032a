//! Shared adversarial unlearning (Wei et al., NeurIPS 2023): pictures are disturbed until the suspect and the model that is
//! being repaired err alike, and the model learns not to. Needs no trigger: backdoors are what both are fooled by most easily.

use super::descent::{Numbers, Steps};
use super::lesson::{TRUE_LABEL, error, wanted_answers};
use super::tune::{Batch, Learner, Schedule, fine_tune};
use super::{Outcome, Point, Problem, Repair, RepairError};
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{answers, log_softmax};
use crate::train::augmented;
use candle_core::{Tensor, Var};
use std::collections::BTreeSet;

/// See the module.
pub struct Sau;

/// The paper runs Adam at 1e-4 for 100 rounds; here the momentum SGD of all repairs, which bounds its steps.
const SCHEDULE: Schedule =
    Schedule { method: "sau", passes: 12, at_least: 6, batch: 32, rate: 0.005, steps: Steps::Published };
/// Largest change of a pixel of `[0, 1]`. The reference allows 0.2 of the normalised range, about 0.05 here; that leaves
/// patches as they are (docs/repairs.md).
const RADIUS: f64 = 0.2;
/// Steps of the disturbance, each as long as the radius.
const STEPS: usize = 5;
/// Weight of both models' errors beside that of the difference between their answers.
const ERROR: f64 = 0.01;
/// Bounds on the share that is left for other labels.
const LEAST: f32 = 0.001;
const MOST: f32 = 0.999;

impl Repair for Sau {
    fn name(&self) -> &'static str {
        SCHEDULE.method
    }

    fn price(&self) -> &'static str {
        "Disturbs clean pictures until the suspect and its repaired copy make the same mistake, and teaches the copy not to. \
         Needs clean images but no trigger; changes all weights; some minutes and a few points of accuracy. Removes patterns \
         spread over the picture; patches often survive"
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let images = &problem.parts.repair;
        let suspect = problem.suspect;
        let mut gradients = |at: &Numbers, batch: &Batch<'_>| {
            let x = augmented(images, batch.indices, batch.seed.of("augment"), &suspect.device())?;
            let truth: Vec<usize> = batch.indices.iter().map(|&i| images.labels[i]).collect();
            let mut parameters = suspect.parameters().clone();
            parameters.extend(at.clone());
            let now = suspect.with_parameters(parameters);
            let disturbed = (&x + disturbance(suspect, &now, &x, &truth, monitor)?)?.clamp(0f32, 1f32)?.detach();
            let before = answers(&suspect.logits(&x)?)?;
            let fooled = answers(&suspect.logits(&disturbed)?)?;
            let wrong: Vec<f32> = (0..truth.len())
                .map(|i| f32::from(u8::from(fooled[i] != truth[i] && fooled[i] != before[i])))
                .collect();
            let wanted = wanted_answers(suspect, &x, images, batch.indices, TRUE_LABEL, &BTreeSet::new())?;
            let learner = Learner::new(suspect, at)?;
            let clean = error(&learner.classifier.logits(&x)?, &wanted)?;
            let shared = shared_loss(&learner.classifier.logits(&disturbed)?, &fooled, &wrong)?;
            learner.gradients(&(clean + shared)?)
        };
        Ok(fine_tune(problem, suspect, SCHEDULE, &mut gradients, watch, monitor)?.into())
    }
}

/// `-log(1 - p_q)` of the label `q` the suspect was fooled to, on the pictures where it was (`wrong` is 1), averaged over
/// all.
fn shared_loss(logits: &Tensor, fooled: &[usize], wrong: &[f32]) -> Result<Tensor, RepairError> {
    let device = logits.device();
    let labels = Tensor::from_vec(fooled.iter().map(|&l| l as u32).collect(), (fooled.len(), 1), device)?;
    let share = log_softmax(logits)?.gather(&labels, 1)?.exp()?.squeeze(1)?;
    let others = share.affine(-1.0, 1.0)?.clamp(LEAST, MOST)?;
    let wrong = Tensor::from_slice(wrong, wrong.len(), device)?;
    Ok((others.log()? * wrong)?.mean_all()?.neg()?)
}

/// A change of each picture `[n, c, h, w]` of at most [`RADIUS`] a pixel under which both models err, and answer alike.
fn disturbance(
    suspect: &Classifier,
    now: &Classifier,
    x: &Tensor,
    truth: &[usize],
    monitor: &Monitor,
) -> Result<Tensor, RepairError> {
    let mut change = x.ones_like()?.affine(RADIUS, 0.0)?;
    for _ in 0..STEPS {
        monitor.check()?;
        let variable = Var::from_tensor(&change)?;
        let disturbed = (x + variable.as_tensor())?.clamp(0f32, 1f32)?;
        let loss = disagreement(&suspect.logits(&disturbed)?, &now.logits(&disturbed)?, truth)?;
        let Some(slope) = loss.backward()?.remove(&variable) else { break };
        change = (change - (slope.sign()? * RADIUS)?)?.clamp(-RADIUS, RADIUS)?.detach();
    }
    Ok(change)
}

/// What the disturbance makes small: the difference between the two answers where they do not err alike yet
/// (Jensen-Shannon), less a little of each model's error where it is still right.
fn disagreement(suspect: &Tensor, now: &Tensor, truth: &[usize]) -> Result<Tensor, RepairError> {
    let (a, b) = (answers(suspect)?, answers(now)?);
    let device = suspect.device();
    let n = truth.len();
    let rows = |kept: &dyn Fn(usize) -> bool| {
        let kept: Vec<f32> = (0..n).map(|i| f32::from(u8::from(kept(i)))).collect();
        let count = f64::from(kept.iter().sum::<f32>()).max(1.0);
        Tensor::from_vec(kept, n, device)?.affine(1.0 / count, 0.0)
    };
    let labels = Tensor::from_vec(truth.iter().map(|&l| l as u32).collect(), (n, 1), device)?;
    let (p, q) = (log_softmax(suspect)?, log_softmax(now)?);
    let right = |said: &Tensor| said.gather(&labels, 1)?.squeeze(1);
    let mean = ((p.exp()? + q.exp()?)? * 0.5)?.clamp(1e-12f32, 1f32)?.log()?;
    let far = |said: &Tensor| (said.exp()? * (said - &mean)?)?.sum(1);
    let apart = ((far(&p)? + far(&q)?)? * 0.5)?;
    let apart = (apart * rows(&|i| !(a[i] == b[i] && a[i] != truth[i]))?)?.sum_all()?;
    let errors = ((right(&p)? * rows(&|i| a[i] == truth[i])?)?.sum_all()?
        + (right(&q)? * rows(&|i| b[i] == truth[i])?)?.sum_all()?)?;
    Ok((apart + (errors * (0.5 * ERROR))?)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;

    fn network(seed: u64) -> Classifier {
        tiny([12, 12], 4, Seed(seed))
    }

    fn pictures() -> Tensor {
        Seed(7).random().uniform_tensor(0.0, 1.0, (6, 3, 12, 12), &Device::Cpu).unwrap()
    }

    #[test]
    fn the_shared_loss_counts_the_pictures_that_fooled_the_suspect_only() {
        // Shares of 1/4 and 3/4 for label 1.
        let logits = Tensor::new(&[[3f32.ln(), 0.0], [0.0, 3f32.ln()]], &Device::Cpu).unwrap();
        let loss = |wrong: &[f32]| shared_loss(&logits, &[1, 1], wrong).unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(loss(&[0.0, 0.0]), 0.0);
        assert!((loss(&[1.0, 0.0]) + 0.75f32.ln() / 2.0).abs() < 1e-6);
        assert!((loss(&[1.0, 1.0]) + (0.75f32.ln() + 0.25f32.ln()) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn models_that_err_alike_do_not_disagree_and_others_do() {
        let logits =
            |rows: &[[f32; 2]]| Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu).unwrap();
        let apart = |a: &[[f32; 2]], b: &[[f32; 2]], truth: &[usize]| {
            disagreement(&logits(a), &logits(b), truth).unwrap().to_scalar::<f32>().unwrap()
        };
        // Both answer 1 where 0 is true: they share the mistake, however sure each is.
        assert_eq!(apart(&[[0.0, 1.0]], &[[0.0, 9.0]], &[0]), 0.0);
        // One is right: they differ, less a hundredth of half the right one's log-probability.
        let sure = 1.0 / (1.0 + (-9f32).exp());
        let m = [0.5, 0.5];
        let kl = sure * (sure / m[0]).ln() + (1.0 - sure) * ((1.0 - sure) / m[1]).ln();
        let expected = kl + 0.005 * sure.ln();
        assert!((apart(&[[9.0, 0.0]], &[[0.0, 9.0]], &[0]) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_disturbance_is_bounded_and_lowers_what_it_is_searched_by() {
        let (suspect, now, x) = (network(1), network(2), pictures());
        let truth = answers(&suspect.logits(&x).unwrap()).unwrap();
        let d = disturbance(&suspect, &now, &x, &truth, &Monitor::silent()).unwrap();
        let largest = d.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(largest <= RADIUS as f32 + 1e-6 && largest > 0.0);
        let at = |x: &Tensor| {
            let (a, b) = (suspect.logits(x).unwrap(), now.logits(x).unwrap());
            log_softmax(&a)
                .unwrap()
                .exp()
                .unwrap()
                .sub(&log_softmax(&b).unwrap().exp().unwrap())
                .unwrap()
                .abs()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        assert!(at(&(&x + d).unwrap()) < at(&x));
    }
}
