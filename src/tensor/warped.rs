//! Pictures with every pixel fetched from a place near by: `x'(y, x) = x(y + f_y, x + f_x)`, bilinear; what warps do.

use super::storage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Pictures `x [n, c, h, w]` under a field of shifts `f [1, 2, h, w]` in pixels, down and right; beyond the edges they go on.
/// Differentiable in both.
///
/// # Errors
/// Where the shapes do not fit each other.
pub fn warped(x: &Tensor, field: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if field.dims() != [1, 2, h, w] {
        candle_core::bail!("a field {:?} does not fit {:?}", field.dims(), x.dims());
    }
    let operation = Warped { h, w };
    if !x.device().is_cpu() {
        return operation.elsewhere(x, field);
    }
    x.contiguous()?.apply_op2(&field.contiguous()?, operation)
}

struct Warped {
    h: usize,
    w: usize,
}

/// Where a pixel comes from: its four neighbours, how far between them, and whether a move along each axis changes anything.
struct Place {
    at: [usize; 4],
    y: f32,
    x: f32,
    moves: [f32; 2],
}

impl Warped {
    /// The same out of candle's own operations.
    fn elsewhere(&self, x: &Tensor, field: &Tensor) -> Result<Tensor> {
        let (device, area) = (x.device(), self.h * self.w);
        let places = self.places(&field.flatten_all()?.to_vec1::<f32>()?);
        // How far between its neighbours a pixel lies grows with the shift, where that moves it at all.
        let between = |axis: usize, of: fn(&Place) -> f32| -> Result<Tensor> {
            let row = |values: Vec<f32>| Tensor::from_vec(values, (1, 1, area), device);
            let shift = field.narrow(1, axis, 1)?.reshape((1, 1, area))?;
            let moves = row(places.iter().map(|p| p.moves[axis]).collect())?;
            shift.sub(&shift.detach())?.mul(&moves)? + row(places.iter().map(of).collect())?
        };
        let (down, right) = (between(0, |p| p.y)?, between(1, |p| p.x)?);
        let pixels = x.contiguous()?.flatten_from(2)?;
        let neighbour = |which: usize| {
            let at: Vec<u32> = places.iter().map(|p| p.at[which] as u32).collect();
            pixels.index_select(&Tensor::from_vec(at, area, device)?, 2)
        };
        let [a, b, c, d] = [neighbour(0)?, neighbour(1)?, neighbour(2)?, neighbour(3)?];
        let upper = (&a + (b - &a)?.broadcast_mul(&right)?)?;
        let lower = (&c + (d - &c)?.broadcast_mul(&right)?)?;
        (&upper + (lower - &upper)?.broadcast_mul(&down)?)?.reshape(x.shape())
    }

    fn places(&self, field: &[f32]) -> Vec<Place> {
        let (h, w) = (self.h, self.w);
        let area = h * w;
        (0..area)
            .map(|i| {
                let (row, column) = ((i / w) as f32, (i % w) as f32);
                let (wanted_y, wanted_x) = (row + field[i], column + field[area + i]);
                let y = wanted_y.clamp(0.0, (h - 1) as f32);
                let x = wanted_x.clamp(0.0, (w - 1) as f32);
                let (top, left) = ((y as usize).min(h.saturating_sub(2)), (x as usize).min(w.saturating_sub(2)));
                let (bottom, right) = ((top + 1).min(h - 1), (left + 1).min(w - 1));
                let moves = [f32::from(u8::from(y == wanted_y)), f32::from(u8::from(x == wanted_x))];
                let at = [top * w + left, top * w + right, bottom * w + left, bottom * w + right];
                Place { at, y: y - top as f32, x: x - left as f32, moves }
            })
            .collect()
    }
}

impl CustomOp2 for Warped {
    fn name(&self) -> &'static str {
        "warped"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(s1, l1)?;
        let places = self.places(storage::slice(s2, l2)?);
        let area = self.h * self.w;
        let mut out = vec![0.0_f32; x.len()];
        out.par_chunks_mut(area).zip(x.par_chunks(area)).for_each(|(out, x)| {
            for (out, p) in out.iter_mut().zip(&places) {
                let [a, b, c, d] = p.at.map(|i| x[i]);
                let (upper, lower) = (a + (b - a) * p.x, c + (d - c) * p.x);
                *out = upper + (lower - upper) * p.y;
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        field: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let area = self.h * self.w;
        let g = grad.flatten_all()?.to_vec1::<f32>()?;
        let pixels = x.flatten_all()?.to_vec1::<f32>()?;
        let places = self.places(&field.flatten_all()?.to_vec1::<f32>()?);
        let mut to_field = vec![0.0_f32; 2 * area];
        let mut to_x = vec![0.0_f32; if x.track_op() { pixels.len() } else { 0 }];
        for (plane, (g, x)) in g.chunks(area).zip(pixels.chunks(area)).enumerate() {
            for (i, (g, p)) in g.iter().zip(&places).enumerate() {
                let [a, b, c, d] = p.at.map(|i| x[i]);
                let (upper, lower) = (a + (b - a) * p.x, c + (d - c) * p.x);
                to_field[i] += g * (lower - upper) * p.moves[0];
                to_field[area + i] += g * ((b - a) * (1.0 - p.y) + (d - c) * p.y) * p.moves[1];
                if !to_x.is_empty() {
                    let shares = [(1.0 - p.y) * (1.0 - p.x), (1.0 - p.y) * p.x, p.y * (1.0 - p.x), p.y * p.x];
                    p.at.iter().zip(shares).for_each(|(&at, share)| to_x[plane * area + at] += g * share);
                }
            }
        }
        let to_field = Tensor::from_vec(to_field, (1, 2, self.h, self.w), grad.device())?;
        let to_x = if to_x.is_empty() { None } else { Some(Tensor::from_vec(to_x, x.shape(), grad.device())?) };
        Ok((to_x, Some(to_field)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::{gradients_match_differences, same_with_gradients};
    use candle_core::{DType, Device};

    #[test]
    fn the_gradients_are_those_of_the_formula() {
        let mut r = Seed(5).random();
        let d = Device::Cpu;
        let x = r.uniform_tensor(0.0, 1.0, (2, 2, 5, 6), &d).unwrap();
        // Between pixels and within the picture, where the formula is smooth.
        let field: Vec<f32> = (0..2 * 5 * 6).map(|_| r.uniform(0.2, 0.8)).collect();
        let field = Tensor::from_vec(field, (1, 2, 5, 6), &d).unwrap();
        let inner = |t: &Tensor| t.narrow(2, 0, 4)?.narrow(3, 0, 5);
        gradients_match_differences(&[x, field], 1e-3, "warped", |a| inner(&warped(&a[0], &a[1])?));
    }

    #[test]
    fn other_devices_get_the_same_pictures_and_gradients() {
        let mut r = Seed(6).random();
        let x = r.uniform_tensor(0.0, 1.0, (2, 3, 6, 5), &Device::Cpu).unwrap();
        // Some pixels come from beyond the edges.
        let field = r.uniform_tensor(-3.0, 3.0, (1, 2, 6, 5), &Device::Cpu).unwrap();
        same_with_gradients(&[x, field], |a| warped(&a[0], &a[1]), |a| Warped { h: 6, w: 5 }.elsewhere(&a[0], &a[1]));
    }

    #[test]
    fn whole_shifts_move_pixels_and_edges_go_on() {
        let d = Device::Cpu;
        let x = Tensor::arange(0f32, 20.0, &d).unwrap().reshape((1, 1, 4, 5)).unwrap();
        let by = |down: f32, right: f32| {
            let plane = |v: f32| Tensor::full(v, (1, 1, 4, 5), &d).unwrap();
            let field = Tensor::cat(&[plane(down), plane(right)], 1).unwrap();
            warped(&x, &field).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(by(0.0, 0.0), (0..20).map(|v| v as f32).collect::<Vec<_>>());
        assert_eq!(by(1.0, 0.0)[..5], [5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(by(0.0, 1.5)[..5], [1.5, 2.5, 3.5, 4.0, 4.0]);
        assert_eq!(by(99.0, -99.0), vec![15.0; 20]);
        assert!(warped(&x, &Tensor::zeros((1, 1, 4, 5), DType::F32, &d).unwrap()).is_err());
    }
}
