//! Keras `.h5` full models and `.keras` archives, translated into `graph::Op`.
//!
//! In: the bytes of a file that Keras 2 or 3 wrote with `model.save`. Out: a [`Model`]. The way through:
//! `zipped` (archives only) → `archive` (HDF5 to plain data) → `config` (who feeds whom) → `translate` (an order in which layers can run) →
//! `layers` (what each does) → `builder` (the graph). The way back: `patch` writes numbers where `archive` found them.
//! Never executes anything a file holds: a Lambda layer is refused.

mod archive;
mod builder;
mod config;
mod layers;
mod patch;
mod settings;
mod translate;
mod zipped;

pub use layers::supported_layers;
pub(super) use patch::patch;
pub(super) use zipped::is_archive;

use super::{Format, Model, ModelError};
use std::path::Path;
use std::sync::Arc;

/// Reads a whole Keras model (layers and weights) from the bytes of an HDF5 file or of a `.keras` archive.
///
/// `path` and `sha256` (of the bytes, lower-case hexadecimal) are only passed on into the [`Model`] and the errors.
/// Parameters keep the names of the file (`conv2d/kernel:0`); convolution kernels become `[out, in, height, width]`.
///
/// # Errors
/// [`ModelError`], a sentence that says what is wrong with the file.
pub fn read(path: &Path, bytes: Vec<u8>, sha256: String) -> Result<Model, ModelError> {
    let read = move || translate::translate(&plain(bytes)?);
    let translated = read().map_err(|fault| fault.at(path))?;
    Ok(Model {
        path: path.to_owned(),
        format: Format::Keras,
        sha256,
        graph: Arc::new(translated.graph),
        parameters: translated.parameters,
        input: translated.input,
        classes: translated.classes,
        notes: translated.notes,
    })
}

/// A file of either kind as plain data.
fn plain(bytes: Vec<u8>) -> Result<archive::Archive, Fault> {
    if is_archive(&bytes) { archive::read_parts(zipped::unpack(&bytes)?) } else { archive::read(bytes) }
}

/// What is wrong with a file, before its path is known.
#[derive(Debug)]
enum Fault {
    /// Another kind of file.
    NotAModel(String),
    /// Broken.
    Damaged(String),
    /// Layers there is no translation for.
    Unsupported(Vec<String>),
    /// A model, but of something else.
    NotAClassifier(String),
    /// Anything that needs no path.
    Other(ModelError),
}

impl Fault {
    fn at(self, path: &Path) -> ModelError {
        let path = path.to_owned();
        match self {
            Self::NotAModel(why) => ModelError::NotAModel { path, why },
            Self::Damaged(why) => ModelError::Damaged { path, why },
            Self::Unsupported(names) => ModelError::Unsupported(names),
            Self::NotAClassifier(why) => ModelError::NotAClassifier(why),
            Self::Other(error) => error,
        }
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::Other(error)
    }
}

impl From<candle_core::Error> for Fault {
    fn from(error: candle_core::Error) -> Self {
        Self::Other(error.into())
    }
}

#[cfg(test)]
mod tests;
