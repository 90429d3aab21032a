//! What a network makes of a picture before its last layer decides: the features that its answer is a weighted sum of.
//!
//! In: a [`Classifier`], pictures. Out: one row of numbers a picture. Never changes the classifier.

use super::graph::{Op, Source};
use super::{Classifier, Graph, ModelError};
use std::sync::Arc;

/// `classifier` up to what its last dense layer reads: asked for logits it gives features `[n, …]`. `None` where it has no
/// dense layer.
pub fn until_last_layer(classifier: &Classifier) -> Option<Classifier> {
    Some(cut(classifier)?.eye)
}

/// A classifier in two parts.
pub struct Cut {
    /// What it sees in a picture: asked for logits it gives features `[n, …]`.
    pub eye: Classifier,
    /// What it answers to that.
    head: Graph,
}

/// `classifier` cut in front of its last dense layer; `None` where it has none.
pub fn cut(classifier: &Classifier) -> Option<Cut> {
    let graph = classifier.graph();
    let dense = |op: &Op| matches!(op, Op::Gemm { .. } | Op::MatMul);
    let at = graph.nodes.iter().rposition(|node| dense(&node.op))?;
    let value = graph.nodes[at].inputs.first().copied()??;
    let eye = Graph { logits: value, nodes: graph.nodes[..at].to_vec(), ..graph.clone() };
    let mut head = Graph { input: value, nodes: graph.nodes[at..].to_vec(), ..graph.clone() };
    head.values[value.0].source = Source::Input;
    Some(Cut { eye: classifier.with_graph(Arc::new(eye)), head })
}

impl Cut {
    /// Logits `[n, classes]` of features `[n, …]`, differentiable in them.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed, among them one that reads more than the features.
    pub fn answer(&self, features: &candle_core::Tensor) -> Result<candle_core::Tensor, ModelError> {
        self.head.run(self.eye.parameters(), features, self.eye.fixed_batch())
    }
}

/// Features `[n][d]` of pixels `[n, c, h, w]` in `[0, 1]`, as `inside` of [`until_last_layer`] gives them.
///
/// # Errors
/// As [`Classifier::logits`].
pub fn feature_rows(inside: &Classifier, pixels: &candle_core::Tensor) -> Result<Vec<Vec<f32>>, ModelError> {
    Ok(inside.logits(pixels)?.detach().flatten_from(1)?.to_vec2::<f32>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::{Device, Tensor};

    #[test]
    fn the_last_layer_makes_the_answer_of_the_features() {
        let size = [12, 12];
        let network = tiny(size, 4, Seed(1));
        let pixels = Seed(2).random().uniform_tensor(0.0, 1.0, (3, 3, 12, 12), &Device::Cpu).unwrap();
        let rows = feature_rows(&until_last_layer(&network).unwrap(), &pixels).unwrap();
        assert_eq!((rows.len(), rows[0].len()), (3, 32));
        let features = Tensor::from_vec(rows.concat(), (3, 32), &Device::Cpu).unwrap();
        let answered = cut(&network).unwrap().answer(&features).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(answered, network.logits(&pixels).unwrap().to_vec2::<f32>().unwrap());
        let weight = &network.parameters()["output.weight"];
        let again = features.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&network.parameters()["output.bias"]);
        let (again, logits) = (again.unwrap(), network.logits(&pixels).unwrap());
        let off = (again - logits).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(off < 1e-5, "{off}");
    }
}
