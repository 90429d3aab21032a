//! Runs a graph on candle tensors, so that candle's autograd sees every step.

use super::{Graph, ModelError, Parameters};
use candle_core::Tensor;

impl Graph {
    /// Logits `[n, classes]` of an input already preprocessed and in the graph's own layout.
    /// A graph exported for one fixed batch size is run in pieces of that size.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed and why.
    pub fn run(
        &self,
        parameters: &Parameters,
        input: &Tensor,
        fixed_batch: Option<usize>,
    ) -> Result<Tensor, ModelError> {
        let _ = (parameters, input, fixed_batch);
        Err(ModelError::NotAClassifier("the interpreter is being written".into()))
    }
}
