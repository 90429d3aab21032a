//! A trigger laid over pictures: `x' = (1 - m) x + m p`, the step every trigger search repeats.
//!
//! One fused operation: candle's broadcasting would copy mask and pattern for every picture and
//! reduce their gradients element by element.

use super::storage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Pictures `x [n, c, h, w]` under a mask `m [1, 1, h, w]` (1 covers wholly) with pattern
/// `p [1, c, h, w]`; differentiable in mask and pattern, and in the pictures.
///
/// # Errors
/// Where the shapes do not fit each other.
pub fn stamp(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
    check(x, mask, pattern)?;
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op3(&mask.contiguous()?, &pattern.contiguous()?, Stamp);
    }
    let clear = mask.affine(-1.0, 1.0)?;
    x.broadcast_mul(&clear)? + pattern.broadcast_mul(mask)?.broadcast_as(x.shape())?
}

/// Refuses a mask or a pattern that does not fit the pictures.
pub(super) fn check(x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<()> {
    let (_, c, h, w) = x.dims4()?;
    if mask.dims() != [1, 1, h, w] || pattern.dims() != [1, c, h, w] {
        candle_core::bail!(
            "a trigger of mask {:?} and pattern {:?} does not fit {:?}",
            mask.dims(),
            pattern.dims(),
            x.dims()
        );
    }
    Ok(())
}

struct Stamp;

impl CustomOp3 for Stamp {
    fn name(&self) -> &'static str {
        "stamp"
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
        let mut out = vec![0.0; x.len()];
        let planes = out.par_chunks_mut(p.len()).zip(x.par_chunks(p.len()));
        planes.for_each(|(out, x)| {
            for ((out, x), p) in out.chunks_mut(m.len()).zip(x.chunks(m.len())).zip(p.chunks(m.len())) {
                for (((out, x), p), m) in out.iter_mut().zip(x).zip(p).zip(m) {
                    *out = x + m * (p - x);
                }
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        mask: &Tensor,
        pattern: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let to_x = if x.track_op() { Some(grad.broadcast_mul(&mask.affine(-1.0, 1.0)?)?) } else { None };
        if !mask.track_op() && !pattern.track_op() {
            return Ok((to_x, None, None));
        }
        // d/dm = sum over pictures and channels of g (p - x), d/dp = m * sum over pictures of g
        let (n, c, h, w) = x.dims4()?;
        let (area, size) = (h * w, c * h * w);
        let g = grad.flatten_all()?.to_vec1::<f32>()?;
        let x = x.flatten_all()?.to_vec1::<f32>()?;
        let p = pattern.flatten_all()?.to_vec1::<f32>()?;
        let (mut sum_g, mut sum_gx) = (vec![0.0_f32; size], vec![0.0_f32; size]);
        for i in 0..n {
            let (g, x) = (&g[i * size..(i + 1) * size], &x[i * size..(i + 1) * size]);
            for (((sum_g, sum_gx), g), x) in sum_g.iter_mut().zip(&mut sum_gx).zip(g).zip(x) {
                *sum_g += g;
                *sum_gx += g * x;
            }
        }
        let mut to_mask = vec![0.0_f32; area];
        for ((p, g), gx) in p.chunks(area).zip(sum_g.chunks(area)).zip(sum_gx.chunks(area)) {
            for (((to_mask, p), g), gx) in to_mask.iter_mut().zip(p).zip(g).zip(gx) {
                *to_mask += p * g - gx;
            }
        }
        let to_mask = Tensor::from_vec(to_mask, (1, 1, h, w), grad.device())?;
        let to_pattern = Tensor::from_vec(sum_g, (1, c, h, w), grad.device())?.broadcast_mul(mask)?;
        Ok((to_x, Some(to_mask), Some(to_pattern)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use candle_core::{Device, Var};

    #[test]
    fn the_fused_stamp_and_its_gradients_are_those_of_the_formula() {
        let mut r = Seed(5).random();
        let d = Device::Cpu;
        let x = Var::from_tensor(&r.uniform_tensor(0.0, 1.0, (3, 2, 4, 5), &d).unwrap()).unwrap();
        let m = Var::from_tensor(&r.uniform_tensor(0.0, 1.0, (1, 1, 4, 5), &d).unwrap()).unwrap();
        let p = Var::from_tensor(&r.uniform_tensor(0.0, 1.0, (1, 2, 4, 5), &d).unwrap()).unwrap();
        let weight = r.uniform_tensor(-1.0, 1.0, (3, 2, 4, 5), &d).unwrap();
        let formula = (x.broadcast_mul(&m.affine(-1.0, 1.0).unwrap()).unwrap()
            + p.broadcast_mul(&m).unwrap().broadcast_as((3, 2, 4, 5)).unwrap())
        .unwrap();
        let fused = stamp(&x, &m, &p).unwrap();
        let far =
            |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(far(&formula, &fused) < 1e-6);
        let right = (formula * &weight).unwrap().sum_all().unwrap().backward().unwrap();
        let got = (fused * &weight).unwrap().sum_all().unwrap().backward().unwrap();
        for v in [&x, &m, &p] {
            assert!(far(right.get(v).unwrap(), got.get(v).unwrap()) < 1e-5);
        }
    }

    #[test]
    fn a_trigger_of_another_size_is_refused() {
        let zeros = |s: (usize, usize, usize, usize)| Tensor::zeros(s, candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(stamp(&zeros((2, 3, 8, 8)), &zeros((1, 1, 7, 8)), &zeros((1, 3, 8, 8))).is_err());
    }
}
