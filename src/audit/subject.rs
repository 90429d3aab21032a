//! What every phase works on, and the evidence that comes together.

use super::budget::pictures_at_once;
use super::journal::Journal;
use super::scope::{EndedEarly, PairsExamined};
use super::{Opinion, Settings};
use crate::detect::neural_cleanse::Search;
use crate::detect::{MarginEvidence, ShotEvidence, TriggerEvidence};
use crate::images::Split;
use crate::model::Classifier;
use candle_core::Device;

/// What every phase after opening works on.
pub(super) struct Subject {
    pub(super) suspect: Classifier,
    pub(super) split: Split,
    pub(super) device: Device,
    /// What the suspect takes for one picture, answer and gradient.
    pub(super) bytes_a_picture: usize,
    /// Why nothing that needs pictures can be done, if so.
    pub(super) too_few_pictures: Option<String>,
    /// Where finished pieces are kept.
    pub(super) journal: Journal,
}

impl Subject {
    /// The search with no more pictures at a time than memory allows.
    pub(super) fn within_memory(&self, search: Search, settings: &Settings) -> Search {
        let batch = search.batch.min(pictures_at_once(self.bytes_a_picture, settings.memory_budget));
        Search { batch, ..search }
    }
}

/// Pictures held back below which nothing that is found can be confirmed.
const FEWEST_HELD_OUT: usize = 20;

/// Why nothing that needs pictures can be done with these, if so: with one label no reference model can be trained, and what is
/// found with a handful of pictures says nothing. `share` is what was to be held back.
pub(super) fn too_few_pictures(split: &Split, share: f32) -> Option<String> {
    let labels = split.search.by_label().into_iter().filter(|of_label| !of_label.is_empty()).count();
    let all = split.search.len() + split.held_out.len();
    if split.held_out.len() < FEWEST_HELD_OUT {
        // Some more, since every label's share is rounded.
        let wanted = (FEWEST_HELD_OUT as f32 / share).ceil() as usize + split.search.names.len();
        return Some(format!(
            "{all} pictures are too few to search for triggers and to confirm them: about {wanted} are needed, of all \
             labels, and a few hundred do better"
        ));
    }
    (labels < 2).then(|| {
        "The pictures are all of one label: to search for triggers, pictures of at least two are needed, and of all labels \
         is better"
            .into()
    })
}

/// Evidence as it comes together, by label.
pub(super) struct Evidence {
    pub(super) margins: Vec<Option<MarginEvidence>>,
    pub(super) shots: Vec<Option<ShotEvidence>>,
    pub(super) triggers: Vec<Option<TriggerEvidence>>,
    /// Searches for triggers that work on every picture.
    pub(super) ended_early: EndedEarly,
    /// Fields of shifts that bend the picture.
    pub(super) warps: Vec<Option<TriggerEvidence>>,
    /// Filters of its colours.
    pub(super) filters: Vec<Option<TriggerEvidence>>,
    /// Faint patterns over the whole picture.
    pub(super) blends: Vec<Option<TriggerEvidence>>,
    /// Pairs of labels that stood out.
    pub(super) pairs: Vec<TriggerEvidence>,
    pub(super) pairs_examined: PairsExamined,
    /// Of methods that name a label of every model.
    pub(super) opinions: Vec<Opinion>,
}

impl Evidence {
    pub(super) fn none(classes: usize) -> Self {
        Self {
            margins: vec![None; classes],
            shots: vec![None; classes],
            triggers: vec![None; classes],
            ended_early: EndedEarly::default(),
            warps: vec![None; classes],
            filters: vec![None; classes],
            blends: vec![None; classes],
            pairs: Vec::new(),
            pairs_examined: PairsExamined::No,
            opinions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::tensor::Seed;

    fn said(pictures: &[usize]) -> Option<String> {
        too_few_pictures(&sign_set(10, Seed(1)).subset(pictures).split(0.4, Seed(1)), 0.4)
    }

    #[test]
    fn a_handful_of_pictures_and_those_of_one_label_are_too_few_and_it_is_said_how_many_are_not() {
        let few: Vec<usize> = (0..120).step_by(6).collect();
        let why = said(&few).unwrap();
        assert!(why.starts_with("20 pictures are too few") && why.contains("about 62 are needed"), "{why}");
        let all = sign_set(10, Seed(1));
        let one_label: Vec<usize> = (0..all.len()).filter(|&i| all.labels[i] == all.labels[0]).collect();
        let many: Vec<usize> = one_label.iter().cycle().take(60).copied().collect();
        assert!(said(&many).unwrap().contains("all of one label"));
        let every: Vec<usize> = (0..all.len()).collect();
        assert_eq!(said(&every), None);
    }
}
