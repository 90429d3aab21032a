//! The slope that detectors follow.

use super::DetectError;
use candle_core::{Tensor, Var};

/// Gradient of the sum of `loss` with respect to `var`.
pub(super) fn gradient_of(loss: &Tensor, var: &Var) -> Result<Tensor, DetectError> {
    let mut gradients = loss.sum_all()?.backward()?;
    gradients.remove(var).ok_or(DetectError::NoGradient)
}
