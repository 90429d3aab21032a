//! Scaled dot-product attention (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).

use super::layers::{dims4, matmul, softmax};
use super::value::{Live, Operands, checked_size};
use candle_core::{DType, Result, Tensor, bail};

/// `softmax(query key' * scale + mask) value`, each `[n, heads, length, size]`; several heads of the query may share one of
/// the key and value. `causal`: no place sees a later one.
pub(super) fn attention(x: &Operands, scale: Option<f32>, causal: bool) -> Result<Tensor> {
    let (query, mut key, mut value) = (x.tensor(0)?, x.tensor(1)?, x.tensor(2)?);
    let (n, heads, length, size) = dims4(&query, "the query")?;
    let (_, fewer, others, _) = dims4(&key, "the key")?;
    dims4(&value, "the value")?;
    if fewer == 0 || !heads.is_multiple_of(fewer) || value.dim(1)? != fewer {
        bail!("{heads} heads cannot share {fewer} heads of keys")
    }
    if fewer != heads {
        let each = heads / fewer;
        let shared = |t: &Tensor| -> Result<Tensor> {
            let (n, h, l, s) = t.dims4()?;
            t.unsqueeze(2)?.broadcast_as((n, h, each, l, s))?.reshape((n, h * each, l, s))
        };
        (key, value) = (shared(&key)?, shared(&value)?);
    }
    checked_size(&[n, heads, length, others])?;
    let scale = scale.map_or_else(|| 1.0 / (size as f64).sqrt(), f64::from);
    let mut scores = (matmul(&query, &key.transpose(2, 3)?)? * scale)?;
    match x.optional(3) {
        None => {}
        Some(Live::Tensor(mask)) => scores = scores.broadcast_add(mask)?,
        // Truth values: which places are seen.
        Some(Live::Integers(seen)) => {
            let mask = seen.values.iter().map(|&v| if v == 0 { f32::NEG_INFINITY } else { 0.0 }).collect::<Vec<_>>();
            scores = scores.broadcast_add(&Tensor::from_vec(mask, seen.shape.as_slice(), query.device())?)?;
        }
    }
    if causal {
        let hidden = |i: usize| if i % others > i / others { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..length * others).map(hidden).collect();
        scores =
            scores.broadcast_add(&Tensor::from_vec(mask, (length, others), query.device())?.to_dtype(DType::F32)?)?;
    }
    matmul(&softmax(&scores, -1)?, &value)
}
