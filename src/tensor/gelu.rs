//! The Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415) with the error function itself, and its slope, each in
//! one pass: files hold it as five operations, of which each costs three passes more on the way back.

use super::activation::erf_of;
use super::each::{each, each2};
use super::squash::exp;
use super::storage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::f32::consts::FRAC_2_SQRT_PI;

/// `x / 2 * (1 + erf(scale * x))`; of the usual function `scale` is `1 / sqrt(2)`.
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn gelu(x: &Tensor, scale: f32) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(Gelu { scale });
    }
    (x * ((x * f64::from(scale))?.erf()? + 1.0)?)? * 0.5
}

struct Gelu {
    scale: f32,
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let scale = self.scale;
        let y = each(storage::slice(x, layout)?, |x| 0.5 * x * (1.0 + erf_of(scale * x)));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let scale = self.scale;
        let gradient = storage::read2(&x.contiguous()?, &grad.contiguous()?, |x, grad| {
            each2(x, grad, |x, g| {
                let at = scale * x;
                g * 0.5 * (1.0 + erf_of(at) + at * FRAC_2_SQRT_PI * exp(-at * at))
            })
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::check::gradients_match_differences;
    use candle_core::Device;
    use std::f32::consts::FRAC_1_SQRT_2;

    #[test]
    fn it_is_candles_and_its_slope_that_of_differences() {
        let x: Vec<f32> = (-600..=600).map(|i| i as f32 * 0.01).collect();
        let x = Tensor::new(x.as_slice(), &Device::Cpu).unwrap();
        let [ours, theirs] = [gelu(&x, FRAC_1_SQRT_2), x.gelu_erf()].map(|y| y.unwrap().to_vec1::<f32>().unwrap());
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 2e-6, "{a} is not {b}");
        }
        let x = Tensor::new(&[[-2.7_f32, -0.3, 0.2], [0.9, 1.4, 3.2]], &Device::Cpu).unwrap();
        for scale in [FRAC_1_SQRT_2, 1.3] {
            gradients_match_differences(std::slice::from_ref(&x), 1e-2, "gelu", |x| gelu(&x[0].t()?, scale));
        }
        let not_a_number = gelu(&Tensor::new(&[f32::NAN], &Device::Cpu).unwrap(), 1.0).unwrap();
        assert!(not_a_number.to_vec1::<f32>().unwrap()[0].is_nan());
    }
}
