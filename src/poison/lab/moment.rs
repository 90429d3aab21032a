//! What is true of a poisoned network and its twin at one moment of their training. In: both networks and the test pictures.
//! Out: a [`Moment`], and the few pictures whose answers are followed.

use super::asked::{Answer, asked};
use super::build::LabError;
use super::order::LabOrder;
use crate::images::{self, ImageSet};
use crate::model::Classifier;
use crate::progress::Monitor;
use serde::{Deserialize, Serialize};

/// Pictures whose answers are followed.
pub(super) const WATCHED: usize = 6;

/// What is true of one network at one moment, on pictures it does not learn from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Mean cross-entropy of the training pictures since the last moment; `None` before the first step.
    pub loss: Option<f32>,
    /// Clean accuracy (ACC): share of clean test pictures answered rightly, in `[0, 1]`.
    pub accuracy: f32,
    /// Attack success rate (ASR): share of the test pictures meant by the attack that become the target once they
    /// carry the mark, in `[0, 1]`. Of the twin: what the mark does by merely being there.
    pub success: f32,
}

/// What one network says of one picture, clean and with the mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// Of the clean picture.
    pub clean: Answer,
    /// Of the same with the mark.
    pub marked: Answer,
}

/// Both networks after some steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Steps that were done.
    pub step: usize,
    /// Steps of the whole training.
    pub steps: usize,
    /// Passes over the training pictures so far.
    pub passes: f32,
    /// The poisoned network.
    pub poisoned: Numbers,
    /// Its clean twin.
    pub twin: Numbers,
    /// What each says of the watched pictures: poisoned, twin.
    pub said: Vec<[Said; 2]>,
}

/// Pictures whose answers are followed, of labels that the attack means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// As they are.
    pub clean: ImageSet,
    /// The same with the mark; their labels are still the true ones.
    pub marked: ImageSet,
}

/// Accuracy on the clean test pictures, success on the marked ones, and what both networks say of the watched ones.
pub(super) fn measured(
    both: &[Classifier; 2],
    [clean, marked]: [&ImageSet; 2],
    watched: &Watched,
    monitor: &Monitor,
) -> Result<([Numbers; 2], Vec<[Said; 2]>), LabError> {
    let quiet = monitor.with_listener(|_| {});
    let one = |classifier: &Classifier| -> Result<(Numbers, Vec<Said>), LabError> {
        let accuracy = images::accuracy(classifier, clean, &quiet)?.0;
        let success = if marked.is_empty() { 0.0 } else { images::accuracy(classifier, marked, &quiet)?.0 };
        let said = asked(classifier, &watched.clean)?.into_iter().zip(asked(classifier, &watched.marked)?);
        let said = said.map(|(clean, marked)| Said { clean, marked }).collect();
        Ok((Numbers { loss: None, accuracy, success }, said))
    };
    let (poisoned, twin) = rayon::join(|| one(&both[0]), || one(&both[1]));
    let (poisoned, twin) = (poisoned?, twin?);
    Ok(([poisoned.0, twin.0], poisoned.1.into_iter().zip(twin.1).map(<[Said; 2]>::from).collect()))
}

impl Watched {
    /// The first pictures of as many labels as are watched, those that the attack means before others.
    pub fn of(order: &LabOrder, test: &ImageSet) -> Self {
        let labels = test.names.len();
        let meant = |label: usize| order.planted.scheme.becomes(label, labels).is_some();
        let lists = test.by_label();
        let round = |nth: usize, wanted: bool| {
            let of = lists.iter().enumerate().filter(move |(label, _)| meant(*label) == wanted);
            of.filter_map(move |(_, list)| list.get(nth).copied())
        };
        let chosen: Vec<usize> = (0..WATCHED).flat_map(|nth| round(nth, true)).take(WATCHED).collect();
        let clean = test.subset(&chosen);
        let mut marked = clean.clone();
        let bytes = clean.channels * clean.height * clean.width;
        for image in marked.pixels.chunks_exact_mut(bytes.max(1)) {
            order.planted.mark.attack().stamp(image, clean.channels, clean.height, clean.width);
        }
        Self { clean, marked }
    }
}
