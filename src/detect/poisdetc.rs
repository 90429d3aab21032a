//! PoisDetc (`annoymousLink/PoisDetc-Code`, 2020; its sibling is PoisHygiene, arXiv 2003.11110).
//!
//! In: a suspect and a reference model, a label, random points. Each shot moves one point so that
//! the suspect says the label while the reference does not. Out: for each shot the final
//! cross-entropy of both models and the final point. An honest label's features are shared by both
//! models, so the suspect's loss falls only if the reference's does; a poisoned label has a shortcut
//! that only the suspect knows, so its loss falls to nearly nothing.
//!
//! Never decides: [`published_rule`] is the original threshold, a number to show beside others.

use super::DetectError;
use super::gradient::gradient_of;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Adam, Random, cross_entropy, numbers, squash};
use candle_core::{Device, Tensor, Var};

/// A shot has reached its label at a cross-entropy of at most this (a probability of 0.82).
pub const REACHED: f32 = 0.2;
/// The published rule flags a label when at least this share of its shots reached it.
pub const SHARE: f32 = 0.5;
/// Adam's step size in all three stages, as published.
pub const RATE: f64 = 0.01;
/// TensorFlow's defaults, which the published code uses.
const BETAS: (f64, f64) = (0.9, 0.999);
/// Steps of the first stage, called a filter in the published code although it filters nothing.
const FILTER_STEPS: usize = 2;
/// Keeps the inverse of the hyperbolic tangent finite at the ends of the range.
const EDGE: f64 = 0.999_999_99;
/// Shots are looked at, and those that are decided leave, when they could have moved this far in tanh
/// space: every 25 steps of the published size.
const LOOK_AFTER: f64 = 0.25;
/// A ratio of losses is settled when it changes by less than this share between two looks, twice.
const SETTLED: f32 = 0.02;
/// A shot this low cannot tell more by going on.
const BOTTOM: f32 = 0.01;
/// A shot has come to rest when its best loss improved by less than this share for [`PATIENCE`] looks.
const IMPROVEMENT: f32 = 0.03;
/// Looks without improvement after which a shot has come to rest.
const PATIENCE: usize = 3;

/// How the shots are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Shooting {
    /// Shots a label (published: 10).
    pub shots: usize,
    /// At most this many steps in each of the two long stages (published: 1000).
    pub steps: usize,
    /// Adam's step size in the two long stages (published: [`RATE`]). Steps and size together say how
    /// far a shot can move; fewer and longer ones reach the same places sooner and less smoothly.
    pub rate: f64,
    /// The published form: points of the first stage are taken for points in tanh space a second
    /// time, which confines all shots to `[0.5, 0.88]`. Otherwise corrected.
    pub original_form: bool,
    /// Leave early where a shot is decided.
    pub early: bool,
    /// At most this many shots are computed at once; each is a problem of its own, so that the result
    /// does not depend on it.
    pub at_once: usize,
}

impl Shooting {
    /// Steps between two looks.
    fn look_every(&self) -> usize {
        ((LOOK_AFTER / self.rate).round() as usize).max(1)
    }
}

/// What became of the shots at one label, one entry a shot.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Shots {
    /// The label aimed at.
    pub label: usize,
    /// Final cross-entropy of the suspect.
    pub losses: Vec<f32>,
    /// Final cross-entropy of the reference at the same point.
    pub reference_losses: Vec<f32>,
    /// Steps of both long stages together.
    pub steps: Vec<usize>,
    /// Final points `[shots, c, h, w]` in `[0, 1]`.
    #[serde(with = "numbers")]
    pub points: Tensor,
}

/// The share of shots that reached the label, and whether the published rule flags it.
pub fn published_rule(losses: &[f32]) -> (f32, bool) {
    if losses.is_empty() {
        return (0.0, false);
    }
    let prob = losses.iter().filter(|&&l| l <= REACHED).count() as f32 / losses.len() as f32;
    (prob, prob >= SHARE)
}

/// The random points all labels share, `[shots, c, h, w]`, uniform in `[0, 1)`.
///
/// # Errors
/// Where the device cannot hold them.
pub fn random_points(
    shots: usize,
    channels: usize,
    size: [usize; 2],
    random: &mut Random,
    device: &Device,
) -> candle_core::Result<Tensor> {
    random.uniform_tensor(0.0, 1.0, (shots, channels, size[0], size[1]), device)
}

/// Shoots at `labels` from `points`, all labels in one batch.
///
/// # Errors
/// Where a model fails or somebody stops the work.
pub fn shoot(
    suspect: &Classifier,
    reference: &Classifier,
    labels: &[usize],
    points: &Tensor,
    how: &Shooting,
    monitor: &Monitor,
) -> Result<Vec<Shots>, DetectError> {
    let range = Range { suspect, reference, how, monitor };
    let targets: Vec<u32> = labels.iter().flat_map(|&l| std::iter::repeat_n(l as u32, how.shots)).collect();
    let start = Tensor::cat(&vec![points; labels.len()], 0)?;
    let mut ends = Ends::default();
    let at_once = how.at_once.max(1);
    for (i, targets) in targets.chunks(at_once).enumerate() {
        ends.append(range.fire(&start.narrow(0, i * at_once, targets.len())?, targets)?);
    }

    let per_label = |values: &[f32], i: usize| values[i * how.shots..(i + 1) * how.shots].to_vec();
    labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            Ok(Shots {
                label,
                losses: per_label(&ends.losses, i),
                reference_losses: per_label(&ends.reference_losses, i),
                steps: ends.steps[i * how.shots..(i + 1) * how.shots].to_vec(),
                points: Tensor::stack(&ends.points[i * how.shots..(i + 1) * how.shots], 0)?,
            })
        })
        .collect()
}

/// Two models, and how to shoot with them.
struct Range<'a> {
    suspect: &'a Classifier,
    reference: &'a Classifier,
    how: &'a Shooting,
    monitor: &'a Monitor,
}

/// Where the shots ended, one entry a shot.
#[derive(Default)]
struct Ends {
    losses: Vec<f32>,
    reference_losses: Vec<f32>,
    steps: Vec<usize>,
    points: Vec<Tensor>,
}

impl Ends {
    fn append(&mut self, more: Self) {
        self.losses.extend(more.losses);
        self.reference_losses.extend(more.reference_losses);
        self.steps.extend(more.steps);
        self.points.extend(more.points);
    }
}

impl Range<'_> {
    /// All three stages, from pixels `start` towards `targets`.
    fn fire(&self, start: &Tensor, targets: &[u32]) -> Result<Ends, DetectError> {
        let filtered = self.push_away_from_suspect(&to_tanh_space(start)?, targets)?;
        // The published code forgets that the filtered points are pixels and squashes them again.
        let base = if self.how.original_form { filtered } else { to_tanh_space(&filtered)? };
        let (ratios, ratio_steps) = self.loss_ratios(&base, targets)?;
        let mut ends = self.drive(&base, targets, &ratios)?;
        ends.steps.iter_mut().zip(ratio_steps).for_each(|(all, first)| *all += first);
        Ok(ends)
    }

    /// First stage: two steps that push the suspect away from the label; gives pixels.
    fn push_away_from_suspect(&self, v: &Tensor, targets: &[u32]) -> Result<Tensor, DetectError> {
        let targets = Tensor::new(targets, v.device())?;
        let mut adam = Adam::new(RATE, BETAS);
        let mut v = v.clone();
        for _ in 0..FILTER_STEPS {
            self.monitor.check()?;
            let var = Var::from_tensor(&v)?;
            let loss = cross_entropy(&self.suspect.logits(&squash(&var)?)?, &targets)?;
            let gradient = gradient_of(&loss.neg()?, &var)?;
            v = adam.step(&v, &gradient)?;
        }
        Ok(squash(&v)?)
    }

    /// Second stage: pushes both models away from the label; gives the ratio of their losses at the
    /// end, which balances the third stage, and the steps it took.
    fn loss_ratios(&self, base: &Tensor, targets: &[u32]) -> Result<(Vec<f32>, Vec<usize>), DetectError> {
        let mut ratios = vec![1.0; targets.len()];
        let mut steps = vec![0; targets.len()];
        let mut settled = vec![0; targets.len()];
        let mut live = Live::new(base, targets, self.how.rate)?;
        let look_every = self.how.look_every();
        for step in 1..=self.how.steps {
            self.monitor.check()?;
            let var = Var::from_tensor(&live.v)?;
            let (one, two) = self.losses(&var, &live.targets)?;
            let gradient = gradient_of(&(&one + &two)?.neg()?, &var)?;
            let last = step == self.how.steps;
            if step.is_multiple_of(look_every) || last {
                let (one, two) = (one.to_vec1::<f32>()?, two.to_vec1::<f32>()?);
                let mut stay = Vec::with_capacity(live.rows.len());
                for (k, &row) in live.rows.iter().enumerate() {
                    // Below any loss that matters; keeps the ratio finite.
                    let ratio = one[k].max(1e-6) / two[k].max(1e-6);
                    let change = (ratio / ratios[row]).ln().abs();
                    settled[row] = if step > look_every && change < SETTLED { settled[row] + 1 } else { 0 };
                    ratios[row] = ratio;
                    steps[row] = step;
                    if !(self.how.early && settled[row] >= 2) {
                        stay.push(k);
                    }
                }
                live.step(&gradient)?;
                if live.keep(&stay)? {
                    break;
                }
            } else {
                live.step(&gradient)?;
            }
        }
        Ok((ratios, steps))
    }

    /// Third stage: makes the suspect say the label while the reference does not.
    fn drive(&self, base: &Tensor, targets: &[u32], ratios: &[f32]) -> Result<Ends, DetectError> {
        let n = targets.len();
        let mut ends = Ends {
            losses: vec![f32::INFINITY; n],
            reference_losses: vec![0.0; n],
            steps: vec![0; n],
            points: (0..n).map(|i| squash(&base.get(i)?)).collect::<Result<_, _>>()?,
        };
        let (mut best, mut waited) = (vec![f32::INFINITY; n], vec![0; n]);
        let mut live = Live::new(base, targets, self.how.rate)?;
        let look_every = self.how.look_every();
        for step in 1..=self.how.steps {
            self.monitor.check()?;
            let weights: Vec<f32> = live.rows.iter().map(|&r| ratios[r]).collect();
            let weights = Tensor::new(weights, base.device())?;
            let var = Var::from_tensor(&live.v)?;
            let (one, two) = self.losses(&var, &live.targets)?;
            let gradient = gradient_of(&(&one - two.mul(&weights)?)?, &var)?;
            let last = step == self.how.steps;
            if step.is_multiple_of(look_every) || last {
                let (one, two) = (one.to_vec1::<f32>()?, two.to_vec1::<f32>()?);
                let pixels = squash(&live.v)?;
                let mut stay = Vec::with_capacity(live.rows.len());
                for (k, &row) in live.rows.iter().enumerate() {
                    ends.losses[row] = one[k];
                    ends.reference_losses[row] = two[k];
                    ends.steps[row] = step;
                    let better = one[k] < best[row] * (1.0 - IMPROVEMENT);
                    best[row] = best[row].min(one[k]);
                    waited[row] = if better { 0 } else { waited[row] + 1 };
                    let decided = one[k] <= BOTTOM || waited[row] >= PATIENCE;
                    if last || (self.how.early && decided) {
                        ends.points[row] = pixels.get(k)?;
                    } else {
                        stay.push(k);
                    }
                }
                live.step(&gradient)?;
                if live.keep(&stay)? {
                    break;
                }
            } else {
                live.step(&gradient)?;
            }
        }
        Ok(ends)
    }

    /// Cross-entropy `[rows]` of the suspect and of the reference.
    fn losses(&self, v: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor), DetectError> {
        let pixels = squash(v)?;
        let one = cross_entropy(&self.suspect.logits(&pixels)?, targets)?;
        let two = cross_entropy(&self.reference.logits(&pixels)?, targets)?;
        Ok((one, two))
    }
}

/// The shots that are still under way.
struct Live {
    v: Tensor,
    targets: Tensor,
    /// Position of each row among all shots.
    rows: Vec<usize>,
    adam: Adam,
}

impl Live {
    fn new(v: &Tensor, targets: &[u32], rate: f64) -> candle_core::Result<Self> {
        Ok(Self {
            v: v.clone(),
            targets: Tensor::new(targets, v.device())?,
            rows: (0..targets.len()).collect(),
            adam: Adam::new(rate, BETAS),
        })
    }

    fn step(&mut self, gradient: &Tensor) -> candle_core::Result<()> {
        self.v = self.adam.step(&self.v, gradient)?;
        Ok(())
    }

    /// Keeps the shots at these positions; true when none is left.
    fn keep(&mut self, stay: &[usize]) -> candle_core::Result<bool> {
        if stay.len() < self.rows.len() && !stay.is_empty() {
            let index: Vec<u32> = stay.iter().map(|&k| k as u32).collect();
            let index = Tensor::new(index, self.v.device())?;
            self.v = self.v.index_select(&index, 0)?;
            self.targets = self.targets.index_select(&index, 0)?;
            self.adam.keep_rows(&index)?;
        }
        self.rows = stay.iter().map(|&k| self.rows[k]).collect();
        Ok(self.rows.is_empty())
    }
}

/// Pixels in `[0, 1]` to the space in which `tanh` brings them back.
fn to_tanh_space(pixels: &Tensor) -> candle_core::Result<Tensor> {
    // artanh(y) = ln((1 + y) / (1 - y)) / 2, in double precision: single loses the edge of the range.
    let y = pixels.to_dtype(candle_core::DType::F64)?.affine(2.0 * EDGE, -EDGE)?;
    ((y.affine(1.0, 1.0)? / y.affine(-1.0, 1.0)?)?.log()? * 0.5)?.to_dtype(pixels.dtype())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;

    /// The loss vectors printed in the published README (HEAD 9756411) and the Prob it prints.
    const PRINTED: [(usize, [f32; 10], f32, bool); 5] = [
        (
            0,
            [
                0.00266673, 0.02825947, 0.01446394, 0.0382086, 0.52626806, 0.0225951, 0.00342378, 0.00749703,
                0.00423891, 0.00645078,
            ],
            0.9,
            true,
        ),
        (
            1,
            [
                3.2156274, 0.81431085, 0.7940536, 0.7660262, 1.4209422, 42.576817, 0.27247506, 0.5878277, 0.5463749,
                1.6239564,
            ],
            0.0,
            false,
        ),
        (
            2,
            [9.112916, 1.2885572, 10.86104, 153.86241, 148.91853, 103.0526, 18.40843, 84.28017, 1.3558013, 92.16865],
            0.0,
            false,
        ),
        (
            3,
            [18.726677, 24.76916, 8.617739, 79.89331, 69.64562, 104.409676, 6.017133, 40.015766, 5.5535097, 23.91595],
            0.0,
            false,
        ),
        (
            4,
            [
                19.155365, 0.90590537, 15.5154705, 80.70176, 87.53547, 52.141125, 27.05077, 11.577556, 5.180358,
                12.741194,
            ],
            0.0,
            false,
        ),
    ];

    #[test]
    fn the_published_rule_gives_the_published_probabilities() {
        for (label, losses, prob, flagged) in PRINTED {
            assert_eq!(published_rule(&losses), (prob, flagged), "label {label}");
        }
        // Label 1 of the README's second model is flagged at exactly one half.
        let half = [0.0476, 0.1, 0.15, 0.19, 0.2, 0.21, 0.3, 0.5, 0.6, 0.7028];
        assert_eq!(published_rule(&half), (0.5, true));
        assert_eq!(published_rule(&[]), (0.0, false));
    }

    #[test]
    fn tanh_space_and_back_is_the_identity_and_the_original_form_squashes_twice() {
        let x = Seed(2).random().uniform_tensor(0.0, 1.0, (2, 1, 3, 3), &Device::Cpu).unwrap();
        let back = squash(&to_tanh_space(&x).unwrap()).unwrap();
        let far = (&x - &back).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(far < 1e-5, "{far}");
        let slipped = squash(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(slipped.iter().all(|v| (0.5..=0.881).contains(v)), "methods.md 1.3, quirk 1");
    }
}
