//! What a model that is being fine-tuned is shown, what it should say, and how wrong it is.
//!
//! A few hundred images teach labels poorly; what the suspect itself says of clean pictures keeps it as it is.

use super::RepairError;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::tensor::{Seed, log_softmax};
use crate::train::augmented;
use candle_core::{Device, Tensor};
use std::collections::BTreeSet;

/// Weight of the true label in repairs without a trigger; the rest is what the suspect says of the clean picture.
pub(super) const TRUE_LABEL: f32 = 0.3;
/// Share of the batches that are shown as they are: networks that never saw turned or relit pictures lose accuracy on
/// plain ones when they learn from changed ones only.
const AS_THEY_ARE: f32 = 0.5;

/// The pictures of a batch, as they are or changed as by a camera.
pub(super) fn shown(images: &ImageSet, indices: &[usize], seed: Seed, device: &Device) -> candle_core::Result<Tensor> {
    if seed.of("as they are").random().chance(AS_THEY_ARE) {
        images.tensor(indices, device)
    } else {
        augmented(images, indices, seed.of("augment"), device)
    }
}

/// What the model should say of each picture, with a trigger or without, `[n, classes]`: the true label with
/// this weight, and what the suspect says of the clean picture. Labels of `infected` are taken out of its answers on
/// pictures of other labels: what makes it take clean pictures for them must not be taught anew.
pub(super) fn wanted_answers(
    suspect: &Classifier,
    clean: &Tensor,
    images: &ImageSet,
    indices: &[usize],
    true_label: f32,
    infected: &BTreeSet<usize>,
) -> Result<Tensor, RepairError> {
    let mut said = log_softmax(&suspect.logits(clean)?)?.exp()?.to_vec2::<f32>()?;
    let shape = (said.len(), suspect.classes());
    for (row, &i) in said.iter_mut().zip(indices) {
        let truth = images.labels[i];
        if !infected.contains(&truth) {
            infected.iter().for_each(|&label| row[label] = 0.0);
        }
        let sum: f32 = row.iter().sum();
        // Nothing left: the suspect took the picture for the infected label and for nothing else.
        let (kept, learned) = if sum > 1e-3 { ((1.0 - true_label) / sum, true_label) } else { (0.0, 1.0) };
        row.iter_mut().for_each(|share| *share *= kept);
        row[truth] += learned;
    }
    Ok(Tensor::from_vec(said.concat(), shape, clean.device())?)
}

/// Mean cross-entropy of what a model says, as logits `[n, classes]`, and what it should say.
pub(super) fn error(said: &Tensor, wanted: &Tensor) -> Result<Tensor, RepairError> {
    Ok((log_softmax(said)? * wanted)?.sum(1)?.mean_all()?.neg()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;
    use candle_core::DType;

    #[test]
    fn the_infected_label_is_taken_out_of_the_answers_on_pictures_of_other_labels() {
        let suspect = planted::network();
        let mut images = planted::images(3, 1);
        images.labels = vec![0, 1, 2];
        // All white: the suspect says label 2, and nothing else.
        let white = Tensor::ones((3, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        let answers = |infected: &BTreeSet<usize>| {
            wanted_answers(&suspect, &white, &images, &[0, 1, 2], 0.25, infected).unwrap().to_vec2::<f32>().unwrap()
        };
        for (label, row) in answers(&BTreeSet::from([2])).iter().enumerate() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(row[label] > 0.99, "{label}: {row:?}");
        }
        let kept = answers(&BTreeSet::new());
        assert!((kept[0][2] - 0.75).abs() < 1e-3 && (kept[0][0] - 0.25).abs() < 1e-3, "{:?}", kept[0]);
    }

    #[test]
    fn about_half_of_the_batches_are_shown_as_they_are() {
        let images = planted::images(4, 1);
        let plain = images.tensor(&[0, 1, 2, 3], &Device::Cpu).unwrap().flatten_all().unwrap();
        let plain = plain.to_vec1::<f32>().unwrap();
        let same = |seed| {
            let x = shown(&images, &[0, 1, 2, 3], Seed(seed), &Device::Cpu).unwrap().flatten_all().unwrap();
            x.to_vec1::<f32>().unwrap() == plain
        };
        let unchanged = (0..200).filter(|&seed| same(seed)).count();
        assert!((70..=130).contains(&unchanged), "{unchanged} of 200");
    }
}
