//! The innermost loop of the direct convolution: 8 output channels by 48 neighbouring cells, held in
//! registers while all input channels and taps are added up.
//!
//! One version for AVX-512, one for AVX2 with FMA, one in plain Rust for every other processor. The
//! order of the additions to one cell is the same wherever the cell lies in a tile, so that results
//! do not depend on how the work was split.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices of register tiles, unrolled by the compiler")]

/// Output channels of one tile.
pub(super) const CHANNELS: usize = 8;

/// Cells of one tile.
pub(super) const CELLS: usize = 48;

/// The sums of one tile, channel after channel.
#[repr(align(64))]
pub(super) struct Tile(pub [f32; CHANNELS * CELLS]);

/// What the processor can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tensor) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Instructions {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::all()[0]
    }

    /// All that this processor has, fastest first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self::Avx2);
            }
        }
        all.push(Self::Plain);
        all
    }
}

/// Where a tile's numbers come from: `planes` input channels from `source` on, `plane_step` apart, each
/// read at all `offsets`; `weights` has [`CHANNELS`] numbers for each plane and offset.
#[derive(Clone, Copy)]
pub(super) struct Sum<'a> {
    pub source: &'a [f32],
    pub planes: usize,
    pub plane_step: usize,
    pub offsets: &'a [usize],
    pub weights: &'a [f32],
}

impl Sum<'_> {
    /// Computes `tile[k][i] = sum over planes and offsets of weight[k] * source[plane + offset + i]`,
    /// for at least the first `channels` channels. `instructions` must come from [`Instructions`].
    pub fn compute(self, instructions: Instructions, channels: usize, tile: &mut Tile) {
        let furthest = self.offsets.iter().max().copied().unwrap_or(0);
        assert!(self.planes > 0 && (self.planes - 1) * self.plane_step + furthest + CELLS <= self.source.len());
        assert!(
            self.planes * self.offsets.len() * CHANNELS <= self.weights.len() && (1..=CHANNELS).contains(&channels)
        );
        // SAFETY: the assertions say that every read lies inside `source` and `weights`; the vector
        // versions exist only in `Instructions::all`, which asked the processor.
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_unsafe, reason = "only vector versions need it"))]
        unsafe {
            match (instructions, channels) {
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 1) => avx512::<1>(self, tile),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 2..=4) => avx512::<4>(self, tile),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, _) => avx512::<8>(self, tile),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx2, 1) => avx2_halves::<1>(self, 0, tile),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx2, _) => {
                    for first in (0..channels).step_by(4) {
                        avx2_halves::<4>(self, first, tile);
                    }
                }
                (Instructions::Plain, _) => {
                    for first in (0..channels).step_by(4) {
                        plain(self, first, tile);
                    }
                }
            }
        }
    }
}

/// `C` channels by three vectors of 16 cells: 24 of the 32 registers at `C = 8`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const C: usize>(sum: Sum, tile: &mut Tile) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_store_ps};
    let mut total = [[_mm512_setzero_ps(); 3]; C];
    let (mut plane, mut weights) = (sum.source.as_ptr(), sum.weights.as_ptr());
    // SAFETY: the caller has checked all reads; a tile is aligned and holds C rows of 48 numbers.
    unsafe {
        for _ in 0..sum.planes {
            for &offset in sum.offsets {
                let at = plane.add(offset);
                let x = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16)), _mm512_loadu_ps(at.add(32))];
                for k in 0..C {
                    let w = _mm512_set1_ps(*weights.add(k));
                    total[k][0] = _mm512_fmadd_ps(w, x[0], total[k][0]);
                    total[k][1] = _mm512_fmadd_ps(w, x[1], total[k][1]);
                    total[k][2] = _mm512_fmadd_ps(w, x[2], total[k][2]);
                }
                weights = weights.add(CHANNELS);
            }
            plane = plane.wrapping_add(sum.plane_step);
        }
        for (k, total) in total.iter().enumerate() {
            for (i, &total) in total.iter().enumerate() {
                _mm512_store_ps(tile.0.as_mut_ptr().add(k * CELLS + i * 16), total);
            }
        }
    }
}

/// Both halves of the cells of a tile, for `C` channels from `first` on.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_halves<const C: usize>(sum: Sum, first: usize, tile: &mut Tile) {
    // SAFETY: as in the caller.
    unsafe {
        avx2::<C>(sum, first, 0, tile);
        avx2::<C>(sum, first, CELLS / 2, tile);
    }
}

/// `C` channels by three vectors of 8 cells: 12 of the 16 registers at `C = 4`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const C: usize>(sum: Sum, first: usize, cell: usize, tile: &mut Tile) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps};
    let mut total = [[_mm256_setzero_ps(); 3]; C];
    // SAFETY: the caller has checked all reads; a tile holds 8 rows of 48 numbers.
    unsafe {
        let (mut plane, mut weights) = (sum.source.as_ptr().add(cell), sum.weights.as_ptr().wrapping_add(first));
        for _ in 0..sum.planes {
            for &offset in sum.offsets {
                let at = plane.add(offset);
                let x = [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)), _mm256_loadu_ps(at.add(16))];
                for k in 0..C {
                    let w = _mm256_set1_ps(*weights.add(k));
                    total[k][0] = _mm256_fmadd_ps(w, x[0], total[k][0]);
                    total[k][1] = _mm256_fmadd_ps(w, x[1], total[k][1]);
                    total[k][2] = _mm256_fmadd_ps(w, x[2], total[k][2]);
                }
                weights = weights.wrapping_add(CHANNELS);
            }
            plane = plane.wrapping_add(sum.plane_step);
        }
        for (k, total) in total.iter().enumerate() {
            for (i, &total) in total.iter().enumerate() {
                _mm256_storeu_ps(tile.0.as_mut_ptr().add((first + k) * CELLS + cell + i * 8), total);
            }
        }
    }
}

/// Four channels from `first` on by 8 cells at a time, for the compiler to put into vectors.
fn plain(sum: Sum, first: usize, tile: &mut Tile) {
    const WIDE: usize = 8;
    for cell in (0..CELLS).step_by(WIDE) {
        let mut total = [[0.0_f32; WIDE]; 4];
        let mut weights = sum.weights.chunks_exact(CHANNELS);
        for plane in 0..sum.planes {
            for &offset in sum.offsets {
                let Some(weights) = weights.next() else { break };
                let x = &sum.source[plane * sum.plane_step + offset + cell..][..WIDE];
                for (total, &w) in total.iter_mut().zip(&weights[first..first + 4]) {
                    total.iter_mut().zip(x).for_each(|(total, &x)| *total += w * x);
                }
            }
        }
        for (k, total) in total.iter().enumerate() {
            tile.0[(first + k) * CELLS + cell..][..WIDE].copy_from_slice(total);
        }
    }
}
