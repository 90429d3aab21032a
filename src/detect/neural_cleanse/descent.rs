//! Mask and pattern on their way down, and the weight of the mask's size beside the loss.

use crate::detect::{DetectError, Shape, filter, warp};
use crate::model::Classifier;
use crate::tensor::{Adam, Random, numbers, squash, unsquash};
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

/// Adam's step size and decays, as published.
const RATE: f64 = 0.1;
const BETAS: (f64, f64) = (0.5, 0.9);
/// A mask or pattern is never started nearer than this to 0 or 1, where the gradient vanishes.
const MARGIN: f32 = 1e-3;
/// Every cell of the mask starts here.
const FIRST_MASK: f32 = 0.3;
/// Weight of the mask's size in the loss, a pixel, when it first comes in.
const FIRST_COST: f64 = 1e-3;
/// The weight is multiplied by this after successes, and divided by its power 1.5 after failures.
const COST_UP: f64 = 1.8;
/// Windows in a row that must agree before the weight of the size changes.
const PATIENCE: usize = 2;

/// Mask and pattern on their way down, as the numbers that are searched in: of a warp, its control points.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Descent {
    #[serde(with = "numbers")]
    mask: Tensor,
    #[serde(with = "numbers")]
    pattern: Tensor,
    mask_steps: Adam,
    pattern_steps: Adam,
}

impl Descent {
    pub(super) fn new(
        shape: Shape,
        random: &mut Random,
        channels: usize,
        [h, w]: [usize; 2],
        device: &Device,
    ) -> candle_core::Result<Self> {
        let (mask, pattern) = match shape {
            Shape::Patch | Shape::Blend => {
                let pattern = random.uniform_tensor(-1.0, 1.0, (1, channels, h, w), device)?;
                (Tensor::full(unsquash(FIRST_MASK, MARGIN), (1, 1, h, w), device)?, pattern)
            }
            Shape::Warp => warp::beginning(random, [h, w], device)?,
            Shape::Filter => filter::beginning(random, channels, [h, w], device)?,
        };
        let steps = || Adam::new(RATE, BETAS);
        Ok(Self { mask, pattern, mask_steps: steps(), pattern_steps: steps() })
    }

    /// Mask and pattern of the numbers that are searched in.
    fn trigger(shape: Shape, mask: &Tensor, pattern: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        match shape {
            Shape::Patch | Shape::Blend => Ok((squash(mask)?, squash(pattern)?)),
            Shape::Warp | Shape::Filter => {
                let (_, _, h, w) = mask.dims4()?;
                let pattern_of = if shape == Shape::Warp { warp::pattern } else { filter::pattern };
                Ok((mask.detach(), pattern_of(pattern, [h, w])?))
            }
        }
    }

    /// Whether it is of the same shapes.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.mask.dims() == other.mask.dims()
            && self.pattern.dims() == other.pattern.dims()
            && self.mask_steps.fits(&self.mask)
            && self.pattern_steps.fits(&self.pattern)
    }

    pub(super) fn on(self, device: &Device) -> candle_core::Result<Self> {
        Ok(Self {
            mask: self.mask.to_device(device)?,
            pattern: self.pattern.to_device(device)?,
            mask_steps: self.mask_steps.on(device)?,
            pattern_steps: self.pattern_steps.on(device)?,
        })
    }

    /// One step down what `loss` makes of the model's logits, and the size at its `cost`; gives mask, pattern and logits as they were.
    pub(super) fn step(
        &mut self,
        model: &Classifier,
        x: &Tensor,
        loss: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
        (shape, cost): (Shape, f64),
    ) -> Result<(Tensor, Tensor, Tensor), DetectError> {
        let (u, v) = (Var::from_tensor(&self.mask)?, Var::from_tensor(&self.pattern)?);
        let (mask, pattern) = Self::trigger(shape, &u, &v)?;
        let logits = model.logits(&shape.put_on(x, &mask, &pattern)?)?;
        let size = (shape.sum(&mask, &pattern)? * (cost * shape.weight()))?;
        let mut gradients = (loss(&logits)? + size)?.backward()?;
        if shape.has_mask() {
            let to_mask = gradients.remove(&u).ok_or(DetectError::NoGradient)?;
            self.mask = self.mask_steps.step(&self.mask, &to_mask)?;
        }
        let to_pattern = gradients.remove(&v).ok_or(DetectError::NoGradient)?;
        self.pattern = self.pattern_steps.step(&self.pattern, &to_pattern)?;
        Ok((mask.detach(), pattern.detach(), logits))
    }
}

/// The weight of the mask's size: nothing until the trigger works, then up with every success and
/// down with every failure.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct CostControl {
    pub(super) cost: f64,
    successes: usize,
    failures: usize,
    went_up: bool,
    went_down: bool,
}

impl CostControl {
    pub(super) fn window(&mut self, success: bool) {
        if success {
            self.successes += 1;
            self.failures = 0;
        } else {
            self.failures += 1;
            self.successes = 0;
        }
        if self.successes >= PATIENCE {
            self.successes = 0;
            if self.cost == 0.0 {
                self.cost = FIRST_COST;
            } else {
                self.cost *= COST_UP;
                self.went_up = true;
            }
        } else if self.failures >= PATIENCE && self.cost > 0.0 {
            self.failures = 0;
            self.cost /= COST_UP.powf(1.5);
            self.went_down = true;
        }
    }

    pub(super) fn went_both_ways(&self) -> bool {
        self.went_up && self.went_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_starts_after_success_and_falls_after_failure() {
        let mut control = CostControl::default();
        control.window(true);
        control.window(false);
        assert_eq!(control.cost, 0.0);
        (0..2).for_each(|_| control.window(true));
        assert_eq!(control.cost, FIRST_COST);
        (0..2).for_each(|_| control.window(true));
        assert!(control.cost > FIRST_COST && !control.went_both_ways());
        (0..2).for_each(|_| control.window(false));
        assert!(control.cost < FIRST_COST && control.went_both_ways());
    }
}
