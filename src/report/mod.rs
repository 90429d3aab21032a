//! An audit as files for people and programs: report, JSON, pictures, drawings; and the words all faces share.
//!
//! In: an [`Audit`](crate::audit::Audit). Out: the public JSON ([`json`], read back by [`earlier`] for a repair and by [`saved`] whole),
//! the report that is signed, HTML and PDF ([`page`]), drawings ([`figure`], [`svg`], [`raster`]), tables ([`sheet`]), PNG files ([`pictures`]), the JSON of a repair
//! ([`repair_json`]), what was found in a set of images ([`data`]), words for verdicts and numbers ([`words`]). Never computes evidence, never decides, never prints.
//! Files appear whole or not at all: they are written under another name and renamed.

pub mod data;
pub mod earlier;
#[cfg(test)]
pub(crate) mod example;
mod face;
pub mod figure;
pub mod json;
pub mod page;
pub mod pictures;
pub mod pixels;
pub mod raster;
pub mod repair_json;
pub mod saved;
pub mod sheet;
pub mod svg;
pub mod words;
mod write;

pub use write::{ReportError, write_whole};
