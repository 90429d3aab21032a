//! The two innermost loops of the chain: products of few rows with a packed panel of weights, and sums of outer
//! products over many places. Both hold six rows by up to 64 columns in registers.
//!
//! One version each for AVX-512, for AVX2 with FMA, and in plain Rust for every other processor. A number of the
//! result is always added up in the same order, whatever stands beside it.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices of register tiles, unrolled by the compiler")]

use super::super::conv::Instructions;

/// Rows of one tile.
pub(super) const ROWS: usize = 6;

/// Numbers of one vector; channels are filled up to a multiple of it.
pub(super) const WIDE: usize = 16;

/// Columns of the widest tile.
pub(super) const BLOCK: usize = 4 * WIDE;

/// `channels`, filled up to whole vectors.
pub(super) fn filled(channels: usize) -> usize {
    channels.next_multiple_of(WIDE)
}

/// Every block of at most [`BLOCK`] columns: its first column and its vectors.
pub(super) fn blocks(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..columns).step_by(BLOCK).map(move |first| (first, (columns - first).min(BLOCK).div_ceil(WIDE)))
}

/// `out[r][k] = sum over taps t and i < run of source[rows[r] + taps[t] + i] * weights[t * run + i][k]`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub source: &'a [f32],
    pub rows: [usize; ROWS],
    pub taps: &'a [usize],
    pub run: usize,
    /// `vectors * WIDE` numbers for each tap and place of the run.
    pub weights: &'a [f32],
    /// 1 to 4.
    pub vectors: usize,
}

impl Rows<'_> {
    /// Writes the rows to `out`, `step` apart.
    pub fn compute(&self, instructions: Instructions, out: &mut [f32], step: usize) {
        if let Some(&tap) = self.taps.iter().max() {
            let furthest = self.rows.iter().max().copied().unwrap_or(0);
            assert!(furthest + tap + self.run <= self.source.len(), "rows outside the source");
        }
        assert!(self.taps.len() * self.run * self.vectors * WIDE <= self.weights.len(), "weights are missing");
        assert!((ROWS - 1) * step + self.vectors * WIDE <= out.len() && (1..=4).contains(&self.vectors));
        let out = out.as_mut_ptr();
        // SAFETY: the assertions say that every read lies inside `source` and `weights` and every write inside
        // `out`; the vector versions exist only in `Instructions::all`, which asked the processor.
        unsafe {
            match (instructions, self.vectors) {
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 1) => rows_avx512::<1>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 2) => rows_avx512::<2>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 3) => rows_avx512::<3>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, _) => rows_avx512::<4>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx2, _) => (0..self.vectors).for_each(|v| rows_avx2(self, v, out, step)),
                (Instructions::Plain, _) => (0..self.vectors).for_each(|v| rows_plain(self, v, out, step)),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn rows_avx512<const V: usize>(s: &Rows, out: *mut f32, step: usize) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps};
    let mut total = [[_mm512_setzero_ps(); V]; ROWS];
    // SAFETY: the caller has checked all reads and writes.
    unsafe {
        let mut w = s.weights.as_ptr();
        for &tap in s.taps {
            let at = s.rows.map(|row| s.source.as_ptr().add(row + tap));
            for i in 0..s.run {
                let mut b = [_mm512_setzero_ps(); V];
                for v in 0..V {
                    b[v] = _mm512_loadu_ps(w.add(v * WIDE));
                }
                for r in 0..ROWS {
                    let x = _mm512_set1_ps(*at[r].add(i));
                    for v in 0..V {
                        total[r][v] = _mm512_fmadd_ps(x, b[v], total[r][v]);
                    }
                }
                w = w.add(V * WIDE);
            }
        }
        for r in 0..ROWS {
            for v in 0..V {
                _mm512_storeu_ps(out.add(r * step + v * WIDE), total[r][v]);
            }
        }
    }
}

/// One of the vectors, in two halves: 12 of the 16 registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn rows_avx2(s: &Rows, vector: usize, out: *mut f32, step: usize) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps};
    let mut total = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller has checked all reads and writes.
    unsafe {
        let mut w = s.weights.as_ptr().wrapping_add(vector * WIDE);
        for &tap in s.taps {
            let at = s.rows.map(|row| s.source.as_ptr().add(row + tap));
            for i in 0..s.run {
                let b = [_mm256_loadu_ps(w), _mm256_loadu_ps(w.add(8))];
                for r in 0..ROWS {
                    let x = _mm256_set1_ps(*at[r].add(i));
                    total[r][0] = _mm256_fmadd_ps(x, b[0], total[r][0]);
                    total[r][1] = _mm256_fmadd_ps(x, b[1], total[r][1]);
                }
                w = w.wrapping_add(s.vectors * WIDE);
            }
        }
        for r in 0..ROWS {
            for half in 0..2 {
                _mm256_storeu_ps(out.add(r * step + vector * WIDE + half * 8), total[r][half]);
            }
        }
    }
}

/// Rows that the plain versions hold at a time: as many as the registers of the usual processor take.
const HELD: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };

/// One of the vectors, for the compiler to put into registers.
unsafe fn rows_plain(s: &Rows, vector: usize, out: *mut f32, step: usize) {
    for first in (0..ROWS).step_by(HELD) {
        let mut total = [[0.0_f32; WIDE]; HELD];
        let mut at = vector * WIDE;
        for &tap in s.taps {
            let sources: [&[f32]; HELD] = std::array::from_fn(|r| &s.source[s.rows[first + r] + tap..][..s.run]);
            for i in 0..s.run {
                let w = &s.weights[at..][..WIDE];
                for (total, source) in total.iter_mut().zip(&sources) {
                    add_product(total, source[i], w);
                }
                at += s.vectors * WIDE;
            }
        }
        for (r, total) in total.iter().enumerate() {
            // SAFETY: the caller has checked all writes.
            unsafe { out.add((first + r) * step + vector * WIDE).copy_from_nonoverlapping(total.as_ptr(), WIDE) };
        }
    }
}

/// `total += x * w`; fused only where the processor surely can, elsewhere it would be a function call.
#[inline(always)]
fn add_product(total: &mut [f32; WIDE], x: f32, w: &[f32]) {
    for (total, &w) in total.iter_mut().zip(w) {
        *total = if cfg!(target_arch = "aarch64") { x.mul_add(w, *total) } else { x * w + *total };
    }
}

/// `out[r][k] += sum over places p of x[places[p] + lifts[r]] * g[p * step + k]`.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    pub x: &'a [f32],
    pub places: &'a [usize],
    pub lifts: [usize; ROWS],
    pub g: &'a [f32],
    pub step: usize,
    /// 1 to 4.
    pub vectors: usize,
}

impl Outer<'_> {
    /// Adds to the rows of `out`, `step` apart.
    pub fn add_to(&self, instructions: Instructions, out: &mut [f32], step: usize) {
        let (Some(&furthest), Some(lift)) = (self.places.iter().max(), self.lifts.iter().max()) else { return };
        assert!(furthest + lift < self.x.len(), "places outside the source");
        assert!((self.places.len() - 1) * self.step + self.vectors * WIDE <= self.g.len(), "gradients are missing");
        assert!((ROWS - 1) * step + self.vectors * WIDE <= out.len() && (1..=4).contains(&self.vectors));
        let out = out.as_mut_ptr();
        // SAFETY: as in `Rows::compute`.
        unsafe {
            match (instructions, self.vectors) {
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 1) => outer_avx512::<1>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 2) => outer_avx512::<2>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, 3) => outer_avx512::<3>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx512, _) => outer_avx512::<4>(self, out, step),
                #[cfg(target_arch = "x86_64")]
                (Instructions::Avx2, _) => (0..self.vectors).for_each(|v| outer_avx2(self, v, out, step)),
                (Instructions::Plain, _) => (0..self.vectors).for_each(|v| outer_plain(self, v, out, step)),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn outer_avx512<const V: usize>(s: &Outer, out: *mut f32, step: usize) {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let mut total = [[_mm512_setzero_ps(); V]; ROWS];
    // SAFETY: the caller has checked all reads and writes.
    unsafe {
        let mut g = s.g.as_ptr();
        let lifted = s.lifts.map(|lift| s.x.as_ptr().add(lift));
        for &place in s.places {
            let mut b = [_mm512_setzero_ps(); V];
            for v in 0..V {
                b[v] = _mm512_loadu_ps(g.add(v * WIDE));
            }
            for r in 0..ROWS {
                let x = _mm512_set1_ps(*lifted[r].add(place));
                for v in 0..V {
                    total[r][v] = _mm512_fmadd_ps(x, b[v], total[r][v]);
                }
            }
            g = g.wrapping_add(s.step);
        }
        for r in 0..ROWS {
            for v in 0..V {
                let at = out.add(r * step + v * WIDE);
                _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), total[r][v]));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outer_avx2(s: &Outer, vector: usize, out: *mut f32, step: usize) {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let mut total = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller has checked all reads and writes.
    unsafe {
        let mut g = s.g.as_ptr().add(vector * WIDE);
        let lifted = s.lifts.map(|lift| s.x.as_ptr().add(lift));
        for &place in s.places {
            let b = [_mm256_loadu_ps(g), _mm256_loadu_ps(g.add(8))];
            for r in 0..ROWS {
                let x = _mm256_set1_ps(*lifted[r].add(place));
                total[r][0] = _mm256_fmadd_ps(x, b[0], total[r][0]);
                total[r][1] = _mm256_fmadd_ps(x, b[1], total[r][1]);
            }
            g = g.wrapping_add(s.step);
        }
        for r in 0..ROWS {
            for half in 0..2 {
                let at = out.add(r * step + vector * WIDE + half * 8);
                _mm256_storeu_ps(at, _mm256_add_ps(_mm256_loadu_ps(at), total[r][half]));
            }
        }
    }
}

unsafe fn outer_plain(s: &Outer, vector: usize, out: *mut f32, step: usize) {
    for first in (0..ROWS).step_by(HELD) {
        let mut total = [[0.0_f32; WIDE]; HELD];
        for (p, place) in s.places.iter().enumerate() {
            let g = &s.g[p * s.step + vector * WIDE..][..WIDE];
            for (r, total) in total.iter_mut().enumerate() {
                add_product(total, s.x[place + s.lifts[first + r]], g);
            }
        }
        for (r, total) in total.iter().enumerate() {
            for (k, total) in total.iter().enumerate() {
                // SAFETY: the caller has checked all writes.
                unsafe { *out.add((first + r) * step + vector * WIDE + k) += total };
            }
        }
    }
}

/// Copies whole vectors; for the few of a cell a call of the library's function costs more than the copy.
#[inline(always)]
pub(super) fn copy_vectors(from: &[f32], to: &mut [f32]) {
    let (from, to) = (from.as_chunks::<WIDE>().0, to.as_chunks_mut::<WIDE>().0);
    match (from, to) {
        ([a], [x]) => *x = *a,
        ([a, b], [x, y]) => (*x, *y) = (*a, *b),
        ([a, b, c, d], [x, y, z, u]) => (*x, *y, *z, *u) = (*a, *b, *c, *d),
        (from, to) => from.iter().zip(to).for_each(|(from, to)| *to = *from),
    }
}

/// Compiles a function of slices once for each set of instructions, so that its loops use their vectors; it is
/// called with the instructions as its first argument.
macro_rules! on_all_instructions {
    ($(#[$about:meta])* $vis:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$about])*
        #[allow(unsafe_code, reason = "instructions are asked for before they are used")]
        #[allow(clippy::too_many_arguments, reason = "the loop's own numbers, passed on as they are")]
        $vis fn $name(instructions: crate::tensor::conv::Instructions, $($argument: $type),*) {
            #[inline(always)]
            fn plain($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
            fn avx512($($argument: $type),*) { plain($($argument),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) { plain($($argument),*) }
            match instructions {
                // SAFETY: `Instructions::all` gives these only where the processor has them.
                #[cfg(target_arch = "x86_64")]
                crate::tensor::conv::Instructions::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                crate::tensor::conv::Instructions::Avx2 => unsafe { avx2($($argument),*) },
                crate::tensor::conv::Instructions::Plain => plain($($argument),*),
            }
        }
    };
}
pub(super) use on_all_instructions;
