//! Where the answers of a disturbed model go, or those to disturbed pictures: what methods that ask for no label tell.

use super::DetectError;
use crate::images::ImageSet;
use crate::tensor::answers;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The label that most answers go to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gathered {
    /// Its index.
    pub label: usize,
    /// Share of the pictures of other labels that become it, in `[0, 1]`.
    pub share: f32,
    /// How many pictures that is of.
    pub pictures: usize,
}

/// Asks for the logits `[n, classes]` of all images in pieces of `batch`; `logits` gets their places in the set.
pub(super) fn gathered(
    images: &ImageSet,
    classes: usize,
    batch: usize,
    mut logits: impl FnMut(&[usize]) -> Result<Tensor, DetectError>,
) -> Result<Gathered, DetectError> {
    let (mut became, mut of_label) = (vec![0_usize; classes], vec![0_usize; classes]);
    let all: Vec<usize> = (0..images.len()).collect();
    for chosen in all.chunks(batch.max(1)) {
        for (answer, &i) in answers(&logits(chosen)?)?.into_iter().zip(chosen) {
            let truth = images.labels[i];
            of_label[truth] += 1;
            became[answer] += usize::from(answer != truth);
        }
    }
    let others = |label: usize| images.len() - of_label[label];
    let share = |label: usize| became[label] as f32 / others(label).max(1) as f32;
    let label = (0..classes).max_by(|&a, &b| share(a).total_cmp(&share(b))).unwrap_or(0);
    Ok(Gathered { label, share: share(label), pictures: others(label) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::tensor::Seed;
    use candle_core::Device;

    #[test]
    fn right_answers_do_not_count_and_the_label_s_own_pictures_neither() {
        let all = sign_set(3, Seed(1));
        let images = all.subset(&(0..all.len()).step_by(5).collect::<Vec<_>>());
        let classes = images.names.len();
        // Everything becomes label 1, which is right for its own.
        let of_label = images.labels.iter().filter(|&&label| label == 1).count();
        let ask = |chosen: &[usize]| {
            let row: Vec<f32> = (0..classes).map(|label| f32::from(u8::from(label == 1))).collect();
            Ok(Tensor::from_vec(row.repeat(chosen.len()), (chosen.len(), classes), &Device::Cpu)?)
        };
        let found = gathered(&images, classes, 4, ask).unwrap();
        assert_eq!(found, Gathered { label: 1, share: 1.0, pictures: images.len() - of_label });
        assert!(of_label > 0);
    }
}
