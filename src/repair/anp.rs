//! Adversarial neuron pruning (Wu and Wang, NeurIPS 2021): channels whose small disturbance makes the network err are where
//! backdoors live. A mask over all channels learns to do without them; those it takes lowest are switched off.
//!
//! The reference switches off what ends below a threshold. In networks without normalisations whole layers end at 0, so
//! channels are ranked by the mean of their mask over all steps, which also tells what fell first.
//!
//! Channels are those of `model/channels.rs`: scales and shifts of normalisations, and rows and biases of layers that none follows.

use super::choice::{Edit, Outcome, Trial};
use super::descent::Numbers;
use super::tune::Learner;
use super::{Point, Problem, Repair, RepairError};
use crate::model::Classifier;
use crate::model::channels::{Channels, Silence, channels};
use crate::progress::Monitor;
use crate::tensor::{Random, cross_entropy};
use candle_core::Tensor;

/// See the module.
pub struct Anp;

/// Largest share by which a channel's factor and shift are disturbed.
const NOISE: f32 = 0.4;
/// Weight of the loss without disturbance; the rest is that of the loss with it.
const UNDISTURBED: f32 = 0.2;
/// Of the masks' momentum SGD.
const RATE: f32 = 0.2;
const MOMENTUM: f32 = 0.9;
/// The paper takes 2000 steps of 128 images; masks that matter have moved long before.
const STEPS: usize = 200;
const BATCH: usize = 32;
/// Slopes of the masks are never longer than this: without normalisations disturbed layers multiply.
const LONGEST: f32 = 1.0;
/// Shares of all channels that are switched off, from mild to harsh.
const SHARES: [f32; 16] =
    [0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.15, 0.2, 0.27, 0.35, 0.45, 0.6];
/// Share of the work that the masks take.
const LEARNING: f32 = 0.85;

impl Repair for Anp {
    fn name(&self) -> &'static str {
        "anp"
    }

    fn price(&self) -> &'static str {
        "Finds the channels whose small disturbance makes the model err, and switches them off. Needs clean images but no \
         trigger; changes nothing but those channels; one to five minutes. Meant for wide networks: in small ones every channel \
         is needed, and the backdoor often stays"
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let suspect = problem.suspect;
        let layers = channels(suspect.graph(), suspect.parameters());
        if layers.is_empty() {
            return Err(RepairError::Lacks("this model has no channels that could be switched off".into()));
        }
        let masks = learned(problem, &layers, monitor)?;
        let mut ranked: Vec<f32> = masks.iter().flatten().copied().collect();
        ranked.sort_by(f32::total_cmp);
        let mut trial = Trial::new(problem, "Channels switched off, those whose disturbance harms most first");
        let mut earlier = Silence::default();
        for (i, share) in SHARES.iter().enumerate() {
            let done = LEARNING + (1.0 - LEARNING) * (i + 1) as f32 / SHARES.len() as f32;
            let count = ((share * ranked.len() as f32).round() as usize).clamp(1, ranked.len());
            monitor.step(format!("Switching off {count} of {} channels", ranked.len()), done);
            let threshold = ranked[count - 1];
            let mut silence = Silence::default();
            for (layer, mask) in layers.iter().zip(&masks) {
                silence.add(layer, mask.iter().map(|&m| m > threshold).collect());
            }
            if silence == earlier {
                continue;
            }
            earlier = silence.clone();
            let what = format!("{} of {}", silence.count, ranked.len());
            let (now, worth_it) = trial.add(what, Edit::Channels(silence), monitor)?;
            watch(Point::of(done, &now));
            if !worth_it {
                break;
            }
        }
        trial.end()
    }
}

/// One number a channel, layer after layer.
type PerChannel = Vec<Vec<f32>>;

/// The means of the masks over all steps: 1 keeps a channel as it is.
fn learned(problem: &Problem, layers: &[Channels<'_>], monitor: &Monitor) -> Result<PerChannel, RepairError> {
    let mut batches = Batches::new(problem);
    let mut random = problem.seed.of("anp").of("noise").random();
    let each = |value: f32| layers.iter().map(|l| vec![value; l.count]).collect::<PerChannel>();
    let (mut masks, mut speed, mut means, none) = (each(1.0), each(0.0), each(0.0), each(1.0));
    for step in 0..STEPS {
        monitor
            .step(format!("Disturbing channels, step {} of {STEPS}", step + 1), LEARNING * step as f32 / STEPS as f32);
        let (x, labels) = batches.next()?;
        let slope = |factors: &PerChannel, shifts: &PerChannel| {
            monitor.check()?;
            slopes(problem.suspect, layers, factors, shifts, &x, &labels)
        };
        let mut noise = [uniform(layers, &mut random), uniform(layers, &mut random)];
        let start = slope(&sum(&masks, &noise[0]), &sum(&none, &noise[1]))?;
        uphill(&mut noise[0], &start.by_factor);
        uphill(&mut noise[1], &start.by_shift);
        let disturbed = slope(&sum(&masks, &noise[0]), &sum(&none, &noise[1]))?;
        let as_it_is = slope(&masks, &none)?;
        descend(&mut masks, &mut speed, &as_it_is.by_factor, &disturbed.by_factor);
        for (mean, mask) in means.iter_mut().flatten().zip(masks.iter().flatten()) {
            *mean += mask / STEPS as f32;
        }
    }
    Ok(means)
}

/// Clean images in batches, shuffled anew for every pass.
struct Batches<'a> {
    problem: &'a Problem<'a>,
    order: Vec<usize>,
    random: Random,
    next: usize,
}

impl<'a> Batches<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        let images = problem.parts.repair.len();
        let random = problem.seed.of("anp").of("order").random();
        Self { problem, order: (0..images).collect(), random, next: images }
    }

    /// Pixels `[n, c, h, w]` and labels `[n]`.
    fn next(&mut self) -> Result<(Tensor, Tensor), RepairError> {
        if self.next >= self.order.len() {
            self.random.shuffle(&mut self.order);
            self.next = 0;
        }
        let batch = &self.order[self.next..(self.next + BATCH).min(self.order.len())];
        self.next += BATCH;
        let (images, device) = (&self.problem.parts.repair, self.problem.suspect.device());
        Ok((images.tensor(batch, &device)?, images.truth(batch, &device)?))
    }
}

/// How the loss on a batch depends on the multipliers of all channels' factors and shifts.
struct Slopes {
    by_factor: PerChannel,
    by_shift: PerChannel,
}

fn slopes(
    suspect: &Classifier,
    layers: &[Channels<'_>],
    factors: &PerChannel,
    shifts: &PerChannel,
    x: &Tensor,
    labels: &Tensor,
) -> Result<Slopes, RepairError> {
    let mut at = Numbers::new();
    for ((layer, factors), shifts) in layers.iter().zip(factors).zip(shifts) {
        at.extend(layer.scaled(suspect.parameters(), factors, shifts)?);
    }
    let learner = Learner::new(suspect, &at)?;
    let loss = cross_entropy(&learner.classifier.logits(x)?, labels)?.mean_all()?;
    if !loss.to_scalar::<f32>()?.is_finite() {
        return Err(RepairError::Diverged { method: "anp" });
    }
    let by_number = learner.gradients(&loss)?;
    let mut slopes = Slopes { by_factor: Vec::new(), by_shift: Vec::new() };
    for layer in layers {
        let [by_factor, by_shift] = layer.slopes(suspect.parameters(), &by_number)?;
        slopes.by_factor.push(by_factor);
        slopes.by_shift.push(by_shift);
    }
    Ok(slopes)
}

fn uniform(layers: &[Channels<'_>], random: &mut Random) -> PerChannel {
    layers.iter().map(|l| (0..l.count).map(|_| random.uniform(-NOISE, NOISE)).collect()).collect()
}

fn sum(a: &PerChannel, b: &PerChannel) -> PerChannel {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

/// One signed step up the loss, as long as the largest disturbance, which it never leaves.
fn uphill(noise: &mut PerChannel, slopes: &PerChannel) {
    for (noise, slope) in noise.iter_mut().flatten().zip(slopes.iter().flatten()) {
        let step = if *slope == 0.0 { 0.0 } else { NOISE * slope.signum() };
        *noise = (*noise + step).clamp(-NOISE, NOISE);
    }
}

/// One step of the masks down both losses; they stay in `[0, 1]`.
fn descend(masks: &mut PerChannel, speed: &mut PerChannel, as_it_is: &PerChannel, disturbed: &PerChannel) {
    let both = as_it_is.iter().flatten().zip(disturbed.iter().flatten());
    let slopes: Vec<f32> = both.map(|(clean, noisy)| UNDISTURBED * clean + (1.0 - UNDISTURBED) * noisy).collect();
    let length = slopes.iter().map(|s| s * s).sum::<f32>().sqrt();
    let shorter = (LONGEST / length.max(f32::MIN_POSITIVE)).min(1.0);
    for ((mask, speed), slope) in masks.iter_mut().flatten().zip(speed.iter_mut().flatten()).zip(slopes) {
        *speed = MOMENTUM * *speed + shorter * slope;
        *mask = (*mask - RATE * *speed).clamp(0.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;

    #[test]
    fn the_channel_of_the_backdoor_is_the_first_to_go() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let outcome = Anp.run(&problem, &|_| {}, &Monitor::silent()).unwrap();
        let choices = outcome.choices.unwrap();
        let first = &choices.list[1];
        assert_eq!((first.measured.accuracy, first.measured.worst_asr()), (1.0, Some(0.0)), "{}", first.what);
        let weight = first.change(&suspect).unwrap().parameters["weight"].flatten_all().unwrap();
        assert_eq!(weight.to_vec1::<f32>().unwrap(), [1.0, -1.0, 0.0]);
        // Without a second channel dark and bright cannot be told apart.
        assert!(choices.list[choices.chosen].measured.accuracy == 1.0);
        let harshest = choices.list.last().unwrap();
        assert!(harshest.measured.accuracy < 1.0, "{}", harshest.what);
    }

    #[test]
    fn noise_climbs_the_loss_within_its_bounds_and_masks_descend_within_theirs() {
        let mut noise = vec![vec![0.3, -0.1, 0.2]];
        uphill(&mut noise, &vec![vec![1.0, -5.0, 0.0]]);
        assert_eq!(noise, [[NOISE, -NOISE, 0.2]]);
        let (mut masks, mut speed) = (vec![vec![1.0, 0.5, 0.05]], vec![vec![0.0; 3]]);
        descend(&mut masks, &mut speed, &vec![vec![-1.0, 0.0, 0.6]], &vec![vec![0.0, 0.25, 0.6]]);
        // Slopes of both losses: -0.2, 0.2 and 0.6, times the rate of 0.2.
        let expected = [1.0, 0.46, 0.0];
        assert!(masks[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{masks:?}");
    }

    #[test]
    fn a_stop_ends_it() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let monitor = Monitor::silent();
        monitor.stop();
        assert!(Anp.run(&problem, &|_| {}, &monitor).unwrap_err().is_stop());
    }
}
