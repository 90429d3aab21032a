//! A batch: hundreds of models nobody knows the truth of, one JSON line each, a table and a page of them all.
//!
//! In: a manifest, and which part of it. Out, in a folder: what the runner keeps of each model, its report as a page,
//! `results.jsonl`, `summary.csv` and `overview.html`; of a part only `results-K-of-N.jsonl`, since other parts may be writing at
//! the same time. The same command without a part then puts all of them together without auditing anything again.

use super::overview;
use super::run::{Done, Settings, ZooError, each_model};
use crate::audit::Verdict;
use crate::progress::Monitor;
use crate::report::page::{self, Kind};
use crate::report::{ReportError, saved, write_whole};
use serde::Serialize;
use std::path::Path;

/// What came of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// In the order of the manifest.
    pub done: Vec<Done>,
}

/// One line of the results.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    path: String,
    #[serde(flatten)]
    row: &'a super::Row,
}

impl Batch {
    /// How many models have this verdict; `None` counts those that could not be audited.
    pub fn count(&self, verdict: Option<Verdict>) -> usize {
        overview::count(&self.done, verdict)
    }

    /// "2 infected, 1 suspicious, 40 without evidence, 1 not audited".
    pub fn sums(&self) -> String {
        overview::sums(&self.done)
    }

    /// One line of JSON a model.
    pub fn lines(&self) -> String {
        let line = |done: &Done| {
            let line = Line { name: &done.name, path: done.model.display().to_string(), row: &done.row };
            // Plain data with names for keys: it can always be written.
            serde_json::to_string(&line).unwrap_or_default() + "\n"
        };
        self.done.iter().map(line).collect()
    }
}

/// Audits the models of the manifest at `path` into `folder`; what is done already is taken as it is.
///
/// # Errors
/// [`ZooError`], a sentence. A model that cannot be audited is a line with its reason.
pub fn batch(path: &Path, folder: &Path, settings: &Settings, monitor: &Monitor) -> Result<Batch, ZooError> {
    let done = each_model(path, folder, settings, monitor, &|done| {
        let batch = Batch { done: done.to_vec() };
        if !settings.shard.is_whole() {
            let file = format!("results-{}.jsonl", settings.shard.name());
            return write_whole(&folder.join(file), batch.lines().as_bytes());
        }
        write_whole(&folder.join("results.jsonl"), batch.lines().as_bytes())
    })?;
    let batch = Batch { done };
    if settings.shard.is_whole() {
        for done in &batch.done {
            report(folder, done)?;
        }
        write_whole(&folder.join("summary.csv"), overview::csv(&batch.done).as_bytes())?;
        write_whole(&folder.join("overview.html"), overview::html(&batch.done).as_bytes())?;
    }
    Ok(batch)
}

/// The page of one model, from the audit that was kept, unless it is there.
fn report(folder: &Path, done: &Done) -> Result<(), ReportError> {
    let file = folder.join(overview::page_of(&done.name));
    let audit = folder.join(format!("{}.json", done.name));
    if done.row.verdict.is_none() || (file.exists() && is_newer(&file, &audit)) {
        return Ok(());
    }
    match saved::read(&audit) {
        Ok(audit) => write_whole(&file, &page::bytes(&audit, None, Kind::Html)?),
        Err(why) => {
            log::warn!("no report of {}: {why}", done.name);
            Ok(())
        }
    }
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    matches!((time(file), time(than)), (Some(file), Some(than)) if file >= than)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::example;
    use crate::zoo::{Entry, Row};

    #[test]
    fn each_model_is_one_line_of_json() {
        let entry = Entry {
            model: "models/a.onnx".into(),
            images: "i".into(),
            truth: String::new(),
            target_labels: Vec::new(),
            reference: None,
        };
        let done = |row| Done { name: "a".into(), model: entry.model.clone(), row };
        let batch = Batch {
            done: vec![done(Row::of(&entry, &example::audit())), done(Row::failed(&entry, "no such file".into()))],
        };
        let lines: Vec<serde_json::Value> =
            batch.lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines[0]["verdict"].as_str(), lines[0]["named"][0].as_u64()), (Some("infected"), Some(1)));
        assert_eq!(
            (lines[1]["error"].as_str(), lines[1]["path"].as_str()),
            (Some("no such file"), Some("models/a.onnx"))
        );
        assert_eq!((batch.count(Some(Verdict::Infected)), batch.count(None)), (1, 1));
    }
}
