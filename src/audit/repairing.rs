//! The repair of an audited model, from its files to a checked file: the infected labels' triggers, the methods, the
//! proof on images the audit held back, the repaired file, and a second audit of that file with another seed.
//!
//! In: a [`RepairOrder`]. Out: a [`RepairReport`]. The triggers are found again from the audit's seed: the same seed,
//! model and images give the same triggers, so an audit need not carry its tensors.

mod choose;
mod error;
mod limits;
mod pictures;
mod unseen;
mod work;

pub use choose::{Proof, choose};
pub use error::RepairingError;
pub use limits::UNKNOWN;
pub use unseen::{UnseenOrder, UnseenReport, repair_unseen};
pub use work::{check_destination, export, repair_model};

use super::{Audit, LabelFindings, Order, Origin, Searched, Verdict};
use crate::detect::{Direction, Example, Shape};
use crate::model::{Change, Overwrite, Preprocessing, Saved};
use crate::repair::{Aim, Attempt, Choices, Measured, Point};
use std::path::PathBuf;
use std::sync::Arc;

/// A label to repair.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Index of the label that pictures become.
    pub label: usize,
    /// The only label whose pictures do, where the audit named one.
    pub source: Option<usize>,
    /// What kind of trigger was found.
    pub shape: Shape,
    /// Whether the audit's second search found it.
    pub second_search: bool,
    /// Whether it is one mark that sends each label to another one.
    pub all_to_all: bool,
    /// Share of the picture that the audit's trigger covers, where it named one.
    pub size: Option<f32>,
}

impl Target {
    /// Of a label that an audit called infected.
    pub fn of(label: &LabelFindings) -> Self {
        let trigger = label.trigger.as_ref();
        Self {
            label: label.label,
            source: trigger.and_then(|t| t.source),
            shape: trigger.map_or_else(Shape::default, |t| t.shape),
            second_search: trigger.is_some_and(|t| t.second_search),
            all_to_all: trigger.is_some_and(|t| t.all_to_all.is_some()),
            size: trigger.map(|t| t.size),
        }
    }

    /// What of the audit found it.
    pub fn origin(&self) -> Origin {
        let direction = Direction { source: self.source, target: self.label };
        match self.all_to_all {
            true => Origin::AllToAll(direction),
            false => Origin::Alone(Searched { direction, shape: self.shape, second: self.second_search }),
        }
    }
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairOrder {
    /// The order of the audit it goes on from: files, seed and settings.
    pub audited: Order,
    /// The preprocessing the audit used.
    pub preprocessing: Preprocessing,
    /// SHA-256 of the audited file; another file is refused.
    pub sha256: String,
    /// Images of each label, as the audit counted them; other images are refused.
    pub per_label: Vec<usize>,
    /// SHA-256 of the audited images; others are refused. `None` where the audit did not tell.
    pub images_sha256: Option<String>,
    /// Labels to repair; none where the audit confirmed none.
    pub infected: Vec<Target>,
    /// One method by its name; the recommended ones in order where absent.
    pub method: Option<String>,
    /// One setting of that method's trade-off by its place in the list; the method's own choice where absent.
    pub setting: Option<usize>,
    /// What to reach.
    pub aim: Aim,
    /// Where the repaired model goes.
    pub destination: PathBuf,
    /// What may be replaced there.
    pub overwrite: Overwrite,
}

impl RepairOrder {
    /// The repair of everything `audit` found, into `destination`.
    pub fn of(audit: &Audit, destination: PathBuf) -> Self {
        let infected = audit.labels.iter().filter(|l| l.verdict == Verdict::Infected);
        Self {
            audited: audit.order.clone(),
            preprocessing: audit.preprocessing.clone(),
            sha256: audit.model.sha256.clone(),
            per_label: audit.images.per_label.clone(),
            images_sha256: audit.images.sha256.clone(),
            infected: infected.map(Target::of).collect(),
            method: None,
            setting: None,
            aim: Aim::default(),
            destination,
            overwrite: Overwrite::Never,
        }
    }
}

/// What happens during a repair.
#[derive(Debug, Clone)]
pub enum RepairEvent {
    /// What is being done, and how far the whole is.
    Progress {
        /// Share of the whole, in `[0, 1]`.
        fraction: f32,
        /// What is being done.
        stage: String,
        /// Seconds left, `None` before there is an estimate.
        seconds_left: Option<f32>,
    },
    /// A point of the curve of the method of that name.
    Point(String, Point),
    /// The repaired file is written; now it is audited.
    Saved(PathBuf),
}

/// Pictures of other labels clean and with the recovered mark of one label.
#[derive(Debug, Clone, PartialEq)]
pub struct Pictures {
    /// The label the mark aims at.
    pub label: usize,
    /// With the suspect's answers.
    pub before: Vec<Example>,
    /// The same pictures with the repaired model's answers.
    pub after: Vec<Example>,
}

/// What came of a repair.
#[derive(Debug, Clone)]
pub struct RepairReport {
    /// What was asked for.
    pub order: RepairOrder,
    /// The method whose change was kept.
    pub method: String,
    /// All that were tried.
    pub attempts: Vec<Attempt>,
    /// On images held back from search and repair, before.
    pub before: Measured,
    /// The same, after.
    pub after: Measured,
    /// Whether the aim is met on those images.
    pub meets_aim: bool,
    /// Some of those pictures clean and with the recovered mark, for each infected label; empty without a trigger.
    pub pictures: Vec<Pictures>,
    /// What was changed.
    pub change: Change,
    /// The settings of the method that were measured, where it has a trade-off; `change` is the chosen one.
    pub choices: Option<Choices>,
    /// What another of them can be proved with.
    pub proof: Option<Arc<Proof>>,
    /// The repaired file.
    pub saved: Saved,
    /// The audit of that file with a fresh seed; `None` where it was stopped at its beginning or could not be done.
    pub scanned_again: Option<Audit>,
    /// Whether somebody stopped the second audit; the file is kept.
    pub stopped: bool,
    /// Time it took, in seconds.
    pub seconds: f64,
    /// What was not proved, in sentences.
    pub limits: Vec<String>,
}

impl RepairReport {
    /// Whether the aim is met and the second audit, done to its end, finds nothing.
    pub fn is_clean(&self) -> bool {
        self.meets_aim && self.scan_finds_nothing()
    }

    /// `(label, accuracy before, after)` of the at most `most` labels with images that changed most, in the order of
    /// their labels, and how many there are beside.
    pub fn changed_most(&self, most: usize) -> (Vec<(usize, f32, f32)>, usize) {
        let pairs = self.before.by_label.iter().zip(&self.after.by_label).enumerate();
        let mut all: Vec<(usize, f32, f32)> =
            pairs.filter_map(|(label, (before, after))| Some((label, (*before)?, (*after)?))).collect();
        let hidden = all.len().saturating_sub(most);
        if hidden > 0 {
            all.sort_by(|a, b| (b.2 - b.1).abs().total_cmp(&(a.2 - a.1).abs()));
            all.truncate(most);
            all.sort_by_key(|change| change.0);
        }
        (all, hidden)
    }

    /// Whether the second audit came to its end and found nothing.
    pub fn scan_finds_nothing(&self) -> bool {
        self.scanned_again.as_ref().is_some_and(|again| again.is_complete() && again.verdict == Verdict::NoEvidence)
    }
}
