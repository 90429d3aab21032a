//! The report that an auditor signs: one self-contained page as HTML, or the same as PDF.
//!
//! In: an [`Audit`], and a [`Repair`] where there was one. Out: bytes, always the same for the same document: nothing
//! is asked of clock, machine or fonts of the system. What it says is put together in `content`, once; [`html`] and
//! [`pdf`] only lay it out. Decides nothing, computes no evidence.

mod blocks;
mod circumstances;
mod content;
mod evidence;
pub mod html;
pub mod pdf;
mod repair;
mod wording;

pub use repair::{Again, Repair, RepairFileError};

use super::write::{ReportError, write_whole};
use crate::audit::Audit;
use std::path::Path;

/// The kinds of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One file for every browser.
    Html,
    /// For printing and signing.
    Pdf,
}

impl Kind {
    /// The kind that the ending of a path asks for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_string_lossy().to_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// The usual ending of it.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }
}

/// The report as a file's bytes.
///
/// # Errors
/// [`ReportError::Pdf`] where the bundled fonts cannot be used.
pub fn bytes(audit: &Audit, repair: Option<&Repair>, kind: Kind) -> Result<Vec<u8>, ReportError> {
    match kind {
        Kind::Html => Ok(html::text(audit, repair).into_bytes()),
        Kind::Pdf => pdf::bytes(audit, repair),
    }
}

/// Writes the report to `path`, whose ending chooses the kind.
///
/// # Errors
/// [`ReportError`] where the ending is neither, or the file cannot be written.
pub fn write(audit: &Audit, repair: Option<&Repair>, path: &Path) -> Result<(), ReportError> {
    let kind = Kind::of(path).ok_or_else(|| ReportError::Ending { path: path.into() })?;
    write_whole(path, &bytes(audit, repair, kind)?)
}
