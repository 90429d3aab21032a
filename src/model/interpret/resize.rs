//! Enlarging and shrinking inside a graph, by picking or mixing rows and columns.

use super::shape::{mix, select};
use super::value::{Operands, checked_growth};
use crate::model::graph::Resize;
use candle_core::{Result, Tensor, bail};

/// Inputs `x, _, scales, sizes` as in ONNX; either scales or sizes are given. Every axis is treated alike.
pub(super) fn resize(x: &Operands, how: &Resize) -> Result<Tensor> {
    let mut t = x.tensor(0)?;
    let scales = match x.optional_tensor(2)? {
        Some(s) => s.flatten_all()?.to_vec1::<f32>()?,
        None => Vec::new(),
    };
    let sizes = x.optional_integers(3)?.map(|s| s.values).unwrap_or_default();
    let rank = t.rank();
    for axis in 0..rank {
        let size = t.dim(axis)?;
        let (target, scale) = if sizes.len() == rank {
            let target = usize::try_from(sizes[axis]).unwrap_or(0);
            (target, target as f32 / size as f32)
        } else if scales.len() == rank {
            ((size as f32 * scales[axis]).floor() as usize, scales[axis])
        } else {
            bail!("{} scales and {} sizes are given for {rank} dimensions", scales.len(), sizes.len())
        };
        if target == size && scale == 1.0 {
            continue;
        }
        if target == 0 || size == 0 {
            bail!("a picture of shape {:?} is to be shrunk to nothing", t.dims())
        }
        checked_growth(t.elem_count(), &[target, t.elem_count() / size])?;
        let origin = |i: usize| coordinate(&how.coordinates, i as f32, scale, size, target);
        let origins = (0..target).map(origin).collect::<Result<Vec<f32>>>()?;
        let last = size - 1;
        t = if how.linear {
            let held: Vec<f32> = origins.iter().map(|&p| p.clamp(0.0, last as f32)).collect();
            let low: Vec<usize> = held.iter().map(|&p| p.floor() as usize).collect();
            let high: Vec<usize> = low.iter().map(|&p| (p + 1).min(last)).collect();
            let share: Vec<f32> = held.iter().zip(&low).map(|(&p, &l)| p - l as f32).collect();
            mix(&t, axis, &low, &high, &share)?
        } else {
            let places = origins.iter().map(|&p| nearest(&how.rounding, p)).collect::<Result<Vec<f32>>>()?;
            let places: Vec<usize> = places.iter().map(|&p| p.clamp(0.0, last as f32) as usize).collect();
            select(&t, axis, &places)?
        };
    }
    Ok(t)
}

/// Where cell `i` of the result lies in the original.
fn coordinate(rule: &str, i: f32, scale: f32, size: usize, target: usize) -> Result<f32> {
    Ok(match rule {
        "half_pixel" => (i + 0.5) / scale - 0.5,
        "pytorch_half_pixel" if target > 1 => (i + 0.5) / scale - 0.5,
        "pytorch_half_pixel" => 0.0,
        "asymmetric" => i / scale,
        "align_corners" if target > 1 => i * (size - 1) as f32 / (target - 1) as f32,
        "align_corners" => 0.0,
        other => bail!("coordinates by \"{other}\" are not supported"),
    })
}

fn nearest(rule: &str, position: f32) -> Result<f32> {
    Ok(match rule {
        "floor" => position.floor(),
        "ceil" => position.ceil(),
        "round_prefer_floor" => (position - 0.5).ceil(),
        "round_prefer_ceil" => (position + 0.5).floor(),
        other => bail!("rounding by \"{other}\" is not supported"),
    })
}
