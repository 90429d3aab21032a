//! The report of the finished audit, as the window sees it: where it is written, and what came of it.

use crate::audit::Audit;
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use crate::report::page::{self, Kind, Repair};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything the screens draw of it.
#[derive(Default)]
pub struct Reporting {
    job: Option<Job<(), Result<PathBuf, String>>>,
    /// Where it was saved, or why not.
    pub saved: Option<Result<PathBuf, String>>,
    /// A path to save to, typed where no dialog can be opened.
    pub typed: Option<String>,
}

impl Reporting {
    /// Writes the report to `path` on a thread of its own.
    pub fn save(
        &mut self,
        audit: Arc<Audit>,
        repair: Option<Repair>,
        path: PathBuf,
        replace: bool,
        wake: impl Fn() + Send + Sync + 'static,
    ) {
        if self.job.is_some() {
            return;
        }
        self.saved = None;
        self.job = Some(Job::start(Monitor::silent(), wake, move |_, _| {
            if !replace && path.exists() {
                return Err(format!("{} is there already; take another name", path.display()));
            }
            page::write(&audit, repair.as_ref(), &path).map(|()| path).map_err(|why| why.to_string())
        }));
    }

    /// Takes in what happened. Never blocks.
    pub fn poll(&mut self) {
        let Some(end) = self.job.as_ref().and_then(Job::outcome) else { return };
        self.job = None;
        self.saved = Some(match end {
            Outcome::Done(end) => end,
            Outcome::Panicked(why) => Err(format!("The program itself failed: {why}. Please report this")),
        });
        if self.saved.as_ref().is_some_and(Result::is_ok) {
            self.typed = None;
        }
    }
}

/// The file that is proposed: beside the model, "signs-suspect-report.pdf".
pub fn file(model: &Path, kind: Kind) -> PathBuf {
    let stem = model.file_stem().map_or_else(|| "audit".into(), |stem| stem.to_string_lossy().into_owned());
    model.with_file_name(format!("{stem}-report.{}", kind.ending()))
}

/// `path` with the ending of a report, where the person typed none.
pub fn with_ending(path: PathBuf, kind: Kind) -> PathBuf {
    if Kind::of(&path).is_some() {
        return path;
    }
    let mut name = path.into_os_string();
    name.push(".");
    name.push(kind.ending());
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lies_beside_the_model_and_always_has_an_ending() {
        assert_eq!(file(Path::new("signs/m.v2.onnx"), Kind::Pdf), Path::new("signs/m.v2-report.pdf"));
        assert_eq!(with_ending("a/report".into(), Kind::Html), Path::new("a/report.html"));
        assert_eq!(with_ending("a/report.v2".into(), Kind::Pdf), Path::new("a/report.v2.pdf"));
        assert_eq!(with_ending("a/report.HTML".into(), Kind::Pdf), Path::new("a/report.HTML"));
    }
}
