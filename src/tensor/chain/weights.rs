//! The gradient of a convolution's weights, with channels last: for each tap and input channel a sum over all places of
//! products with the gradients of the result. Images as in [`super::direct`].

use rayon::prelude::*;

use super::super::conv::{ConvShape, Instructions};
use super::buffers::Buffer;
use super::direct::{Padded, taps_of};
use super::kernel::{BLOCK, Outer, ROWS, blocks, filled};

/// The gradient is summed over at most this many groups of images, then over the groups: a fixed order.
const IMAGE_GROUPS: usize = 8;

/// Weights beyond which their gradient is split by weights, not by images.
const MANY_WEIGHTS: usize = 1 << 18;

/// The gradient of `w`, from `x` and that of the result.
pub(super) fn gradient(s: &ConvShape, instructions: Instructions, g: &[f32], x: &[f32], step: usize) -> Vec<f32> {
    let geometry = &s.geometry;
    let padded = Padded {
        image: [s.h, s.w],
        step,
        before: [geometry.pads[0], geometry.pads[1]],
        size: [s.h + geometry.pads[0] + geometry.pads[2], s.w + geometry.pads[1] + geometry.pads[3]],
    };
    let (cells, cg, og) = (s.oh * s.ow, s.group_c(), s.group_o());
    let groups = geometry.groups;
    let columns = filled(og);
    let rows_of_sum = (s.kh * s.kw * cg).next_multiple_of(ROWS);
    let total = groups * rows_of_sum * columns;
    // Row r of the sum is tap r / cg and channel r % cg.
    let taps = taps_of(s);
    let lift = |row: usize| {
        let row = row.min(s.kh * s.kw * cg - 1);
        let tap = &taps[row / cg];
        (tap.down * padded.size[1] + tap.right) * step + row % cg
    };
    let lifts: Vec<usize> = (0..rows_of_sum).map(lift).collect();
    let places_of = |images: usize| -> Vec<usize> {
        let place = |i: usize| {
            let (image, cell) = (i / cells, i % cells);
            let (y, x) = (cell / s.ow * geometry.stride[0], cell % s.ow * geometry.stride[1]);
            image * padded.len() + (y * padded.size[1] + x) * step
        };
        (0..images * cells).map(place).collect()
    };
    // `sum` holds the rows from `first` on of group `group`.
    let add = |x: &[f32], g: &[f32], places: &[usize], group: usize, first: usize, sum: &mut [f32]| {
        for (column, vectors) in blocks(og) {
            // Filled columns of a group would read the next group's; the last may not read past the end.
            let g = &g[group * og + column..];
            for (i, out) in sum.chunks_exact_mut(ROWS * columns).enumerate() {
                let mut lifts: [usize; ROWS] = std::array::from_fn(|r| lifts[first + i * ROWS + r]);
                lifts.iter_mut().for_each(|l| *l += group * cg);
                let outer = Outer { x, places, lifts, g, step: filled(s.o), vectors };
                outer.add_to(instructions, &mut out[column..], columns);
            }
        }
    };
    let image_in = s.h * s.w * step;
    let image_out = cells * filled(s.o);
    // A group's last block may reach past the last cell.
    let g_long;
    let g = if groups > 1 {
        g_long = [g, &[0.0; BLOCK]].concat();
        &g_long[..]
    } else {
        g
    };
    let sum = if total > MANY_WEIGHTS && groups == 1 {
        let mut all = Vec::new();
        let x = if padded.is_plain() {
            x
        } else {
            padded.copy(x, &mut all);
            &all
        };
        let places = places_of(s.n);
        let mut sum = Buffer::zeros(total);
        // Few enough places at a time for a near cache; the order of the sums is fixed.
        sum.par_chunks_mut(ROWS * columns).enumerate().with_min_len(16).for_each(|(i, sum)| {
            for (p, places) in places.chunks(512).enumerate() {
                add(x, &g[p * 512 * filled(s.o)..], places, 0, i * ROWS, sum);
            }
        });
        sum
    } else {
        let images = s.n.div_ceil(IMAGE_GROUPS).max(1);
        let places = places_of(1);
        let sums: Vec<Buffer> = (0..s.n.div_ceil(images))
            .into_par_iter()
            .map_init(Vec::new, |scratch: &mut Vec<f32>, piece| {
                let mut sum = Buffer::zeros(total);
                for image in piece * images..((piece + 1) * images).min(s.n) {
                    let x = &x[image * image_in..][..image_in];
                    let x = if padded.is_plain() {
                        x
                    } else {
                        padded.copy(x, scratch);
                        &scratch[..]
                    };
                    for (group, sum) in sum.chunks_exact_mut(rows_of_sum * columns).enumerate() {
                        add(x, &g[image * image_out..], &places, group, 0, sum);
                    }
                }
                sum
            })
            .collect();
        let mut sums = sums.into_iter();
        let mut total_sum = sums.next().unwrap_or_else(|| Buffer::zeros(total));
        for sum in sums {
            total_sum.iter_mut().zip(sum.iter()).for_each(|(t, s)| *t += s);
        }
        total_sum
    };
    let mut out = vec![0.0; s.o * s.kernel_len()];
    out.par_chunks_mut(s.kernel_len()).enumerate().for_each(|(o, out)| {
        let sum = &sum[o / og * rows_of_sum * columns..];
        for (i, out) in out.iter_mut().enumerate() {
            let (c, tap) = (i / (s.kh * s.kw), i % (s.kh * s.kw));
            *out = sum[(tap * cg + c) * columns + o % og];
        }
    });
    out
}
