//! Reads the JSON of an earlier audit back, as far as a repair goes on from it.
//!
//! In: a file that [`super::json`] wrote. Out: an [`Earlier`], or one sentence that says why not.

use crate::audit::repairing::{RepairOrder, Target};
use crate::audit::{Order, Settings, Verdict};
use crate::detect::{AllToAll, Shape};
use crate::disk;
use crate::model::{Overwrite, Preprocessing};
use crate::one_line::one_line;
use crate::repair::Aim;
use crate::tensor::Seed;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Larger files are no audit.
const MAX_BYTES: u64 = 512 << 20;

/// Shots a label that an audit may have.
const SHOTS: std::ops::RangeInclusive<usize> = 1..=1000;

/// Why an earlier audit cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EarlierError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is something else, or of a version this program does not know.
    #[error("{path} is not an audit as \"poisdetc audit --json\" writes it: {}", one_line(.why))]
    NotAnAudit {
        /// The file.
        path: PathBuf,
        /// What was seen.
        why: String,
    },
}

/// What a repair needs of an audit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Earlier {
    /// Version of the layout.
    schema: u32,
    /// The verdict on the model.
    pub verdict: Verdict,
    /// The preprocessing that was used.
    pub preprocessing: Preprocessing,
    /// Every label, in order.
    pub labels: Vec<EarlierLabel>,
    /// Every random number came from it.
    pub seed: Seed,
    /// How it was done.
    pub settings: EarlierSettings,
    /// What was audited.
    pub model: EarlierModel,
    /// With which images.
    pub images: EarlierImages,
    /// What it was compared with.
    pub references: Vec<EarlierReference>,
}

impl Earlier {
    /// Labels that were called infected.
    pub fn infected(&self) -> Vec<Target> {
        let infected = self.labels.iter().filter(|l| l.verdict == Verdict::Infected);
        infected
            .map(|l| {
                let trigger = l.trigger.as_ref();
                Target {
                    label: l.label,
                    source: trigger.and_then(|t| t.source),
                    shape: trigger.map_or_else(Shape::default, |t| t.shape),
                    second_search: trigger.is_some_and(|t| t.second_search),
                    all_to_all: trigger.is_some_and(|t| t.all_to_all.is_some()),
                    size: trigger.and_then(|t| t.size),
                }
            })
            .collect()
    }

    /// What no audit says: the file may be anybody's.
    fn nonsense(&self) -> Option<String> {
        if let Some(why) = self.preprocessing.nonsense() {
            return Some(format!("its preprocessing makes no sense: {why}"));
        }
        let shots = self.settings.shots;
        (!SHOTS.contains(&shots)).then(|| format!("{shots} shots a label are not from 1 to 1000"))
    }

    /// The repair of everything it found in `model`, with `images`, into `destination`. The reference it was compared
    /// with is asked again where its file is still there.
    pub fn repair(&self, model: PathBuf, images: PathBuf, destination: PathBuf) -> RepairOrder {
        let reference = self.references.iter().find_map(|r| r.path.as_ref().map(PathBuf::from));
        RepairOrder {
            audited: Order {
                model,
                images,
                reference: reference.filter(|path| path.is_file()),
                settings: Settings {
                    seed: self.seed,
                    thorough: self.settings.thorough,
                    shots: self.settings.shots,
                    original_form: self.settings.original_form,
                    device: self.settings.device.clone(),
                    held_out: self.settings.held_out,
                    memory_budget: self.settings.memory_budget,
                    ..Settings::default()
                },
                ..Order::default()
            },
            preprocessing: self.preprocessing.clone(),
            sha256: self.model.sha256.clone(),
            per_label: self.images.per_label.clone(),
            images_sha256: self.images.sha256.clone(),
            infected: self.infected(),
            method: None,
            setting: None,
            aim: Aim::default(),
            destination,
            overwrite: Overwrite::Never,
        }
    }
}

/// One label of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EarlierLabel {
    /// Index of the label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// What was said of it.
    pub verdict: Verdict,
    /// The recovered trigger's numbers, where one was searched.
    pub trigger: Option<EarlierTrigger>,
}

/// The numbers of a recovered trigger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EarlierTrigger {
    /// Share of the picture it covers.
    pub size: Option<f32>,
    /// The only label whose pictures it turns; absent where it turns all.
    #[serde(default)]
    pub source: Option<usize>,
    /// What kind of trigger was found; older audits know patches only.
    #[serde(default)]
    pub shape: Shape,
    /// Whether a second search found it; older audits told only what they found first.
    #[serde(default)]
    pub second_search: bool,
    /// What it does to all labels, where it is one mark that sends each to another one.
    #[serde(default)]
    pub all_to_all: Option<AllToAll>,
}

/// How the audit was done.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EarlierSettings {
    /// Searched with every step.
    pub thorough: bool,
    /// Shots a label.
    pub shots: usize,
    /// PoisDetc's original form.
    pub original_form: bool,
    /// Where it computed.
    pub device: String,
    /// Share of the images held back.
    pub held_out: f32,
    /// Memory for one batch, in bytes.
    pub memory_budget: usize,
}

/// A model it was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EarlierReference {
    /// Its file; `None` where it was trained.
    pub path: Option<String>,
}

/// The model of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EarlierModel {
    /// The file it was.
    pub path: String,
    /// Of the whole file.
    pub sha256: String,
}

/// The images of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EarlierImages {
    /// How many.
    pub count: usize,
    /// Of each label.
    pub per_label: Vec<usize>,
    /// Of their pixels and labels; earlier versions of the program did not tell.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Reads the JSON of an audit.
///
/// # Errors
/// [`EarlierError`], a sentence.
pub fn read(path: &Path) -> Result<Earlier, EarlierError> {
    let bytes = read_bytes(path)?;
    let wrong = |why: String| EarlierError::NotAnAudit { path: path.into(), why };
    let earlier: Earlier = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    if earlier.schema != super::json::SCHEMA {
        return Err(wrong(format!(
            "its layout is version {}, this program knows {}",
            earlier.schema,
            super::json::SCHEMA
        )));
    }
    if let Some(why) = earlier.nonsense() {
        return Err(wrong(why));
    }
    Ok(earlier)
}

/// The bytes of a file that may be an audit.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, EarlierError> {
    disk::read(path, MAX_BYTES).map_err(|source| EarlierError::Io { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{example, json};

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.json");
        let audit = example::audit();
        std::fs::write(&path, json::text(&audit)).unwrap();
        let earlier = read(&path).unwrap();
        assert_eq!((earlier.verdict, earlier.seed), (audit.verdict, audit.order.settings.seed));
        assert_eq!(earlier.model.sha256, audit.model.sha256);
        assert_eq!(earlier.preprocessing, audit.preprocessing);
        assert_eq!(earlier.labels.len(), audit.labels.len());
        let order = &audit.order;
        let repair = earlier.repair(order.model.clone(), order.images.clone(), "repaired.onnx".into());
        assert_eq!(repair, RepairOrder::of(&audit, "repaired.onnx".into()));
        let mut old: serde_json::Value = serde_json::from_str(&json::text(&audit)).unwrap();
        assert!(old["images"].as_object_mut().unwrap().remove("sha256").is_some());
        std::fs::write(&path, old.to_string()).unwrap();
        assert_eq!(read(&path).unwrap().images.sha256, None, "an audit of an earlier version");
        assert_eq!(
            repair.infected,
            [Target {
                label: 1,
                source: None,
                shape: Shape::Patch,
                second_search: true,
                all_to_all: false,
                size: Some(0.05)
            }]
        );
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.json");
        assert!(read(&path).unwrap_err().to_string().contains("cannot read"));
        for text in ["", "{}", "[1, 2]", "{\"schema\": 1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("other.json is not an audit"), "{text}");
        }
        let newer = json::text(&example::audit()).replace("\"schema\": 1", "\"schema\": 7");
        std::fs::write(&path, newer).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("version 7"));
        for (field, value, said) in
            [("preprocessing/size/0", 1_u64 << 40, "size"), ("settings/shots", 1_u64 << 40, "shots")]
        {
            let mut audit: serde_json::Value = serde_json::from_str(&json::text(&example::audit())).unwrap();
            *audit.pointer_mut(&format!("/{field}")).unwrap() = serde_json::json!(value);
            std::fs::write(&path, audit.to_string()).unwrap();
            let sentence = read(&path).unwrap_err().to_string();
            assert!(sentence.contains(said), "{sentence}");
        }
    }
}
