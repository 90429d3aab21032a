//! A window that slides over the cells of one axis of an image: which output looks at which input.

use std::ops::Range;

/// One axis of a convolution or pooling.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Cells of the input.
    pub size: usize,
    /// Positions of the window, the size of the output.
    pub out: usize,
    /// Cells (taps) of the window.
    pub kernel: usize,
    /// Step between positions.
    pub stride: usize,
    /// Cells added in front of the input and behind it.
    pub pads: [usize; 2],
    /// Distance between the taps.
    pub dilation: usize,
}

impl Axis {
    /// `None` where a size is 0 or the window does not fit. With `ceil` a last window may hang over
    /// the edge, but not begin beyond the input and the pad in front (as in PyTorch and ONNX).
    pub fn new(
        size: usize,
        kernel: usize,
        stride: usize,
        pads: [usize; 2],
        dilation: usize,
        ceil: bool,
    ) -> Option<Self> {
        let padded = size.checked_add(pads[0])?.checked_add(pads[1])?;
        let extent = dilation.checked_mul(kernel.checked_sub(1)?)?.checked_add(1)?;
        let room = padded.checked_sub(extent)?;
        if stride == 0 || dilation == 0 {
            return None;
        }
        let mut out = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
        if ceil && (out - 1).checked_mul(stride)? >= size + pads[0] {
            out -= 1;
        }
        Some(Self { size, out, kernel, stride, pads, dilation })
    }

    /// The input cell under `tap` of the window at `position`, where it lies inside the input.
    pub fn input(&self, position: usize, tap: usize) -> Option<usize> {
        let cell = (position * self.stride + tap * self.dilation).checked_sub(self.pads[0])?;
        (cell < self.size).then_some(cell)
    }

    /// The positions at which `tap` lies inside the input, and the first input cell there.
    pub fn inside(&self, tap: usize) -> (Range<usize>, usize) {
        let shift = tap * self.dilation;
        let first = self.pads[0].saturating_sub(shift).div_ceil(self.stride).min(self.out);
        let end = (self.size + self.pads[0]).saturating_sub(shift).div_ceil(self.stride).clamp(first, self.out);
        if first == end { (first..end, 0) } else { (first..end, first * self.stride + shift - self.pads[0]) }
    }
}
