//! Max and average pooling with right gradients (candle's max-pool gradient is wrong, see docs).
//!
//! In and out: `f32` tensors `[n, c, h, w]`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::storage;
use super::window::Axis;

/// No window is padded by more than the picture's own size and this.
const MOST_PAD: usize = 64;

/// Geometry of a pooling window; pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step between windows, at least 1.
    pub stride: [usize; 2],
    /// Cells added at `[top, left, bottom, right]`: minus infinity for max, zero for average.
    pub pads: [usize; 4],
    /// Distance between the cells of a window, at least 1.
    pub dilation: [usize; 2],
    /// Round the output size up: a last window may hang over the edge.
    pub ceil_mode: bool,
    /// Average only: padded cells count in the divisor.
    pub count_include_pad: bool,
}

impl Pool2d {
    /// Square window of `k`, stride `k`, no padding.
    pub fn square(k: usize) -> Self {
        Self {
            kernel: [k, k],
            stride: [k, k],
            pads: [0; 4],
            dilation: [1, 1],
            ceil_mode: false,
            count_include_pad: false,
        }
    }
}

/// `[n, c, h, w]` to `[n, c, h', w']`; the gradient goes to the first maximum of each window, whole.
///
/// # Errors
/// Where the window does not fit the picture.
pub fn max_pool2d(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    let window = Sliding::new(x, geometry)?;
    if x.device().is_cpu() { x.contiguous()?.apply_op1(MaxPool(window)) } else { elsewhere::max_pool2d(x, &window) }
}

/// `[n, c, h, w]` to `[n, c, h', w']`.
///
/// # Errors
/// Where the window does not fit the picture.
pub fn avg_pool2d(x: &Tensor, geometry: &Pool2d) -> Result<Tensor> {
    let window = Sliding::new(x, geometry)?;
    let divisors = [&window.rows, &window.columns].map(|axis| tap_counts(axis, geometry.count_include_pad));
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(AvgPool { window, divisors })
    } else {
        elsewhere::avg_pool2d(x, &window, &divisors)
    }
}

/// The windows over every plane (one channel of one image).
pub(super) struct Sliding {
    n: usize,
    c: usize,
    pub rows: Axis,
    pub columns: Axis,
}

impl Sliding {
    fn new(x: &Tensor, geometry: &Pool2d) -> Result<Self> {
        match x.dims() {
            &[n, c, h, w] => Self::over([n, c, h, w], geometry),
            other => bail!("a pooling takes an image batch [n, c, h, w], not {other:?}"),
        }
    }

    /// Over images of this shape `[n, c, h, w]`.
    pub fn over([n, c, h, w]: [usize; 4], geometry: &Pool2d) -> Result<Self> {
        let axis = |i: usize, size| {
            let Pool2d { kernel, stride, pads, dilation, ceil_mode, .. } = geometry;
            let pads = [pads[i], pads[i + 2]];
            let axis = Axis::new(size, kernel[i], stride[i], pads, dilation[i], *ceil_mode)?;
            // A window may not lie wholly in the padding; and geometry comes from model files, which may
            // be hostile and ask for endless work.
            let most = ((kernel[i] - 1) * dilation[i]).min(size.saturating_add(MOST_PAD));
            pads.iter().all(|&pad| pad <= most).then_some(axis)
        };
        let (Some(rows), Some(columns)) = (axis(0, h), axis(1, w)) else {
            bail!("a pooling with {geometry:?} does not fit the image batch {:?}", [n, c, h, w])
        };
        Ok(Self { n, c, rows, columns })
    }

    /// Down and across.
    pub fn axes(&self) -> [&Axis; 2] {
        [&self.rows, &self.columns]
    }

    fn shape(&self) -> Shape {
        Shape::from((self.n, self.c, self.rows.out, self.columns.out))
    }

    /// Planes, cells of an input plane, cells of an output plane.
    fn sizes(&self) -> (usize, usize, usize) {
        (self.n * self.c, self.rows.size * self.columns.size, self.rows.out * self.columns.out)
    }

    /// Whether these are the usual windows of two by two, side by side and nowhere in the padding.
    fn halves(&self) -> bool {
        [&self.rows, &self.columns].iter().all(|axis| {
            (axis.kernel, axis.stride, axis.dilation, axis.pads[0]) == (2, 2, 1, 0) && 2 * axis.out <= axis.size
        })
    }

    /// For output row `y`, calls `f(columns, cells)` for each tap in reading order: at the `i`-th of
    /// the output `columns` the tap lies on the `i`-th of `cells`, a range and step in the input plane.
    fn taps(&self, y: usize, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        for ky in 0..self.rows.kernel {
            let Some(row) = self.rows.input(y, ky) else { continue };
            for kx in 0..self.columns.kernel {
                let (columns, start) = self.columns.inside(kx);
                if !columns.is_empty() {
                    f(columns, row * self.columns.size + start..(row + 1) * self.columns.size);
                }
            }
        }
    }
}

/// Planes that one thread takes at least.
const PLANES: usize = 16;

struct MaxPool(Sliding);

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let ((planes, cells, outputs), wide, step) = (self.0.sizes(), self.0.columns.out, self.0.columns.stride);
        let mut out = vec![f32::NEG_INFINITY; planes * outputs];
        let halving = self.0.halves();
        out.par_chunks_mut(outputs.max(1)).zip(x.par_chunks(cells.max(1))).with_min_len(PLANES).for_each(|(out, x)| {
            if halving {
                return halving::maxima(x, self.0.columns.size, out, wide);
            }
            for (y, out) in out.chunks_mut(wide).enumerate() {
                self.0.taps(y, |columns, cells| {
                    for (out, &x) in out[columns].iter_mut().zip(x[cells].iter().step_by(step)) {
                        // A NaN wins and stays.
                        if x > *out || x.is_nan() {
                            *out = x;
                        }
                    }
                });
            }
        });
        Ok((CpuStorage::F32(out), self.0.shape()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient = storage::read3(x, y, &grad.contiguous()?, |x, y, g| self.gradient(x, y, g))?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

impl MaxPool {
    fn gradient(&self, x: &[f32], y: &[f32], g: &[f32]) -> Vec<f32> {
        let ((planes, cells, outputs), wide, step) = (self.0.sizes(), self.0.columns.out, self.0.columns.stride);
        let mut out = vec![0.0; planes * cells];
        let halving = self.0.halves();
        out.par_chunks_mut(cells.max(1)).enumerate().with_min_len(PLANES).for_each_init(
            Vec::new,
            |left, (plane, out)| {
                let x = &x[plane * cells..][..cells];
                if halving {
                    let (y, g) = (&y[plane * outputs..][..outputs], &g[plane * outputs..][..outputs]);
                    return halving::gradient(x, self.0.columns.size, y, g, wide, out);
                }
                let maxima = y[plane * outputs..][..outputs].chunks(wide);
                for (row, (maxima, g)) in maxima.zip(g[plane * outputs..].chunks(wide)).enumerate() {
                    left.clear();
                    left.extend_from_slice(g);
                    self.0.taps(row, |columns, cells| {
                        let inputs = out[cells.clone()].iter_mut().step_by(step).zip(x[cells].iter().step_by(step));
                        let outputs = maxima[columns.clone()].iter().zip(&mut left[columns]);
                        for ((out, &x), (&max, left)) in inputs.zip(outputs) {
                            // Once given away nothing is left for a later equal.
                            if x == max || (x.is_nan() && max.is_nan()) {
                                *out += std::mem::take(left);
                            }
                        }
                    });
                }
            },
        );
        out
    }
}

struct AvgPool {
    window: Sliding,
    /// What each row and each column of the output divides its sum by; the divisor is their product.
    divisors: [Vec<f32>; 2],
}

/// For each position the number of taps that count.
fn tap_counts(axis: &Axis, count_pads: bool) -> Vec<f32> {
    let counts = |position: usize, tap: usize| {
        let inside_pads = position * axis.stride + tap * axis.dilation < axis.size + axis.pads[0] + axis.pads[1];
        axis.input(position, tap).is_some() || (count_pads && inside_pads)
    };
    let taps = |position| (0..axis.kernel).filter(|&tap| counts(position, tap)).count();
    (0..axis.out).map(|position| taps(position).max(1) as f32).collect()
}

impl CustomOp1 for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let window = &self.window;
        let ((planes, cells, outputs), wide, step) = (window.sizes(), window.columns.out, window.columns.stride);
        let mut out = vec![0.0; planes * outputs];
        out.par_chunks_mut(outputs.max(1)).zip(x.par_chunks(cells.max(1))).for_each(|(out, x)| {
            for (y, out) in out.chunks_mut(wide).enumerate() {
                window.taps(y, |columns, cells| {
                    let inputs = x[cells].iter().step_by(step);
                    out[columns].iter_mut().zip(inputs).for_each(|(out, &x)| *out += x);
                });
                out.iter_mut().zip(&self.divisors[1]).for_each(|(out, across)| *out /= across * self.divisors[0][y]);
            }
        });
        Ok((CpuStorage::F32(out), window.shape()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let gradient = storage::read(&grad.contiguous()?, |g| self.gradient(g))?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

impl AvgPool {
    fn gradient(&self, g: &[f32]) -> Vec<f32> {
        let window = &self.window;
        let ((planes, cells, outputs), wide, step) = (window.sizes(), window.columns.out, window.columns.stride);
        let mut out = vec![0.0; planes * cells];
        out.par_chunks_mut(cells.max(1)).enumerate().for_each_init(Vec::new, |shared, (plane, out)| {
            for (row, g) in g[plane * outputs..][..outputs].chunks(wide).enumerate() {
                shared.clear();
                shared.extend(g.iter().zip(&self.divisors[1]).map(|(g, across)| g / (across * self.divisors[0][row])));
                window.taps(row, |columns, cells| {
                    let targets = out[cells].iter_mut().step_by(step);
                    targets.zip(&shared[columns]).for_each(|(out, &g)| *out += g);
                });
            }
        });
        out
    }
}

mod elsewhere;
mod halving;
#[cfg(test)]
mod tests;
