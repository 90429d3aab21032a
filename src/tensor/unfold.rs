//! What a sliding window sees, tap by tap, out of candle's own operations: for devices that our kernels do not run on.

use super::window::Axis;
use candle_core::{Result, Tensor};

/// The cells of `x [n, c, h, w]` under each tap of the window, in reading order, `[n, c, h', w']` each; `outside` where the tap
/// lies beyond the edge. Differentiable.
pub(super) fn taps(x: &Tensor, [rows, columns]: [&Axis; 2], outside: f32) -> Result<Vec<Tensor>> {
    let x = padded(&padded(x, 2, rows, outside)?, 3, columns, outside)?;
    let mut taps = Vec::with_capacity(rows.kernel * columns.kernel);
    for down in 0..rows.kernel {
        let row = under(&x, 2, rows, down)?;
        for across in 0..columns.kernel {
            taps.push(under(&row, 3, columns, across)?);
        }
    }
    Ok(taps)
}

/// As many cells in front and behind as the windows reach.
fn padded(x: &Tensor, axis: usize, window: &Axis, outside: f32) -> Result<Tensor> {
    let reach = (window.out - 1) * window.stride + (window.kernel - 1) * window.dilation + 1;
    let sides = [window.pads[0], reach.saturating_sub(window.pads[0] + window.size)];
    let [before, after] = sides.map(|cells| {
        let mut dims = x.dims().to_vec();
        dims[axis] = cells;
        (cells > 0).then(|| Tensor::full(outside, dims, x.device())).transpose()
    });
    let parts: Vec<Tensor> = [before?, Some(x.clone()), after?].into_iter().flatten().collect();
    if parts.len() == 1 { Ok(x.clone()) } else { Tensor::cat(&parts, axis) }
}

/// What lies under one tap along one axis of a padded picture.
fn under(x: &Tensor, axis: usize, window: &Axis, tap: usize) -> Result<Tensor> {
    let first = tap * window.dilation;
    if window.stride == 1 {
        return x.narrow(axis, first, window.out);
    }
    let cells: Vec<u32> = (0..window.out).map(|position| (first + position * window.stride) as u32).collect();
    x.contiguous()?.index_select(&Tensor::from_vec(cells, window.out, x.device())?, axis)
}
