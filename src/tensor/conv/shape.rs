//! The sizes of one convolution, checked against each other once.

use candle_core::{Result, bail};

use super::super::window::Axis;
use super::Conv2d;

/// No tensor of the program may have more numbers than this (8 GiB of them): geometry comes from
/// model files, which may be hostile.
const MOST_NUMBERS: u128 = 1 << 31;

/// Sizes and geometry; every product of them that is used as a length fits `usize`.
#[derive(Debug, Clone)]
pub(in crate::tensor) struct ConvShape {
    /// Images.
    pub n: usize,
    /// Input channels.
    pub c: usize,
    /// Input height and width.
    pub h: usize,
    pub w: usize,
    /// Output channels.
    pub o: usize,
    /// Kernel height and width.
    pub kh: usize,
    pub kw: usize,
    /// Output height and width.
    pub oh: usize,
    pub ow: usize,
    /// How the window slides down and across.
    pub rows: Axis,
    pub columns: Axis,
    pub geometry: Conv2d,
}

impl ConvShape {
    pub fn new(x: &[usize], w: &[usize], b: Option<&[usize]>, geometry: &Conv2d) -> Result<Self> {
        let (&[n, c, h, wide], &[o, cg, kh, kw]) = (x, w) else {
            bail!("a convolution takes an image batch [n, c, h, w] and a kernel [o, c, kh, kw], not {x:?} and {w:?}")
        };
        let Conv2d { stride, pads, dilation, groups } = geometry;
        let groups = *groups;
        if groups == 0 || stride.contains(&0) || dilation.contains(&0) || kh == 0 || kw == 0 {
            bail!(
                "a convolution needs stride, dilation, groups and kernel size of at least 1, not {geometry:?} on {w:?}"
            )
        }
        if cg.checked_mul(groups) != Some(c) || o % groups != 0 {
            bail!("a kernel {w:?} in {groups} groups does not fit an image batch {x:?}")
        }
        if b.is_some_and(|b| b != [o]) {
            bail!("a bias {b:?} does not fit a kernel {w:?}")
        }
        let axis =
            |i: usize, size, kernel| Axis::new(size, kernel, stride[i], [pads[i], pads[i + 2]], dilation[i], false);
        let (Some(rows), Some(columns)) = (axis(0, h, kh), axis(1, wide, kw)) else {
            bail!("a kernel {w:?} with {geometry:?} is larger than the padded image {x:?}")
        };
        let product = |sizes: &[usize]| sizes.iter().map(|&s| s as u128).try_fold(1_u128, |a, s| a.checked_mul(s));
        let padded = product(&[n.max(1), c.max(1), h + pads[0] + pads[2], wide + pads[1] + pads[3]]);
        let output = product(&[n.max(1), o.max(1), rows.out, columns.out]);
        if [padded, output].iter().any(|p| p.is_none_or(|p| p > MOST_NUMBERS)) {
            bail!("a kernel {w:?} with {geometry:?} on {x:?} needs more memory than any real model does")
        }
        let (oh, ow) = (rows.out, columns.out);
        Ok(Self { n, c, h, w: wide, o, kh, kw, oh, ow, rows, columns, geometry: geometry.clone() })
    }

    /// Input channels of one group.
    pub fn group_c(&self) -> usize {
        self.c / self.geometry.groups
    }

    /// Output channels of one group.
    pub fn group_o(&self) -> usize {
        self.o / self.geometry.groups
    }

    /// Numbers of one output channel's kernel.
    pub fn kernel_len(&self) -> usize {
        self.group_c() * self.kh * self.kw
    }

    /// Numbers of one image.
    pub fn image_len(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Numbers of one image's output.
    pub fn output_len(&self) -> usize {
        self.o * self.oh * self.ow
    }
}
