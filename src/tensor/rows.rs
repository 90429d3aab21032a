//! Operations along the last axis, row by row, each with its gradient in one pass: put together out of candle's own,
//! each part is a pass over memory of its own, and three more on the way back.
//!
//! In and out: `f32` tensors. Rows are shared out to the threads whole, so that results do not depend
//! on their number.

use super::squash::exp;
use super::storage;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Numbers that one thread takes at least.
const PIECE: usize = 1 << 13;

/// `(x - mean) / sqrt(variance + epsilon)` of each row.
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn standardise(x: &Tensor, epsilon: f32) -> Result<Tensor> {
    let row = row_of(x)?;
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Standardise { row, epsilon }) } else { standardised(x, epsilon) }
}

/// The same out of candle's own operations.
fn standardised(x: &Tensor, epsilon: f32) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + f64::from(epsilon))?.sqrt()?)
}

/// The shares `e^x / sum of e^x` of each row.
///
/// # Errors
/// Where the tensor is not `f32` on the processor.
pub fn softmax_rows(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Shares { row: row_of(x)? })
}

fn row_of(x: &Tensor) -> Result<usize> {
    match x.dim(D::Minus1)? {
        0 => bail!("a row has at least one number"),
        row => Ok(row),
    }
}

/// The sum of `f(0)`, `f(1)`, …, in sixteen parts side by side, so that it vectorises.
#[inline(always)]
fn sum(len: usize, f: impl Fn(usize) -> f32) -> f32 {
    const PARTS: usize = 16;
    let mut parts = [0.0_f32; PARTS];
    let whole = len / PARTS * PARTS;
    for i in (0..whole).step_by(PARTS) {
        for (k, part) in parts.iter_mut().enumerate() {
            *part += f(i + k);
        }
    }
    parts.iter().sum::<f32>() + (whole..len).map(f).sum::<f32>()
}

/// Hands each row of the result to `f`, with its number.
fn each_row(len: usize, row: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = vec![0.0; len];
    let rows = out.par_chunks_exact_mut(row).enumerate().with_min_len(PIECE.div_ceil(row));
    rows.for_each(|(index, out)| f(index, out));
    out
}

struct Standardise {
    row: usize,
    epsilon: f32,
}

impl Standardise {
    /// Mean of a row and one over its deviation.
    fn measure(&self, x: &[f32]) -> (f32, f32) {
        let count = x.len() as f32;
        let mean = sum(x.len(), |i| x[i]) / count;
        let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / count;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp1 for Standardise {
    fn name(&self) -> &'static str {
        "standardise"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let y = each_row(x.len(), self.row, |index, y| {
            let x = &x[index * y.len()..][..y.len()];
            let (mean, factor) = self.measure(x);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * factor);
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient = storage::read3(&x.contiguous()?, y, &grad.contiguous()?, |x, y, g| {
            each_row(x.len(), self.row, |index, out| {
                let [x, y, g] = [x, y, g].map(|all| &all[index * out.len()..][..out.len()]);
                let (_, factor) = self.measure(x);
                let count = x.len() as f32;
                let (mean, along) = (sum(g.len(), |i| g[i]) / count, sum(g.len(), |i| g[i] * y[i]) / count);
                let inputs = out.iter_mut().zip(y).zip(g);
                inputs.for_each(|((out, y), g)| *out = (g - mean - y * along) * factor);
            })
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

struct Shares {
    row: usize,
}

impl CustomOp1 for Shares {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let y = each_row(x.len(), self.row, |index, y| {
            let x = &x[index * y.len()..][..y.len()];
            let largest = x.iter().fold(f32::NEG_INFINITY, |m, &x| if (x > m) | x.is_nan() { x } else { m });
            // What is hidden by minus infinity has no share at all.
            let power = |x: f32| if x == f32::NEG_INFINITY { 0.0 } else { exp(x - largest) };
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = power(x));
            let factor = 1.0 / sum(y.len(), |i| y[i]);
            y.iter_mut().for_each(|y| *y *= factor);
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient = storage::read2(y, &grad.contiguous()?, |y, g| {
            each_row(y.len(), self.row, |index, out| {
                let [y, g] = [y, g].map(|all| &all[index * out.len()..][..out.len()]);
                let mean = sum(g.len(), |i| g[i] * y[i]);
                out.iter_mut().zip(y).zip(g).for_each(|((out, y), g)| *out = y * (g - mean));
            })
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::{gradients_match_differences, same_with_gradients};
    use candle_core::{Device, Var};

    #[test]
    fn rows_have_mean_zero_deviation_one_and_the_slope_of_differences() {
        let x = Seed(1).random().normal_tensor(2.0, (3, 37), &Device::Cpu).unwrap();
        for row in standardise(&x, 0.0).unwrap().to_vec2::<f32>().unwrap() {
            let mean = row.iter().sum::<f32>() / 37.0;
            let square = row.iter().map(|v| v * v).sum::<f32>() / 37.0;
            assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-5, "{mean} {square}");
        }
        gradients_match_differences(std::slice::from_ref(&x), 1e-2, "standardise", |x| standardise(&x[0], 1e-2));
        same_with_gradients(&[x], |x| standardise(&x[0], 1e-2), |x| standardised(&x[0], 1e-2));
    }

    #[test]
    fn shares_add_up_to_one_and_have_the_slope_of_differences() {
        let x = Seed(2).random().normal_tensor(1.0, (4, 21), &Device::Cpu).unwrap();
        for row in softmax_rows(&x).unwrap().to_vec2::<f32>().unwrap() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        gradients_match_differences(&[x], 1e-2, "softmax", |x| softmax_rows(&x[0]));
    }

    #[test]
    fn hidden_places_have_no_share_and_not_a_number_stays_one() {
        let x = Tensor::new(&[[1.0_f32, f32::NEG_INFINITY, 1.0], [0.0, f32::NAN, 1.0]], &Device::Cpu).unwrap();
        let shares = softmax_rows(&x).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(shares[0], [0.5, 0.0, 0.5]);
        assert!(shares[1].iter().all(|v| v.is_nan()));
    }

    #[test]
    fn rows_do_not_depend_on_the_number_of_threads() {
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let x = Seed(3).random().normal_tensor(1.0, (700, 45), &Device::Cpu).unwrap();
                let x = Var::from_tensor(&x).unwrap();
                let y = softmax_rows(&standardise(&x, 1e-5).unwrap()).unwrap();
                let g = y.sqr().unwrap().backward().unwrap().get(&x).unwrap().clone();
                let all = g.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            })
        };
        assert!(bits(1) == bits(2) && bits(2) == bits(5));
    }
}
