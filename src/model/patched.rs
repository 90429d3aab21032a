//! A change as a file will hold it, before anything is written.

use super::Change;
use std::path::PathBuf;

/// The bytes of a changed model file, and what goes beside it.
#[derive(Debug)]
pub(super) struct Patched {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The change with its numbers as the file holds them: rounded where the file has fewer bits.
    pub stored: Change,
    /// Files of numbers that the model file names.
    pub data: Vec<DataFile>,
}

/// A file of numbers beside a model file.
#[derive(Debug)]
pub(super) struct DataFile {
    /// Where the original lies.
    pub original: PathBuf,
    /// Its name in the folder of the changed model.
    pub name: String,
    /// New bytes by position; the rest is copied.
    pub writes: Vec<(u64, Vec<u8>)>,
}
