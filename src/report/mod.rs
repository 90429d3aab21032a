//! An audit as files other programs read: JSON and pictures; and the words all faces share.
//!
//! In: an [`Audit`](crate::audit::Audit). Out: the public JSON ([`json`], read back by [`earlier`]), PNG files ([`pictures`]), the JSON of a repair
//! ([`repair_json`]), words for
//! verdicts and numbers ([`words`]). Never computes evidence, never decides, never prints.
//! Files appear whole or not at all: they are written under another name and renamed.

pub mod earlier;
#[cfg(test)]
pub(crate) mod example;
pub mod json;
pub mod pictures;
pub mod repair_json;
pub mod words;
mod write;

pub use write::{ReportError, write_whole};
