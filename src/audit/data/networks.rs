//! The networks that look at a suspected set: one that learned all of it, and some that never saw some of its labels.
//!
//! The first has learned a mark where there is one; its features tell marked pictures from others. The second kind cannot
//! have learned a mark of a label it never saw, and takes marked pictures for what they show.

use super::super::workers::{cores, each};
use super::super::{AuditError, opening};
use crate::detect::DetectError;
use crate::images::{self, ImageSet};
use crate::model::{self, Classifier, feature_rows, until_last_layer};
use crate::progress::Monitor;
use crate::tensor::{self, Seed};
use crate::train::{self, Architecture, Recipe, TrainError};
use candle_core::{Device, Tensor};
use std::path::Path;

/// More images than this make a network slower to train and no better at telling marks.
const ENOUGH_IMAGES: usize = 6000;
/// Longer side of the pictures these networks see; larger ones are made smaller.
const LONGEST: usize = 64;
/// Share of the passes of a reference model that suffices: for the network that learns all, and for the others.
const PASSES: [f32; 2] = [0.5, 0.4];
const FEWEST_PASSES: usize = 4;
/// Parts that the labels are cut in; each network does not see one of them. With fewer labels each is left out alone.
const PARTS: usize = 3;
const FEW_LABELS: usize = 6;
/// Pictures asked at once.
const BATCH: usize = 32;

/// What the networks made of every picture, in the order of the set.
pub(super) struct Seen {
    /// Last features of the network that learned all labels, `[n][d]`.
    pub(super) features: Vec<Vec<f32>>,
    /// For each label the answers, `[n]`, of a network that never saw it.
    pub(super) strangers: Vec<Vec<usize>>,
}

/// Trains the networks, side by side, and asks them. `known` opens the first where somebody has a model of the set.
pub(super) fn look(set: &ImageSet, known: Option<&Path>, seed: Seed, monitor: &Monitor) -> Result<Seen, AuditError> {
    let small = sized(set);
    let labels = set.names.len();
    let parts = if labels < FEW_LABELS { labels } else { PARTS };
    let mut order: Vec<usize> = (0..labels).collect();
    seed.of("parts").random().shuffle(&mut order);
    let left_out: Vec<Vec<usize>> =
        (0..parts).map(|part| order.iter().copied().skip(part).step_by(parts).collect()).collect();

    let monitors = monitor.side_by_side(1 + parts);
    let tasks: Vec<(usize, Monitor)> = monitors.into_iter().enumerate().collect();
    let (mut done, failure) = each(tasks, cores(), |(i, monitor)| match (i, known) {
        (0, Some(path)) => features(&opened(path, set, &monitor)?, set, &monitor).map(Answer::Features),
        (0, None) => {
            let network = trained(&small, &[], Architecture::Small, PASSES[0], seed.of("all labels"), &monitor)?;
            features(&network, &small, &monitor).map(Answer::Features)
        }
        (part, _) => {
            let seed = seed.of("left out").nth(part);
            let network = trained(&small, &left_out[part - 1], Architecture::Tiny, PASSES[1], seed, &monitor)?;
            answers(&network, &small, &monitor).map(Answer::Labels)
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let mut seen = Seen { features: Vec::new(), strangers: vec![Vec::new(); labels] };
    for (i, answer) in done.iter_mut().enumerate() {
        match answer.take() {
            Some(Answer::Features(rows)) => seen.features = rows,
            Some(Answer::Labels(answers)) => {
                left_out[i - 1].iter().for_each(|&label| seen.strangers[label].clone_from(&answers));
            }
            None => {}
        }
    }
    Ok(seen)
}

/// What one network said.
enum Answer {
    Features(Vec<Vec<f32>>),
    Labels(Vec<usize>),
}

/// The pictures as these networks see them.
fn sized(set: &ImageSet) -> ImageSet {
    let longer = set.height.max(set.width);
    if longer <= LONGEST {
        return set.clone();
    }
    let scaled = |side: usize| (side * LONGEST / longer).max(8);
    set.resized([scaled(set.height), scaled(set.width)])
}

/// A network trained on the pictures of all labels but `left_out`.
fn trained(
    set: &ImageSet,
    left_out: &[usize],
    architecture: Architecture,
    passes: f32,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Classifier, AuditError> {
    let kept: Vec<usize> = (0..set.len()).filter(|&i| !left_out.contains(&set.labels[i])).collect();
    // Evenly from all pictures, not from all labels: a label's share of marked pictures has to stay what it is.
    let every = kept.len().div_ceil(ENOUGH_IMAGES).max(1);
    let images = set.subset(&kept.into_iter().step_by(every).collect::<Vec<_>>());
    let usual = Recipe::reference(&images, seed);
    let recipe = Recipe {
        architecture,
        epochs: ((usual.epochs as f32 * passes).round() as usize).max(FEWEST_PASSES),
        // Turning and relighting would take away faint marks.
        augment: false,
        held_out: 0.0,
        ..usual
    };
    let trained = train::train(&images, &recipe, &Device::Cpu, &monitor.part(0.0, 0.9)).map_err(|why| match why {
        TrainError::Stopped(stopped) => AuditError::Stopped(stopped),
        other => AuditError::Setting(format!("no network could be trained on these images: {other}")),
    })?;
    Ok(trained.classifier)
}

/// A model that somebody trained on the set, asked about pictures as the set has them.
fn opened(path: &Path, set: &ImageSet, monitor: &Monitor) -> Result<Classifier, AuditError> {
    let model = model::open(path)?;
    let images = set.with_channels(model.input.channels);
    let found = images::discover(&model, &images, &Device::Cpu, &monitor.part(0.0, 0.5))?;
    Ok(Classifier::new(&model, opening::best(&found)?, &Device::Cpu)?)
}

/// Features of every picture in front of the last layer of `network`.
fn features(network: &Classifier, set: &ImageSet, monitor: &Monitor) -> Result<Vec<Vec<f32>>, AuditError> {
    let Some(inside) = until_last_layer(network) else {
        return Err(AuditError::Setting(
            "this model has no last dense layer to look in front of; leave it out, and a network is trained here"
                .into(),
        ));
    };
    ask(&inside, set, monitor, |x| Ok(feature_rows(&inside, x)?))
}

/// The label that `network` answers for every picture.
fn answers(network: &Classifier, set: &ImageSet, monitor: &Monitor) -> Result<Vec<usize>, AuditError> {
    ask(network, set, monitor, |x| Ok(tensor::answers(&network.logits(x)?)?))
}

/// What `said` makes of every picture as `network` takes it, `[n]`.
fn ask<T>(
    network: &Classifier,
    set: &ImageSet,
    monitor: &Monitor,
    said: impl Fn(&Tensor) -> Result<Vec<T>, DetectError>,
) -> Result<Vec<T>, AuditError> {
    let wanted = network.preprocessing();
    let set = set.with_channels(wanted.channels).resized(wanted.size);
    let indices: Vec<usize> = (0..set.len()).collect();
    let mut rows = Vec::with_capacity(set.len());
    for batch in indices.chunks(BATCH) {
        monitor.check()?;
        rows.extend(said(&set.tensor(batch, &Device::Cpu)?)?);
        monitor.step("Asking a network", 0.9 + 0.1 * rows.len() as f32 / set.len() as f32);
    }
    Ok(rows)
}

/// For the pictures in `list`, how the answers are spread over the labels, `[labels]`, adding up to 1.
pub(super) fn spread(answers: &[usize], list: impl Iterator<Item = usize>, labels: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; labels];
    list.for_each(|i| counts[answers[i].min(labels - 1)] += 1);
    let all = counts.iter().sum::<usize>().max(1) as f32;
    counts.into_iter().map(|n| n as f32 / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_over_the_chosen_pictures() {
        assert_eq!(spread(&[0, 2, 2, 1], [0, 1, 2].into_iter(), 3), [1.0 / 3.0, 0.0, 2.0 / 3.0]);
        assert_eq!(spread(&[0, 2], std::iter::empty(), 3), [0.0; 3]);
    }
}
