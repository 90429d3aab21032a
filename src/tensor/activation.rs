//! Activations whose gradient candle gets wrong or slow.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::each::{each, each2, each3};
use super::squash::exp;
use super::storage;

/// max(x, 0); the gradient at exactly 0 is 0, as in PyTorch and TensorFlow (candle: 1).
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        // Chosen by a mask, the zeros pass no gradient on: at exactly 0 it is 0.
        return x.detach().le(0.0)?.where_cond(&x.zeros_like()?, x);
    }
    x.contiguous()?.apply_op1(Relu)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        // Written this way round a NaN stays one.
        let y = each(storage::slice(x, layout)?, |x| if x <= 0.0 { 0.0 } else { x });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient =
            storage::read2(&grad.contiguous()?, y, |grad, y| each2(y, grad, |y, g| if y > 0.0 { g } else { 0.0 }))?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

/// x where positive, `alpha * (e^x - 1)` elsewhere (Clevert et al., arXiv 1511.07289). candle calls the
/// scalar exponential for every element, twice with the gradient.
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn elu(x: &Tensor, alpha: f32) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Elu { alpha }) } else { x.elu(f64::from(alpha)) }
}

struct Elu {
    alpha: f32,
}

impl CustomOp1 for Elu {
    fn name(&self) -> &'static str {
        "elu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let alpha = self.alpha;
        let y = each(storage::slice(x, layout)?, |x| {
            let below = alpha * (exp(x.min(0.0)) - 1.0);
            // Written this way round a NaN stays one.
            if x <= 0.0 { below } else { x }
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let alpha = self.alpha;
        let x_here = x.contiguous()?;
        let gradient = storage::read3(&grad.contiguous()?, &x_here, y, |grad, x, y| {
            // Below zero the slope is alpha * e^x = y + alpha.
            each3(x, y, grad, |x, y, g| if x > 0.0 { g } else { g * (y + alpha) })
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

/// The error function, and its slope `2 / sqrt(pi) * e^(-x^2)`. candle calls the scalar function for every element.
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn erf(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Erf) } else { x.erf() }
}

/// By formula 7.1.26 of Abramowitz and Stegun; off by 2e-7 at most.
#[inline(always)]
pub(super) fn erf_of(x: f32) -> f32 {
    let far = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * far);
    let p = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    (1.0 - p * exp(-far * far)).copysign(x)
}

struct Erf;

impl CustomOp1 for Erf {
    fn name(&self) -> &'static str {
        "erf"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(each(storage::slice(x, layout)?, erf_of)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient = storage::read2(&x.contiguous()?, &grad.contiguous()?, |x, grad| {
            each2(x, grad, |x, g| g * std::f32::consts::FRAC_2_SQRT_PI * exp(-x * x))
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::tensor::check::gradients_match_differences;
    use candle_core::{Device, Var};

    #[test]
    fn relu_is_flat_at_zero_and_keeps_not_a_number() {
        let x = Var::new(&[-1.5_f32, -0.0, 0.0, 2.5, f32::NAN], &Device::Cpu).unwrap();
        let y = relu(&x).unwrap();
        let values = y.to_vec1::<f32>().unwrap();
        assert_eq!(&values[..4], &[0.0, 0.0, 0.0, 2.5]);
        assert!(values[4].is_nan());
        let weights = Tensor::new(&[1_f32, 2.0, 3.0, 4.0, 5.0], &Device::Cpu).unwrap();
        let grads = y.narrow(0, 0, 4).unwrap().mul(&weights.narrow(0, 0, 4).unwrap()).unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [0.0, 0.0, 0.0, 4.0, 0.0]);
    }

    #[test]
    fn elu_agrees_with_the_library_function_and_its_slope_with_differences() {
        let values = [-90_f32, -3.0, -0.5, -1e-3, 0.0, 1e-3, 0.7, 4.0];
        let x = Tensor::new(&values, &Device::Cpu).unwrap();
        for (i, y) in elu(&x, 0.8).unwrap().to_vec1::<f32>().unwrap().into_iter().enumerate() {
            let wanted = if values[i] > 0.0 { values[i] } else { 0.8 * values[i].exp_m1() };
            assert!((y - wanted).abs() < 1e-6, "elu({}) = {y}, not {wanted}", values[i]);
        }
        assert!(
            elu(&Tensor::new(&[f32::NAN], &Device::Cpu).unwrap(), 1.0).unwrap().to_vec1::<f32>().unwrap()[0].is_nan()
        );
        let x = Tensor::new(&[[-2_f32, -0.6, 0.4], [1.5, -0.2, -1.1]], &Device::Cpu).unwrap();
        gradients_match_differences(&[x], 1e-2, "elu", |x| elu(&x[0].t()?, 0.8));
    }

    #[test]
    fn the_error_function_is_candles_and_its_slope_that_of_differences() {
        let x: Vec<f32> = (-500..=500).map(|i| i as f32 * 0.01).collect();
        let x = Tensor::new(x.as_slice(), &Device::Cpu).unwrap();
        let [ours, theirs] = [erf(&x), x.erf()].map(|y| y.unwrap().to_vec1::<f32>().unwrap());
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            assert!((a - b).abs() < 5e-7, "number {i}: {a} is not {b}");
        }
        let x = Tensor::new(&[[-1.7_f32, -0.3, 0.2], [0.9, 1.4, 2.2]], &Device::Cpu).unwrap();
        gradients_match_differences(&[x], 1e-2, "erf", |x| erf(&x[0].t()?));
        assert!(erf(&Tensor::new(&[f32::NAN], &Device::Cpu).unwrap()).unwrap().to_vec1::<f32>().unwrap()[0].is_nan());
    }

    #[test]
    fn relu_takes_a_transposed_tensor() {
        let x = Var::new(&[[-1_f32, 2.0, 3.0], [4.0, -5.0, 6.0]], &Device::Cpu).unwrap();
        let y = relu(&x.t().unwrap()).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0, 4.0], [2.0, 0.0], [3.0, 6.0]]);
        let weights = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
        let grads = y.mul(&weights).unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec2::<f32>().unwrap(), [[0.0, 3.0, 5.0], [2.0, 0.0, 6.0]]);
    }
}
