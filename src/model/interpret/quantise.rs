//! Numbers as whole steps of a scale, and back, as quantised models store what flows through them.
//!
//! A step function has no slope of its own. The gradient passes straight through where the number lies in the range, and
//! is 0 where it was held at the end of it (Bengio et al. 2013, <https://arxiv.org/abs/1308.3432>, as PyTorch's
//! `fake_quantize` does it). Scales and zero points get no gradient.

use super::elementwise::round;
use super::value::{Operands, axis_of};
use crate::tensor::with_gradient;
use candle_core::{DType, Result, Tensor, bail};

/// A scale or zero point so that it spreads over `x`: one number for all, or one for each place along `axis`.
fn along(values: &Tensor, x: &Tensor, axis: i64) -> Result<Tensor> {
    if values.elem_count() == 1 {
        return values.detach().reshape(());
    }
    let axis = axis_of(axis, x.rank())?;
    if values.dims() != [x.dim(axis)?] {
        bail!("scales of shape {:?} do not fit axis {axis} of a value of shape {:?}", values.dims(), x.dims())
    }
    let mut shape = vec![1; x.rank()];
    shape[axis] = values.elem_count();
    values.detach().reshape(shape)
}

/// `x, scale [, zero]` to `round(x / scale) + zero`, held between `low` and `high`.
pub(super) fn quantize(operands: &Operands, axis: i64, low: f32, high: f32) -> Result<Tensor> {
    let x = operands.tensor(0)?;
    let scale = along(&operands.tensor(1)?, &x, axis)?;
    let mut steps = round(&x.detach().broadcast_div(&scale)?)?;
    if let Some(zero) = operands.optional_tensor(2)? {
        steps = steps.broadcast_add(&along(&zero, &x, axis)?)?;
    }
    let value = steps.clamp(low, high)?;
    with_gradient(&x, value, move |gradient| {
        let inside = steps.ge(low)?.mul(&steps.le(high)?)?.to_dtype(DType::F32)?;
        gradient.broadcast_div(&scale)?.mul(&inside)
    })
}

/// `x, scale [, zero]` to `(x - zero) * scale`.
pub(super) fn dequantize(operands: &Operands, axis: i64) -> Result<Tensor> {
    let x = operands.tensor(0)?;
    let scale = along(&operands.tensor(1)?, &x, axis)?;
    let centred = match operands.optional_tensor(2)? {
        Some(zero) => x.detach().broadcast_sub(&along(&zero, &x, axis)?)?,
        None => x.detach(),
    };
    with_gradient(&x, centred.broadcast_mul(&scale)?, move |gradient| gradient.broadcast_mul(&scale))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::value::Live;
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn steps_are_halves_to_even_held_in_range_and_the_gradient_passes_straight_through() {
        let x = Var::new(&[[0.5_f32, 1.5, -100.0], [0.25, -0.3, 300.0]], &Device::Cpu).unwrap();
        let live = |values: &[f32]| Live::Tensor(Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap());
        let (scale, zero) = (live(&[1.0, 0.5]), live(&[0.0, 3.0]));
        let picture = Live::Tensor(x.as_tensor().clone());
        let operands = Operands { values: vec![Some(&picture), Some(&scale), Some(&zero)], device: &Device::Cpu };
        let steps = quantize(&operands, 0, -10.0, 10.0).unwrap();
        // 0.25 / 0.5 rounds to the even 0.
        assert_eq!(steps.to_vec2::<f32>().unwrap(), [[0.0, 2.0, -10.0], [3.0, 2.0, 10.0]]);
        let steps = Live::Tensor(steps);
        let operands = Operands { values: vec![Some(&steps), Some(&scale), Some(&zero)], device: &Device::Cpu };
        let back = dequantize(&operands, 0).unwrap();
        assert_eq!(back.to_vec2::<f32>().unwrap(), [[0.0, 2.0, -10.0], [0.0, -0.5, 3.5]]);
        let weights = Tensor::new(&[[1_f32, 2.0, 3.0], [4.0, 5.0, 6.0]], &Device::Cpu).unwrap();
        let gradients = back.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec2::<f32>().unwrap(), [[1.0, 2.0, 0.0], [4.0, 5.0, 0.0]]);
    }
}
