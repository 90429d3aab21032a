//! The document itself: plain data, saved and reopened, shown by every face of the program.

use crate::detect::{Gathered, MarginEvidence, ShotEvidence, TriggerEvidence};
use crate::images::Discovery;
use crate::model::{Format, InputSpec, Preprocessing};
use crate::tensor::Seed;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// The suspect model's file.
    pub model: PathBuf,
    /// The clean images.
    pub images: PathBuf,
    /// A model known clean; trained by the program on the clean images where absent.
    pub reference: Option<PathBuf>,
    /// A text file with one label name a line.
    pub label_names: Option<PathBuf>,
    /// Overrules what discovery finds.
    pub preprocessing: Option<Preprocessing>,
    /// How it is done.
    pub settings: Settings,
}

/// How an audit is done; good defaults, all shown and saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Every random number comes from this.
    pub seed: Seed,
    /// Trigger search for every label and the full number of steps, instead of the labels that stand out.
    pub thorough: bool,
    /// Shots a label (PoisDetc: 10).
    pub shots: usize,
    /// PoisDetc's original form with its colour-space slip, instead of the corrected one.
    pub original_form: bool,
    /// "cpu".
    pub device: String,
    /// Share of the clean images held back from every search, in `(0, 1)`.
    pub held_out: f32,
    /// At most this much memory for one batch, in bytes.
    pub memory_budget: usize,
    /// Goes on where labels of the model have no clean image, instead of refusing.
    pub allow_missing_labels: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: Seed::default(),
            thorough: false,
            shots: 10,
            original_form: false,
            device: "cpu".into(),
            held_out: 0.4,
            memory_budget: 1 << 30,
            allow_missing_labels: false,
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            images: PathBuf::new(),
            reference: None,
            label_names: None,
            preprocessing: None,
            settings: Settings::default(),
        }
    }
}

/// How strong the case against a model or a label is. Never "clean".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was found; that is not a proof that there is nothing.
    NoEvidence,
    /// Something is beyond what honest models show, but no trigger confirms it.
    Suspicious,
    /// A recovered trigger confirms it on images held back from the search.
    Infected,
}

/// The suspect or reference model as it was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// The file.
    pub path: PathBuf,
    /// Kind of file.
    pub format: Format,
    /// Of the whole file.
    pub sha256: String,
    /// What goes in.
    pub input: InputSpec,
    /// Number of labels.
    pub classes: usize,
    /// Trained numbers in all.
    pub parameters: usize,
    /// Operators and how often each occurs.
    pub operators: Vec<(String, usize)>,
    /// What the reader noticed.
    pub notes: Vec<String>,
}

/// The clean images as they were understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImagesSummary {
    /// Where they came from.
    pub path: PathBuf,
    /// How many could be used.
    pub count: usize,
    /// Name of each label.
    pub names: Vec<String>,
    /// Images of each label.
    pub per_label: Vec<usize>,
    /// `file: why` of each that could not be read.
    pub skipped: Vec<String>,
    /// How many were held back from every search.
    pub held_out: usize,
    /// Of their pixels and labels as they were searched and held back; `None` before they are split.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// A model known clean that the suspect was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceSummary {
    /// "trained here, 96.0 % on held-back images" or the file's name.
    pub description: String,
    /// The file, if the user gave one.
    pub path: Option<PathBuf>,
    /// Accuracy on images it was not trained on, in `[0, 1]`.
    pub accuracy: f32,
}

/// One reason for a verdict, in plain words with the number behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it says of the label.
    pub verdict: Verdict,
    /// One sentence.
    pub because: String,
}

/// All that was found about one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelFindings {
    /// Index of the label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// The combined verdict.
    pub verdict: Verdict,
    /// The reasons, strongest first.
    pub findings: Vec<Finding>,
    /// How far its logit can be driven above the others; `None` where the work was stopped before, or it is no number.
    pub margin: Option<MarginEvidence>,
    /// PoisDetc's shots; `None` where the work was stopped before.
    pub shots: Option<ShotEvidence>,
    /// The recovered trigger; `None` where none was searched for.
    pub trigger: Option<TriggerEvidence>,
}

/// A published method that names a label without being asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// [`crate::detect::bti_dbf`].
    BtiDbf,
    /// [`crate::detect::ban`].
    Ban,
}

impl Method {
    /// As its authors call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BtiDbf => "BTI-DBF",
            Self::Ban => "BAN",
        }
    }
}

/// What such a method says. It accuses nobody: it names a label of every model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// Whose it is.
    pub method: Method,
    /// Where most answers go.
    pub gathered: Gathered,
    /// The largest such share on each model known clean, whatever the label, in `[0, 1]`.
    pub honest: Vec<f32>,
}

impl Opinion {
    /// The largest share that was seen on a model known clean; `None` without one.
    pub fn most_honest(&self) -> Option<f32> {
        self.honest.iter().copied().reduce(f32::max)
    }
}

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Version of this layout; now 1.
    pub schema: u32,
    /// Version of the program.
    pub program: String,
    /// What was asked for.
    pub order: Order,
    /// The suspect.
    pub model: ModelSummary,
    /// The clean images.
    pub images: ImagesSummary,
    /// Which preprocessing was found, and the others that were tried.
    pub discovery: Discovery,
    /// The preprocessing that was used (the user may have overruled the discovered one).
    pub preprocessing: Preprocessing,
    /// Share of clean images the suspect answers rightly, in `[0, 1]`.
    pub clean_accuracy: f32,
    /// Models known clean that it was compared with.
    pub references: Vec<ReferenceSummary>,
    /// The verdict on the model.
    pub verdict: Verdict,
    /// One or two sentences that say it in plain words.
    pub summary: String,
    /// Every label, in order.
    pub labels: Vec<LabelFindings>,
    /// Of a thorough audit, what methods say that name a label of every model.
    #[serde(default)]
    pub opinions: Vec<Opinion>,
    /// What was not examined and why, in sentences.
    pub limits: Vec<String>,
    /// Whether somebody stopped the work before its end.
    pub stopped: bool,
    /// Time it took, in seconds.
    pub seconds: f64,
    /// When it ended, in seconds since 1970 (UTC); `None` in audits of earlier versions.
    #[serde(default)]
    pub finished_at: Option<u64>,
}

impl Audit {
    /// Whether any label was shot at or searched for a trigger: otherwise the pictures were too few.
    pub fn searched(&self) -> bool {
        self.labels.iter().any(|label| label.shots.is_some() || label.trigger.is_some())
    }

    /// Whether it came to its end with pictures enough to find something: only then has it found nothing where it says so.
    pub fn is_complete(&self) -> bool {
        !self.stopped && self.searched()
    }
}
