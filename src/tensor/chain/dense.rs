//! The product of rows with a matrix, and its two gradients, by the chain's kernels: a dense layer is a convolution by one tap
//! whose cells are the rows.
//!
//! In: `x [rows, k]` and `w [k, n]`. Out: `[rows, n]`. Whatever the number of threads, every sum is added up in the same order.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::conv::Instructions;
use super::super::storage;
use super::buffers::Buffer;
use super::kernel::{BLOCK, Outer, ROWS, Rows, WIDE, blocks, filled};

/// Rows that one thread takes at a time, so that a panel of weights is read often while it is near.
const PIECE: usize = 16 * ROWS;
/// Rows over which a gradient of weights is summed at a time, so that they stay in a near cache.
const SUMMED: usize = 512;
/// With fewer rows packing the weights costs more than it saves, and of fewer columns whole vectors are mostly empty.
const FEWEST_ROWS: usize = 32;

/// Whether [`dense`] is faster than candle for these sizes, on the processor.
pub fn serves(rows: usize, k: usize, n: usize) -> bool {
    rows >= FEWEST_ROWS && k >= WIDE && n >= WIDE
}

/// `x w`, differentiable in both; no gradient is computed that nobody wants.
///
/// # Errors
/// Where the sizes do not fit, or a tensor is not `f32` on the processor.
pub fn dense(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let ((rows, k), (inner, n)) = (x.dims2()?, w.dims2()?);
    if k != inner || rows * k * n == 0 {
        bail!("matrices of shapes {:?} and {:?} have no product", x.dims(), w.dims())
    }
    x.contiguous()?.apply_op2(&w.contiguous()?, Dense { k, n })
}

struct Dense {
    k: usize,
    n: usize,
}

impl CustomOp2 for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (storage::slice(x, lx)?, storage::slice(w, lw)?);
        let panels = Panels::of(w, [self.k, self.n], [self.n, 1]);
        let out = panels.times(Instructions::best(), x);
        Ok((CpuStorage::F32(out), Shape::from((x.len() / self.k, self.n))))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let to_x = x.track_op().then(|| {
            storage::read2(&grad, w, |g, w| Panels::of(w, [self.n, self.k], [1, self.n]).times(Instructions::best(), g))
        });
        let to_w = w
            .track_op()
            .then(|| storage::read2(x, &grad, |x, g| weight_gradient(Instructions::best(), x, g, [self.k, self.n])));
        let like = |values: Option<Result<Vec<f32>>>, t: &Tensor| {
            values.map(|v| Tensor::from_vec(v?, t.shape(), t.device())).transpose()
        };
        Ok((like(to_x, x)?, like(to_w, w)?))
    }
}

/// A matrix in panels of up to [`BLOCK`] columns, as the kernel reads it.
struct Panels {
    rows: usize,
    columns: usize,
    packed: Buffer,
}

impl Panels {
    /// `w`, with these distances between two of its rows and two of its columns.
    fn of(w: &[f32], [rows, columns]: [usize; 2], [down, right]: [usize; 2]) -> Self {
        let mut packed = Buffer::of(rows * filled(columns));
        let panels: Vec<(usize, usize)> = blocks(columns).collect();
        packed.par_chunks_mut(rows * BLOCK).zip(panels).for_each(|(out, (first, vectors))| {
            let width = vectors * WIDE;
            let kept = width.min(columns - first);
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let from = &w[i * down + first * right..];
                out[..kept].iter_mut().zip(from.iter().step_by(right)).for_each(|(out, w)| *out = *w);
                out[kept..].fill(0.0);
            }
        });
        Self { rows, columns, packed }
    }

    /// `x [.., rows]` times the matrix.
    fn times(&self, instructions: Instructions, x: &[f32]) -> Vec<f32> {
        let (k, n) = (self.rows, self.columns);
        let mut out = vec![0.0; x.len() / k * n];
        let pieces = out.par_chunks_mut(PIECE * n).zip(x.par_chunks(PIECE * k));
        pieces.for_each_init(
            || vec![0.0; ROWS * BLOCK],
            |tile, (out, x)| {
                for ((first, vectors), weights) in blocks(n).zip(self.packed.chunks(k * BLOCK)) {
                    let width = vectors * WIDE;
                    let kept = width.min(n - first);
                    for (i, out) in out.chunks_mut(ROWS * n).enumerate() {
                        let count = out.len() / n;
                        let row = |r: usize| (i * ROWS + r.min(count - 1)) * k;
                        let rows =
                            Rows { source: x, rows: std::array::from_fn(row), taps: &[0], run: k, weights, vectors };
                        if count == ROWS && kept == width {
                            rows.compute(instructions, &mut out[first..], n);
                            continue;
                        }
                        rows.compute(instructions, tile, width);
                        for (out, tile) in out.chunks_exact_mut(n).zip(tile.chunks_exact(width)) {
                            out[first..first + kept].copy_from_slice(&tile[..kept]);
                        }
                    }
                }
            },
        );
        out
    }
}

/// `[k, n]`: the sum over all rows of the products of `x` with the gradients of the result.
fn weight_gradient(instructions: Instructions, x: &[f32], g: &[f32], [k, n]: [usize; 2]) -> Vec<f32> {
    let columns = filled(n);
    // Whole vectors are read from a gradient's row.
    let wide;
    let g = if columns == n {
        g
    } else {
        let mut copy = Buffer::zeros(g.len() / n * columns);
        copy.par_chunks_exact_mut(columns)
            .zip(g.par_chunks_exact(n))
            .for_each(|(to, from)| to[..n].copy_from_slice(from));
        wide = copy;
        &wide[..]
    };
    let places: Vec<usize> = (0..x.len() / k).map(|row| row * k).collect();
    let mut sum = Buffer::zeros(k.next_multiple_of(ROWS) * columns);
    sum.par_chunks_mut(ROWS * columns).enumerate().for_each(|(i, sum)| {
        let lifts = std::array::from_fn(|r| (i * ROWS + r).min(k - 1));
        for (p, places) in places.chunks(SUMMED).enumerate() {
            for (column, vectors) in blocks(columns) {
                let g = &g[p * SUMMED * columns + column..];
                let outer = Outer { x, places, lifts, g, step: columns, vectors };
                outer.add_to(instructions, &mut sum[column..], columns);
            }
        }
    });
    let mut out = vec![0.0; k * n];
    out.par_chunks_exact_mut(n)
        .zip(sum.par_chunks_exact(columns))
        .for_each(|(out, sum)| out.copy_from_slice(&sum[..n]));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::{gradients_match_differences, same_with_gradients};
    use candle_core::{Device, Var};

    fn matrices(rows: usize, k: usize, n: usize) -> [Tensor; 2] {
        let mut random = Seed(5).random();
        [(rows, k), (k, n)].map(|shape| random.normal_tensor(1.0, shape, &Device::Cpu).unwrap())
    }

    #[test]
    fn products_and_gradients_are_those_of_candle() {
        for (rows, k, n) in [(1, 1, 1), (7, 5, 3), (97, 16, 64), (200, 33, 70), (1030, 20, 130)] {
            same_with_gradients(&matrices(rows, k, n), |x| dense(&x[0], &x[1]), |x| x[0].matmul(&x[1]));
        }
        gradients_match_differences(&matrices(9, 4, 18), 1e-2, "dense", |x| dense(&x[0], &x[1]));
    }

    #[test]
    fn all_instructions_find_the_same() {
        let [x, w] = matrices(50, 21, 37).map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let g: Vec<f32> = (0..50 * 37).map(|i| (i % 13) as f32 - 6.0).collect();
        let found = |how| (Panels::of(&w, [21, 37], [37, 1]).times(how, &x), weight_gradient(how, &x, &g, [21, 37]));
        let (product, gradient) = found(Instructions::Plain);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs()));
        for how in Instructions::all() {
            let (p, g) = found(how);
            assert!(near(&p, &product) && near(&g, &gradient), "{how:?}");
        }
    }

    #[test]
    fn a_matrix_that_is_turned_and_one_that_is_fixed() {
        let [x, w] = matrices(40, 16, 24);
        let turned = Var::from_tensor(&w.t().unwrap().contiguous().unwrap()).unwrap();
        let (x, wanted) = (Var::from_tensor(&x).unwrap(), x.matmul(&w).unwrap());
        let y = dense(&x, &turned.t().unwrap()).unwrap();
        let far = (&y - wanted).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(far < 1e-4, "{far}");
        let gradients = y.sqr().unwrap().backward().unwrap();
        assert_eq!(gradients.get(&turned).unwrap().dims(), turned.dims());
        let alone = dense(&x, &w).unwrap().sqr().unwrap().backward().unwrap();
        let far = (alone.get(&x).unwrap() - gradients.get(&x).unwrap()).unwrap().abs().unwrap();
        assert_eq!(far.max_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
        assert!(alone.get(&w).is_none());
        assert!(dense(&x, &w.t().unwrap()).is_err());
    }
}
