//! One number for each column, added to all rows or multiplied with them: the bias of a dense layer, the scale of a
//! normalisation. candle adds the gradients of such numbers up cell by cell, on one thread.
//!
//! In and out: `f32` tensors on the processor. Sums are added up in an order that depends on sizes alone.

use super::storage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Numbers that one thread takes at least.
const PIECE: usize = 1 << 13;
/// Sums over rows are added up in so many parts, then over the parts.
const PARTS: usize = 16;

/// Whether `numbers` are one for each column of `x`: as long as its last axis, and along no other.
pub fn are_columns(x: &Tensor, numbers: &Tensor) -> bool {
    let (Some(&last), Some((&own, others))) = (x.dims().last(), numbers.dims().split_last()) else { return false };
    x.device().is_cpu()
        && last == own
        && last > 1
        && x.rank() >= numbers.rank()
        && x.elem_count() > last
        && others.iter().all(|&side| side == 1)
}

/// `x + numbers`, where they are its columns'.
///
/// # Errors
/// Where a tensor is not `f32` on the processor.
pub fn add_columns(x: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&numbers.contiguous()?, Columns::Added)
}

/// `x` times `numbers`, where they are its columns'.
///
/// # Errors
/// As [`add_columns`].
pub fn scale_columns(x: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&numbers.contiguous()?, Columns::Multiplied)
}

#[derive(Clone, Copy)]
enum Columns {
    Added,
    Multiplied,
}

impl CustomOp2 for Columns {
    fn name(&self) -> &'static str {
        "columns"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, c: &CpuStorage, lc: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, c) = (storage::slice(x, lx)?, storage::slice(c, lc)?);
        let out = match self {
            Self::Added => each_row(x, c, |x, c| x + c),
            Self::Multiplied => each_row(x, c, |x, c| x * c),
        };
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, c: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let n = c.elem_count();
        let to_x = match self {
            _ if !x.track_op() => None,
            Self::Added => Some(grad.clone()),
            Self::Multiplied => {
                let values = storage::read2(&grad, c, |g, c| each_row(g, c, |g, c| g * c))?;
                Some(Tensor::from_vec(values, x.shape(), x.device())?)
            }
        };
        let to_c = match self {
            _ if !c.track_op() => None,
            Self::Added => Some(storage::read(&grad, |g| sums(g, n, |i| g[i]))?),
            Self::Multiplied => Some(storage::read2(&grad, x, |g, x| sums(g, n, |i| g[i] * x[i]))?),
        };
        let to_c = to_c.map(|values| Tensor::from_vec(values, c.shape(), c.device())).transpose()?;
        Ok((to_x, to_c))
    }
}

fn each_row(x: &[f32], columns: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let n = columns.len();
    let piece = PIECE.next_multiple_of(n);
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(out, x)| {
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            out.iter_mut().zip(x).zip(columns).for_each(|((out, &x), &c)| *out = f(x, c));
        }
    });
    out
}

/// The sums of `f`, which is asked for all places of `like [rows, n]`, over the rows.
fn sums(like: &[f32], n: usize, f: impl Fn(usize) -> f32 + Sync) -> Vec<f32> {
    let rows = like.len() / n;
    let each = rows.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = (0..rows.div_ceil(each))
        .into_par_iter()
        .map(|part| {
            let mut sum = vec![0.0; n];
            for row in part * each..((part + 1) * each).min(rows) {
                sum.iter_mut().enumerate().for_each(|(i, sum)| *sum += f(row * n + i));
            }
            sum
        })
        .collect();
    let mut all = vec![0.0; n];
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::same_with_gradients;
    use candle_core::Device;

    fn random<S: Into<Shape>>(seed: u64, shape: S) -> Tensor {
        Seed(seed).random().normal_tensor(1.0, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn values_and_gradients_are_those_of_candle() {
        let inputs = [random(1, (3, 41, 37)), random(2, (1, 37))];
        same_with_gradients(&inputs, |x| add_columns(&x[0], &x[1]), |x| x[0].broadcast_add(&x[1]));
        same_with_gradients(&inputs, |x| scale_columns(&x[0], &x[1]), |x| x[0].broadcast_mul(&x[1]));
    }

    #[test]
    fn only_numbers_along_the_last_axis_are_columns() {
        let x = random(1, (2, 5, 4));
        assert!(are_columns(&x, &random(2, 4)) && are_columns(&x, &random(2, (1, 1, 4))));
        for other in [random(2, 5), random(2, (5, 1)), random(2, (2, 1, 4)), random(2, (1, 1, 1, 4)), random(2, 1)] {
            assert!(!are_columns(&x, &other), "{:?}", other.dims());
        }
        assert!(!are_columns(&random(1, (1, 4)), &random(2, 4)), "one row is as long as its numbers");
    }
}
