//! Max and average pooling with right gradients (candle's max-pool gradient is wrong, see docs).

use candle_core::{Result, Tensor};

/// Geometry of a pooling window; pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step between windows, at least 1.
    pub stride: [usize; 2],
    /// Cells added at `[top, left, bottom, right]`: minus infinity for max, zero for average.
    pub pads: [usize; 4],
    /// Distance between the cells of a window, at least 1.
    pub dilation: [usize; 2],
    /// Round the output size up: a last window may hang over the edge.
    pub ceil_mode: bool,
    /// Average only: padded cells count in the divisor.
    pub count_include_pad: bool,
}

impl Pool2d {
    /// Square window of `k`, stride `k`, no padding.
    pub fn square(k: usize) -> Self {
        Self {
            kernel: [k, k],
            stride: [k, k],
            pads: [0; 4],
            dilation: [1, 1],
            ceil_mode: false,
            count_include_pad: false,
        }
    }
}

/// `[n, c, h, w]` to `[n, c, h', w']`; the gradient goes to the first maximum of each window, whole.
///
/// # Errors
/// Where the window does not fit the picture.
pub fn max_pool2d(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    let _ = (x, geometry);
    candle_core::bail!("max_pool2d is being written")
}

/// `[n, c, h, w]` to `[n, c, h', w']`.
///
/// # Errors
/// Where the window does not fit the picture.
pub fn avg_pool2d(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    let _ = (x, geometry);
    candle_core::bail!("avg_pool2d is being written")
}
