//! What a chain does beside convolutions, with channels last: maxima over windows, sums, and the turn between
//! `[n, c, h, w]` and `[n, h, w, channels]`. All of it is spread over the threads by images or pieces of fixed size.

use rayon::prelude::*;

use super::super::conv::Instructions;
use super::super::window::Axis;
use super::activation::{Activation, activate, slope};
use super::buffers::Buffer;
use super::kernel::on_all_instructions;

/// Numbers that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// Cells and channels that are turned together, so that both sides stay in the nearest cache.
const TURNED: usize = 16;

/// `[n, c, cells]` to `[n, cells, step]`.
pub(super) fn channels_last(x: &[f32], [n, c, cells]: [usize; 3], step: usize) -> Buffer {
    let mut out = if step == c { Buffer::of(n * cells * step) } else { Buffer::zeros(n * cells * step) };
    out.par_chunks_mut((cells * step).max(1)).zip(x.par_chunks((c * cells).max(1))).for_each(|(out, x)| {
        for (block, out) in out.chunks_mut(TURNED * step).enumerate() {
            for (channel, plane) in x.chunks_exact(cells).enumerate() {
                let values = &plane[block * TURNED..];
                out.chunks_exact_mut(step).zip(values).for_each(|(cell, &x)| cell[channel] = x);
            }
        }
    });
    out
}

/// `[n, cells, step]` to `[n, c, cells]`.
pub(super) fn channels_first(x: &[f32], [n, c, cells]: [usize; 3], step: usize) -> Vec<f32> {
    let mut out = vec![0.0; n * c * cells];
    out.par_chunks_mut((c * cells).max(1)).zip(x.par_chunks((cells * step).max(1))).for_each(|(out, x)| {
        for (block, x) in x.chunks(TURNED * step).enumerate() {
            for (channel, plane) in out.chunks_exact_mut(cells).enumerate() {
                let values = &mut plane[block * TURNED..];
                values.iter_mut().zip(x.chunks_exact(step)).for_each(|(out, cell)| *out = cell[channel]);
            }
        }
    });
    out
}

/// The activation of the sum of two values.
pub(super) fn sum(instructions: Instructions, a: &[f32], b: &[f32], activation: Activation) -> Buffer {
    let mut out = Buffer::of(a.len());
    out.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE).zip(b.par_chunks(PIECE))).for_each(|(out, (a, b))| {
        out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = a + b);
        activate(instructions, out, activation);
    });
    out
}

/// `a += b`.
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    a.par_chunks_mut(PIECE).zip(b.par_chunks(PIECE)).for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
}

/// The same numbers in a buffer of their own.
pub(super) fn copy(x: &[f32]) -> Buffer {
    let mut out = Buffer::of(x.len());
    out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(out, x)| out.copy_from_slice(x));
    out
}

/// The activation of a value.
pub(super) fn activated(instructions: Instructions, x: &[f32], activation: Activation) -> Buffer {
    let mut out = copy(x);
    out.par_chunks_mut(PIECE).for_each(|out| activate(instructions, out, activation));
    out
}

/// Gradients behind the activation that gave `y`, in place.
pub(super) fn slopes(instructions: Instructions, g: &mut [f32], y: &[f32], activation: Activation) {
    if activation != Activation::None {
        g.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE)).for_each(|(g, y)| slope(instructions, g, y, activation));
    }
}

/// The sum of all gradients of each channel: along the cells of an image, then along the images.
pub(super) fn channel_sums(g: &[f32], n: usize, channels: usize, kept: usize) -> Vec<f32> {
    let each: Vec<Vec<f32>> = g
        .par_chunks((g.len() / n.max(1)).max(1))
        .map(|image| {
            let mut sums = vec![0.0_f32; channels];
            for cell in image.chunks_exact(channels) {
                sums.iter_mut().zip(cell).for_each(|(sum, g)| *sum += g);
            }
            sums
        })
        .collect();
    (0..kept).map(|c| each.iter().map(|sums| f64::from(sums[c])).sum::<f64>() as f32).collect()
}

/// Maxima over windows; a NaN wins and stays.
pub(super) fn maxima(instructions: Instructions, x: &[f32], [rows, columns]: [&Axis; 2], channels: usize) -> Buffer {
    let (cells, results) = (rows.size * columns.size * channels, rows.out * columns.out * channels);
    let mut out = Buffer::of(x.len() / cells.max(1) * results);
    out.par_chunks_mut(results.max(1)).zip(x.par_chunks(cells.max(1))).for_each(|(out, x)| {
        image_maxima(instructions, x, [rows, columns], channels, out);
    });
    out
}

/// Gives each gradient to the first cell of its window that holds the maximum `y`.
pub(super) fn maxima_gradient(
    instructions: Instructions,
    [x, y, g]: [&[f32]; 3],
    [rows, columns]: [&Axis; 2],
    channels: usize,
) -> Buffer {
    let (cells, results) = (rows.size * columns.size * channels, rows.out * columns.out * channels);
    let mut out = Buffer::of(x.len());
    let inputs = x.par_chunks(cells.max(1)).zip(y.par_chunks(results.max(1))).zip(g.par_chunks(results.max(1)));
    out.par_chunks_mut(cells.max(1)).zip(inputs).for_each(|(out, ((x, y), g))| {
        out.fill(0.0);
        image_maxima_gradient(instructions, [x, y, g], [rows, columns], channels, out);
    });
    out
}

on_all_instructions! {
    fn image_maxima(x: &[f32], axes: [&Axis; 2], channels: usize, out: &mut [f32]) {
        let [rows, columns] = axes;
        for (place, out) in out.chunks_exact_mut(channels).enumerate() {
            let (down, across) = (place / columns.out, place % columns.out);
            out.fill(f32::NEG_INFINITY);
            for row in (0..rows.kernel).filter_map(|k| rows.input(down, k)) {
                for column in (0..columns.kernel).filter_map(|k| columns.input(across, k)) {
                    let x = &x[(row * columns.size + column) * channels..][..channels];
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = if (x > *out) | x.is_nan() { x } else { *out };
                    }
                }
            }
        }
    }
}

on_all_instructions! {
    fn image_maxima_gradient(inputs: [&[f32]; 3], axes: [&Axis; 2], channels: usize, out: &mut [f32]) {
        let ([x, y, g], [rows, columns]) = (inputs, axes);
        let mut left = vec![0.0_f32; channels];
        for (place, (y, g)) in y.chunks_exact(channels).zip(g.chunks_exact(channels)).enumerate() {
            let (down, across) = (place / columns.out, place % columns.out);
            left.copy_from_slice(g);
            for row in (0..rows.kernel).filter_map(|k| rows.input(down, k)) {
                for column in (0..columns.kernel).filter_map(|k| columns.input(across, k)) {
                    let at = (row * columns.size + column) * channels;
                    let cells = out[at..at + channels].iter_mut().zip(&x[at..at + channels]);
                    for ((out, &x), (&y, left)) in cells.zip(y.iter().zip(&mut left)) {
                        // Once given away nothing is left for a later equal.
                        let here = (x == y) | (x.is_nan() & y.is_nan());
                        *out += if here { *left } else { 0.0 };
                        *left = if here { 0.0 } else { *left };
                    }
                }
            }
        }
    }
}
