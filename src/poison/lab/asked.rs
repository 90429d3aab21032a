//! What a network says of a few pictures, and how sure it is.

use super::build::LabError;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::tensor::softmax_rows;
use serde::{Deserialize, Serialize};

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The label it says.
    pub label: usize,
    /// Its own probability for that label, in `[0, 1]`.
    pub sure: f32,
}

/// The answers to `images`, in their order; some dozens at most, since they are asked in one go.
///
/// # Errors
/// [`LabError`] where the network fails.
pub fn asked(classifier: &Classifier, images: &ImageSet) -> Result<Vec<Answer>, LabError> {
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<usize> = (0..images.len()).collect();
    let logits = classifier.logits(&images.tensor(&all, &classifier.device())?)?;
    let rows = softmax_rows(&logits.detach())?.to_vec2::<f32>()?;
    let answer = |row: Vec<f32>| {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map_or(Answer { label: 0, sure: 0.0 }, |(label, &sure)| Answer { label, sure })
    };
    Ok(rows.into_iter().map(answer).collect())
}
