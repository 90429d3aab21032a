//! Convolution of any geometry with channels last, and its two gradients, as products of rows with packed weights.
//!
//! Images come as `[n, h, w, channels]`, with the channels filled up to whole vectors of zeros (those of the first
//! value as they are). Pieces of a few images are copied between zeros, so that each tap is a constant distance; of
//! a strided input gradient the results come in phases, each with taps of its own.

use rayon::prelude::*;

use super::super::conv::{ConvShape, Instructions};
use super::activation::{Activation, apply};
use super::buffers::Buffer;
use super::kernel::{BLOCK, ROWS, Rows, WIDE, blocks, copy_vectors, filled, on_all_instructions};

/// Places of results that a piece should have, so that weights are read often from a near cache.
const ENOUGH_PLACES: usize = 192;

/// How images lie between zeros.
#[derive(Debug, Clone)]
pub(super) struct Padded {
    /// Cells of the image, and numbers of a cell.
    pub image: [usize; 2],
    pub step: usize,
    pub before: [usize; 2],
    /// Cells with the zeros.
    pub size: [usize; 2],
}

impl Padded {
    pub fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.step
    }

    pub fn is_plain(&self) -> bool {
        self.size == self.image
    }

    pub fn copy(&self, images: &[f32], to: &mut Vec<f32>) {
        let (row, line) = (self.image[1] * self.step, self.size[1] * self.step);
        let count = images.len() / (self.image[0] * row).max(1);
        to.clear();
        to.reserve(count * self.len());
        for image in images.chunks_exact(self.image[0] * row) {
            to.resize(to.len() + self.before[0] * line, 0.0);
            for from in image.chunks_exact(row) {
                to.resize(to.len() + self.before[1] * self.step, 0.0);
                to.extend_from_slice(from);
                to.resize(to.len() + line - row - self.before[1] * self.step, 0.0);
            }
            to.resize(to.len() + (self.size[0] - self.image[0] - self.before[0]) * line, 0.0);
        }
    }
}

/// Results that share their taps.
struct Part {
    /// Distances of the taps, `run` neighbouring numbers each.
    taps: Vec<usize>,
    run: usize,
    /// Results in an image.
    results: usize,
    /// Of each result of the images of a piece: where its first tap reads, and its first number, both from the first
    /// of the piece on.
    places: Vec<(usize, usize)>,
    /// For each group and block of result channels: `columns` numbers for each tap and place of the run.
    weights: Buffer,
}

/// A correlation of padded images with packed weights.
struct Correlation {
    padded: Padded,
    groups: usize,
    /// Source channels and result channels of a group.
    from: usize,
    to: usize,
    /// Cells of a result, and numbers of a cell.
    cells: usize,
    step: usize,
    parts: Vec<Part>,
}

/// A tap of a part: how far down and right it reads, and its place in the kernel.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    pub down: usize,
    pub right: usize,
    ky: usize,
    kx: usize,
}

/// `x [n, h, w, step]` to `[n, h', w', filled(o)]`, with bias and activation.
pub(super) fn forward(
    s: &ConvShape,
    instructions: Instructions,
    x: &[f32],
    step: usize,
    w: &[f32],
    b: Option<&[f32]>,
    activation: Activation,
) -> Buffer {
    let g = &s.geometry;
    let padded = Padded {
        image: [s.h, s.w],
        step,
        before: [g.pads[0], g.pads[1]],
        size: [s.h + g.pads[0] + g.pads[2], s.w + g.pads[1] + g.pads[3]],
    };
    let taps = taps_of(s);
    let places = (0..s.oh * s.ow).map(|cell| {
        let (y, x) = (cell / s.ow, cell % s.ow);
        ((y * g.stride[0] * padded.size[1] + x * g.stride[1]) * step, cell)
    });
    let places: Vec<_> = places.collect();
    let (channels, result) = ([s.group_c(), s.group_o()], (s.oh * s.ow, filled(s.o)));
    let part = pack(s, &padded, &taps, &places, channels, result, w, [s.kh * s.kw, s.kernel_len()]);
    let correlation = Correlation {
        padded,
        groups: g.groups,
        from: s.group_c(),
        to: s.group_o(),
        cells: s.oh * s.ow,
        step: filled(s.o),
        parts: vec![part],
    };
    correlation.run(s.n, instructions, x, b, activation)
}

/// The gradient of `x`, `[n, h, w, filled(c)]`, from that of the result.
pub(super) fn input_gradient(s: &ConvShape, instructions: Instructions, g: &[f32], w: &[f32]) -> Buffer {
    let geometry = &s.geometry;
    let step = filled(s.o);
    // In each direction: the phases, each with its taps as (kernel position, shift of the result it reads).
    let phases = |size: usize, kernel: usize, i: usize| -> Vec<Vec<(usize, isize)>> {
        let stride = geometry.stride[i] as isize;
        let ahead = |start: usize, k: usize| (start + geometry.pads[i]) as isize - (k * geometry.dilation[i]) as isize;
        let taps = |start: usize| {
            let mut taps: Vec<_> = (0..kernel).filter(|&k| ahead(start, k) % stride == 0).collect();
            taps.reverse();
            taps.into_iter().map(|k| (k, ahead(start, k) / stride)).collect()
        };
        (0..geometry.stride[i].min(size)).map(taps).collect()
    };
    let (rows, columns) = (phases(s.h, s.kh, 0), phases(s.w, s.kw, 1));
    let least = |p: &[Vec<(usize, isize)>]| p.iter().flatten().map(|t| t.1).min().unwrap_or(0).min(0);
    let (first_row, first_column) = (least(&rows), least(&columns));
    // The last cell a tap reads, one past it.
    let extent = |p: &[Vec<(usize, isize)>], size: usize, stride: usize| {
        let ends = p.iter().enumerate().flat_map(|(start, taps)| {
            let last = (size - start).div_ceil(stride) as isize - 1;
            taps.iter().map(move |t| last + t.1 + 1)
        });
        ends.max().unwrap_or(0)
    };
    let below = extent(&rows, s.h, geometry.stride[0]).max(s.oh as isize);
    let right = extent(&columns, s.w, geometry.stride[1]).max(s.ow as isize);
    let padded = Padded {
        image: [s.oh, s.ow],
        step,
        before: [-first_row as usize, -first_column as usize],
        size: [(below - first_row) as usize, (right - first_column) as usize],
    };
    let mut parts = Vec::new();
    for (py, down) in rows.iter().enumerate() {
        for (px, across) in columns.iter().enumerate() {
            let taps: Vec<Tap> = down
                .iter()
                .flat_map(|&(ky, down)| across.iter().map(move |&(kx, right)| (ky, down, kx, right)))
                .map(|(ky, down, kx, right)| Tap {
                    down: (down - first_row) as usize,
                    right: (right - first_column) as usize,
                    ky,
                    kx,
                })
                .collect();
            let [height, width] = [(s.h - py).div_ceil(geometry.stride[0]), (s.w - px).div_ceil(geometry.stride[1])];
            let places = (0..height * width).map(|i| {
                let (y, x) = (i / width, i % width);
                let cell = (py + y * geometry.stride[0]) * s.w + px + x * geometry.stride[1];
                ((y * padded.size[1] + x) * step, cell)
            });
            let places: Vec<_> = places.collect();
            let (channels, result) = ([s.group_o(), s.group_c()], (s.h * s.w, filled(s.c)));
            parts.push(pack(s, &padded, &taps, &places, channels, result, w, [s.kernel_len(), s.kh * s.kw]));
        }
    }
    let correlation = Correlation {
        padded,
        groups: geometry.groups,
        from: s.group_o(),
        to: s.group_c(),
        cells: s.h * s.w,
        step: filled(s.c),
        parts,
    };
    correlation.run(s.n, instructions, g, None, Activation::None)
}

/// The taps of the forward direction.
pub(super) fn taps_of(s: &ConvShape) -> Vec<Tap> {
    let [down, right] = s.geometry.dilation;
    let taps = (0..s.kh).flat_map(|ky| (0..s.kw).map(move |kx| (ky, kx)));
    taps.map(|(ky, kx)| Tap { down: ky * down, right: kx * right, ky, kx }).collect()
}

/// Packs the weights of a part whose result has `result.0` cells of `result.1` numbers. `weight_steps` lie between the
/// kernels of two source channels and of two result channels. Taps side by side become one, where all numbers between them belong to it.
#[expect(clippy::too_many_arguments, reason = "the sizes of both directions")]
fn pack(
    s: &ConvShape,
    padded: &Padded,
    taps: &[Tap],
    places: &[(usize, usize)],
    [from, to]: [usize; 2],
    result: (usize, usize),
    w: &[f32],
    weight_steps: [usize; 2],
) -> Part {
    let groups = s.geometry.groups;
    let offset = |tap: &Tap| (tap.down * padded.size[1] + tap.right) * padded.step;
    let together = |a: &Tap, b: &Tap| a.down == b.down && a.right + 1 == b.right;
    let side_by_side = 1 + taps.windows(2).take_while(|t| together(&t[0], &t[1])).count();
    let regular = taps.len().is_multiple_of(side_by_side)
        && taps.chunks(side_by_side).all(|c| c.windows(2).all(|t| together(&t[0], &t[1])));
    // Filled channels between taps side by side are zero and get zero weights.
    let (each, cell) = if groups == 1 && regular && side_by_side > 1 { (side_by_side, padded.step) } else { (1, from) };
    let columns = filled(to);
    let reduction = taps.len() * cell;
    let mut weights = Buffer::of(groups * reduction * columns);
    let pieces: Vec<(usize, usize, usize)> =
        (0..groups).flat_map(|g| blocks(to).map(move |(first, vectors)| (g, first, vectors))).collect();
    let mut rest: &mut [f32] = &mut weights;
    let mut jobs = Vec::with_capacity(pieces.len());
    for (group, first, vectors) in pieces {
        let (here, there) = std::mem::take(&mut rest).split_at_mut(reduction * vectors * WIDE);
        rest = there;
        jobs.push((group, first, vectors, here));
    }
    jobs.into_par_iter().for_each(|(group, first, vectors, out)| {
        let width = vectors * WIDE;
        let base = group * s.group_o() * s.kernel_len() + first * weight_steps[1];
        for (tap, out) in taps.iter().zip(out.chunks_exact_mut(cell * width)) {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                out.fill(0.0);
                if i < from {
                    let w = &w[base + tap.ky * s.kw + tap.kx + i * weight_steps[0]..];
                    let kept = width.min(to - first);
                    out[..kept].iter_mut().zip(w.iter().step_by(weight_steps[1])).for_each(|(out, w)| *out = *w);
                }
            }
        }
    });
    let images = 0..images_in_a_piece(s.n, result.0);
    let of_image = |image: usize| {
        places.iter().map(move |&(at, cell)| (image * padded.len() + at, (image * result.0 + cell) * result.1))
    };
    Part {
        taps: taps.chunks(each).map(|c| offset(&c[0])).collect(),
        run: each * cell,
        results: places.len(),
        places: images.flat_map(of_image).collect(),
        weights,
    }
}

/// Images that a piece of work takes: enough places, but enough pieces for all threads as well.
fn images_in_a_piece(n: usize, cells: usize) -> usize {
    let fair = n.div_ceil(2 * rayon::current_num_threads()).max(1);
    (ENOUGH_PLACES / cells.max(1)).clamp(1, fair)
}

#[derive(Default)]
struct Scratch {
    padded: Vec<f32>,
    tile: Vec<f32>,
}

impl Correlation {
    fn run(
        &self,
        n: usize,
        instructions: Instructions,
        source: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Buffer {
        let image_in = self.padded.image[0] * self.padded.image[1] * self.padded.step;
        let image_out = self.cells * self.step;
        let mut out = Buffer::of(n * image_out);
        if self.groups > 1 || self.to < WIDE {
            // Channels that only fill up are written by no block of a group.
            out.fill(0.0);
        }
        let mut whole_bias = vec![0.0; self.groups * self.to + BLOCK];
        whole_bias.iter_mut().zip(bias.unwrap_or_default()).for_each(|(whole, b)| *whole = *b);
        let images = images_in_a_piece(n, self.cells);
        let pieces = out.par_chunks_mut(images * image_out).zip(source.par_chunks(images * image_in));
        pieces.for_each_init(Scratch::default, |scratch, (out, source)| {
            let count = out.len() / image_out;
            scratch.tile.resize(ROWS * BLOCK, 0.0);
            let source = if self.padded.is_plain() {
                source
            } else {
                self.padded.copy(source, &mut scratch.padded);
                &scratch.padded
            };
            for part in &self.parts {
                self.part(part, instructions, source, count, &whole_bias, activation, &mut scratch.tile, out);
            }
        });
        out
    }

    #[expect(clippy::too_many_arguments, reason = "the loop body of `run`")]
    fn part(
        &self,
        part: &Part,
        instructions: Instructions,
        source: &[f32],
        images: usize,
        bias: &[f32],
        activation: Activation,
        tile: &mut [f32],
        out: &mut [f32],
    ) {
        let reduction = part.taps.len() * part.run;
        let places = &part.places[..images * part.results];
        let mut weights = 0;
        for group in 0..self.groups {
            for (first, vectors) in blocks(self.to) {
                let packed = &part.weights[weights..][..reduction * vectors * WIDE];
                weights += packed.len();
                let channel = group * self.to + first;
                let kept = if self.groups == 1 { vectors * WIDE } else { (self.to - first).min(vectors * WIDE) };
                for places in places.chunks(ROWS) {
                    let place = |r: usize| places[r.min(places.len() - 1)].0 + group * self.from;
                    let rows = Rows {
                        source,
                        rows: std::array::from_fn(place),
                        taps: &part.taps,
                        run: part.run,
                        weights: packed,
                        vectors,
                    };
                    rows.compute(instructions, tile, vectors * WIDE);
                    finish(
                        instructions,
                        tile,
                        vectors * WIDE,
                        kept,
                        places,
                        channel,
                        &bias[channel..],
                        activation,
                        out,
                    );
                }
            }
        }
    }
}

on_all_instructions! {
    /// Adds the bias, does the activation, and writes the first `kept` numbers of each row to its place.
    fn finish(
        tile: &mut [f32],
        width: usize,
        kept: usize,
        places: &[(usize, usize)],
        channel: usize,
        bias: &[f32],
        activation: Activation,
        out: &mut [f32],
    ) {
        let bias = &bias[..width];
        for (row, (_, to)) in tile.chunks_exact_mut(width).zip(places) {
            row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
            apply(row, activation);
            let out = &mut out[to + channel..to + channel + kept];
            if kept == width {
                copy_vectors(row, out);
            } else {
                out.copy_from_slice(&row[..kept]);
            }
        }
    }
}
