//! Reductions along axes, each with the gradient PyTorch gives.

use super::layers::matmul;
use super::value::{Operands, axes_of, axis_of, checked_size};
use crate::model::graph::Reduction;
use crate::tensor::with_gradient;
use candle_core::{DType, Result, Tensor, bail};

pub(super) fn reduce(
    x: &Operands,
    how: Reduction,
    axes: Option<&[i64]>,
    keep_dims: bool,
    noop_with_empty_axes: bool,
) -> Result<Tensor> {
    let t = x.tensor(0)?;
    let axes = axes.map(<[i64]>::to_vec).or(x.optional_integers(1)?.map(|a| a.values)).unwrap_or_default();
    if axes.is_empty() && noop_with_empty_axes {
        return Ok(t);
    }
    let axes = if axes.is_empty() { (0..t.rank()).collect() } else { axes_of(&axes, t.rank())? };
    let count: usize = axes.iter().map(|&a| t.dims()[a]).product();
    if count == 0 {
        bail!("a value of shape {:?} is reduced along axes that hold nothing", t.dims())
    }
    let y = match how {
        Reduction::Sum => t.sum_keepdim(axes.as_slice())?,
        Reduction::Mean => (t.sum_keepdim(axes.as_slice())? / count as f64)?,
        Reduction::L2 => length(&t, &axes)?,
        Reduction::LogSumExp => log_sum_exp(&t, &axes)?,
        Reduction::Max => extreme(&t, &axes, false)?,
        Reduction::Min => extreme(&t, &axes, true)?,
        Reduction::Prod => axes.iter().try_fold(t.clone(), |t, &a| product(&t, a))?,
    };
    if keep_dims {
        return Ok(y);
    }
    let kept: Vec<usize> = (0..t.rank()).filter(|d| !axes.contains(d)).map(|d| t.dims()[d]).collect();
    y.reshape(kept)
}

/// Sums of what stands before each number along an axis: the product with a triangle of ones.
pub(super) fn cumulative_sum(x: &Operands, exclusive: bool, reverse: bool) -> Result<Tensor> {
    let t = x.tensor(0)?;
    let &[axis] = x.integers(1)?.values.as_slice() else { bail!("it sums along one axis") };
    let axis = axis_of(axis, t.rank())?;
    let size = t.dim(axis)?;
    checked_size(&[size, size])?;
    let counts = |from: usize, to: usize| {
        let before = if reverse { from > to } else { from < to };
        f32::from(u8::from(before || (from == to && !exclusive)))
    };
    let triangle: Vec<f32> = (0..size * size).map(|i| counts(i / size, i % size)).collect();
    let triangle = Tensor::from_vec(triangle, (size, size), t.device())?;
    let last = t.rank() - 1;
    matmul(&t.transpose(axis, last)?.contiguous()?, &triangle)?.transpose(axis, last)
}

/// The largest or smallest numbers along `axes`. Equals share the gradient, as in PyTorch's `amax` and TensorFlow
/// (candle gives each of them all of it).
fn extreme(x: &Tensor, axes: &[usize], smallest: bool) -> Result<Tensor> {
    let x0 = x.detach();
    let best = axes.iter().try_fold(x0.clone(), |t, &a| if smallest { t.min_keepdim(a) } else { t.max_keepdim(a) })?;
    let (kept, axes) = (best.clone(), axes.to_vec());
    with_gradient(x, best, move |gradient| {
        let hits = x0.broadcast_eq(&kept)?.to_dtype(DType::F32)?;
        let share = gradient.div(&hits.sum_keepdim(axes.as_slice())?)?;
        hits.broadcast_mul(&share)
    })
}

/// The Euclidean length along `axes`; at length 0 the gradient is 0, as in PyTorch.
fn length(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let x0 = x.detach();
    let length = x0.sqr()?.sum_keepdim(axes)?.sqrt()?;
    let kept = length.clone();
    with_gradient(x, length, move |gradient| {
        let share = gradient.div(&kept.maximum(f32::MIN_POSITIVE)?)?;
        x0.broadcast_mul(&share)
    })
}

/// `log(sum(exp(x)))` along `axes`, without overflow.
fn log_sum_exp(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let most = extreme(&x.detach(), axes, false)?;
    x.broadcast_sub(&most)?.exp()?.sum_keepdim(axes)?.log()?.add(&most)
}

fn product(x: &Tensor, axis: usize) -> Result<Tensor> {
    (1..x.dim(axis)?).try_fold(x.narrow(axis, 0, 1)?, |p, i| p.mul(&x.narrow(axis, i, 1)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn equals_share_the_gradient_of_an_extreme() {
        let x = Var::new(&[[1_f32, 3.0, 3.0], [2.0, 0.0, -1.0]], &Device::Cpu).unwrap();
        for (smallest, values, slopes) in [
            (false, [3.0, 2.0], [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]),
            (true, [1.0, -1.0], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        ] {
            let y = extreme(&x, &[1], smallest).unwrap();
            assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), values);
            let gradients = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(gradients.get(&x).unwrap().to_vec2::<f32>().unwrap(), slopes);
        }
    }

    #[test]
    fn a_length_of_nothing_is_flat() {
        let x = Var::new(&[[3_f32, 4.0], [0.0, 0.0]], &Device::Cpu).unwrap();
        let y = length(&x, &[1]).unwrap();
        assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [5.0, 0.0]);
        let gradients = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec2::<f32>().unwrap(), [[0.6, 0.8], [0.0, 0.0]]);
    }
}
