//! What is known of the models: a JSON file like the one beside other people's zoos, or a table.

use crate::disk;
use crate::one_line::one_line;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Larger files are no manifest.
const MAX_BYTES: u64 = 64 << 20;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{path} is not a manifest of models: {}", one_line(.why))]
    NotAManifest {
        /// The file.
        path: PathBuf,
        /// What was seen.
        why: String,
    },
}

/// The models of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The folder that files are named from.
    pub folder: PathBuf,
    /// In the manifest's order.
    pub models: Vec<Entry>,
}

/// One model and its truth.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Entry {
    /// File of the model.
    pub model: PathBuf,
    /// Clean images with their labels.
    pub images: PathBuf,
    /// In words; begins with "backdoored", "clean" or "repaired" where it is known.
    #[serde(default)]
    pub truth: String,
    /// Labels that pictures become.
    #[serde(default)]
    pub target_labels: Vec<usize>,
    /// A model known clean.
    #[serde(default)]
    pub reference: Option<PathBuf>,
}

impl Entry {
    /// The model's file without folder and ending.
    pub fn name(&self) -> String {
        self.model.file_stem().unwrap_or(self.model.as_os_str()).to_string_lossy().into_owned()
    }

    /// Whether it is infected; `None` where the truth is not known.
    pub fn is_infected(&self) -> Option<bool> {
        let truth = self.truth.trim().to_lowercase();
        match truth.split([' ', ',', '(']).next().unwrap_or_default() {
            "backdoored" | "infected" | "poisoned" => Some(true),
            "clean" | "repaired" | "honest" => Some(false),
            _ => None,
        }
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], a sentence.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct File {
            models: Vec<Entry>,
        }
        let failed = |source| ManifestError::Io { path: path.into(), source };
        let wrong = |why: String| ManifestError::NotAManifest { path: path.into(), why };
        let text = disk::read_text(path, MAX_BYTES).map_err(failed)?;
        let models = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            table(&text).map_err(wrong)?
        } else {
            serde_json::from_str::<File>(&text).map_err(|e| wrong(e.to_string()))?.models
        };
        if models.is_empty() {
            return Err(wrong("it names no model".into()));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, models })
    }
}

/// The models of a table with the columns `model`, `images` and, where there is one, `reference`.
fn table(text: &str) -> Result<Vec<Entry>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let heads = reader.headers().map_err(|e| e.to_string())?.clone();
    let column = |name: &str| heads.iter().position(|head| head.eq_ignore_ascii_case(name));
    let needed = |name: &str| column(name).ok_or_else(|| format!("it has no column \"{name}\""));
    let (model, images, reference) = (needed("model")?, needed("images")?, column("reference"));
    let mut models = Vec::new();
    for line in reader.records() {
        let line = line.map_err(|e| e.to_string())?;
        let cell = |at: usize| line.get(at).filter(|cell| !cell.is_empty()).map(PathBuf::from);
        let at = line.position().map_or(0, csv::Position::line);
        let named = |at_column, what: &str| cell(at_column).ok_or_else(|| format!("line {at} names no {what}"));
        models.push(Entry {
            model: named(model, "model")?,
            images: named(images, "images")?,
            truth: String::new(),
            target_labels: Vec::new(),
            reference: reference.and_then(cell),
        });
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Manifest, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path)
    }

    #[test]
    fn the_truth_is_read_from_its_first_word() {
        let text = r#"{"about": "x", "models": [
            {"model": "m/a.onnx", "images": "i", "truth": "backdoored all-to-one", "target_labels": [3], "more": 1},
            {"model": "b.onnx", "images": "i", "truth": "Clean (no backdoor documented)"},
            {"model": "c.onnx", "images": "i", "truth": "unclear: a reference model"},
            {"model": "d.onnx", "images": "i"}]}"#;
        let models = read(text).unwrap().models;
        let known: Vec<_> = models.iter().map(Entry::is_infected).collect();
        assert_eq!(known, [Some(true), Some(false), None, None]);
        assert_eq!((models[0].name(), models[0].target_labels.clone()), ("a".into(), vec![3]));
    }

    #[test]
    fn a_table_is_read_by_its_heading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.CSV");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Manifest::read(&path).map(|manifest| manifest.models)
        };
        let models = read("images, Model,reference,note\ni,a.onnx,,x\nj,b.onnx,r.onnx,\n").unwrap();
        assert_eq!((models[0].model.to_str(), models[0].reference.clone()), (Some("a.onnx"), None));
        assert_eq!((models[1].images.to_str(), models[1].reference.clone()), (Some("j"), Some("r.onnx".into())));
        for (text, part) in [
            ("model\na\n", "no column \"images\""),
            ("model,images\na\n", "line: 2"),
            ("model,images\n", "no model"),
            ("model,images\na,b\n,c\n", "line 3 names no model"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused_in_words() {
        for (text, part) in [("{", "EOF"), ("{\"models\": []}", "no model"), ("[1]", "invalid type")] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("is not a manifest of models") && error.contains(part), "{error}");
        }
        assert!(
            Manifest::read(Path::new("nowhere.json")).unwrap_err().to_string().contains("cannot read nowhere.json")
        );
    }
}
