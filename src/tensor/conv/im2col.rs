//! Convolution of any geometry as a matrix product over unfolded patches (im2col).
//!
//! Patches are unfolded a few rows of outputs at a time, so that the scratch stays in cache and its
//! size does not depend on the image.

use rayon::prelude::*;

use super::super::matrix::{Matrix, product};
use super::shape::ConvShape;

/// Numbers of unfolded patches to hold at a time; 1 MiB, half of a usual second-level cache.
const SCRATCH: usize = 1 << 18;

/// The weight gradient is summed over this many groups of images, then over the groups: a fixed
/// order, whatever the number of threads.
const IMAGE_GROUPS: usize = 16;

/// `x [n, c, h, w]`, `w [o, c/groups, kh, kw]`, `b [o]` to `[n, o, h', w']`.
pub(super) fn forward(s: &ConvShape, x: &[f32], w: &[f32], b: Option<&[f32]>) -> Vec<f32> {
    let mut out = vec![0.0; s.n * s.output_len()];
    if out.is_empty() {
        return out;
    }
    let (k, plane, og) = (s.kernel_len(), s.oh * s.ow, s.group_o());
    out.par_chunks_mut(s.output_len()).enumerate().for_each_init(Vec::new, |patches, (image, out)| {
        if let Some(b) = b {
            out.chunks_mut(plane).zip(b).for_each(|(out, &b)| out.fill(b));
        }
        for (group, rows) in blocks(s) {
            let len = rows.len() * s.ow;
            unfold(s, &x[image * s.image_len()..][..s.image_len()], group, rows.clone(), patches);
            let kernel = Matrix::rows(&w[group * og * k..][..og * k], og, k);
            let target = &mut out[group * og * plane..][..og * plane];
            product(target, rows.start * s.ow, plane, kernel, Matrix::rows(patches, k, len));
        }
    });
    out
}

/// The gradient of `x`, from the gradient `g` of the output.
pub(super) fn input_gradient(s: &ConvShape, g: &[f32], w: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; s.n * s.image_len()];
    if out.is_empty() {
        return out;
    }
    let (k, plane, og) = (s.kernel_len(), s.oh * s.ow, s.group_o());
    out.par_chunks_mut(s.image_len()).enumerate().for_each_init(Vec::new, |patches, (image, out)| {
        let g = &g[image * s.output_len()..][..s.output_len()];
        for (group, rows) in blocks(s) {
            let len = rows.len() * s.ow;
            patches.clear();
            patches.resize(k * len, 0.0);
            let kernel = Matrix::rows(&w[group * og * k..][..og * k], og, k).transposed();
            let gradient = Matrix::window(&g[group * og * plane..][..og * plane], rows.start * s.ow, og, len, plane);
            product(patches, 0, len, kernel, gradient);
            fold(s, patches, group, rows, out);
        }
    });
    out
}

/// The gradient of `w`, from the gradient `g` of the output.
pub(super) fn weight_gradient(s: &ConvShape, g: &[f32], x: &[f32]) -> Vec<f32> {
    let (k, plane, og) = (s.kernel_len(), s.oh * s.ow, s.group_o());
    let images: Vec<usize> = (0..s.n).collect();
    let mut sums: Vec<Vec<f32>> = images
        .par_chunks(s.n.div_ceil(IMAGE_GROUPS).max(1))
        .map(|images| {
            let (mut sum, mut patches) = (vec![0.0; s.o * k], Vec::new());
            for &image in images {
                let g = &g[image * s.output_len()..][..s.output_len()];
                for (group, rows) in blocks(s) {
                    let len = rows.len() * s.ow;
                    unfold(s, &x[image * s.image_len()..][..s.image_len()], group, rows.clone(), &mut patches);
                    let gradient =
                        Matrix::window(&g[group * og * plane..][..og * plane], rows.start * s.ow, og, len, plane);
                    let patches = Matrix::rows(&patches, k, len).transposed();
                    product(&mut sum[group * og * k..][..og * k], 0, k, gradient, patches);
                }
            }
            sum
        })
        .collect();
    let mut total = sums.drain(..1.min(sums.len())).next().unwrap_or_else(|| vec![0.0; s.o * k]);
    for sum in sums {
        total.iter_mut().zip(sum).for_each(|(t, s)| *t += s);
    }
    total
}

/// The gradient of `b`, from the gradient `g` of the output.
pub(super) fn bias_gradient(s: &ConvShape, g: &[f32]) -> Vec<f32> {
    let plane = s.oh * s.ow;
    (0..s.o)
        .into_par_iter()
        .map(|o| {
            let planes = (0..s.n).map(|n| &g[(n * s.o + o) * plane..][..plane]);
            planes.map(|p| f64::from(p.iter().sum::<f32>())).sum::<f64>() as f32
        })
        .collect()
}

/// Every group with every block of output rows whose patches fit the scratch.
fn blocks(s: &ConvShape) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let rows = (SCRATCH / (s.kernel_len() * s.ow).max(1)).clamp(1, s.oh);
    let oh = s.oh;
    (0..s.geometry.groups)
        .flat_map(move |group| (0..oh).step_by(rows).map(move |start| (group, start..(start + rows).min(oh))))
}

/// Fills `patches [c/groups * kh * kw, rows * w']` from one image.
fn unfold(s: &ConvShape, image: &[f32], group: usize, rows: std::ops::Range<usize>, patches: &mut Vec<f32>) {
    let (cg, len) = (s.group_c(), rows.len() * s.ow);
    let stride = s.geometry.stride[1];
    patches.clear();
    patches.resize(s.kernel_len() * len, 0.0);
    for (line, patches) in patches.chunks_mut(len.max(1)).enumerate() {
        let (channel, ky, kx) = (line / (s.kh * s.kw), line / s.kw % s.kh, line % s.kw);
        let plane = &image[(group * cg + channel) * s.h * s.w..][..s.h * s.w];
        let (columns, start) = s.columns.inside(kx);
        if columns.is_empty() {
            continue;
        }
        for (y, patch) in rows.clone().zip(patches.chunks_mut(s.ow)) {
            let Some(row) = s.rows.input(y, ky) else { continue };
            let source = &plane[row * s.w + start..(row + 1) * s.w];
            let patch = &mut patch[columns.clone()];
            if stride == 1 {
                patch.copy_from_slice(&source[..patch.len()]);
            } else {
                patch.iter_mut().zip(source.iter().step_by(stride)).for_each(|(p, &v)| *p = v);
            }
        }
    }
}

/// Adds `patches` back to the cells of `image` they came from.
fn fold(s: &ConvShape, patches: &[f32], group: usize, rows: std::ops::Range<usize>, image: &mut [f32]) {
    let (cg, len) = (s.group_c(), rows.len() * s.ow);
    let stride = s.geometry.stride[1];
    for (line, patches) in patches.chunks(len.max(1)).enumerate() {
        let (channel, ky, kx) = (line / (s.kh * s.kw), line / s.kw % s.kh, line % s.kw);
        let plane = &mut image[(group * cg + channel) * s.h * s.w..][..s.h * s.w];
        let (columns, start) = s.columns.inside(kx);
        if columns.is_empty() {
            continue;
        }
        for (y, patch) in rows.clone().zip(patches.chunks(s.ow)) {
            let Some(row) = s.rows.input(y, ky) else { continue };
            let target = &mut plane[row * s.w + start..(row + 1) * s.w];
            target.iter_mut().step_by(stride).zip(&patch[columns.clone()]).for_each(|(t, &v)| *t += v);
        }
    }
}
