//! Convolution by 3 x 3 taps at step 1 in fewer products, after Winograd: F(4 x 4, 3 x 3) of Lavin and Gray 2015,
//! <https://arxiv.org/abs/1509.09308>. Tiles of six by six cells become 36 numbers, in which the convolution is one
//! product each; 16 results take 36 products instead of 144.
//!
//! Images as in [`super::direct`]. The input gradient is the same with turned taps and other pads. Rounding errors are
//! some times those of the plain sum, and far below what a float of the result tells.

use rayon::prelude::*;

use super::super::conv::{ConvShape, Instructions};
use super::activation::{Activation, apply};
use super::buffers::Buffer;
use super::kernel::{BLOCK, ROWS, Rows, WIDE, blocks, copy_vectors, filled, on_all_instructions};

/// Results of a tile in each direction, and cells it reads.
const OUT: usize = 4;
const IN: usize = 6;
const POINTS: usize = IN * IN;

/// Tiles that a piece of work has at least, where there are as many: each reads all weights.
const ENOUGH_TILES: usize = 24;

/// Numbers of both transforms that one piece of work may hold: most of a usual second-level cache.
const SCRATCH: usize = 3 << 16;

/// Whether this way is open and pays off.
pub(super) fn serves(s: &ConvShape) -> bool {
    let g = &s.geometry;
    (s.kh, s.kw, g.stride, g.dilation, g.groups) == (3, 3, [1, 1], [1, 1], 1)
        && g.pads.iter().all(|&p| p <= 2)
        && s.oh.min(s.ow) >= 3
        && s.h.min(s.w) >= 3
        && s.c >= WIDE
        && s.o >= WIDE
}

/// How tiles lie in the images.
#[derive(Clone, Copy)]
struct Tiles {
    image: [usize; 2],
    result: [usize; 2],
    before: [usize; 2],
    /// Tiles from left to right, and in one image.
    across: usize,
    all: usize,
}

/// What is convolved: `from` filled channels to `to`, with `before` zeros above and left.
struct Job<'a> {
    tiles: Tiles,
    from: usize,
    to: usize,
    weights: &'a [f32],
    bias: &'a [f32],
    activation: Activation,
}

/// As [`super::direct::forward`], of filled channels.
pub(super) fn forward(
    s: &ConvShape,
    instructions: Instructions,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
    activation: Activation,
) -> Buffer {
    let weights = transformed(s, instructions, w, false);
    let mut bias = vec![0.0; filled(s.o)];
    bias.iter_mut().zip(b.unwrap_or_default()).for_each(|(bias, b)| *bias = *b);
    let [top, left, ..] = s.geometry.pads;
    let tiles = Tiles::new([s.h, s.w], [s.oh, s.ow], [top, left]);
    let (from, to) = (filled(s.c), filled(s.o));
    Job { tiles, from, to, weights: &weights, bias: &bias, activation }.run(s.n, instructions, x)
}

/// As [`super::direct::input_gradient`].
pub(super) fn input_gradient(s: &ConvShape, instructions: Instructions, g: &[f32], w: &[f32]) -> Buffer {
    let weights = transformed(s, instructions, w, true);
    let bias = vec![0.0; filled(s.c)];
    let [top, left, ..] = s.geometry.pads;
    let tiles = Tiles::new([s.oh, s.ow], [s.h, s.w], [2 - top, 2 - left]);
    let (from, to) = (filled(s.o), filled(s.c));
    Job { tiles, from, to, weights: &weights, bias: &bias, activation: Activation::None }.run(s.n, instructions, g)
}

/// The kernel in all points: for each block of result channels and point, `from` rows of the block's columns. `back`:
/// turned, from results to inputs.
fn transformed(s: &ConvShape, instructions: Instructions, w: &[f32], back: bool) -> Buffer {
    let (from, to) = if back { (s.o, s.c) } else { (s.c, s.o) };
    let rows = filled(from);
    let mut out = Buffer::of(POINTS * rows * filled(to));
    // The kernel of input i and output k begins at i * steps[0] + k * steps[1].
    let steps = if back { [s.c * 9, 9] } else { [9, s.c * 9] };
    out.par_chunks_mut(POINTS * rows * BLOCK).enumerate().for_each(|(block, out)| {
        kernel_points(instructions, w, steps, [from, to], block * BLOCK, back, out);
    });
    out
}

on_all_instructions! {
    /// One block of [`transformed`], from column `first` on.
    fn kernel_points(
        w: &[f32],
        steps: [usize; 2],
        counts: [usize; 2],
        first: usize,
        back: bool,
        out: &mut [f32],
    ) {
        let [from, to] = counts;
        let rows = filled(from);
        let width = out.len() / (POINTS * rows);
        let mut taps = [[0.0_f32; BLOCK]; 9];
        let mut half = [[0.0_f32; BLOCK]; 18];
        let mut whole = [[0.0_f32; BLOCK]; IN];
        for row in 0..rows {
            if row == from {
                taps = [[0.0_f32; BLOCK]; 9];
            }
            if row < from {
                for k in 0..width.min(to - first) {
                    let kernel = &w[row * steps[0] + (first + k) * steps[1]..][..9];
                    for (i, &value) in kernel.iter().enumerate() {
                        taps[if back { 8 - i } else { i }][k] = value;
                    }
                }
            }
            for x in 0..3 {
                for k in 0..BLOCK {
                    let points = kernel_to_points([taps[x][k], taps[3 + x][k], taps[6 + x][k]]);
                    for (y, value) in points.into_iter().enumerate() {
                        half[y * 3 + x][k] = value;
                    }
                }
            }
            for y in 0..IN {
                for k in 0..BLOCK {
                    let points = kernel_to_points([half[y * 3][k], half[y * 3 + 1][k], half[y * 3 + 2][k]]);
                    for (x, value) in points.into_iter().enumerate() {
                        whole[x][k] = value;
                    }
                }
                for (x, whole) in whole.iter().enumerate() {
                    copy_vectors(&whole[..width], &mut out[((y * IN + x) * rows + row) * width..][..width]);
                }
            }
        }
    }
}

/// G of the paper: three taps at the points 0, 1, -1, 2, -2 and infinity.
#[inline(always)]
fn kernel_to_points([a, b, c]: [f32; 3]) -> [f32; IN] {
    let (outer, twice) = ((a + c) * (1.0 / 6.0), a * (1.0 / 24.0) + c * (1.0 / 6.0));
    let (inner, near) = (b * (1.0 / 6.0), b * (1.0 / 12.0));
    [a * 0.25, -outer - inner, inner - outer, twice + near, twice - near, c]
}

/// B' of the paper.
#[inline(always)]
fn cells_to_points([a, b, c, d, e, f]: [f32; IN]) -> [f32; IN] {
    let (even, odd) = (e - 4.0 * c, d - 4.0 * b);
    let (far, wide) = (e - c, 2.0 * (d - b));
    [4.0 * a - 5.0 * c + e, even + odd, even - odd, far + wide, far - wide, 4.0 * b - 5.0 * d + f]
}

/// A' of the paper.
#[inline(always)]
fn points_to_cells([a, b, c, d, e, f]: [f32; IN]) -> [f32; OUT] {
    let (near, far) = (b + c, d + e);
    let (turn, wide) = (b - c, d - e);
    [a + near + far, turn + 2.0 * wide, near + 4.0 * far, turn + 8.0 * wide + f]
}

/// Nothing to add: cells outside of an image.
static OUTSIDE: [f32; BLOCK] = [0.0; BLOCK];

impl Tiles {
    fn new(image: [usize; 2], result: [usize; 2], before: [usize; 2]) -> Self {
        let [down, across] = result.map(|cells| cells.div_ceil(OUT));
        Self { image, result, before, across, all: down * across }
    }

    /// The image that tile `index` lies in, and its row and column of tiles there.
    #[inline(always)]
    fn at(&self, index: usize) -> (usize, usize, usize) {
        (index / self.all, index % self.all / self.across, index % self.all % self.across)
    }
}

on_all_instructions! {
    /// `count` tiles from `first` on to points: for each point `count * channels` numbers, `step` apart.
    fn to_points(tiles: Tiles, x: &[f32], channels: usize, first: usize, count: usize, step: usize, out: &mut [f32]) {
        let [height, width] = tiles.image;
        let mut half = [[0.0_f32; BLOCK]; POINTS];
        let mut whole = [[0.0_f32; BLOCK]; IN];
        for t in 0..count {
            let (image, down, across) = tiles.at(first + t);
            let image = &x[image * height * width * channels..][..height * width * channels];
            for channel in (0..channels).step_by(BLOCK) {
                let len = BLOCK.min(channels - channel);
                let cell = |y: usize, x: usize| {
                    let row = (down * OUT + y).wrapping_sub(tiles.before[0]);
                    let column = (across * OUT + x).wrapping_sub(tiles.before[1]);
                    let inside = row < height && column < width;
                    if inside { &image[(row * width + column) * channels + channel..][..len] } else { &OUTSIDE[..len] }
                };
                for x in 0..IN {
                    let [a, b, c, d, e, f] = [cell(0, x), cell(1, x), cell(2, x), cell(3, x), cell(4, x), cell(5, x)];
                    for i in 0..len {
                        let points = cells_to_points([a[i], b[i], c[i], d[i], e[i], f[i]]);
                        for y in 0..IN {
                            half[y * IN + x][i] = points[y];
                        }
                    }
                }
                for y in 0..IN {
                    let [a, b, c, d, e, f] = std::array::from_fn(|x| &half[y * IN + x]);
                    for i in 0..len {
                        let points = cells_to_points([a[i], b[i], c[i], d[i], e[i], f[i]]);
                        for x in 0..IN {
                            whole[x][i] = points[x];
                        }
                    }
                    for (x, whole) in whole.iter().enumerate() {
                        copy_vectors(&whole[..len], &mut out[(y * IN + x) * step + t * channels + channel..][..len]);
                    }
                }
            }
        }
    }
}

on_all_instructions! {
    /// The way back: points to results, with bias and activation.
    fn to_cells(
        tiles: Tiles,
        points: &[f32],
        channels: usize,
        first: usize,
        count: usize,
        step: usize,
        bias: &[f32],
        activation: Activation,
        out: &mut [f32],
    ) {
        let [height, width] = tiles.result;
        let mut half = [[0.0_f32; BLOCK]; OUT * IN];
        let mut cells = [[0.0_f32; BLOCK]; OUT * OUT];
        for t in 0..count {
            let (image, down, across) = tiles.at(first + t);
            for channel in (0..channels).step_by(BLOCK) {
                let len = BLOCK.min(channels - channel);
                for x in 0..IN {
                    let point = |y: usize| &points[(y * IN + x) * step + t * channels + channel..][..len];
                    let [a, b, c, d, e, f] = [point(0), point(1), point(2), point(3), point(4), point(5)];
                    for i in 0..len {
                        let sums = points_to_cells([a[i], b[i], c[i], d[i], e[i], f[i]]);
                        for y in 0..OUT {
                            half[y * IN + x][i] = sums[y];
                        }
                    }
                }
                let bias = &bias[channel..][..len];
                for y in 0..OUT {
                    let [a, b, c, d, e, f] = std::array::from_fn(|x| &half[y * IN + x]);
                    let cells = &mut cells[y * OUT..][..OUT];
                    for i in 0..len {
                        let sums = points_to_cells([a[i], b[i], c[i], d[i], e[i], f[i]]);
                        for x in 0..OUT {
                            cells[x][i] = sums[x] + bias[i];
                        }
                    }
                }
                for (i, cells) in cells.iter_mut().enumerate() {
                    let (y, x) = (down * OUT + i / OUT, across * OUT + i % OUT);
                    if y < height && x < width {
                        apply(&mut cells[..len], activation);
                        let to = ((image * height + y) * width + x) * channels + channel;
                        copy_vectors(&cells[..len], &mut out[to..to + len]);
                    }
                }
            }
        }
    }
}

impl Job<'_> {
    fn run(&self, n: usize, instructions: Instructions, x: &[f32]) -> Buffer {
        let Tiles { image, result, all, .. } = self.tiles;
        let (image_in, image_out) = (image[0] * image[1] * self.from, result[0] * result[1] * self.to);
        let mut out = Buffer::of(n * image_out);
        let fair = n.div_ceil(rayon::current_num_threads()).max(1);
        let most = (SCRATCH / (POINTS * (self.from + self.to))).max(ENOUGH_TILES) / ROWS * ROWS;
        let images = (most / all).clamp(1, fair);
        let most = most.min((images * all).next_multiple_of(ROWS));
        let pieces = out.par_chunks_mut(images * image_out).zip(x.par_chunks(images * image_in));
        // One line more between the points: else all of them lie on the same lines of a cache.
        let steps = [self.from, self.to].map(|channels| most * channels + WIDE);
        let scratch = || steps.map(|step| Buffer::zeros(POINTS * step));
        pieces.for_each_init(scratch, |[source, sums], (out, x)| {
            let count = out.len() / image_out * all;
            for first in (0..count).step_by(most) {
                let here = most.min(count - first);
                to_points(instructions, self.tiles, x, self.from, first, here, steps[0], source);
                for point in 0..POINTS {
                    self.products(
                        instructions,
                        &source[point * steps[0]..],
                        point,
                        here,
                        &mut sums[point * steps[1]..],
                    );
                }
                let (bias, activation) = (self.bias, self.activation);
                to_cells(instructions, self.tiles, sums, self.to, first, here, steps[1], bias, activation, out);
            }
        });
        out
    }

    /// All tiles in one point. The rows after the last tile hold numbers of earlier ones.
    fn products(&self, instructions: Instructions, source: &[f32], point: usize, tiles: usize, sums: &mut [f32]) {
        for (first, vectors) in blocks(self.to) {
            let weights = &self.weights[(POINTS * first + point * vectors * WIDE) * self.from..];
            for row in (0..tiles).step_by(ROWS) {
                let rows = std::array::from_fn(|r| (row + r) * self.from);
                let rows = Rows { source, rows, taps: &[0], run: self.from, weights, vectors };
                rows.compute(instructions, &mut sums[row * self.to + first..], self.to);
            }
        }
    }
}
