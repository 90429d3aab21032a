//! File dialogs of the system, one at a time, on their own thread: some portals hang.
//!
//! A dialog that could not be opened looks like one that was cancelled; the difference is only in the
//! log, so the log is watched.

use super::command::Field;
use super::lab::LabPath;
use super::log;
use super::saving::Output;
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use std::path::{Path, PathBuf};

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with one of these endings.
    File(&'static [&'static str]),
    /// A folder.
    Folder,
    /// A new file; the dialog asks before one is replaced.
    New,
}

/// What the chosen path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It goes into a field.
    Fill(Field),
    /// The repaired model goes there.
    Export,
    /// A saved audit is read from there.
    Audit,
    /// Something of the audit goes there.
    Save(Output),
    /// Something of the lab.
    Lab(LabPath),
}

/// A dialog that is open.
pub struct Dialog {
    purpose: Purpose,
    answer: Job<(), Result<Option<PathBuf>, String>>,
}

impl Dialog {
    /// Opens a dialog, with the file `at` proposed where there is one; `wake` is called once it is answered.
    pub fn open(
        purpose: Purpose,
        title: &str,
        kind: Kind,
        at: Option<&Path>,
        parent: Option<&eframe::Frame>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let mut dialog = rfd::FileDialog::new().set_title(title);
        if let Some(parent) = parent {
            dialog = dialog.set_parent(parent);
        }
        if let Some(folder) = at.and_then(Path::parent).filter(|folder| folder.is_dir()) {
            dialog = dialog.set_directory(folder);
        }
        if let Some(name) = at.and_then(Path::file_name) {
            dialog = dialog.set_file_name(name.to_string_lossy());
        }
        if let Kind::File(endings) = kind {
            dialog = dialog.add_filter(title, endings).add_filter("All files", &["*"]);
        }
        let answer = Job::start(Monitor::silent(), wake, move |_, _| {
            let before = log::dialog_failures();
            let chosen = match kind {
                Kind::File(_) => dialog.pick_file(),
                Kind::Folder => dialog.pick_folder(),
                Kind::New => dialog.save_file(),
            };
            let failed = chosen.is_none() && log::dialog_failures() > before;
            if failed {
                return Err("No file dialog could be opened. Type the path, or drop the file on the window".to_owned());
            }
            Ok(chosen)
        });
        Self { purpose, answer }
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The chosen path, nothing where it was cancelled; `None` while it is open. Answers once.
    pub fn answer(&self) -> Option<Result<Option<PathBuf>, String>> {
        Some(match self.answer.outcome()? {
            Outcome::Done(answer) => answer,
            Outcome::Panicked(why) => Err(format!("The file dialog failed: {why}. Type the path instead")),
        })
    }
}
