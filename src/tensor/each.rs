//! A function of every number of some slices, on all threads; what each place of the result gets depends on that place alone.

use rayon::prelude::*;

/// Numbers that one thread takes at a time.
const PIECE: usize = 1 << 15;

/// `f` of every number.
pub(super) fn each(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(out, x)| {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = f(x));
    });
    out
}

/// `f` of every two numbers at the same place.
pub(super) fn each2(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let inputs = x.par_chunks(PIECE).zip(y.par_chunks(PIECE));
    out.par_chunks_mut(PIECE).zip(inputs).for_each(|(out, (x, y))| {
        out.iter_mut().zip(x).zip(y).for_each(|((out, &x), &y)| *out = f(x, y));
    });
    out
}

/// `f` of every three numbers at the same place.
pub(super) fn each3(x: &[f32], y: &[f32], z: &[f32], f: impl Fn(f32, f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let inputs = x.par_chunks(PIECE).zip(y.par_chunks(PIECE)).zip(z.par_chunks(PIECE));
    out.par_chunks_mut(PIECE).zip(inputs).for_each(|(out, ((x, y), z))| {
        out.iter_mut().zip(x).zip(y).zip(z).for_each(|(((out, &x), &y), &z)| *out = f(x, y, z));
    });
    out
}
