//! How an array of images is laid out, read off its shape; and its way to planar bytes.

use super::decode::{left_out_note, within_budget};
use super::{MAX_SET_BYTES, Wanted};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;

/// Where an array of `n` images keeps its axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Images.
    pub n: usize,
    /// Channels in the array: 1, 3, or 4 (the last is alpha and is dropped).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels are the last axis.
    pub channels_last: bool,
}

impl Layout {
    /// Reads `[n, h, w]`, `[n, h, w, c]`, `[n, c, h, w]`, or `[n, s * s]` (gray squares) off a shape.
    /// `None`: not images.
    pub fn of(shape: &[usize]) -> Option<Self> {
        let layout = match *shape {
            [n, area] => {
                let side = area.isqrt();
                (side >= 4 && side * side == area).then_some(Self {
                    n,
                    channels: 1,
                    height: side,
                    width: side,
                    channels_last: true,
                })
            }
            [n, height, width] => Some(Self { n, channels: 1, height, width, channels_last: true }),
            [n, height, width, channels @ (1 | 3 | 4)] => {
                Some(Self { n, channels, height, width, channels_last: true })
            }
            [n, channels @ (1 | 3 | 4), height, width] => {
                Some(Self { n, channels, height, width, channels_last: false })
            }
            _ => None,
        }?;
        (layout.n > 0 && layout.height > 0 && layout.width > 0).then_some(layout)
    }

    /// Values of one image in the array.
    pub fn values(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Channels kept: 1 or 3.
    pub fn kept(&self) -> usize {
        if self.channels == 1 { 1 } else { 3 }
    }

    /// Planar bytes of one image.
    fn planar(&self, image: &[u8], out: &mut Vec<u8>) {
        if self.channels_last {
            for c in 0..self.kept() {
                out.extend(image.iter().skip(c).step_by(self.channels));
            }
        } else {
            out.extend_from_slice(&image[..self.kept() * self.height * self.width]);
        }
    }
}

/// An [`ImageSet`] of an array of bytes, brought to what is wanted. `labels` has one for each image and
/// every one is below `names.len()`.
///
/// # Errors
/// Where somebody stops the work.
pub(super) fn assemble(
    bytes: &[u8],
    layout: Layout,
    labels: Vec<usize>,
    names: Vec<String>,
    wanted: &Wanted,
    monitor: &Monitor,
) -> Result<ImageSet, ImageError> {
    let channels = wanted.channels.map_or(layout.kept(), |c| if c == 1 { 1 } else { 3 });
    let size = wanted.size.unwrap_or([layout.height, layout.width]);
    let each = (channels * size[0] * size[1]).max(layout.kept() * layout.height * layout.width);
    let mut skipped = Vec::new();
    let kept = match within_budget(&labels, each, MAX_SET_BYTES) {
        Some(kept) => {
            skipped.push(left_out_note(labels.len() - kept.len(), kept.len()));
            kept
        }
        None => (0..labels.len()).collect(),
    };
    let mut pixels = Vec::with_capacity(kept.len() * layout.kept() * layout.height * layout.width);
    for &i in &kept {
        if i % 256 == 0 {
            monitor.check()?;
        }
        layout.planar(&bytes[i * layout.values()..(i + 1) * layout.values()], &mut pixels);
    }
    let set = ImageSet {
        pixels,
        channels: layout.kept(),
        height: layout.height,
        width: layout.width,
        labels: kept.iter().map(|&i| labels[i]).collect(),
        names,
        skipped,
        files: Vec::new(),
    };
    if (set.channels, [set.height, set.width]) == (channels, size) {
        return Ok(set);
    }
    Ok(set.converted(channels, size, monitor)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_tell_the_layout() {
        let of = |s: &[usize]| Layout::of(s).map(|l| (l.channels, l.height, l.width, l.channels_last));
        assert_eq!(of(&[5, 28, 28]), Some((1, 28, 28, true)));
        assert_eq!(of(&[5, 784]), Some((1, 28, 28, true)));
        assert_eq!(of(&[5, 32, 30, 3]), Some((3, 32, 30, true)));
        assert_eq!(of(&[5, 3, 32, 30]), Some((3, 32, 30, false)));
        assert_eq!(of(&[5, 1, 8, 8]), Some((1, 8, 8, false)));
        for no in [&[5_usize][..], &[5, 10], &[5, 2, 8, 8], &[0, 8, 8], &[1, 2, 3, 4, 5], &[5, 0, 8]] {
            assert_eq!(of(no), None, "{no:?}");
        }
    }

    #[test]
    fn both_layouts_give_the_same_planes_and_alpha_is_dropped() {
        let (mut a, mut b, mut c) = (vec![], vec![], vec![]);
        Layout::of(&[1, 1, 2, 3]).unwrap().planar(&[1, 2, 3, 4, 5, 6], &mut a);
        Layout { channels_last: false, ..Layout::of(&[1, 1, 2, 3]).unwrap() }.planar(&[1, 4, 2, 5, 3, 6], &mut b);
        Layout::of(&[1, 1, 2, 4]).unwrap().planar(&[1, 2, 3, 0, 4, 5, 6, 0], &mut c);
        assert_eq!((&a, &b), (&vec![1, 4, 2, 5, 3, 6], &c));
        assert_eq!(a, b);
    }
}
