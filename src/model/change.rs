//! What a repair changes of a model: the same description is run here and written to the file.

use candle_core::Tensor;
use std::collections::BTreeMap;

/// The difference between an opened model and a repaired one. Everything that is not named stays as it was.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New numbers by the file's own names; same shapes as before.
    pub parameters: BTreeMap<String, Tensor>,
    /// Upper bounds put behind values of the graph (activation clamps): weights stay untouched.
    pub clamps: Vec<Clamp>,
}

/// An upper bound for each channel of one computed value: `min(value, bound)` wherever it is read.
#[derive(Debug, Clone)]
pub struct Clamp {
    /// Name of the value in the file's graph.
    pub value: String,
    /// Bounds `[c]` along `axis`.
    pub bounds: Vec<f32>,
    /// The channels' axis in the value: 1 for `[n, c, h, w]` and `[n, c]`, the last for NHWC.
    pub axis: usize,
}
