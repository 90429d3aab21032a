//! Which parameters a repair may change: what was trained by gradient descent, not settings and statistics.

use crate::model::Graph;
use crate::model::graph::{Binary, Op};
use std::collections::BTreeSet;

/// Names of the weights and biases of convolutions and dense layers, and of the scales and shifts of normalisations.
/// Means and variances stay as the file has them; so do constants that a graph scales its input with.
pub fn trainable(graph: &Graph) -> BTreeSet<String> {
    // Values behind a weighted layer: adding a parameter to one is a bias written as a node of its own.
    let mut weighted = BTreeSet::new();
    let mut found = BTreeSet::new();
    for node in &graph.nodes {
        let inputs =
            |from: usize, to: usize| (from..to).filter_map(|i| graph.parameter_read(node, i)).map(str::to_owned);
        match &node.op {
            Op::Conv(_) | Op::ConvTranspose { .. } => found.extend(inputs(1, 3)),
            Op::Gemm { .. } | Op::MatMul => found.extend(inputs(0, 3)),
            Op::BatchNorm { .. } | Op::LayerNorm { .. } | Op::InstanceNorm { .. } => found.extend(inputs(1, 3)),
            Op::Binary(Binary::Add) if node.inputs.iter().flatten().any(|id| weighted.contains(id)) => {
                found.extend(inputs(0, 2));
            }
            // Between a weighted layer and its bias exporters put changes of shape.
            Op::Reshape { .. } | Op::Transpose { .. } | Op::Identity | Op::Squeeze
                if node.inputs.first().copied().flatten().is_some_and(|id| weighted.contains(&id)) => {}
            _ => continue,
        }
        weighted.extend(node.outputs.iter().copied());
    }
    found
}
