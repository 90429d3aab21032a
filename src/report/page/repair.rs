//! What a repair did, as the report tells it.

use super::blocks::{Block, Cell, Table};
use crate::audit::Verdict;
use crate::audit::repairing::RepairReport;
use crate::disk;
use crate::one_line::one_line;
use crate::repair::{Aim, Measured};
use crate::report::{repair_json, words};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Larger files are no repair.
const MAX_BYTES: u64 = 64 << 20;

/// What the report says of a repair; from the repair itself, or from the JSON it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// What came of it, in a sentence.
    pub outcome: String,
    /// The method whose change was kept.
    pub method: String,
    /// What was to be reached.
    pub aim: Aim,
    /// Whether it was.
    pub meets_aim: bool,
    /// On images held back, before.
    pub before: Measured,
    /// The same, after.
    pub after: Measured,
    /// The audit of the repaired model.
    pub again: Option<Again>,
    /// The suspect's SHA-256.
    pub suspect: String,
    /// The repaired file.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// What was not proved, in sentences.
    pub limits: Vec<String>,
}

/// The second audit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Again {
    /// Its verdict.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub summary: String,
    /// Its seed.
    pub seed: u64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Whether there were pictures enough to search for triggers.
    #[serde(default = "yes")]
    pub searched: bool,
}

/// Before this was written down, audits with too few pictures failed.
fn yes() -> bool {
    true
}

impl From<&RepairReport> for Repair {
    fn from(report: &RepairReport) -> Self {
        Self {
            outcome: words::repaired(report).into(),
            method: report.method.clone(),
            aim: report.order.aim,
            meets_aim: report.meets_aim,
            before: report.before.clone(),
            after: report.after.clone(),
            again: report.scanned_again.as_ref().map(|again| Again {
                verdict: again.verdict,
                summary: again.summary.clone(),
                seed: again.order.settings.seed.0,
                stopped: again.stopped,
                searched: again.searched(),
            }),
            suspect: report.order.sha256.clone(),
            file: report.saved.path.display().to_string(),
            sha256: report.saved.sha256.clone(),
            limits: report.limits.clone(),
        }
    }
}

/// The JSON of a repair, as far as the report needs it.
#[derive(Deserialize)]
struct Written {
    schema: u32,
    method: String,
    meets_aim: bool,
    aim: Aim,
    before: Measured,
    after: Measured,
    rescan: Option<Again>,
    suspect: WrittenFile,
    repaired: WrittenFile,
    limits: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenFile {
    path: String,
    sha256: String,
}

/// Why the JSON of a repair cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairFileError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is something else, or of a version this program does not know.
    #[error("{path} is not a repair as \"poisdetc repair --json\" writes it: {}", one_line(.why))]
    NotARepair {
        /// The file.
        path: PathBuf,
        /// What was seen.
        why: String,
    },
    /// It is about another model.
    #[error("{path} is the repair of another model: its suspect has the SHA-256 {}, that of the audit {}", one_line(.theirs), one_line(.ours))]
    Other {
        /// The file.
        path: PathBuf,
        /// What it was made of.
        theirs: String,
        /// What was audited.
        ours: String,
    },
}

impl Repair {
    /// Reads the JSON of a repair of the model with this SHA-256.
    ///
    /// # Errors
    /// [`RepairFileError`], a sentence.
    pub fn read(path: &Path, suspect: &str) -> Result<Self, RepairFileError> {
        let wrong = |why: String| RepairFileError::NotARepair { path: path.into(), why };
        let text = disk::read(path, MAX_BYTES).map_err(|source| RepairFileError::Io { path: path.into(), source })?;
        let written: Written = serde_json::from_slice(&text).map_err(|why| wrong(why.to_string()))?;
        if written.schema != repair_json::SCHEMA {
            let known = repair_json::SCHEMA;
            return Err(wrong(format!("its layout is version {}, this program knows {known}", written.schema)));
        }
        if written.suspect.sha256 != suspect {
            let (theirs, ours) = (words::harmless(&written.suspect.sha256), suspect.to_owned());
            return Err(RepairFileError::Other { path: path.into(), theirs, ours });
        }
        let again = written.rescan.as_ref().filter(|again| !again.stopped && again.searched);
        let finds_nothing = again.map(|again| again.verdict == Verdict::NoEvidence);
        Ok(Self {
            outcome: words::outcome(written.meets_aim, finds_nothing).into(),
            method: written.method,
            aim: written.aim,
            meets_aim: written.meets_aim,
            before: written.before,
            after: written.after,
            again: written.rescan,
            suspect: written.suspect.sha256,
            file: written.repaired.path,
            sha256: written.repaired.sha256,
            limits: written.limits,
        })
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        let asr = |m: &Measured| m.worst_asr().map_or_else(|| "–".to_owned(), words::percent);
        let row = |what: &str, before: String, after: String| vec![what.into(), Cell::from(before), Cell::from(after)];
        let mut rows = vec![
            row("Clean accuracy", words::percent(self.before.accuracy), words::percent(self.after.accuracy)),
            row("Recovered trigger works on", asr(&self.before), asr(&self.after)),
        ];
        if let (Some(before), Some(after)) = (words::works_best(&self.before), words::works_best(&self.after)) {
            rows.push(row(words::WORKS_BEST, before, after));
        }
        let met = if self.meets_aim { "met" } else { "not met" };
        let asked = format!(
            "At most {} of clean accuracy lost, the recovered trigger works on at most {}: {met}",
            words::percent(self.aim.accuracy_loss),
            words::percent(self.aim.asr)
        );
        let mut blocks = vec![
            Block::Together(230.0),
            Block::Heading("Repair".into()),
            Block::Text(format!("{}.", self.outcome.trim_end_matches('.'))),
            Block::Table(Table {
                caption: "Measured on images held back from search and repair".into(),
                head: vec![("", false), ("Before", true), ("After", true)],
                rows,
            }),
            Block::Facts(
                [
                    ("Method", self.method.clone()),
                    ("Aim", asked),
                    ("Images it was measured on", words::count(self.after.images)),
                    ("Repaired file", self.file.clone()),
                    ("SHA-256 of it", self.sha256.clone()),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            ),
            Block::Subheading("Second audit, of the repaired model".into()),
        ];
        match &self.again {
            Some(again) => {
                let stopped = if again.stopped { ", stopped before its end" } else { "" };
                let text = format!("{} (seed {}{stopped})", again.summary.trim_end_matches('.'), again.seed);
                blocks.push(Block::Banner(again.verdict, words::verdict(again.verdict).into(), text));
            }
            None => blocks.push(Block::Text("The repaired model was not examined again.".into())),
        }
        blocks.push(Block::Subheading("What the repair does not prove".into()));
        blocks.push(Block::List(self.limits.iter().map(|l| format!("{}.", l.trim_end_matches('.'))).collect()));
        blocks
    }
}
