//! Losses row by row, with right gradients (candle's own softmax along the last axis has none).

use candle_core::{D, Result, Tensor};

/// Logarithm of the softmax of `logits [n, k]`, row by row.
///
/// # Errors
/// Where the tensor is not `f32 [n, k]`.
pub fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    // The maximum only keeps the exponentials in range; it has no influence on value or gradient.
    let max = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&max)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}

/// Cross-entropy `[n]` of each row of `logits [n, k]` against its target `[n]` (`u32`).
///
/// # Errors
/// Where the shapes do not fit or a target is out of range.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    log_softmax(logits)?.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?.neg()
}

/// The largest entry of each row of `scores [n, k]`; the first of equals.
///
/// # Errors
/// Where the tensor is not `f32 [n, k]`.
pub fn answers(scores: &Tensor) -> Result<Vec<usize>> {
    Ok(scores.argmax(D::Minus1)?.to_vec1::<u32>()?.into_iter().map(|i| i as usize).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn cross_entropy_and_its_gradient_are_right_even_for_huge_logits() {
        let logits = Var::new(&[[1.0_f32, 2.0, 0.5], [900.0, -900.0, 0.0]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[1_u32, 1], &Device::Cpu).unwrap();
        let loss = cross_entropy(&logits, &targets).unwrap();
        let values = loss.to_vec1::<f32>().unwrap();
        let sum = 1.0_f32.exp() + 2.0_f32.exp() + 0.5_f32.exp();
        assert!((values[0] - (sum.ln() - 2.0)).abs() < 1e-5 && (values[1] - 1800.0).abs() < 1e-2);
        let grads = loss.sum_all().unwrap().backward().unwrap();
        let grads = grads.get(&logits).unwrap().to_vec2::<f32>().unwrap();
        let right = [1.0_f32.exp() / sum, 2.0_f32.exp() / sum - 1.0, 0.5_f32.exp() / sum];
        for (g, r) in grads[0].iter().zip(right) {
            assert!((g - r).abs() < 1e-5);
        }
        assert_eq!(answers(&logits).unwrap(), vec![1, 0]);
    }
}
