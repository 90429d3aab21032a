//! A faint pattern added to pictures: `x' = x + m (2 p - 1)`, held within `[0, 1]`; what blends and waves come down to.
//!
//! One fused operation, as [`super::stamp()`] is: a search repeats it at every step.

use super::{stamp, storage, with_gradient};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Pictures `x [n, c, h, w]` in `[0, 1]` with a pattern `p [1, c, h, w]` in `[0, 1]` added, where a half changes nothing, as strongly
/// as the mask `m [1, 1, h, w]` says; differentiable in all three. Where a value is held at a bound, a gradient that pushes it back
/// inward is let through all the same: else a pattern that begins by darkening a black ground could never come to brighten it.
///
/// # Errors
/// Where the shapes do not fit each other.
pub fn added(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    stamp::check(x, mask, pattern)?;
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op3(&mask.contiguous()?, &pattern.contiguous()?, Added);
    }
    elsewhere(x, mask, pattern)
}

/// The same out of candle's own operations.
fn elsewhere(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    let sum = x.broadcast_add(&pattern.affine(2.0, -1.0)?.broadcast_mul(mask)?)?;
    let value = sum.detach().clamp(0f32, 1f32)?;
    let out = value.clone();
    with_gradient(&sum, value, move |g| {
        let below = out.le(0f32)?.mul(&g.gt(0f32)?)?;
        let above = out.ge(1f32)?.mul(&g.lt(0f32)?)?;
        (below + above)?.where_cond(&g.zeros_like()?, g)
    })
}

/// Whether the gradient `g` pushes a value further beyond the bound that holds it at `out`.
fn is_held(out: f32, g: f32) -> bool {
    (out <= 0.0 && g > 0.0) || (out >= 1.0 && g < 0.0)
}

struct Added;

impl CustomOp3 for Added {
    fn name(&self) -> &'static str {
        "added"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(s1, l1)?;
        let m = storage::slice(s2, l2)?;
        let p = storage::slice(s3, l3)?;
        let change: Vec<f32> =
            p.chunks(m.len()).flat_map(|p| p.iter().zip(m).map(|(p, m)| m * (2.0 * p - 1.0))).collect();
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(p.len()).zip(x.par_chunks(p.len())).for_each(|(out, x)| {
            for ((out, x), change) in out.iter_mut().zip(x).zip(&change) {
                *out = (x + change).clamp(0.0, 1.0);
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        mask: &Tensor,
        pattern: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, c, h, w) = x.dims4()?;
        let (area, size) = (h * w, c * h * w);
        let mut g = grad.flatten_all()?.to_vec1::<f32>()?;
        for (g, out) in g.iter_mut().zip(out.flatten_all()?.to_vec1::<f32>()?) {
            if is_held(out, *g) {
                *g = 0.0;
            }
        }
        let mut sum = vec![0.0_f32; size];
        for i in 0..n {
            sum.iter_mut().zip(&g[i * size..(i + 1) * size]).for_each(|(sum, g)| *sum += g);
        }
        let p = pattern.flatten_all()?.to_vec1::<f32>()?;
        let mut to_mask = vec![0.0_f32; area];
        for (p, sum) in p.chunks(area).zip(sum.chunks(area)) {
            for ((to_mask, p), sum) in to_mask.iter_mut().zip(p).zip(sum) {
                *to_mask += (2.0 * p - 1.0) * sum;
            }
        }
        let to_x = if x.track_op() { Some(Tensor::from_vec(g, x.shape(), grad.device())?) } else { None };
        let to_mask = Tensor::from_vec(to_mask, (1, 1, h, w), grad.device())?;
        let to_pattern = (Tensor::from_vec(sum, (1, c, h, w), grad.device())?.broadcast_mul(mask)? * 2.0)?;
        Ok((to_x, Some(to_mask), Some(to_pattern)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::{gradients_match_differences, same_with_gradients};
    use candle_core::{DType, Device, Var};

    #[test]
    fn the_gradients_are_those_of_the_formula() {
        let mut r = Seed(5).random();
        let d = Device::Cpu;
        // Never so near to a bound that a small step crosses it.
        let x = r.uniform_tensor(0.35, 0.65, (3, 2, 4, 5), &d).unwrap();
        let m = r.uniform_tensor(0.1, 0.3, (1, 1, 4, 5), &d).unwrap();
        let p = r.uniform_tensor(0.0, 1.0, (1, 2, 4, 5), &d).unwrap();
        gradients_match_differences(&[x, m, p], 1e-3, "added", |a| added(&a[0], &a[1], &a[2]));
    }

    #[test]
    fn what_is_held_at_a_bound_is_pushed_inward_only() {
        let d = Device::Cpu;
        let row = |values: &[f32]| Tensor::from_slice(values, (1, 1, 1, values.len()), &d).unwrap();
        // Black made darker twice, white made brighter twice.
        let (x, mask) = (row(&[0.0, 0.0, 1.0, 1.0]), row(&[0.2; 4]));
        let pattern = Var::from_tensor(&row(&[0.1, 0.1, 0.9, 0.9])).unwrap();
        let wanted = row(&[1.0, -1.0, 1.0, -1.0]);
        let gradients = (added(&x, &mask, &pattern).unwrap() * wanted).unwrap().sum_all().unwrap().backward().unwrap();
        let to_pattern = gradients.get(&pattern).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(to_pattern, [0.0, -0.4, 0.4, 0.0]);
    }

    #[test]
    fn other_devices_get_the_same() {
        let mut r = Seed(7).random();
        let d = Device::Cpu;
        let x: Vec<f32> = (0..3 * 2 * 4 * 5).map(|_| [0.0, 0.5, 1.0][r.below(3)]).collect();
        let x = Tensor::from_vec(x, (3, 2, 4, 5), &d).unwrap();
        let m = r.uniform_tensor(0.1, 0.3, (1, 1, 4, 5), &d).unwrap();
        let p = r.uniform_tensor(0.0, 1.0, (1, 2, 4, 5), &d).unwrap();
        same_with_gradients(&[x, m, p], |a| added(&a[0], &a[1], &a[2]), |a| elsewhere(&a[0], &a[1], &a[2]));
    }

    #[test]
    fn a_half_changes_nothing_and_values_stay_colours() {
        let d = Device::Cpu;
        let x = Seed(1).random().uniform_tensor(0.0, 1.0, (2, 3, 4, 4), &d).unwrap();
        let mask = Tensor::ones((1, 1, 4, 4), DType::F32, &d).unwrap();
        let of = |value: f32| added(&x, &mask, &Tensor::full(value, (1, 3, 4, 4), &d).unwrap()).unwrap();
        let same =
            |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(same(&of(0.5), &x) < 1e-6);
        assert!(same(&of(1.0), &x.ones_like().unwrap()) < 1e-6 && same(&of(0.0), &x.zeros_like().unwrap()) < 1e-6);
        assert!(added(&x, &mask, &Tensor::zeros((1, 1, 4, 4), DType::F32, &d).unwrap()).is_err());
    }
}
