//! What is taken for what: the confusion matrix.

use crate::images::{self, ImageSet};
use crate::model::Classifier;
use crate::poison::lab::LabError;
use crate::progress::Monitor;

/// Counts of pictures by true label and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// `[truth][answer]`: how many pictures of `truth` are answered so.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Pictures of a label.
    pub fn of(&self, truth: usize) -> usize {
        self.counts.get(truth).map_or(0, |row| row.iter().sum())
    }

    /// Share of the pictures of `truth` that are answered with `answer`, in `[0, 1]`; 0 where there is none.
    pub fn share(&self, truth: usize, answer: usize) -> f32 {
        let count = self.counts.get(truth).and_then(|row| row.get(answer)).copied().unwrap_or(0);
        count as f32 / self.of(truth).max(1) as f32
    }
}

/// The confusion matrix of `classifier` on `images`, whose labels are the true ones.
///
/// # Errors
/// Where the classifier fails, or on a request to stop.
pub fn confusion(classifier: &Classifier, images: &ImageSet, monitor: &Monitor) -> Result<Confusion, LabError> {
    let labels = images.names.len().max(classifier.classes());
    let mut counts = vec![vec![0; labels]; labels];
    let answers = images::answered(classifier, images, monitor)?.labels;
    for (truth, answer) in images.labels.iter().zip(answers) {
        if let Some(answer) = answer {
            counts[*truth][answer] += 1;
        }
    }
    Ok(Confusion { counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_pictures_of_a_label() {
        let confusion = Confusion { counts: vec![vec![3, 1], vec![0, 0]] };
        assert_eq!((confusion.of(0), confusion.share(0, 1), confusion.share(1, 0)), (4, 0.25, 0.0));
        assert_eq!(confusion.share(7, 7), 0.0);
    }
}
