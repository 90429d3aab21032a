//! Plain data out of every detector; screen, report, JSON and tests read the same structs.

use super::Shape;
use serde::{Deserialize, Serialize};

/// A small picture or plane with values in `[0, 1]`, `[channels, height, width]`, 1 or 3 channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// 1 or 3.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channel after channel, row after row.
    pub values: Vec<f32>,
}

/// What PoisDetc saw for one label: one number a shot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShotEvidence {
    /// The label the shots aimed at.
    pub label: usize,
    /// Final cross-entropy of the suspect model against the label, the published loss vector.
    pub losses: Vec<f32>,
    /// Final cross-entropy of the reference model at the same points.
    pub reference_losses: Vec<f32>,
    /// Optimiser steps each shot took before it was decided.
    pub steps: Vec<usize>,
    /// Share of shots with loss at most 0.2.
    pub prob: f32,
    /// The published rule: `prob >= 0.5`.
    pub flagged_by_original_rule: bool,
    /// The same losses between models known clean, all pairs and shots together: what is normal
    /// for this label. Empty where there was no pair of references.
    pub clean_losses: Vec<f32>,
    /// Share of `clean_losses` at most 0.2.
    pub clean_prob: f32,
    /// Probability that two honest models show shots as low as these (rank test), in `[0, 1]`.
    pub p_value: Option<f32>,
    /// Final points of the shots.
    pub points: Vec<Picture>,
}

/// How far one label's logit can be driven above all others (MM-BD).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MarginEvidence {
    /// The label driven at.
    pub label: usize,
    /// The largest margin over every other label, in units of the model's logits.
    pub margin: f32,
    /// How many times the median margin of all labels that is.
    pub times_usual: f32,
    /// How far its logarithm is above the median of all labels, in moderated deviations ([`super::outliers`]); `None` where
    /// there are too few labels.
    pub index: Option<f32>,
    /// Probability that any label of an honest model lies as far above, in `[0, 1]`; `None` as above.
    pub p_value: Option<f32>,
}

/// The trigger recovered for one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerEvidence {
    /// The label pictures should become.
    pub label: usize,
    /// The true label of these pictures; `None` where it is every other label.
    #[serde(default)]
    pub source: Option<usize>,
    /// What kind of trigger was searched.
    #[serde(default)]
    pub shape: Shape,
    /// Where the trigger covers the picture, one channel: 1 covers wholly.
    pub mask: Picture,
    /// What it covers it with.
    pub pattern: Picture,
    /// Attack success rate on the images of the search, in `[0, 1]`.
    pub asr_search: f32,
    /// Attack success rate on images held back from the search: those of the source, or of every label but the target.
    pub asr: f32,
    /// How many held-back images that is.
    pub asr_images: usize,
    /// Sum of the mask, in pixels; of a blend, of its squares.
    pub l1: f32,
    /// Share of the picture that is covered, in `[0, 1]`; of a blend, how strong the pattern is (the root of the
    /// mask's mean square).
    pub size: f32,
    /// Whether the search found a mask that works; otherwise this is the nearest it came.
    pub reached: bool,
    /// Whether a second search with other random numbers found it, since the first left doubts.
    #[serde(default)]
    pub second_search: bool,
    /// How far the logarithm of the size is below the median of all searched labels, in moderated deviations
    /// ([`super::outliers`]); of one source, how far below what source and target make expected. `None` where too few were
    /// searched for it to mean anything.
    pub anomaly_index: Option<f32>,
    /// Probability that any label of an honest model lies as far below, over all that were searched, in `[0, 1]`; `None` as above, and
    /// of one source.
    #[serde(default)]
    pub p_value: Option<f32>,
    /// Median size over all searched labels of this model, of one source over ordinary pairs; `None` as above.
    pub usual_size: Option<f32>,
    /// Of one source: the size that the way back needs, from target to source. Labels that look alike are
    /// near in both directions (the symmetric check of K-Arm).
    #[serde(default)]
    pub reverse_size: Option<f32>,
    /// Of one source: how often this trigger turns held-back pictures of every other label, in `[0, 1]`.
    #[serde(default)]
    pub elsewhere: Option<f32>,
    /// Of a mark that sends most labels each to another one: how many. What honest models need is then the size of a mark that
    /// changes their answers, and how often this one changes them there.
    #[serde(default)]
    pub all_to_all: Option<AllToAll>,
    /// Mask size for the same label on each reference model known clean.
    pub reference_sizes: Vec<f32>,
    /// How often this trigger turns held-back pictures on each of those models, in `[0, 1]`: a planted one
    /// means nothing to them, one that draws what the label looks like works on them too.
    pub reference_asr: Vec<f32>,
    /// A few held-back pictures with and without the trigger.
    pub examples: Vec<Example>,
}

/// What one mark does to all labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AllToAll {
    /// Share of the labels that it sends each to another one, in `[0, 1]` ([`super::all_to_all::scattered`]).
    pub share: f32,
    /// Labels with held-back pictures.
    pub labels: usize,
    /// Held-back pictures of all of them.
    pub pictures: usize,
}

/// One held-back picture before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The clean picture.
    pub before: Picture,
    /// The same with the trigger.
    pub after: Picture,
    /// True label.
    pub truth: usize,
    /// The model's answer before, and how sure it is, in `[0, 1]`.
    pub answer_before: (usize, f32),
    /// The model's answer after, and how sure it is, in `[0, 1]`.
    pub answer_after: (usize, f32),
}
