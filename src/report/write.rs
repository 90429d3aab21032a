//! Writes a file so that nobody ever sees half of it.

use std::ffi::OsString;
use std::io::Write;
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

/// Writes `bytes` to a temporary file beside `path` and renames it to `path`.
///
/// # Errors
/// [`ReportError::Io`] where the folder cannot be written to; `path` is then as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Io { path: path.into(), source };
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidFilename.into()))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.part", std::process::id()));
    let temporary = path.with_file_name(temporary);

    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing more can be done where even this fails; the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.json");
        write_whole(&path, b"first, and longer").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("audit.json");
        let sentence = write_whole(&path, b"{}").unwrap_err().to_string();
        assert!(sentence.starts_with("cannot write ") && sentence.contains("missing"), "{sentence}");
    }

    #[test]
    fn a_folder_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.json");
        std::fs::create_dir(&path).unwrap();
        assert!(write_whole(&path, b"{}").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
