//! Why a repaired model could not be saved, each a sentence a person can act on.

use crate::model::ModelError;
use std::path::{Path, PathBuf};

/// Why a repaired model was not saved. Whatever stood at the destination before still stands there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// There is no such folder.
    #[error("the folder {0} does not exist; choose one that does")]
    NoFolder(PathBuf),
    /// A folder (or something else that is no file) has the name.
    #[error("{0} is a folder or no ordinary file; add a file name such as repaired.onnx")]
    NotAFile(PathBuf),
    /// The folder cannot be written to.
    #[error("nothing can be written to the folder {0}; choose another one or change its permissions")]
    ReadOnly(PathBuf),
    /// Not enough room.
    #[error("the disk of {folder} is full: {needed} bytes are needed; free some space or choose another disk")]
    DiskFull {
        /// Where it was to be written.
        folder: PathBuf,
        /// Size of all files together.
        needed: u64,
    },
    /// Another file has the name.
    #[error("{0} exists already; choose another name, or allow it to be replaced")]
    Exists(PathBuf),
    /// The destination is the suspect model, or holds its numbers.
    #[error("{0} is the model that was examined; choose another name to keep it")]
    Suspect(PathBuf),
    /// The suspect is not what it was.
    #[error("{0} has changed since it was opened; open it again and repeat the repair")]
    SuspectChanged(PathBuf),
    /// The kind of file cannot hold the change.
    #[error("the change cannot be kept in a file of this kind: {why}{}", advice(*.onnx_can))]
    Inexpressible {
        /// What does not go.
        why: String,
        /// Whether saving as `.onnx` is a way out.
        onnx_can: bool,
    },
    /// What was written does not behave like the repair.
    #[error("what was written does not answer like the repaired model ({why}); nothing was saved")]
    Differs {
        /// What is different.
        why: String,
    },
    /// The change does not fit the model, or the result could not be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Anything else that the system refused.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn advice(onnx_can: bool) -> &'static str {
    if onnx_can { ". Save it under a name that ends in .onnx" } else { "" }
}

impl SaveError {
    /// What the system refused, in our words; `needed` bytes were to be written to `path`.
    pub(super) fn of(source: std::io::Error, path: &Path, needed: u64) -> Self {
        use std::io::ErrorKind as Kind;
        let folder = || path.parent().unwrap_or(path).to_owned();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::DiskFull { folder: folder(), needed },
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::ReadOnly(folder()),
            Kind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}
