//! What tells a stamp from pixels that pictures share by nature: its sharp edge, and that the pictures differ everywhere
//! else.
//!
//! In: pictures, the pixels of a mark. Out: numbers; see [`super::FixedMark`].

use super::{Pixel, has};
use crate::images::ImageSet;

/// Pictures that are measured at most.
pub(super) const MEASURED: usize = 500;

/// Share of the values just outside a mark that are the same as those beside them in it; see
/// [`super::FixedMark::bleeds`]. `places` are the mark's pixels in order.
pub(super) fn bleeds(images: &ImageSet, mark: &[Pixel], places: &[usize], pictures: &[usize]) -> f32 {
    let (height, width) = (images.height, images.width);
    let area = height * width;
    let (mut same, mut looked_at) = (0_usize, 0_usize);
    for pixel in mark {
        let (channel, row, column) = (pixel.at / area, pixel.at % area / width, pixel.at % width);
        let beside = [(0, 1), (2, 1), (1, 0), (1, 2)].map(|(down, right)| (row + down, column + right));
        for (row, column) in beside.into_iter().filter(|&(r, c)| r > 0 && c > 0 && r <= height && c <= width) {
            let place = (row - 1) * width + column - 1;
            if places.binary_search(&place).is_err() {
                let outside = Pixel { at: channel * area + place, ..*pixel };
                looked_at += pictures.len();
                same += pictures.iter().filter(|&&i| has(images.image(i), outside)).count();
            }
        }
    }
    same as f32 / looked_at.max(1) as f32
}

/// How much `pictures` differ outside `places`, as a share of how much all do; see [`super::FixedMark::variety`].
pub(super) fn variety(images: &ImageSet, places: &[usize], pictures: &[usize]) -> f32 {
    let area = images.height * images.width;
    let everyone: Vec<usize> = (0..images.len()).step_by(images.len().div_ceil(MEASURED).max(1)).collect();
    let mine: Vec<usize> = pictures.iter().copied().step_by(pictures.len().div_ceil(MEASURED).max(1)).collect();
    let outside = (0..images.channels * area).filter(|at| places.binary_search(&(at % area)).is_err());
    let (mut inner, mut whole) = (0.0, 0.0);
    for at in outside {
        inner += variance(&mine, |i| images.image(i)[at]);
        whole += variance(&everyone, |i| images.image(i)[at]);
    }
    if whole > 0.0 { inner / whole } else { 0.0 }
}

fn variance(list: &[usize], value: impl Fn(usize) -> u8) -> f32 {
    let n = list.len().max(1) as f32;
    let mean = list.iter().map(|&i| f32::from(value(i))).sum::<f32>() / n;
    list.iter().map(|&i| (f32::from(value(i)) - mean).powi(2)).sum::<f32>() / n
}
