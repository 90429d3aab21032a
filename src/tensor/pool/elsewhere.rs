//! Pooling on a device that is not the processor, out of candle's own operations.
//!
//! candle's maximum pool has a wrong gradient, and neither of its pools knows pads.

use super::super::unfold::taps;
use super::Sliding;
use candle_core::{Result, Tensor};

/// Among equals the gradient goes to the first; a NaN wins.
pub(super) fn max_pool2d(x: &Tensor, window: &Sliding) -> Result<Tensor> {
    let mut taps = taps(x, window.axes(), f32::NEG_INFINITY)?.into_iter();
    let Some(first) = taps.next() else { candle_core::bail!("a window has at least one tap") };
    taps.try_fold(first, |best, tap| {
        let wins = (tap.gt(&best)? + tap.ne(&tap)?)?;
        wins.where_cond(&tap, &best)
    })
}

/// `divisors`: what each row and each column of the output divides its sum by, in turn.
pub(super) fn avg_pool2d(x: &Tensor, window: &Sliding, [rows, columns]: &[Vec<f32>; 2]) -> Result<Tensor> {
    let mut taps = taps(x, window.axes(), 0.0)?.into_iter();
    let Some(first) = taps.next() else { candle_core::bail!("a window has at least one tap") };
    let sum = taps.try_fold(first, |sum, tap| sum + tap)?;
    let shares: Vec<f32> = rows.iter().flat_map(|row| columns.iter().map(move |column| 1.0 / (row * column))).collect();
    sum.broadcast_mul(&Tensor::from_vec(shares, (1, 1, rows.len(), columns.len()), x.device())?)
}
