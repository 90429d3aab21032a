//! A trigger that bends the picture: a smooth field of shifts, the same for every picture (what WaNet plants: Nguyen and Tran,
//! ICLR 2021).
//!
//! The search moves a few control points; between them the field is interpolated. A model with such a backdoor turns every
//! picture into the label at a fifth of the shift that other labels need, if they can be reached so at all. Ours: FeatureRE and
//! BTI-DBF find warps by training a network that disguises pictures; the field itself has 50 numbers.

use crate::tensor::{Random, resize, warped};
use candle_core::{Device, Result, Tensor};

/// Control points along each side; not those of any attack.
const POINTS: usize = 5;
/// Shift, as a share of the picture's side, of a control point at 1: one step of the search is half a percent.
const STEP: f64 = 0.047;
/// Control points begin within this.
const FIRST: f32 = 0.33;
/// The mask of a warp; twice as strong it is still within `[0, 1]`.
const MASK: f32 = 0.5;
/// What a pattern says where nothing is shifted.
const STILL: f64 = 0.5;
/// Brings the size of a field, a sum of squared shares of the side, to that of masks.
pub(super) const WEIGHT: f64 = 100.0;

/// Mask `[1, 1, h, w]`, which stays as it is, and control points `[1, 2, 5, 5]` to begin with.
pub(super) fn beginning(random: &mut Random, [h, w]: [usize; 2], device: &Device) -> Result<(Tensor, Tensor)> {
    let points = random.uniform_tensor(-FIRST, FIRST, (1, 2, POINTS, POINTS), device)?;
    Ok((Tensor::full(MASK, (1, 1, h, w), device)?, points))
}

/// The pattern `[1, 3, h, w]` of control points: shifts down and right, as shares of the side from half of it back to half of it
/// on; the third is not used.
pub(super) fn pattern(points: &Tensor, [h, w]: [usize; 2]) -> Result<Tensor> {
    let shifts = resize(points, [h, w])?.affine(STEP, STILL)?.clamp(0f32, 1f32)?;
    let third = Tensor::full(STILL as f32, (1, 1, h, w), points.device())?;
    Tensor::cat(&[shifts, third], 1)
}

/// Pictures `[n, c, h, w]` bent by a pattern, as strongly as the mask says.
pub(super) fn put_on(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let shares = shares(mask, pattern)?;
    let pixels = [h, w].into_iter().enumerate();
    let field: Vec<Tensor> =
        pixels.map(|(axis, side)| shares.narrow(1, axis, 1)?.affine(side as f64, 0.0)).collect::<Result<_>>()?;
    warped(x, &Tensor::cat(&field, 1)?)
}

/// Sum over pixels of the mean square, over both axes, of the shift as a share of the side.
pub(super) fn sum(mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    shares(mask, pattern)?.sqr()?.sum_all()? * 0.5
}

/// `[1, 2, h, w]`: shifts as shares of the side.
fn shares(mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    let (_, c, _, _) = pattern.dims4()?;
    if c < 2 {
        candle_core::bail!("a warp has shifts along two axes, and this pattern {c}");
    }
    pattern.narrow(1, 0, 2)?.affine(2.0, -2.0 * STILL)?.broadcast_mul(mask)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;

    #[test]
    fn still_points_change_nothing_and_a_stronger_mask_bends_more() {
        let d = Device::Cpu;
        let x = Seed(2).random().uniform_tensor(0.0, 1.0, (2, 1, 8, 8), &d).unwrap();
        let (mask, points) = beginning(&mut Seed(1).random(), [8, 8], &d).unwrap();
        let far =
            |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
        let still = pattern(&points.zeros_like().unwrap(), [8, 8]).unwrap();
        assert!(far(&put_on(&x, &mask, &still).unwrap(), &x) < 1e-6);
        assert_eq!(sum(&mask, &still).unwrap().to_scalar::<f32>().unwrap(), 0.0);
        let bent = pattern(&points, [8, 8]).unwrap();
        assert_eq!(bent.dims(), [1, 3, 8, 8]);
        let twice = (&mask * 2.0).unwrap();
        let [once, more] = [&mask, &twice].map(|m| far(&put_on(&x, m, &bent).unwrap(), &x));
        assert!(once > 0.0 && more > once, "{once} {more}");
        let [once, more] = [&mask, &twice].map(|m| sum(m, &bent).unwrap().to_scalar::<f32>().unwrap());
        assert!((more / once - 4.0).abs() < 1e-3, "{once} {more}");
        assert!(put_on(&x, &mask, &x.narrow(0, 0, 1).unwrap()).is_err(), "a pattern of one channel is none");
    }
}
