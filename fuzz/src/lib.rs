//! What the targets share: bytes become a file, which a reader takes or refuses with one sentence.

use poisdetc::images::{self, Wanted};
use poisdetc::model;
use poisdetc::progress::Monitor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for temporary files"));

/// Writes `bytes` under `name`, over what the last run wrote there.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    std::fs::write(&path, bytes).expect("the folder for temporary files takes files");
    path
}

/// Opens a model; what is refused is refused with a sentence.
pub fn model(path: &Path) {
    if let Err(why) = model::open(path) {
        sentence(&why.to_string());
    }
}

/// Opens a set of images; as [`model`].
pub fn images(path: &Path) {
    if let Err(why) = images::open(path, &Wanted::default(), &Monitor::silent()) {
        sentence(&why.to_string());
    }
}

/// A refusal is one line, and lines of Python may follow it.
pub fn sentence(why: &str) {
    let sentence = why.split("\n\n").next().unwrap_or_default();
    assert!(!sentence.is_empty() && !sentence.contains('\n'), "no single sentence: {why}");
}
