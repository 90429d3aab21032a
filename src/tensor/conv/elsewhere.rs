//! Convolution on a device that is not the processor, out of candle's own operations.
//!
//! candle pads evenly, has one stride and one dilation for both directions, and derives the size of a
//! strided input gradient from the height alone; each is led around here. Its own gradients run naive kernels on graphics
//! cards: here that to the pictures is a convolution too, and that to the weights a matrix product, which have fast ones.

use candle_core::{Result, Tensor};

use super::super::graft::with_gradient;
use super::super::unfold::taps;
use super::Conv2d;
use super::shape::ConvShape;

pub(super) fn conv2d(x: &Tensor, w: &Tensor, b: Option<&Tensor>, s: &ConvShape) -> Result<Tensor> {
    let (pictures, kernel) = (x.detach(), w.detach());
    let value = forward(&pictures, &kernel, s)?;
    let nothing = if w.track_op() { Some(value.zeros_like()?) } else { None };
    let shape = s.clone();
    let mut y = with_gradient(x, value, move |g| input_gradient(g, &kernel, &shape))?;
    if let Some(nothing) = nothing {
        let shape = s.clone();
        y = (y + with_gradient(w, nothing, move |g| weight_gradient(g, &pictures, &shape))?)?;
    }
    match b {
        None => Ok(y),
        Some(b) => y.broadcast_add(&b.reshape((1, s.o, 1, 1))?),
    }
}

fn forward(x: &Tensor, w: &Tensor, s: &ConvShape) -> Result<Tensor> {
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
    // Cells that no window reaches are cut off.
    x = x.narrow(2, 0, (s.oh - 1) * g.stride[0] + extent[0])?.narrow(3, 0, (s.ow - 1) * g.stride[1] + extent[1])?;
    let y = x.contiguous()?.conv2d(&w.contiguous()?, 0, if even { g.stride[0] } else { 1 }, dilation, g.groups)?;
    if even { Ok(y) } else { every(&every(&y, 2, g.stride[0], s.oh)?, 3, g.stride[1], s.ow) }
}

/// Of the result's gradient `[n, o, h', w']`: zeros between its cells, and a convolution with the turned kernel.
fn input_gradient(g: &Tensor, w: &Tensor, s: &ConvShape) -> Result<Tensor> {
    let Conv2d { stride, pads, dilation, groups } = &s.geometry;
    let mut g = g.clone();
    for (axis, size, kernel) in [(0, s.h, s.kh), (1, s.w, s.kw)] {
        g = spread(&g, axis + 2, stride[axis])?;
        let reach = ((kernel - 1) * dilation[axis]) as i64;
        let (pad, cells) = (pads[axis] as i64, g.dim(axis + 2)? as i64);
        g = moved(&moved(&g, axis + 2, reach - pad, true)?, axis + 2, size as i64 + pad - cells, false)?;
    }
    let split = (*groups, s.o / groups, s.c / groups, s.kh, s.kw);
    let turned = flipped(&flipped(w, 2)?, 3)?.reshape(split)?.transpose(1, 2)?;
    let turned = turned.contiguous()?.reshape((s.c, s.o / groups, s.kh, s.kw))?;
    let plain = Conv2d { stride: [1, 1], pads: [0; 4], dilation: *dilation, groups: *groups };
    forward(&g, &turned, &ConvShape::new(g.dims(), turned.dims(), None, &plain)?)
}

/// The result's gradient times what each tap saw.
fn weight_gradient(g: &Tensor, x: &Tensor, s: &ConvShape) -> Result<Tensor> {
    let (groups, cells) = (s.geometry.groups, s.oh * s.ow);
    let seen = Tensor::stack(&taps(x, [&s.rows, &s.columns], 0.0)?, 2)?;
    let seen = seen.reshape((s.n, groups, s.c / groups * s.kh * s.kw, cells))?;
    let g = g.contiguous()?.reshape((s.n, groups, s.o / groups, cells))?;
    let products = g.matmul(&seen.transpose(2, 3)?.contiguous()?)?;
    products.sum(0)?.reshape((s.o, s.c / groups, s.kh, s.kw))
}

/// More zeros before (or behind) the cells along `axis`, or fewer cells.
fn moved(x: &Tensor, axis: usize, more: i64, before: bool) -> Result<Tensor> {
    let cells = more.unsigned_abs() as usize;
    match (more, before) {
        (0, _) => Ok(x.clone()),
        (1.., true) => x.pad_with_zeros(axis, cells, 0),
        (1.., false) => x.pad_with_zeros(axis, 0, cells),
        (_, true) => x.narrow(axis, cells, x.dim(axis)? - cells),
        (_, false) => x.narrow(axis, 0, x.dim(axis)? - cells),
    }
}

/// The cells along `axis` from the last to the first.
pub(crate) fn flipped(w: &Tensor, axis: usize) -> Result<Tensor> {
    let size = w.dim(axis)?;
    let places: Vec<u32> = (0..size as u32).rev().collect();
    w.contiguous()?.index_select(&Tensor::from_vec(places, size, w.device())?, axis)
}

/// Puts `step - 1` zeros between the cells along `axis`.
pub(crate) fn spread(w: &Tensor, axis: usize, step: usize) -> Result<Tensor> {
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
