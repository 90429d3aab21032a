//! Convolution of each channel on its own, with channels last, and its gradients: vectors run along the channels.
//! Images as in [`super::direct`].

use rayon::prelude::*;

use super::super::conv::{ConvShape, Instructions};
use super::super::window::Axis;
use super::activation::{Activation, activate};
use super::buffers::Buffer;
use super::kernel::{filled, on_all_instructions};

/// The weight gradient is summed over at most this many groups of images, then over the groups.
const IMAGE_GROUPS: usize = 16;

/// Whether each channel stands on its own.
pub(super) fn serves(s: &ConvShape) -> bool {
    s.geometry.groups == s.c && s.o == s.c && s.c > 1
}

/// For each place along an axis: the taps that count there, each with the place it reads.
type Reads = Vec<Vec<(usize, usize)>>;

fn reads(axis: &Axis) -> Reads {
    (0..axis.out).map(|at| (0..axis.kernel).filter_map(|k| Some((k, axis.input(at, k)?))).collect()).collect()
}

/// The other way round: for each input the taps and the results that read it through them.
fn readers(axis: &Axis) -> Reads {
    let mut all = vec![Vec::new(); axis.size];
    for (at, reads) in reads(axis).into_iter().enumerate() {
        reads.into_iter().for_each(|(k, input)| all[input].push((k, at)));
    }
    all
}

/// The kernel as `[taps][filled channels]`.
fn by_taps(s: &ConvShape, w: &[f32]) -> Vec<f32> {
    let (taps, channels) = (s.kh * s.kw, filled(s.c));
    let mut out = vec![0.0; taps * channels];
    for (c, kernel) in w.chunks_exact(taps).enumerate() {
        kernel.iter().enumerate().for_each(|(tap, &w)| out[tap * channels + c] = w);
    }
    out
}

/// As [`super::direct::forward`].
pub(super) fn forward(
    s: &ConvShape,
    instructions: Instructions,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
    activation: Activation,
) -> Buffer {
    let channels = filled(s.c);
    let mut bias = vec![0.0; channels];
    bias.iter_mut().zip(b.unwrap_or_default()).for_each(|(bias, b)| *bias = *b);
    let (w, reads) = (by_taps(s, w), [reads(&s.rows), reads(&s.columns)]);
    let mut out = Buffer::of(s.n * s.oh * s.ow * channels);
    let pieces = out.par_chunks_mut(s.oh * s.ow * channels).zip(x.par_chunks(s.h * s.w * channels));
    pieces.for_each(|(out, x)| {
        gather(instructions, x, s.w, &w, s.kw, &bias, &reads, out);
        activate(instructions, out, activation);
    });
    out
}

/// As [`super::direct::input_gradient`].
pub(super) fn input_gradient(s: &ConvShape, instructions: Instructions, g: &[f32], w: &[f32]) -> Buffer {
    let channels = filled(s.c);
    let bias = vec![0.0; channels];
    let (w, reads) = (by_taps(s, w), [readers(&s.rows), readers(&s.columns)]);
    let mut out = Buffer::of(s.n * s.h * s.w * channels);
    let pieces = out.par_chunks_mut(s.h * s.w * channels).zip(g.par_chunks(s.oh * s.ow * channels));
    pieces.for_each(|(out, g)| gather(instructions, g, s.ow, &w, s.kw, &bias, &reads, out));
    out
}

/// As [`super::weights::gradient`].
pub(super) fn weight_gradient(s: &ConvShape, instructions: Instructions, g: &[f32], x: &[f32]) -> Vec<f32> {
    let (taps, channels) = (s.kh * s.kw, filled(s.c));
    let reads = [reads(&s.rows), reads(&s.columns)];
    let images = s.n.div_ceil(IMAGE_GROUPS).max(1);
    let pieces = x.par_chunks(images * s.h * s.w * channels).zip(g.par_chunks(images * s.oh * s.ow * channels));
    let sums: Vec<Vec<f32>> = pieces
        .map(|(x, g)| {
            let mut sum = vec![0.0; taps * channels];
            let images = x.chunks(s.h * s.w * channels).zip(g.chunks(s.oh * s.ow * channels));
            images.for_each(|(x, g)| add_products(instructions, x, s.w, g, s.kw, &reads, channels, &mut sum));
            sum
        })
        .collect();
    let mut out = vec![0.0; s.c * taps];
    for sum in sums {
        for (i, out) in out.iter_mut().enumerate() {
            *out += sum[i % taps * channels + i / taps];
        }
    }
    out
}

on_all_instructions! {
    /// Each result: the bias and the products of the taps with what they read.
    fn gather(x: &[f32], width: usize, w: &[f32], kw: usize, bias: &[f32], reads: &[Reads; 2], out: &mut [f32]) {
        let channels = bias.len();
        for (down, out) in reads[0].iter().zip(out.chunks_exact_mut(channels * reads[1].len())) {
            for (right, out) in reads[1].iter().zip(out.chunks_exact_mut(channels)) {
                out.copy_from_slice(bias);
                for &(ky, row) in down {
                    let x = |column: usize| &x[(row * width + column) * channels..][..channels];
                    let w = |kx: usize| &w[(ky * kw + kx) * channels..][..channels];
                    let mut threes = right.chunks_exact(3);
                    for three in &mut threes {
                        let [a, b, c] = [three[0], three[1], three[2]];
                        let (x, w) = ([x(a.1), x(b.1), x(c.1)], [w(a.0), w(b.0), w(c.0)]);
                        for i in 0..channels {
                            out[i] += x[0][i] * w[0][i] + x[1][i] * w[1][i] + x[2][i] * w[2][i];
                        }
                    }
                    for &(kx, column) in threes.remainder() {
                        out.iter_mut().zip(x(column).iter().zip(w(kx))).for_each(|(out, (x, w))| *out += x * w);
                    }
                }
            }
        }
    }
}

on_all_instructions! {
    /// Adds to each tap the products of the gradients with what the tap read.
    fn add_products(
        x: &[f32],
        width: usize,
        g: &[f32],
        kw: usize,
        reads: &[Reads; 2],
        channels: usize,
        sum: &mut [f32],
    ) {
        for (down, g) in reads[0].iter().zip(g.chunks_exact(channels * reads[1].len())) {
            for &(ky, row) in down {
                for (right, g) in reads[1].iter().zip(g.chunks_exact(channels)) {
                    for &(kx, column) in right {
                        let x = &x[(row * width + column) * channels..][..channels];
                        let sum = &mut sum[(ky * kw + kx) * channels..][..channels];
                        sum.iter_mut().zip(x.iter().zip(g)).for_each(|(sum, (x, g))| *sum += x * g);
                    }
                }
            }
        }
    }
}
