//! Reports as files that are there whole or not at all, and why one could not be written.

use crate::disk;
use std::path::{Path, PathBuf};

/// Why a report could not be written, in a sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The system refused.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The picture's numbers do not fill its rows and columns.
    #[error("cannot write {path}: the picture is not {width} x {height} with {channels} channels")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// 1 or 3.
        channels: usize,
    },
    /// The ending of the file asks for no kind of report.
    #[error("cannot write {path}: a report ends in .html or .pdf")]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// The fonts of the program cannot be put into a PDF.
    #[error("the PDF cannot be made: {0}; use HTML instead")]
    Pdf(String),
    /// A figure cannot be drawn.
    #[error("the figure cannot be drawn: {0}; use SVG instead")]
    Draw(String),
    /// There is nothing to draw.
    #[error("no label was shot at, so there is no plot")]
    Nothing,
    /// The picture could not be encoded.
    #[error("cannot write {path}: {source}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        source: image::ImageError,
    },
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// [`ReportError::Io`] where the folder cannot be written to; `path` is then as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    disk::write(path, bytes).map_err(|source| ReportError::Io { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("audit.json");
        let sentence = write_whole(&path, b"{}").unwrap_err().to_string();
        assert!(sentence.starts_with("cannot write ") && sentence.contains("missing"), "{sentence}");
    }
}
