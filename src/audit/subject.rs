//! What every phase works on, and the evidence that comes together.

use super::journal::Journal;
use super::scope::PairsExamined;
use crate::detect::{ShotEvidence, TriggerEvidence};
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
    /// Where finished pieces are kept.
    pub(super) journal: Journal,
}

/// Evidence as it comes together, by label.
pub(super) struct Evidence {
    pub(super) shots: Vec<Option<ShotEvidence>>,
    pub(super) triggers: Vec<Option<TriggerEvidence>>,
    /// Faint patterns over the whole picture.
    pub(super) blends: Vec<Option<TriggerEvidence>>,
    /// Pairs of labels that stood out.
    pub(super) pairs: Vec<TriggerEvidence>,
    pub(super) pairs_examined: PairsExamined,
}

impl Evidence {
    pub(super) fn none(classes: usize) -> Self {
        Self {
            shots: vec![None; classes],
            triggers: vec![None; classes],
            blends: vec![None; classes],
            pairs: Vec::new(),
            pairs_examined: PairsExamined::No,
        }
    }
}
