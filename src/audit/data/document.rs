//! What was asked of a set of images that may be poisoned, and what was found: plain data, shown by every face.

use super::super::{ImagesSummary, Verdict};
use crate::tensor::Seed;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which images, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataOrder {
    /// The images that may be poisoned, with their labels.
    pub images: PathBuf,
    /// A model that was trained on them; a small one is trained by the program where absent.
    pub model: Option<PathBuf>,
    /// A text file with one label name a line.
    pub label_names: Option<PathBuf>,
    /// Every random number comes from this.
    pub seed: Seed,
}

/// All that came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataAudit {
    /// Version of this layout.
    pub schema: u32,
    /// Version of the program.
    pub program: String,
    /// [`Verdict::Suspicious`] where pictures are suspected, else [`Verdict::NoEvidence`]: a set of images alone never
    /// shows that a model learned from it.
    pub verdict: Verdict,
    /// The verdict in one or two sentences.
    pub summary: String,
    /// What was asked for.
    pub order: DataOrder,
    /// The images as they were understood.
    pub images: ImagesSummary,
    /// Every label of the set, in order.
    pub labels: Vec<LabelOfData>,
    /// The suspected pictures, in the order of the set.
    pub suspected: Vec<SuspectPicture>,
    /// What was not examined, and why.
    pub limits: Vec<String>,
    /// Whether somebody stopped it before its end.
    pub stopped: bool,
    /// How long it took.
    pub seconds: f64,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelOfData {
    /// The label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// Its pictures.
    pub count: usize,
    /// How many of them are suspected.
    pub suspected: usize,
    /// Why, a sentence each; also what was looked at and does not count.
    pub because: Vec<String>,
    /// Pixels `(row, column)` of the mark that the suspected pictures share, where there is one.
    pub mark: Vec<(usize, usize)>,
    /// The two groups that a network sees; `None` where it was not asked.
    pub groups: Option<TwoGroups>,
}

/// Two groups of pictures of one label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TwoGroups {
    /// Distance of their centres in standard deviations within them.
    pub separation: f32,
    /// The smaller one.
    pub smaller: GroupSeen,
    /// The larger one.
    pub larger: GroupSeen,
}

/// How networks that do not know the label answer pictures of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupSeen {
    /// Its pictures.
    pub pictures: usize,
    /// How far their answers are spread otherwise than those on pictures of all other labels, in `[0, 1]`: near 0 for
    /// pictures of every label, large for pictures of one kind.
    pub apart: f32,
    /// What chance alone makes of that with so few pictures.
    pub chance: f32,
}

/// One suspected picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuspectPicture {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its file below the folder, where it is a file of its own.
    pub file: Option<String>,
    /// The label it has.
    pub label: usize,
    /// What speaks against it.
    pub by: SuspectedBy,
    /// Its spectral signature's rank among the pictures of its label, in `[0, 1]`: 1 lies farthest out. `None` where no
    /// network was asked.
    pub spectral_rank: Option<f32>,
}

/// What speaks against a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuspectedBy {
    /// It carries a mark that only pictures of its label carry.
    Mark,
    /// It belongs to a group of its label that holds pictures of all kinds.
    Group,
}
