//! Two-dimensional convolution with gradients, on the processor by our own kernels.
//!
//! In and out: `f32` tensors `[n, c, h, w]`, any strides, pads, dilation and groups. candle's own
//! convolution pads only evenly, has one stride for both directions, always computes the weight
//! gradient and is several times slower; it serves only where the tensors are not on the processor.
//! Results never depend on the number of threads.

mod direct;
mod elsewhere;
mod im2col;
mod shape;
mod tile;

#[cfg(test)]
mod tests;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
pub(crate) use elsewhere::{flipped, spread};
pub(super) use shape::ConvShape;
pub(super) use tile::Instructions;

use super::storage;

/// Geometry of a convolution; pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Step between outputs, at least 1.
    pub stride: [usize; 2],
    /// Zeros added at `[top, left, bottom, right]`.
    pub pads: [usize; 4],
    /// Distance between taps, at least 1.
    pub dilation: [usize; 2],
    /// Channels are split in this many independent groups.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], pads: [0; 4], dilation: [1, 1], groups: 1 }
    }
}

/// `x [n, c, h, w]` with kernel `w [o, c/groups, kh, kw]` and bias `b [o]` to `[n, o, h', w']`.
/// Differentiable in all three; the weight gradient is only computed where `w` is tracked.
///
/// # Errors
/// Where the shapes do not fit each other.
pub fn conv2d(x: &Tensor, w: &Tensor, b: Option<&Tensor>, geometry: &Conv2d) -> Result<Tensor> {
    let shape = ConvShape::new(x.dims(), w.dims(), b.map(Tensor::dims), geometry)?;
    if !x.device().is_cpu() {
        return elsewhere::conv2d(x, w, b, &shape);
    }
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match b {
        None => x.apply_op2(&w, Convolution(shape)),
        Some(b) => x.apply_op3(&w, &b.contiguous()?, Convolution(shape)),
    }
}

/// The differentiable operation; of arguments `(x, w)` or `(x, w, b)`.
struct Convolution(ConvShape);

impl Convolution {
    fn forward(&self, x: &[f32], w: &[f32], b: Option<&[f32]>) -> (CpuStorage, Shape) {
        let s = &self.0;
        let y = direct::forward(s, Instructions::best(), x, w, b).unwrap_or_else(|| im2col::forward(s, x, w, b));
        (CpuStorage::F32(y), Shape::from((s.n, s.o, s.oh, s.ow)))
    }

    fn input_gradient(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let gradient = storage::read2(grad, w, |g, w| {
            let direct = direct::input_gradient(&self.0, Instructions::best(), g, w);
            direct.unwrap_or_else(|| im2col::input_gradient(&self.0, g, w))
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }

    fn weight_gradient(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if !w.track_op() {
            return Ok(None);
        }
        let gradient = storage::read2(grad, x, |g, x| im2col::weight_gradient(&self.0, g, x))?;
        Ok(Some(Tensor::from_vec(gradient, w.shape(), w.device())?))
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward(storage::slice(x, lx)?, storage::slice(w, lw)?, None))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        Ok((self.input_gradient(x, w, &grad)?, self.weight_gradient(x, w, &grad)?))
    }
}

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "conv2d with bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward(storage::slice(x, lx)?, storage::slice(w, lw)?, Some(storage::slice(b, lb)?)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let bias_gradient = if b.track_op() {
            let gradient = storage::read(&grad, |g| im2col::bias_gradient(&self.0, g))?;
            Some(Tensor::from_vec(gradient, b.shape(), b.device())?)
        } else {
            None
        };
        Ok((self.input_gradient(x, w, &grad)?, self.weight_gradient(x, w, &grad)?, bias_gradient))
    }
}
