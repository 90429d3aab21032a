//! The maximum over windows of two by two, side by side: the pooling of nearly every small network.
//!
//! One plane at a time, without branches, so that it vectorises: the windows in general cost such networks
//! more than their convolutions do.

/// Maxima of the plane `x`, whose rows have `columns` cells, into `out`, whose rows have `wide`. A NaN
/// wins and stays.
pub(super) fn maxima(x: &[f32], columns: usize, out: &mut [f32], wide: usize) {
    for (pair, out) in x.chunks_exact(2 * columns).zip(out.chunks_exact_mut(wide)) {
        let (upper, lower) = pair.split_at(columns);
        for ((out, a), b) in out.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
            *out = larger(larger(a[0], a[1]), larger(b[0], b[1]));
        }
    }
}

/// Gives each entry of `g` to the first cell of its window that holds the maximum `y`. `out` is as large
/// as `x` and starts at zero.
pub(super) fn gradient(x: &[f32], columns: usize, y: &[f32], g: &[f32], wide: usize, out: &mut [f32]) {
    let pairs = x.chunks_exact(2 * columns).zip(out.chunks_exact_mut(2 * columns));
    for ((x, out), (y, g)) in pairs.zip(y.chunks_exact(wide).zip(g.chunks_exact(wide))) {
        let (upper, lower) = x.split_at(columns);
        let (to_upper, to_lower) = out.split_at_mut(columns);
        // One length for all, known before the loop: otherwise it does not vectorise.
        let [upper, lower] = [upper, lower].map(|row| row[..2 * wide].as_chunks::<2>().0);
        let [to_upper, to_lower] = [to_upper, to_lower].map(|row| row[..2 * wide].as_chunks_mut::<2>().0);
        let (y, g) = (&y[..wide], &g[..wide]);
        for i in 0..wide {
            let (max, g) = (y[i], g[i].to_bits());
            let ([a, b], [c, _]) = (upper[i], lower[i]);
            let first = holds(a, max);
            let second = !first & holds(b, max);
            let third = !(first | second) & holds(c, max);
            let fourth = !(first | second | third);
            to_upper[i] = [first, second].map(|mask| f32::from_bits(g & mask));
            to_lower[i] = [third, fourth].map(|mask| f32::from_bits(g & mask));
        }
    }
}

fn larger(a: f32, b: f32) -> f32 {
    if (b > a) | b.is_nan() { b } else { a }
}

/// All bits set where `x` is the maximum of its window, which is a NaN as soon as one cell is.
fn holds(x: f32, max: f32) -> u32 {
    let mask = |b: bool| u32::from(b).wrapping_neg();
    mask(x == max) | mask(x.is_nan())
}
