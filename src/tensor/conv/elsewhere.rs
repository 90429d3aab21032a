//! Convolution on a device that is not the processor, out of candle's own operations.
//!
//! candle pads evenly, has one stride and one dilation for both directions, and derives the size of a
//! strided input gradient from the height alone; each is led around here.

use candle_core::{Result, Tensor};

use super::shape::ConvShape;

pub(super) fn conv2d(x: &Tensor, w: &Tensor, b: Option<&Tensor>, s: &ConvShape) -> Result<Tensor> {
    let g = &s.geometry;
    let [top, left, bottom, right] = g.pads;
    let mut x = x.clone();
    if (top, bottom) != (0, 0) {
        x = x.pad_with_zeros(2, top, bottom)?;
    }
    if (left, right) != (0, 0) {
        x = x.pad_with_zeros(3, left, right)?;
    }
    let (w, dilation) = if g.dilation[0] == g.dilation[1] {
        (w.clone(), g.dilation[0])
    } else {
        (spread(&spread(w, 2, g.dilation[0])?, 3, g.dilation[1])?, 1)
    };
    let extent = [(s.kh - 1) * g.dilation[0] + 1, (s.kw - 1) * g.dilation[1] + 1];
    let even = g.stride[0] == g.stride[1];
    // Cells that no window reaches are cut off: then the gradient's size follows from either side.
    x = x.narrow(2, 0, (s.oh - 1) * g.stride[0] + extent[0])?.narrow(3, 0, (s.ow - 1) * g.stride[1] + extent[1])?;
    let mut y = x.contiguous()?.conv2d(&w.contiguous()?, 0, if even { g.stride[0] } else { 1 }, dilation, g.groups)?;
    if !even {
        y = every(&every(&y, 2, g.stride[0], s.oh)?, 3, g.stride[1], s.ow)?;
    }
    match b {
        None => Ok(y),
        Some(b) => y.broadcast_add(&b.reshape((1, s.o, 1, 1))?),
    }
}

/// Puts `step - 1` zeros between the cells along `axis`.
fn spread(w: &Tensor, axis: usize, step: usize) -> Result<Tensor> {
    if step == 1 {
        return Ok(w.clone());
    }
    let size = w.dim(axis)?;
    let mut dims = w.dims().to_vec();
    dims[axis] = size * step;
    let spread = w.unsqueeze(axis + 1)?.pad_with_zeros(axis + 1, 0, step - 1)?.reshape(dims)?;
    spread.narrow(axis, 0, (size - 1) * step + 1)
}

/// Keeps every `step`-th of the cells along `axis`, `count` in all.
fn every(y: &Tensor, axis: usize, step: usize, count: usize) -> Result<Tensor> {
    if step == 1 {
        return Ok(y.clone());
    }
    let index: Vec<u32> = (0..count).map(|i| (i * step) as u32).collect();
    y.contiguous()?.index_select(&Tensor::from_vec(index, count, y.device())?, axis)
}
