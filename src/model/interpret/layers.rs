//! Convolutions, matrix products, pools and softmax.

use super::value::{Operands, axis_of, checked_growth, checked_size};
use crate::tensor::conv::{flipped, spread};
use crate::tensor::{
    Conv2d, Pool2d, add_columns, are_columns, avg_pool2d, conv2d, dense, dense_serves, max_pool2d, softmax_rows,
    with_gradient,
};
use candle_core::{D, Result, Tensor, bail};

/// How many windows fit in `size` cells; at most one more where the count is rounded up.
fn windows(size: usize, kernel: usize, stride: usize, dilation: usize, pads: usize, up: bool) -> Result<usize> {
    let reach = kernel.checked_sub(1).and_then(|k| k.checked_mul(dilation)).and_then(|r| r.checked_add(1));
    let room = size.checked_add(pads);
    match (room, reach) {
        (Some(room), Some(reach)) if reach <= room && stride > 0 => {
            Ok((room - reach) / stride + 1 + usize::from(up && !(room - reach).is_multiple_of(stride)))
        }
        _ => bail!("a window of {kernel} cells does not fit a picture of {size} cells with {pads} cells around it"),
    }
}

pub(super) fn dims4(x: &Tensor, what: &str) -> Result<(usize, usize, usize, usize)> {
    match x.dims() {
        &[n, c, h, w] => Ok((n, c, h, w)),
        other => bail!("{what} should have 4 dimensions, but has shape {other:?}"),
    }
}

/// Convolution; sizes are checked first, since they come from a file.
pub(super) fn conv(x: &Tensor, w: &Tensor, b: Option<&Tensor>, geometry: &Conv2d) -> Result<Tensor> {
    let (n, c, height, width) = dims4(x, "the picture")?;
    let (out, per_group, kh, kw) = dims4(w, "the kernel")?;
    let groups = geometry.groups;
    if groups == 0 || per_group.checked_mul(groups) != Some(c) || !out.is_multiple_of(groups) {
        bail!("a kernel of shape {:?} in {groups} groups does not fit a picture of {c} channels", w.dims())
    }
    if let Some(b) = b
        && b.dims() != [out]
    {
        bail!("a bias of shape {:?} does not fit {out} output channels", b.dims())
    }
    let [top, left, bottom, right] = geometry.pads;
    let pads = [top.saturating_add(bottom), left.saturating_add(right)];
    let h = windows(height, kh, geometry.stride[0], geometry.dilation[0], pads[0], false)?;
    let w_out = windows(width, kw, geometry.stride[1], geometry.dilation[1], pads[1], false)?;
    checked_size(&[n, out, h, w_out])?;
    checked_growth(x.elem_count(), &[n, c, height.saturating_add(pads[0]), width.saturating_add(pads[1])])?;
    conv2d(x, w, b, geometry)
}

/// Transposed convolution: the picture with zeros between its cells, convolved with the turned kernel.
pub(super) fn conv_transpose(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    geometry: &Conv2d,
    output_padding: [usize; 2],
) -> Result<Tensor> {
    let (_, c, _, _) = dims4(x, "the picture")?;
    let (c_in, per_group, kh, kw) = dims4(w, "the kernel")?;
    let groups = geometry.groups;
    if groups == 0 || c != c_in || !c.is_multiple_of(groups) {
        bail!("a kernel of shape {:?} in {groups} groups does not fit a picture of {c} channels", w.dims())
    }
    let mut x = x.clone();
    for (axis, kernel) in [(2, kh), (3, kw)] {
        let i = axis - 2;
        x = spaced(&x, axis, geometry.stride[i])?;
        let reach = (kernel - 1).saturating_mul(geometry.dilation[i]) as i64;
        let before = reach - geometry.pads[i] as i64;
        let after = reach - geometry.pads[i + 2] as i64 + output_padding[i] as i64;
        x = super::shape::pad_axis(&x, axis, before, after, 0.0)?;
    }
    let turned = flipped(&flipped(w, 2)?, 3)?;
    let w = turned.reshape((groups, c / groups, per_group, kh, kw))?.transpose(1, 2)?.reshape((
        groups * per_group,
        c / groups,
        kh,
        kw,
    ))?;
    let plain = Conv2d { stride: [1, 1], pads: [0; 4], ..geometry.clone() };
    conv(&x, &w, b, &plain)
}

/// `step - 1` zeros between the cells along `axis`.
fn spaced(x: &Tensor, axis: usize, step: usize) -> Result<Tensor> {
    if step <= 1 {
        return Ok(x.clone());
    }
    let mut shape = x.dims().to_vec();
    shape[axis] = shape[axis].saturating_mul(step);
    checked_growth(x.elem_count(), &shape)?;
    spread(x, axis, step)
}

/// Matrix product of `a [.., k]` and `b [k, m]`; where `b` is fixed its gradient is not computed.
fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (rows, k) = a.dims2()?;
    if a.device().is_cpu() && b.dim(0)? == k && dense_serves(rows, k, b.dim(1)?) {
        return dense(a, b);
    }
    if a.track_op() && !b.track_op() {
        let back = b.t()?;
        return with_gradient(a, a.detach().matmul(b)?, move |gradient| gradient.contiguous()?.matmul(&back));
    }
    a.matmul(b)
}

/// `alpha * a' b' + beta * c`.
pub(super) fn gemm(x: &Operands, alpha: f32, beta: f32, transpose_a: bool, transpose_b: bool) -> Result<Tensor> {
    let (a, b) = (x.tensor(0)?, x.tensor(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        bail!("it takes two matrices, but was given shapes {:?} and {:?}", a.dims(), b.dims())
    }
    let a = if transpose_a { a.t()? } else { a };
    let b = if transpose_b { b.t()? } else { b };
    let mut y = product(&a, &b)?;
    if alpha != 1.0 {
        y = (y * f64::from(alpha))?;
    }
    match x.optional_tensor(2)? {
        None => Ok(y),
        Some(c) if beta == 1.0 && are_columns(&y, &c) => add_columns(&y, &c),
        Some(c) if beta == 1.0 => y.broadcast_add(&c),
        Some(c) => y.broadcast_add(&(c * f64::from(beta))?),
    }
}

/// Matrix product over the last two dimensions, the others broadcast.
pub(super) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.rank(), b.rank()) {
        (0, _) | (_, 0) => bail!("a single number is not a matrix"),
        (1, _) => {
            let y = matmul(&a.unsqueeze(0)?, b)?;
            let row = y.rank().saturating_sub(if b.rank() == 1 { 1 } else { 2 });
            y.squeeze(row)
        }
        (_, 1) => matmul(a, &b.unsqueeze(1)?)?.squeeze(D::Minus1),
        (2, 2) => product(a, b),
        (rank, 2) => {
            let (rows, k) = (a.elem_count() / a.dim(rank - 1)?.max(1), a.dim(rank - 1)?);
            let mut shape = a.dims().to_vec();
            shape[rank - 1] = b.dim(1)?;
            product(&a.reshape((rows, k))?, b)?.reshape(shape)
        }
        _ => a.broadcast_matmul(b),
    }
}

fn check_pool(x: &Tensor, geometry: &Pool2d) -> Result<()> {
    let (n, c, height, width) = dims4(x, "the picture")?;
    let [top, left, bottom, right] = geometry.pads;
    let mut out = [n, c, 0, 0];
    for (i, (size, pads)) in
        [(height, top.saturating_add(bottom)), (width, left.saturating_add(right))].iter().enumerate()
    {
        let (kernel, stride, dilation) = (geometry.kernel[i], geometry.stride[i], geometry.dilation[i]);
        out[i + 2] = windows(*size, kernel, stride, dilation, *pads, geometry.ceil_mode)?;
    }
    checked_growth(x.elem_count(), &out)?;
    Ok(())
}

pub(super) fn max_pool(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    check_pool(x, geometry)?;
    max_pool2d(x, geometry)
}

pub(super) fn avg_pool(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    check_pool(x, geometry)?;
    avg_pool2d(x, geometry)
}

/// The axes of a picture after batch and channels, all in one.
fn cells(x: &Tensor) -> Result<(Tensor, Vec<usize>)> {
    if x.rank() < 3 {
        bail!("it takes pictures, but was given shape {:?}", x.dims())
    }
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&x.dims()[..2]);
    Ok((x.flatten_from(2)?, shape))
}

pub(super) fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    let (flat, shape) = cells(x)?;
    let count = flat.dim(2)?.max(1) as f64;
    (flat.sum(2)? / count)?.reshape(shape)
}

/// The largest cell of each channel; among equals the gradient goes to the first, as in PyTorch.
pub(super) fn global_max_pool(x: &Tensor) -> Result<Tensor> {
    let (flat, shape) = cells(x)?;
    let whole = Pool2d { kernel: [1, flat.dim(2)?.max(1)], ..Pool2d::square(1) };
    max_pool(&flat.unsqueeze(2)?, &whole)?.reshape(shape)
}

/// `exp(x - max)` and its sum along `axis`, outside the gradient's sight.
fn exponentials(x: &Tensor, axis: usize) -> Result<(Tensor, Tensor)> {
    let x = x.detach();
    let shifted = x.broadcast_sub(&x.max_keepdim(axis)?)?;
    let sum = shifted.exp()?.sum_keepdim(axis)?;
    Ok((shifted, sum))
}

/// Shares along an axis. (candle's own fused softmax has no gradient; that of its parts, one by one, loses all digits
/// where one share is nearly 1, as in steep attention.)
pub(super) fn softmax(x: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = axis_of(axis, x.rank())?;
    if x.device().is_cpu() && axis + 1 == x.rank() && x.elem_count() > 0 {
        return softmax_rows(x);
    }
    let (shifted, sum) = exponentials(x, axis)?;
    let shares = shifted.exp()?.broadcast_div(&sum)?;
    let kept = shares.clone();
    with_gradient(x, shares, move |gradient| {
        let mean = gradient.mul(&kept)?.sum_keepdim(axis)?;
        kept.mul(&gradient.broadcast_sub(&mean)?)
    })
}

pub(super) fn log_softmax(x: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = axis_of(axis, x.rank())?;
    let (shifted, sum) = exponentials(x, axis)?;
    let value = shifted.broadcast_sub(&sum.log()?)?;
    let shares = shifted.exp()?.broadcast_div(&sum)?;
    with_gradient(x, value, move |gradient| gradient.sub(&shares.broadcast_mul(&gradient.sum_keepdim(axis)?)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::check::gradients_match_differences;
    use candle_core::{Device, Var};

    #[test]
    fn shares_have_the_gradient_of_their_differences_also_where_one_takes_all() {
        let x = Tensor::new(&[[0.3_f32, -1.2, 0.8], [2.0, 0.1, -0.4]], &Device::Cpu).unwrap();
        for axis in [0, 1, -1] {
            gradients_match_differences(std::slice::from_ref(&x), 1e-2, "softmax", |x| softmax(&x[0], axis));
            gradients_match_differences(std::slice::from_ref(&x), 1e-2, "log-softmax", |x| log_softmax(&x[0], axis));
        }
        // One share is 1 to the last digit: the slope is 0, not what is left of large numbers.
        let steep = Var::new(&[[90.0_f32, 3.0, -7.0]], &Device::Cpu).unwrap();
        let weights = Tensor::new(&[[3e6_f32, -1e6, 7e5]], &Device::Cpu).unwrap();
        let gradients = softmax(&steep, -1).unwrap().mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let slopes = gradients.get(&steep).unwrap().to_vec2::<f32>().unwrap();
        assert!(slopes[0].iter().all(|s| s.abs() < 1e-20), "{slopes:?}");
    }
}
