//! Activations whose gradient candle gets wrong or slow.

use candle_core::{Result, Tensor};

/// max(x, 0); the gradient at exactly 0 is 0, as in PyTorch and TensorFlow (candle: 1).
///
/// # Errors
/// Where the tensor is not `f32`.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.relu()
}
