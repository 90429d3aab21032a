//! Direct convolution, of any stride, pads, dilation and groups, and its input gradient.
//!
//! Both are correlations at stride 1 of *source planes* with a list of *taps*. Of a strided
//! convolution the source planes are the image's phases (every second cell, say, from the first or
//! the second on), so that each tap is again a constant shift; of a strided input gradient it is the
//! results that come in phases.
//!
//! The planes are copied into a scratch that puts zeros between rows and between images. There each
//! tap is a constant offset along *flat* cells, counted on from row to row and image to image, and
//! [`Sum`] runs over them 48 at a time. The few cells between the rows are computed and thrown away.
#![allow(unsafe_code)]

use std::ops::Range;

use rayon::prelude::*;

use super::shape::ConvShape;
use super::tile::{CELLS, CHANNELS, Instructions, Sum, Tile};

/// Numbers of source that one piece of work may hold: half of a usual second-level cache.
const SCRATCH: usize = 1 << 17;

/// Flat cells above which putting further images together brings nothing more.
const ENOUGH_CELLS: usize = 1024;

/// Input gradients of a larger stride would come in too many parts.
const MOST_STEP: usize = 4;

/// One tap: result `(y, x)` takes from source `(y + down, x + right)` of one phase.
#[derive(Debug, Clone, Copy)]
struct Tap {
    phase: usize,
    down: isize,
    right: isize,
    /// Position in the kernel.
    ky: usize,
    kx: usize,
}

/// Results that share their taps: the cells `origin + step * (y, x)` of each result plane.
struct Part {
    taps: Vec<Tap>,
    origin: [usize; 2],
    size: [usize; 2],
}

/// A correlation of `planes` source channels with `channels` result channels in each group.
struct Correlation {
    n: usize,
    groups: usize,
    planes: usize,
    channels: usize,
    /// Cells of an image as given, and the step and starts of its phases.
    image: [usize; 2],
    image_step: [usize; 2],
    phases: Vec<[usize; 2]>,
    /// Cells of a result plane, and the step of its parts.
    result: [usize; 2],
    result_step: [usize; 2],
    parts: Vec<Part>,
}

/// `x [n, c, h, w]`, `w [o, c/groups, kh, kw]`, `b [o]` to `[n, o, h', w']`.
pub(super) fn forward(
    s: &ConvShape,
    instructions: Instructions,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
) -> Option<Vec<f32>> {
    let step = s.geometry.stride;
    let mut phases: Vec<[usize; 2]> = Vec::new();
    let mut taps = Vec::new();
    for (ky, kx) in (0..s.kh).flat_map(|ky| (0..s.kw).map(move |kx| (ky, kx))) {
        let shift = |i: usize, tap: usize| (tap * s.geometry.dilation[i]) as isize - s.geometry.pads[i] as isize;
        let shift = [shift(0, ky), shift(1, kx)];
        let start = [0, 1].map(|i| shift[i].rem_euclid(step[i] as isize) as usize);
        let phase = phases.iter().position(|&p| p == start).unwrap_or_else(|| {
            phases.push(start);
            phases.len() - 1
        });
        let [down, right] = [0, 1].map(|i| shift[i].div_euclid(step[i] as isize));
        taps.push(Tap { phase, down, right, ky, kx });
    }
    let correlation = Correlation {
        n: s.n,
        groups: s.geometry.groups,
        planes: s.group_c(),
        channels: s.group_o(),
        image: [s.h, s.w],
        image_step: step,
        phases,
        result: [s.oh, s.ow],
        result_step: [1, 1],
        parts: vec![Part { taps, origin: [0, 0], size: [s.oh, s.ow] }],
    };
    let weight = |group: usize, o: usize, c: usize, tap: &Tap| {
        w[(((group * s.group_o() + o) * s.group_c() + c) * s.kh + tap.ky) * s.kw + tap.kx]
    };
    correlation.run(instructions, x, weight, b)
}

/// The gradient of `x`, from the gradient `g` of the output.
pub(super) fn input_gradient(s: &ConvShape, instructions: Instructions, g: &[f32], w: &[f32]) -> Option<Vec<f32>> {
    let (step, input) = (s.geometry.stride, [s.h, s.w]);
    if step.iter().any(|&step| step > MOST_STEP) {
        return None;
    }
    let mut parts = Vec::new();
    for origin in (0..step[0]).flat_map(|y| (0..step[1]).map(move |x| [y, x])) {
        if origin[0] >= s.h || origin[1] >= s.w {
            continue;
        }
        // Cell `origin + step * i` was seen by the output `i + shift` through this tap, if at all.
        let shift = |i: usize, tap: usize| {
            let ahead = (origin[i] + s.geometry.pads[i]) as isize - (tap * s.geometry.dilation[i]) as isize;
            (ahead % step[i] as isize == 0).then_some(ahead / step[i] as isize)
        };
        let taps = (0..s.kh)
            .flat_map(|ky| (0..s.kw).map(move |kx| (ky, kx)))
            .filter_map(|(ky, kx)| Some(Tap { phase: 0, down: shift(0, ky)?, right: shift(1, kx)?, ky, kx }));
        let size = [0, 1].map(|i| (input[i] - origin[i]).div_ceil(step[i]));
        parts.push(Part { taps: taps.collect(), origin, size });
    }
    let correlation = Correlation {
        n: s.n,
        groups: s.geometry.groups,
        planes: s.group_o(),
        channels: s.group_c(),
        image: [s.oh, s.ow],
        image_step: [1, 1],
        phases: vec![[0, 0]],
        result: input,
        result_step: step,
        parts,
    };
    let weight = |group: usize, c: usize, o: usize, tap: &Tap| {
        w[(((group * s.group_o() + o) * s.group_c() + c) * s.kh + tap.ky) * s.kw + tap.kx]
    };
    correlation.run(instructions, g, weight, None)
}

/// How source planes lie in the scratch of one piece of work.
struct Layout {
    /// Images in one piece.
    images: usize,
    /// Rows of results in one piece: all, or a band of one image.
    band: usize,
    /// Rows of source that are copied, and the row that is copied first, relative to the band.
    rows: usize,
    first_row: isize,
    /// Flat cells of a row, of an image, of a plane.
    row: usize,
    image: usize,
    plane: usize,
    /// Flat cell of the first source cell.
    lead: usize,
}

impl Layout {
    fn new(c: &Correlation, images: usize, band: Option<usize>) -> Option<Self> {
        let taps = || c.parts.iter().flat_map(|p| p.taps.iter().map(move |t| (p, t)));
        let height = c.image[0].div_ceil(c.image_step[0]) as isize;
        let width = c.image[1].div_ceil(c.image_step[1]) as isize;
        let widest = c.parts.iter().map(|p| p.size[1]).max().unwrap_or(0) as isize;
        let highest = taps().map(|(_, t)| t.down).min().unwrap_or(0);
        let lowest = taps().map(|(_, t)| t.down).max().unwrap_or(0);
        let (first_row, rows, band) = match band {
            None => (0, height, c.rows() as isize),
            Some(band) => (highest, band as isize + lowest - highest, band as isize),
        };
        let above = (first_row - highest).max(0);
        let below =
            taps().map(|(p, t)| t.down - first_row + band.min(p.size[0] as isize) - rows).max().unwrap_or(0).max(0);
        let left = taps().map(|(_, t)| -t.right).max().unwrap_or(0).max(0);
        let right = taps().map(|(p, t)| t.right + p.size[1] as isize - width).max().unwrap_or(0).max(0);
        // What is left of one row is right of the row before: one gap serves both.
        let row = (width + left.max(right)).max(widest);
        let image = (rows + above.max(below)).max(band).checked_mul(row)?;
        let lead = above.checked_mul(row)?.checked_add(left)?;
        let end = image.checked_mul(images as isize)?.checked_add(lead)?;
        let end = end.checked_add((below + 1).checked_mul(row)?)?.checked_add(right)?;
        // A tile may begin at the last cell, and read on from there.
        let plane = (end as usize + 2 * CELLS).next_multiple_of(16);
        Some(Self {
            images,
            band: band as usize,
            rows: rows as usize,
            first_row,
            row: row as usize,
            image: image as usize,
            plane,
            lead: lead as usize,
        })
    }

    /// Small maps several images together, large ones in bands; `None` where not even one row fits.
    fn choose(c: &Correlation) -> Option<Self> {
        let planes = c.planes * c.phases.len();
        let threads = rayon::current_num_threads();
        let fits = |l: &Layout| l.plane.checked_mul(planes).is_some_and(|size| size <= SCRATCH);
        let whole = Self::new(c, 1, None)?;
        if fits(&whole) {
            let fair = c.n.div_ceil(2 * threads).max(1);
            let images = (ENOUGH_CELLS / whole.image.max(1)).clamp(1, fair);
            let candidates = (1..=images).rev().filter_map(|images| Self::new(c, images, None));
            return candidates.into_iter().find(fits);
        }
        let bands = std::iter::successors(Some(c.rows()), |&rows| (rows > 1).then(|| rows.div_ceil(2)));
        let bands: Vec<Layout> = bands.filter_map(|rows| Self::new(c, 1, Some(rows))).collect();
        // Beyond the cache, but not beyond reason, the smallest band must do.
        let last = |l: &Layout| l.plane.checked_mul(planes).is_some_and(|size| size <= 16 * SCRATCH);
        let at = bands.iter().position(|l| fits(l) && l.band * l.row <= 4 * ENOUGH_CELLS);
        match at {
            Some(at) => bands.into_iter().nth(at),
            None => bands.into_iter().last().filter(last),
        }
    }

    fn offset(&self, tap: &Tap) -> usize {
        let flat = self.lead as isize + (tap.down - self.first_row) * self.row as isize + tap.right;
        tap.phase * self.plane + flat as usize
    }
}

/// A stretch of one tile's cells that is kept.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// First cell in the tile.
    cell: usize,
    len: usize,
    /// Counted over all images of a piece.
    row: usize,
    /// First number in the result, from the plane of the first image on.
    at: usize,
}

/// A part ready to run.
struct Ready {
    offsets: Vec<usize>,
    /// For each group and block of 8 channels, plane and tap: 8 numbers.
    weights: Vec<f32>,
    /// The kept stretches of each tile.
    tiles: Vec<Vec<Stretch>>,
    rows: usize,
}

/// Lets threads write to disjoint numbers of one result.
#[derive(Clone, Copy)]
struct Target {
    start: *mut f32,
    len: usize,
}

// SAFETY: every piece of work writes only the numbers of its own images, rows and channels.
unsafe impl Send for Target {}
// SAFETY: as above; nobody reads before all have written.
unsafe impl Sync for Target {}

impl Correlation {
    /// Rows of the part that has most.
    fn rows(&self) -> usize {
        self.parts.iter().map(|p| p.size[0]).max().unwrap_or(0)
    }

    /// Blocks of result channels in each group.
    fn blocks(&self) -> usize {
        self.channels.div_ceil(CHANNELS)
    }

    fn ready(&self, part: &Part, layout: &Layout, weight: &impl Fn(usize, usize, usize, &Tap) -> f32) -> Ready {
        let taps = &part.taps;
        let mut weights = Vec::with_capacity(self.groups * self.blocks() * self.planes * taps.len() * CHANNELS);
        for (group, block) in (0..self.groups).flat_map(|g| (0..self.blocks()).map(move |b| (g, b))) {
            for (plane, tap) in (0..self.planes).flat_map(|p| taps.iter().map(move |t| (p, t))) {
                weights.extend(
                    (block * CHANNELS..(block + 1) * CHANNELS)
                        .map(|channel| if channel < self.channels { weight(group, channel, plane, tap) } else { 0.0 }),
                );
            }
        }
        let rows = part.size[0].min(layout.band);
        let mut tiles: Vec<Vec<Stretch>> = Vec::new();
        let result_image = self.groups * self.channels * self.result[0] * self.result[1];
        for (image, row) in (0..layout.images).flat_map(|i| (0..rows).map(move |r| (i, r))) {
            let start = image * layout.image + row * layout.row;
            let line = part.origin[0] + row * self.result_step[0];
            let at = image * result_image + line * self.result[1] + part.origin[1];
            let mut x = 0;
            while x < part.size[1] {
                let (tile, cell) = ((start + x) / CELLS, (start + x) % CELLS);
                let len = (CELLS - cell).min(part.size[1] - x);
                tiles.resize_with(tiles.len().max(tile + 1), Vec::new);
                tiles[tile].push(Stretch { cell, len, row: image * rows + row, at: at + x * self.result_step[1] });
                x += len;
            }
        }
        Ready { offsets: taps.iter().map(|t| layout.offset(t)).collect(), weights, tiles, rows }
    }

    /// `None` where the scratch would be too large.
    fn run(
        &self,
        instructions: Instructions,
        images: &[f32],
        weight: impl Fn(usize, usize, usize, &Tap) -> f32,
        bias: Option<&[f32]>,
    ) -> Option<Vec<f32>> {
        let count = self.n * self.groups * self.channels * self.result[0] * self.result[1];
        if count == 0 || self.planes == 0 {
            return None;
        }
        let layout = Layout::choose(self)?;
        let parts: Vec<Ready> = self.parts.iter().map(|part| self.ready(part, &layout, &weight)).collect();
        let bands = self.rows().div_ceil(layout.band);
        let pieces = self.n.div_ceil(layout.images) * bands;
        // With few pieces the channels are split as well; each split copies the source again.
        let wanted = (4 * rayon::current_num_threads()).div_ceil(pieces).min(self.blocks());
        let blocks = self.blocks().div_ceil(if pieces >= 2 * rayon::current_num_threads() { 1 } else { wanted });
        let splits = self.blocks().div_ceil(blocks);
        let mut result: Vec<f32> = Vec::with_capacity(count);
        let target = Target { start: result.as_mut_ptr(), len: count };
        (0..pieces * splits).into_par_iter().for_each_init(Scratch::default, |scratch, index| {
            let (piece, split) = (index / splits, index % splits);
            let first = piece / bands * layout.images;
            let piece = Piece {
                images: first..(first + layout.images).min(self.n),
                band: piece % bands * layout.band,
                blocks: split * blocks..((split + 1) * blocks).min(self.blocks()),
            };
            self.compute(instructions, &layout, &parts, images, bias, &piece, scratch, target);
        });
        // SAFETY: the parts cover every cell of a plane, the pieces every image, band and channel; so
        // all `count` numbers are written.
        unsafe { result.set_len(count) };
        Some(result)
    }

    #[expect(clippy::too_many_arguments, reason = "the loop body of `run`")]
    fn compute(
        &self,
        instructions: Instructions,
        layout: &Layout,
        parts: &[Ready],
        images: &[f32],
        bias: Option<&[f32]>,
        piece: &Piece,
        scratch: &mut Scratch,
        target: Target,
    ) {
        let result_plane = self.result[0] * self.result[1];
        let phases = self.phases.len();
        scratch.source.resize(layout.plane * self.planes * phases, 0.0);
        for group in 0..self.groups {
            self.copy(layout, images, group, piece, &mut scratch.source);
            for block in piece.blocks.clone() {
                let channels = (self.channels - block * CHANNELS).min(CHANNELS);
                let first_channel = group * self.channels + block * CHANNELS;
                let base = (piece.images.start * self.groups * self.channels + first_channel) * result_plane;
                let band = piece.band * self.result_step[0] * self.result[1];
                for (ready, part) in parts.iter().zip(&self.parts) {
                    let packed = self.planes * ready.offsets.len() * CHANNELS;
                    let weights = &ready.weights[(group * self.blocks() + block) * packed..][..packed];
                    let rows = match piece.images.len() {
                        1 => part.size[0].saturating_sub(piece.band).min(ready.rows),
                        several => several * ready.rows,
                    };
                    for (index, stretches) in ready.tiles.iter().enumerate() {
                        if stretches.first().is_none_or(|s| s.row >= rows) {
                            continue;
                        }
                        let sum = Sum {
                            source: &scratch.source[index * CELLS..],
                            planes: self.planes,
                            plane_step: layout.plane * phases,
                            offsets: &ready.offsets,
                            weights,
                        };
                        sum.compute(instructions, channels, &mut scratch.tile);
                        for stretch in stretches.iter().take_while(|s| s.row < rows) {
                            for k in 0..channels {
                                let at = base + k * result_plane + band + stretch.at;
                                let bias = bias.map_or(0.0, |b| b[first_channel + k]);
                                let values = &scratch.tile.0[k * CELLS + stretch.cell..][..stretch.len];
                                target.write(at, self.result_step[1], values, bias);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Copies the source planes of one group and piece. Gaps stay zero: no copy ever touches them.
    fn copy(&self, layout: &Layout, images: &[f32], group: usize, piece: &Piece, source: &mut [f32]) {
        let [height, width] = self.image;
        let [down, right] = self.image_step;
        let first_row = layout.first_row + piece.band as isize;
        for (index, source) in source.chunks_mut(layout.plane).enumerate() {
            let (plane, [top, left]) = (index / self.phases.len(), self.phases[index % self.phases.len()]);
            for (slot, image) in piece.images.clone().enumerate() {
                let plane = (image * self.groups + group) * self.planes + plane;
                let image = &images[plane * height * width..][..height * width];
                for row in 0..layout.rows {
                    let start = layout.lead + slot * layout.image + row * layout.row;
                    let line = usize::try_from(first_row + row as isize).ok().map(|row| row * down + top);
                    let len = width.saturating_sub(left).div_ceil(right);
                    let to = &mut source[start..start + len];
                    match line {
                        Some(line) if line < height && len > 0 => {
                            let from = &image[line * width + left..(line + 1) * width];
                            if right == 1 {
                                to.copy_from_slice(from);
                            } else {
                                to.iter_mut().zip(from.iter().step_by(right)).for_each(|(to, &from)| *to = from);
                            }
                        }
                        _ => to.fill(0.0),
                    }
                }
            }
        }
    }
}

/// What one thread computes at a time.
struct Piece {
    images: Range<usize>,
    /// First row of the band.
    band: usize,
    /// Blocks of 8 channels, in each group.
    blocks: Range<usize>,
}

struct Scratch {
    source: Vec<f32>,
    tile: Tile,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { source: Vec::new(), tile: Tile([0.0; CHANNELS * CELLS]) }
    }
}

impl Target {
    /// Writes `values + bias` to `at`, `at + step`, ...
    #[inline]
    fn write(self, at: usize, step: usize, values: &[f32], bias: f32) {
        assert!(at + (values.len() - 1) * step < self.len, "write outside the result");
        for (i, value) in values.iter().enumerate() {
            // SAFETY: inside the allocation (assertion), and no other piece has this number.
            unsafe { self.start.add(at + i * step).write(value + bias) };
        }
    }
}
