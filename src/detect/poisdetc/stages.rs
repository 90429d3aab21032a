//! The three stages of a shot. The first takes two steps and is done in one go; the others are states that go on step by step.

use super::live::Live;
use super::{BETAS, RATE, Shooting};
use crate::detect::DetectError;
use crate::detect::gradient::gradient_of;
use crate::model::Classifier;
use crate::tensor::{Adam, Numbers, cross_entropy, numbers, squash};
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

/// Steps of the first stage, called a filter in the published code although it filters nothing.
const FILTER_STEPS: usize = 2;
/// Keeps the inverse of the hyperbolic tangent finite at the ends of the range.
const EDGE: f64 = 0.999_999_99;
/// A ratio of losses is settled when it changes by less than this share between two looks, twice.
const SETTLED: f32 = 0.02;
/// A shot this low cannot tell more by going on.
const BOTTOM: f32 = 0.01;
/// A shot has come to rest when its best loss improved by less than this share for [`PATIENCE`] looks.
const IMPROVEMENT: f32 = 0.03;
/// Looks without improvement after which a shot has come to rest.
const PATIENCE: usize = 3;
/// Larger than any loss; infinity cannot be written in JSON.
const NOT_YET: f32 = f32::MAX;

/// Two models, and how to shoot with them.
pub(super) struct Range<'a> {
    pub(super) suspect: &'a Classifier,
    pub(super) reference: &'a Classifier,
    pub(super) how: &'a Shooting,
}

impl Range<'_> {
    /// First stage: two steps that push the suspect away from the label; gives the points in tanh space from which the other
    /// stages begin.
    pub(super) fn pushed_away(&self, start: &Tensor, targets: &[u32]) -> Result<Tensor, DetectError> {
        let targets = Tensor::new(targets, start.device())?;
        let mut adam = Adam::new(RATE, BETAS);
        let mut v = to_tanh_space(start)?;
        for _ in 0..FILTER_STEPS {
            let var = Var::from_tensor(&v)?;
            let loss = cross_entropy(&self.suspect.logits(&squash(&var)?)?, &targets)?;
            let gradient = gradient_of(&loss.neg()?, &var)?;
            v = adam.step(&v, &gradient)?;
        }
        let pixels = squash(&v)?;
        // The published code forgets that these are pixels and squashes them again.
        Ok(if self.how.original_form { pixels } else { to_tanh_space(&pixels)? })
    }

    /// Cross-entropy `[rows]` of the suspect and of the reference.
    fn losses(&self, v: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor), DetectError> {
        let pixels = squash(v)?;
        let one = cross_entropy(&self.suspect.logits(&pixels)?, targets)?;
        let two = cross_entropy(&self.reference.logits(&pixels)?, targets)?;
        Ok((one, two))
    }

    /// Whether shots are looked at after this step.
    fn is_look(&self, step: usize) -> bool {
        step.is_multiple_of(self.how.look_every()) || step == self.how.steps
    }
}

/// Second stage: pushes both models away from the label. The ratio of their losses at its end balances the third stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Balance {
    /// Where both stages begin, `[n, c, h, w]` in tanh space.
    #[serde(with = "numbers")]
    base: Tensor,
    ratios: Vec<f32>,
    steps: Vec<usize>,
    settled: Vec<usize>,
    live: Live,
}

impl Balance {
    pub(super) fn new(base: Tensor, rate: f64) -> candle_core::Result<Self> {
        let (n, live) = (base.dim(0)?, Live::new(&base, rate)?);
        Ok(Self { base, ratios: vec![1.0; n], steps: vec![0; n], settled: vec![0; n], live })
    }

    pub(super) fn is_over(&self, how: &Shooting) -> bool {
        self.live.is_over(how.steps)
    }

    pub(super) fn advance(&mut self, range: &Range<'_>, targets: &[u32]) -> Result<(), DetectError> {
        let var = Var::from_tensor(&self.live.v)?;
        let (one, two) = range.losses(&var, &self.live.of(targets)?)?;
        let gradient = gradient_of(&(&one + &two)?.neg()?, &var)?;
        self.live.step(&gradient)?;
        if !range.is_look(self.live.steps) {
            return Ok(());
        }
        let (one, two) = (one.to_vec1::<f32>()?, two.to_vec1::<f32>()?);
        let is_first = self.live.steps <= range.how.look_every();
        let mut stay = Vec::with_capacity(self.live.rows.len());
        for (k, &row) in self.live.rows.iter().enumerate() {
            // Below any loss that matters; keeps the ratio finite.
            let ratio = one[k].max(1e-6) / two[k].max(1e-6);
            let change = (ratio / self.ratios[row]).ln().abs();
            self.settled[row] = if !is_first && change < SETTLED { self.settled[row] + 1 } else { 0 };
            self.ratios[row] = ratio;
            self.steps[row] = self.live.steps;
            if !(range.how.early && self.settled[row] >= 2) {
                stay.push(k);
            }
        }
        Ok(self.live.keep(&stay)?)
    }

    pub(super) fn fits(&self, shots: usize, point: &[usize]) -> bool {
        self.base.dims() == [&[shots], point].concat()
            && [self.ratios.len(), self.steps.len(), self.settled.len()] == [shots; 3]
            && self.live.fits(shots, point)
    }

    pub(super) fn on(self, device: &Device) -> candle_core::Result<Self> {
        Ok(Self { base: self.base.to_device(device)?, live: self.live.on(device)?, ..self })
    }
}

/// Where shots ended, one entry a shot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ends {
    pub(super) losses: Vec<f32>,
    pub(super) reference_losses: Vec<f32>,
    pub(super) steps: Vec<usize>,
    /// `[c, h, w]` in `[0, 1]`.
    pub(super) points: Vec<Numbers>,
}

impl Ends {
    pub(super) fn append(&mut self, more: Self) {
        self.losses.extend(more.losses);
        self.reference_losses.extend(more.reference_losses);
        self.steps.extend(more.steps);
        self.points.extend(more.points);
    }

    pub(super) fn len(&self) -> usize {
        self.losses.len()
    }

    pub(super) fn fits(&self, shots: usize, point: &[usize]) -> bool {
        [self.losses.len(), self.reference_losses.len(), self.steps.len(), self.points.len()] == [shots; 4]
            && self.points.iter().all(|Numbers(p)| p.dims() == point)
    }

    pub(super) fn on(self, device: &Device) -> candle_core::Result<Self> {
        let points = self.points.into_iter().map(|Numbers(p)| Ok(Numbers(p.to_device(device)?)));
        Ok(Self { points: points.collect::<candle_core::Result<_>>()?, ..self })
    }
}

/// Third stage: makes the suspect say the label while the reference does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Drive {
    /// Of the loss of the reference, beside that of the suspect.
    weights: Vec<f32>,
    /// Steps that the second stage took.
    before: Vec<usize>,
    ends: Ends,
    best: Vec<f32>,
    waited: Vec<usize>,
    live: Live,
}

impl Drive {
    pub(super) fn after(balance: &Balance, rate: f64) -> candle_core::Result<Self> {
        let base = &balance.base;
        let n = base.dim(0)?;
        let pixels = squash(base)?;
        let ends = Ends {
            losses: vec![NOT_YET; n],
            reference_losses: vec![0.0; n],
            steps: vec![0; n],
            points: (0..n).map(|i| Ok(Numbers(pixels.get(i)?))).collect::<candle_core::Result<_>>()?,
        };
        Ok(Self {
            weights: balance.ratios.clone(),
            before: balance.steps.clone(),
            ends,
            best: vec![NOT_YET; n],
            waited: vec![0; n],
            live: Live::new(base, rate)?,
        })
    }

    pub(super) fn is_over(&self, how: &Shooting) -> bool {
        self.live.is_over(how.steps)
    }

    pub(super) fn advance(&mut self, range: &Range<'_>, targets: &[u32]) -> Result<(), DetectError> {
        let var = Var::from_tensor(&self.live.v)?;
        let (one, two) = range.losses(&var, &self.live.of(targets)?)?;
        let gradient = gradient_of(&(&one - two.mul(&self.live.of(&self.weights)?)?)?, &var)?;
        let here = self.live.v.clone();
        self.live.step(&gradient)?;
        if !range.is_look(self.live.steps) {
            return Ok(());
        }
        let (one, two) = (one.to_vec1::<f32>()?, two.to_vec1::<f32>()?);
        let pixels = squash(&here)?;
        let is_last = self.live.steps == range.how.steps;
        let mut stay = Vec::with_capacity(self.live.rows.len());
        for (k, &row) in self.live.rows.iter().enumerate() {
            self.ends.losses[row] = one[k];
            self.ends.reference_losses[row] = two[k];
            self.ends.steps[row] = self.before[row] + self.live.steps;
            let better = one[k] < self.best[row] * (1.0 - IMPROVEMENT);
            self.best[row] = self.best[row].min(one[k]);
            self.waited[row] = if better { 0 } else { self.waited[row] + 1 };
            let decided = one[k] <= BOTTOM || self.waited[row] >= PATIENCE;
            if is_last || (range.how.early && decided) {
                self.ends.points[row] = Numbers(pixels.get(k)?);
            } else {
                stay.push(k);
            }
        }
        Ok(self.live.keep(&stay)?)
    }

    pub(super) fn ends(self) -> Ends {
        self.ends
    }

    pub(super) fn fits(&self, shots: usize, point: &[usize]) -> bool {
        [self.weights.len(), self.before.len(), self.best.len(), self.waited.len()] == [shots; 4]
            && self.ends.fits(shots, point)
            && self.live.fits(shots, point)
    }

    pub(super) fn on(self, device: &Device) -> candle_core::Result<Self> {
        Ok(Self { ends: self.ends.on(device)?, live: self.live.on(device)?, ..self })
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
