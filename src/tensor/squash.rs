//! The map from all numbers to `(0, 1)` that detectors search in: `T(v) = tanh(v)/2 + 1/2`.
//!
//! One fused operation: candle's `tanh` calls the scalar library function for every element, which
//! costs a small network as much as a convolution does.

use super::each::{each, each2};
use super::storage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// `tanh(v)/2 + 1/2`, element by element; relative error below 1e-6.
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn squash(v: &Tensor) -> Result<Tensor> {
    if v.device().is_cpu() { v.contiguous()?.apply_op1(Squash) } else { v.tanh()?.affine(0.5, 0.5) }
}

/// Where [`squash`] gives `y`; `y` is first drawn into `[margin, 1 - margin]`.
pub fn unsquash(y: f32, margin: f32) -> f32 {
    (2.0 * y.clamp(margin, 1.0 - margin) - 1.0).atanh()
}

struct Squash;

impl CustomOp1 for Squash {
    fn name(&self) -> &'static str {
        "squash"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = each(storage::slice(storage, layout)?, |v| 1.0 / (1.0 + exp(-2.0 * v)));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _v: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        // T'(v) = 2 y (1 - y)
        let gradient = storage::read2(y, &grad.contiguous()?, |y, grad| each2(y, grad, |y, g| 2.0 * g * (y - y * y)))?;
        Ok(Some(Tensor::from_vec(gradient, y.shape(), y.device())?))
    }
}

/// e^x by range reduction to `[-ln2/2, ln2/2]` and a polynomial; no branches, so that it vectorises.
pub(super) fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p =
        1.0 + r * (1.0 + r * (0.5 + r * (1.666_666_5e-1 + r * (4.166_58e-2 + r * (8.333_452e-3 + r * 1.398_2e-3)))));
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn it_is_half_tanh_plus_half_and_its_inverse_comes_back() {
        let v: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.05).collect();
        let y = squash(&Tensor::new(v.as_slice(), &Device::Cpu).unwrap()).unwrap().to_vec1::<f32>().unwrap();
        for (v, y) in v.iter().zip(&y) {
            let right = 0.5 * f64::from(*v).tanh() + 0.5;
            assert!((f64::from(*y) - right).abs() < 2e-7, "T({v}) = {y}, should be {right}");
        }
        for y in [0.01_f32, 0.3, 0.5, 0.99] {
            let back = squash(&Tensor::new(&[unsquash(y, 1e-6)], &Device::Cpu).unwrap()).unwrap();
            assert!((back.to_vec1::<f32>().unwrap()[0] - y).abs() < 1e-5);
        }
        assert!(unsquash(0.0, 1e-4).is_finite() && unsquash(1.0, 1e-4).is_finite());
    }

    #[test]
    fn its_gradient_agrees_with_finite_differences() {
        for v in [-3.0_f32, -0.4, 0.0, 0.7, 2.5] {
            let var = Var::new(&[v], &Device::Cpu).unwrap();
            let g = squash(&var).unwrap().backward().unwrap().get(&var).unwrap().to_vec1::<f32>().unwrap()[0];
            let t = |v: f64| 0.5 * v.tanh() + 0.5;
            let h = 1e-4;
            let right = (t(f64::from(v) + h) - t(f64::from(v) - h)) / (2.0 * h);
            assert!((f64::from(g) - right).abs() < 1e-5, "at {v}: {g}, should be {right}");
        }
    }
}
