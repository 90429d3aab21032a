//! Audits the models of a manifest and keeps what is done: the runner under the scoreboard and under batches.

use super::{Entry, Manifest, ManifestError, Row, Scoreboard, Shard};
use crate::audit::{self, AuditError, Event, Order};
use crate::images::ImageError;
use crate::model::{hexadecimal, read_file};
use crate::progress::{Monitor, Stopped};
use crate::report::{ReportError, json, write_whole};
use crate::tensor::Seed;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How all models are audited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Every random number comes from this.
    pub seed: Seed,
    /// As a thorough audit.
    pub thorough: bool,
    /// Only models whose name contains one of these; all where empty.
    pub only: Vec<String>,
    /// Only this part of the models.
    pub shard: Shard,
    /// So many at once; 0 counts as 1. Every audit uses all cores as it is: more fill the gaps, and take more memory.
    pub jobs: usize,
}

/// A model that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What its files in the folder begin with.
    pub name: String,
    /// The model's file, as the manifest names it.
    pub model: PathBuf,
    /// What came out.
    pub row: Row,
}

/// Why the models could not be judged. What was done until then is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZooError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A result could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The folder for the results cannot be made.
    #[error("cannot make the folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No model is left to audit.
    #[error("{0}")]
    Nothing(String),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Audits all models of the manifest at `path` into `folder`: `NAME.json` is the audit and `NAME.row.json` its row;
/// `scoreboard.md` and `scoreboard.csv` are written anew after each. A row of the same file, seed and settings that
/// is there already is taken as it is, so that the same command goes on where another was stopped.
///
/// # Errors
/// [`ZooError`], a sentence.
pub fn run(path: &Path, folder: &Path, settings: &Settings, monitor: &Monitor) -> Result<Scoreboard, ZooError> {
    let scoreboard = |done: &[Done]| Scoreboard { rows: done.iter().map(|done| done.row.clone()).collect() };
    let done = each_model(path, folder, settings, monitor, &|done| {
        let board = scoreboard(done);
        write_whole(&folder.join("scoreboard.md"), board.markdown().as_bytes())?;
        write_whole(&folder.join("scoreboard.csv"), board.csv().as_bytes())
    })?;
    Ok(scoreboard(&done))
}

/// Audits the wanted models of the manifest at `path`, keeps audit and row of each in `folder`, and gives `keep` those done
/// so far, in the manifest's order, after each.
///
/// # Errors
/// [`ZooError`], a sentence. A model that cannot be audited, or whose audit panics, is a row with its reason.
pub(super) fn each_model(
    path: &Path,
    folder: &Path,
    settings: &Settings,
    monitor: &Monitor,
    keep: &(dyn Fn(&[Done]) -> Result<(), ReportError> + Sync),
) -> Result<Vec<Done>, ZooError> {
    let manifest = Manifest::read(path)?;
    let wanted = |name: &str| settings.only.is_empty() || settings.only.iter().any(|part| name.contains(part.as_str()));
    let models: Vec<&Entry> = manifest.models.iter().filter(|entry| wanted(&entry.name())).collect();
    if models.is_empty() {
        return Err(ZooError::Nothing(format!(
            "none of the {} models of {} has {} in its name",
            manifest.models.len(),
            path.display(),
            settings.only.join(" or ")
        )));
    }
    std::fs::create_dir_all(folder).map_err(|source| ZooError::Folder { path: folder.into(), source })?;
    // Names are given before the models are shared out, so that they are the same in every part.
    let names = distinct(&models);
    let work: Vec<(&Entry, &String)> =
        models.into_iter().zip(&names).enumerate().filter(|(i, _)| settings.shard.has(*i)).map(|(_, m)| m).collect();
    let (next, finished) = (AtomicUsize::new(0), Mutex::new(vec![None; work.len()]));
    let worker = || -> Result<(), ZooError> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some((entry, name)) = work.get(i) else { return Ok(()) };
            let part = monitor.part(i as f32 / work.len() as f32, (i + 1) as f32 / work.len() as f32);
            part.check()?;
            part.step(format!("{name}, {} of {}", i + 1, work.len()), 0.0);
            let row = row(&manifest.folder, entry, (folder, name), settings, &part)?;
            // One at a time writes what there is; a panic while writing would have ended this worker only.
            let mut finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished[i] = Some(Done { name: (*name).clone(), model: entry.model.clone(), row });
            let so_far: Vec<Done> = finished.iter().flatten().cloned().collect();
            keep(&so_far)?;
        }
    };
    let jobs = settings.jobs.clamp(1, work.len().max(1));
    let ends: Vec<Result<(), ZooError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..jobs).map(|_| scope.spawn(worker)).collect();
        let mut ends = vec![worker()];
        ends.extend(others.into_iter().map(|other| {
            other.join().unwrap_or_else(|_| Err(ZooError::Nothing("the program made a mistake while writing".into())))
        }));
        ends
    });
    ends.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(finished.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect())
}

/// Names of the models' files; where several are alike, they are numbered.
fn distinct(models: &[&Entry]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut name = |entry: &&Entry| {
        let name = entry.name();
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name}-{times}") }
    };
    models.iter().map(&mut name).collect()
}

/// The row of one model: as it was found in the folder, or from a new audit.
fn row(
    from: &Path,
    entry: &Entry,
    (folder, name): (&Path, &str),
    settings: &Settings,
    monitor: &Monitor,
) -> Result<Row, ZooError> {
    let file = folder.join(format!("{name}.row.json"));
    let order = Order {
        model: from.join(&entry.model),
        images: from.join(&entry.images),
        reference: entry.reference.as_ref().map(|reference| from.join(reference)),
        settings: audit::Settings {
            seed: settings.seed,
            thorough: settings.thorough,
            allow_missing_labels: true,
            ..audit::Settings::default()
        },
        ..Order::default()
    };
    let mark = mark(&order, settings);
    if let Some(known) = known(&file, &mark) {
        return Ok(Row {
            truth: entry.truth.clone(),
            infected: entry.is_infected(),
            targets: entry.target_labels.clone(),
            ..known
        });
    }
    let events = |event: Event| {
        if let Event::Progress { fraction, stage, .. } = event {
            monitor.step(format!("{name}: {stage}"), fraction);
        }
    };
    // Hundreds of models must not be lost for one that brings a mistake of ours to light.
    let ended = catch_unwind(AssertUnwindSafe(|| audit::run(&order, monitor, &events)));
    let Ok(ended) = ended else {
        return Ok(Row::failed(entry, "the program made a mistake on this model; please report it".into()));
    };
    let row = match ended {
        Ok(audit) if audit.stopped => return Err(Stopped.into()),
        Err(AuditError::Stopped(_) | AuditError::Images(ImageError::Stopped(_))) => return Err(Stopped.into()),
        Ok(audit) => {
            write_whole(&folder.join(format!("{name}.json")), json::text(&audit).as_bytes())?;
            Row::of(entry, &audit)
        }
        // Not kept: the next run tries again.
        Err(why) => return Ok(Row::failed(entry, why.to_string())),
    };
    let kept = serde_json::json!({ "of": mark, "row": row });
    write_whole(&file, format!("{kept:#}\n").as_bytes())?;
    Ok(row)
}

/// What a row depends on: the program, the settings, and the model's bytes.
fn mark(order: &Order, settings: &Settings) -> String {
    let sha = read_file(&order.model).map(|bytes| hexadecimal(&Sha256::digest(bytes))).unwrap_or_default();
    format!("{} seed {} thorough {} {sha}", env!("CARGO_PKG_VERSION"), settings.seed, settings.thorough)
}

/// The row in `file`, where it is of the same model and settings. Half a file or another's is no row.
fn known(file: &Path, mark: &str) -> Option<Row> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut kept: serde_json::Value = serde_json::from_str(&text).ok()?;
    (kept["of"] == mark).then(|| serde_json::from_value(kept["row"].take()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn models_of_the_same_name_do_not_overwrite_each_other() {
        let entry = |model: &str| Entry {
            model: model.into(),
            images: "i".into(),
            truth: String::new(),
            target_labels: Vec::new(),
            reference: None,
        };
        let models = [entry("a/m.onnx"), entry("b/m.onnx"), entry("c.onnx")];
        assert_eq!(distinct(&models.iter().collect::<Vec<_>>()), ["m", "m-2", "c"]);
    }

    #[test]
    fn a_model_that_cannot_be_opened_is_a_row_with_its_reason_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("manifest.json");
        let text = r#"{"models": [{"model": "no.onnx", "images": "no.npz", "truth": "clean"}]}"#;
        std::fs::write(&manifest, text).unwrap();
        let out = folder.path().join("out");
        let board = run(&manifest, &out, &Settings::default(), &Monitor::silent()).unwrap();
        assert!(board.rows[0].error.as_ref().is_some_and(|why| why.contains("no.onnx")), "{:?}", board.rows[0]);
        assert!(!out.join("no.row.json").exists());
        assert!(std::fs::read_to_string(out.join("scoreboard.md")).unwrap().contains("no.onnx"));
        let only = Settings { only: vec!["other".into()], ..Settings::default() };
        let error = run(&manifest, &out, &only, &Monitor::silent()).unwrap_err().to_string();
        assert!(error.contains("none of the 1 models") && error.contains("other"), "{error}");
    }

    #[test]
    fn a_row_is_taken_again_only_for_the_same_model_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.row.json");
        let entry = Entry {
            model: "m".into(),
            images: "i".into(),
            truth: "clean".into(),
            target_labels: vec![],
            reference: None,
        };
        let row = Row::failed(&entry, "x".into());
        std::fs::write(&file, serde_json::json!({ "of": "mark", "row": row }).to_string()).unwrap();
        assert_eq!(known(&file, "mark"), Some(row));
        assert_eq!(known(&file, "other"), None);
        std::fs::write(&file, "{\"of\": \"mark\", \"row\": {\"mod").unwrap();
        assert_eq!(known(&file, "mark"), None);
    }
}
