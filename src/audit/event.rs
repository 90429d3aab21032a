//! What a running audit tells whoever watches, as it happens.

use super::{ImagesSummary, LabelFindings, ModelSummary, ReferenceSummary};
use crate::detect::{ShotEvidence, TriggerEvidence};
use crate::images::Discovery;

/// The stages of an audit, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading the model and the images.
    Open,
    /// Finding the preprocessing.
    Preprocessing,
    /// How far the model's logits can be driven apart.
    Margins,
    /// Training or opening the reference models.
    References,
    /// Asking methods that name a label of every model.
    Opinions,
    /// Shots at every label.
    Shots,
    /// Searching one mark that sends each label to another.
    AllToAll,
    /// Searching warps that work on every picture.
    Warps,
    /// Searching colour filters that work on every picture.
    Filters,
    /// Searching triggers that work on every picture.
    Triggers,
    /// Searching faint patterns over the whole picture.
    Blends,
    /// Searching triggers that work on one label only.
    Pairs,
    /// Putting the evidence together.
    Verdict,
}

/// Something became known.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a few events a second; boxes would only clutter every match")]
pub enum Event {
    /// A stage began.
    Phase(Phase),
    /// How far the whole audit is, in `[0, 1]`, what it does now, and the seconds still to go as far
    /// as that can be told.
    Progress {
        /// Share of the whole audit.
        fraction: f32,
        /// What is being done.
        stage: String,
        /// Seconds left, `None` before there is an estimate.
        seconds_left: Option<f32>,
    },
    /// The model was understood.
    Model(ModelSummary),
    /// The images were understood.
    Images(ImagesSummary),
    /// The preprocessing was found.
    Discovery(Discovery),
    /// A reference model is ready.
    Reference(ReferenceSummary),
    /// Shots at a label are decided, or have moved; replaces what was known of the label.
    Shots(ShotEvidence),
    /// A trigger was recovered; replaces what was known of the label and the source it is meant for.
    Trigger(TriggerEvidence),
    /// A label's verdict, once all evidence is together.
    Label(LabelFindings),
}
