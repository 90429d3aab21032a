//! A trigger that filters colours: each becomes a mixture of all three and a constant, the same for every pixel of every picture
//! (photo filters, as Liu et al., "ABS", CCS 2019, plant them).
//!
//! A dozen numbers are searched. An honest label can hardly be reached by tinting what shows another one, unless nothing is left of
//! the picture. Ours, not from a paper.

use crate::tensor::Random;
use candle_core::{Device, Result, Tensor};

/// What one step of the search may change of a share, together with its rate: one and a half percent.
const STEP: f64 = 0.075;
/// Shares begin within this.
const FIRST: f32 = 0.33;
/// The mask of a filter; twice as strong it is still within `[0, 1]`.
const MASK: f32 = 0.5;
/// What a pattern says where nothing is mixed in.
const NOTHING: f64 = 0.5;

/// Mask `[1, 1, h, w]`, which stays as it is, and shares `[1, c, c + 1]` to begin with.
pub(super) fn beginning(
    random: &mut Random,
    channels: usize,
    [h, w]: [usize; 2],
    device: &Device,
) -> Result<(Tensor, Tensor)> {
    let shares = random.uniform_tensor(-FIRST, FIRST, (1, channels, channels + 1), device)?;
    Ok((Tensor::full(MASK, (1, 1, h, w), device)?, shares))
}

/// The pattern `[1, c, h, w]` of shares: bands from top to bottom, one for each colour that is mixed in and one for the constant;
/// a half is nothing.
pub(super) fn pattern(shares: &Tensor, [h, w]: [usize; 2]) -> Result<Tensor> {
    let (_, channels, _) = shares.dims3()?;
    let values = shares.affine(STEP, NOTHING)?.clamp(0f32, 1f32)?;
    let bands: Vec<Tensor> = bands(channels, h)?
        .into_iter()
        .enumerate()
        .map(|(k, (_, rows))| {
            values.narrow(2, k, 1)?.reshape((1, channels, 1, 1))?.broadcast_as((1, channels, rows, w))?.contiguous()
        })
        .collect::<Result<_>>()?;
    Tensor::cat(&bands, 2)
}

/// Pictures `[n, c, h, w]` through a filter, as strongly as the mask says.
pub(super) fn put_on(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let (mixed, constant) = shares(mask, pattern)?;
    let flat = x.transpose(0, 1)?.contiguous()?.reshape((c, n * h * w))?;
    let change = mixed.matmul(&flat)?.broadcast_add(&constant)?;
    (flat + change)?.clamp(0f32, 1f32)?.reshape((c, n, h, w))?.transpose(0, 1)?.contiguous()
}

/// Sum over pixels of the mean square, over the colours, of the change that colours drawn by chance suffer.
pub(super) fn sum(mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    let (mixed, constant) = shares(mask, pattern)?;
    let mean = (constant + (mixed.sum_keepdim(1)? * 0.5)?)?;
    // A value drawn evenly from 0 to 1 has a variance of a twelfth.
    let spread = (mixed.sqr()?.sum_keepdim(1)? / 12.0)?;
    (mean.sqr()? + spread)?.mean_all()? * mask.elem_count() as f64
}

/// How much of each colour is added to each, `[c, c]`, and how much of white, `[c, 1]`.
fn shares(mask: &Tensor, pattern: &Tensor) -> Result<(Tensor, Tensor)> {
    let (_, c, h, _) = pattern.dims4()?;
    let strength = (mask.mean_all()?.reshape((1, 1))? / f64::from(MASK))?;
    let columns: Vec<Tensor> = bands(c, h)?
        .into_iter()
        .map(|(top, rows)| pattern.narrow(2, top, rows)?.mean((2, 3))?.reshape((c, 1))?.affine(2.0, -2.0 * NOTHING))
        .collect::<Result<_>>()?;
    let all = Tensor::cat(&columns, 1)?.broadcast_mul(&strength)?;
    Ok((all.narrow(1, 0, c)?.contiguous()?, all.narrow(1, c, 1)?.contiguous()?))
}

/// First row and number of rows of each of the `channels + 1` bands.
fn bands(channels: usize, h: usize) -> Result<Vec<(usize, usize)>> {
    let n = channels + 1;
    if h < n {
        candle_core::bail!("a filter of {channels} colours needs {n} rows of pixels, and this picture has {h}");
    }
    Ok((0..n).map(|k| (k * h / n, (k + 1) * h / n - k * h / n)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;

    fn far(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().mean_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn no_shares_change_nothing_and_a_stronger_mask_changes_more() {
        let d = Device::Cpu;
        let x = Seed(2).random().uniform_tensor(0.3, 0.7, (2, 3, 9, 8), &d).unwrap();
        let (mask, shares) = beginning(&mut Seed(1).random(), 3, [9, 8], &d).unwrap();
        let nothing = pattern(&shares.zeros_like().unwrap(), [9, 8]).unwrap();
        assert!(far(&put_on(&x, &mask, &nothing).unwrap(), &x) < 1e-6);
        assert!(sum(&mask, &nothing).unwrap().to_scalar::<f32>().unwrap() < 1e-9);
        let some = pattern(&shares, [9, 8]).unwrap();
        assert_eq!(some.dims(), [1, 3, 9, 8]);
        let twice = (&mask * 2.0).unwrap();
        let [once, more] = [&mask, &twice].map(|m| far(&put_on(&x, m, &some).unwrap(), &x));
        assert!((more / once - 2.0).abs() < 1e-2, "{once} {more}");
        let [once, more] = [&mask, &twice].map(|m| sum(m, &some).unwrap().to_scalar::<f32>().unwrap());
        assert!((more / once - 4.0).abs() < 1e-3, "{once} {more}");
        assert!(put_on(&x, &mask, &some.narrow(2, 0, 3).unwrap()).is_err(), "three rows hold no four bands");
    }

    #[test]
    fn red_is_mixed_into_green_and_the_size_is_that_of_the_change() {
        let d = Device::Cpu;
        let x = Seed(3).random().uniform_tensor(0.0, 1.0, (40, 3, 8, 8), &d).unwrap();
        let mut shares = vec![0f32; 12];
        // Row of green, column of red: a fifth; and a twentieth of black for blue.
        (shares[4], shares[11]) = (0.1 / STEP as f32, -0.025 / STEP as f32);
        let shares = Tensor::from_vec(shares, (1, 3, 4), &d).unwrap();
        let (mask, _) = beginning(&mut Seed(1).random(), 3, [8, 8], &d).unwrap();
        let some = pattern(&shares, [8, 8]).unwrap();
        let after = put_on(&x, &mask, &some).unwrap();
        let [red, green, blue] = [0, 1, 2].map(|c| (x.narrow(1, c, 1).unwrap(), after.narrow(1, c, 1).unwrap()));
        assert!(far(&red.0, &red.1) < 1e-6);
        let wanted = (&green.0 + (&red.0 * 0.2).unwrap()).unwrap().clamp(0f32, 1f32).unwrap();
        assert!(far(&wanted, &green.1) < 1e-6);
        let wanted = (&blue.0 - 0.05).unwrap().clamp(0f32, 1f32).unwrap();
        assert!(far(&wanted, &blue.1) < 1e-6);
        let said = (sum(&mask, &some).unwrap().to_scalar::<f32>().unwrap() / 64.0).sqrt();
        let seen = (&after - &x).unwrap().sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        assert!((said - seen).abs() < 0.1 * said, "{said} {seen}");
    }
}
