//! Normalisations, by the statistics of the file or by those of the value itself.

use super::layers::{conv, dims4};
use super::value::{Live, Operands, axis_of};
use crate::model::graph::{Node, Op};
use crate::tensor::{add_columns, are_columns, scale_columns, standardise, with_gradient};
use candle_core::{Result, Tensor, bail};

/// Scale and shift of a normalisation with known statistics, each `[c]`; differentiable in scale and bias.
pub(super) fn scale_and_shift(x: &Operands, epsilon: f32) -> Result<(Tensor, Tensor)> {
    let (scale, bias, mean, variance) = (x.tensor(1)?, x.tensor(2)?, x.tensor(3)?, x.tensor(4)?);
    let scale = scale.div(&(variance + f64::from(epsilon))?.sqrt()?)?;
    let shift = bias.sub(&mean.mul(&scale)?)?;
    Ok((scale, shift))
}

/// `[c]` as `[1, c, 1, ..]`, to be spread over a value of `rank` dimensions.
fn along_channels(x: &Tensor, rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank.max(2)];
    shape[1] = x.elem_count();
    x.reshape(shape)
}

/// Normalisation with the statistics of the file.
pub(super) fn batch_norm(x: &Operands, epsilon: f32) -> Result<Tensor> {
    let (scale, shift) = scale_and_shift(x, epsilon)?;
    let x = x.tensor(0)?;
    if x.rank() < 2 || x.dim(1)? != scale.elem_count() {
        bail!("{} channels are normalised in a value of shape {:?}", scale.elem_count(), x.dims())
    }
    let (scale, shift) = (along_channels(&scale, x.rank())?, along_channels(&shift, x.rank())?);
    if scale.track_op() || shift.track_op() {
        return x.broadcast_mul(&scale)?.broadcast_add(&shift);
    }
    let value = x.detach().broadcast_mul(&scale)?.broadcast_add(&shift)?;
    with_gradient(&x, value, move |gradient| gradient.broadcast_mul(&scale))
}

/// A convolution and the normalisation after it as one convolution with other weights.
pub(super) fn conv_with_batch_norm(conv_node: &Node, x: &Operands, norm: &Node, y: &Operands) -> Result<Vec<Live>> {
    let (Op::Conv(geometry), &Op::BatchNorm { epsilon }) = (&conv_node.op, &norm.op) else {
        bail!("a convolution is followed by a normalisation")
    };
    let (scale, shift) = scale_and_shift(y, epsilon)?;
    let (w, shift) = folded(&x.tensor(1)?, x.optional_tensor(2)?.as_ref(), &scale, &shift)?;
    Ok(vec![Live::Tensor(conv(&x.tensor(0)?, &w, Some(&shift), geometry)?)])
}

/// Weights and bias of a convolution whose result is scaled and shifted.
pub(super) fn folded(w: &Tensor, b: Option<&Tensor>, scale: &Tensor, shift: &Tensor) -> Result<(Tensor, Tensor)> {
    if w.rank() != 4 || scale.dims() != [w.dim(0)?] {
        bail!("{} channels are normalised after a kernel of shape {:?}", scale.elem_count(), w.dims())
    }
    let shift = match b {
        Some(b) => b.mul(scale)?.add(shift)?,
        None => shift.clone(),
    };
    Ok((w.broadcast_mul(&scale.reshape(((), 1, 1, 1))?)?, shift))
}

/// `(x - mean) / sqrt(variance + epsilon)` over the axes from `from` on.
fn standardised(x: &Tensor, from: usize, epsilon: f32) -> Result<Tensor> {
    if x.device().is_cpu() && from < x.rank() && x.elem_count() > 0 {
        return standardise(&x.flatten_from(from)?, epsilon)?.reshape(x.shape());
    }
    let axes: Vec<usize> = (from..x.rank()).collect();
    let count: usize = x.dims()[from..].iter().product();
    let mean_of = |t: &Tensor| t.sum_keepdim(axes.as_slice())? / count.max(1) as f64;
    let centred = x.broadcast_sub(&mean_of(x)?)?;
    let deviation = (mean_of(&centred.sqr()?)? + f64::from(epsilon))?.sqrt()?;
    centred.broadcast_div(&deviation)
}

/// Layer normalisation (Ba et al. 2016).
pub(super) fn layer_norm(x: &Operands, axis: i64, epsilon: f32) -> Result<Tensor> {
    let t = x.tensor(0)?;
    let y = standardised(&t, axis_of(axis, t.rank())?, epsilon)?;
    let (scale, shift) = (x.tensor(1)?, x.optional_tensor(2)?);
    if are_columns(&y, &scale) && shift.as_ref().is_none_or(|shift| are_columns(&y, shift)) {
        let y = scale_columns(&y, &scale)?;
        return shift.map_or(Ok(y.clone()), |shift| add_columns(&y, &shift));
    }
    if scale.track_op() || shift.as_ref().is_some_and(Tensor::track_op) || !y.track_op() {
        let y = y.broadcast_mul(&scale)?;
        return shift.map_or(Ok(y.clone()), |shift| y.broadcast_add(&shift));
    }
    // Fixed numbers get no gradient.
    let mut value = y.detach().broadcast_mul(&scale)?;
    if let Some(shift) = shift {
        value = value.broadcast_add(&shift)?;
    }
    with_gradient(&y, value, move |gradient| gradient.broadcast_mul(&scale))
}

/// Normalisation by the root of the mean square (Zhang and Sennrich 2019).
pub(super) fn rms_norm(x: &Operands, axis: i64, epsilon: f32) -> Result<Tensor> {
    let t = x.tensor(0)?;
    let axes: Vec<usize> = (axis_of(axis, t.rank())?..t.rank()).collect();
    let count: usize = axes.iter().map(|&a| t.dims()[a]).product();
    let square = (t.sqr()?.sum_keepdim(axes.as_slice())? / count.max(1) as f64)?;
    t.broadcast_div(&(square + f64::from(epsilon))?.sqrt()?)?.broadcast_mul(&x.tensor(1)?)
}

/// Group normalisation (Wu and He 2018): neighbouring channels of each picture together.
pub(super) fn group_norm(x: &Operands, groups: usize, epsilon: f32) -> Result<Tensor> {
    let t = x.tensor(0)?;
    if t.rank() < 2 || groups == 0 || !t.dim(1)?.is_multiple_of(groups) {
        bail!("a value of shape {:?} cannot be normalised in {groups} groups", t.dims())
    }
    let (n, c) = (t.dim(0)?, t.dim(1)?);
    let rows = t.reshape((n, groups, t.elem_count() / (n * groups).max(1)))?;
    let y = standardised(&rows, 2, epsilon)?.reshape(t.shape())?;
    // Before version 21 there is one number for each group, since then for each channel.
    let spread = |values: Tensor| -> Result<Tensor> {
        let each = c / groups;
        match values.elem_count() {
            n if n == c => along_channels(&values, t.rank()),
            n if n == groups => {
                along_channels(&values.reshape((groups, 1))?.broadcast_as((groups, each))?.reshape(c)?, t.rank())
            }
            n => bail!("{n} numbers do not fit {c} channels in {groups} groups"),
        }
    };
    y.broadcast_mul(&spread(x.tensor(1)?)?)?.broadcast_add(&spread(x.tensor(2)?)?)
}

/// Instance normalisation (Ulyanov et al. 2016): each channel of each picture on its own.
pub(super) fn instance_norm(x: &Operands, epsilon: f32) -> Result<Tensor> {
    let t = x.tensor(0)?;
    if t.rank() < 3 {
        bail!("it takes pictures, but was given shape {:?}", t.dims())
    }
    let (scale, shift) = (along_channels(&x.tensor(1)?, t.rank())?, along_channels(&x.tensor(2)?, t.rank())?);
    standardised(&t, 2, epsilon)?.broadcast_mul(&scale)?.broadcast_add(&shift)
}

/// Normalisation by the squares of neighbouring channels (Krizhevsky et al. 2012).
pub(super) fn local_response_norm(x: &Tensor, size: usize, alpha: f32, beta: f32, bias: f32) -> Result<Tensor> {
    let (_, c, _, _) = dims4(x, "the picture")?;
    let size = size.clamp(1, 2 * c + 1);
    let squares = x.sqr()?.pad_with_zeros(1, (size - 1) / 2, size / 2)?;
    let mut sum = squares.narrow(1, 0, c)?;
    for i in 1..size {
        sum = (sum + squares.narrow(1, i, c)?)?;
    }
    x.div(&sum.affine(f64::from(alpha) / size as f64, f64::from(bias))?.powf(f64::from(beta))?)
}
