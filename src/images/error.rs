//! What can be wrong with a set of images, each a sentence a person can act on.

use crate::one_line::one_line;
use std::path::{Path, PathBuf};

/// Why images could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a source of images we know.
    #[error(
        "{path} holds no images that can be opened: {}. Give a folder with one sub-folder a label, an .npz, MNIST or CIFAR files, or a folder with a CSV of path and label",
        one_line(.why)
    )]
    NotImages {
        /// The file or folder.
        path: PathBuf,
        /// What was seen instead.
        why: String,
    },
    /// A known kind of file, but broken or cut off.
    #[error("{path} is damaged: {}", one_line(.why))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        why: String,
    },
    /// Images and model do not belong together.
    #[error("{}", one_line(.0))]
    Mismatch(String),
    /// The model fails on the images.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
}

impl ImageError {
    /// The system refused to read `path`.
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// `path` is no source of images.
    pub(super) fn not_images(path: &Path, why: impl Into<String>) -> Self {
        Self::NotImages { path: path.into(), why: why.into() }
    }

    /// `path` is of a known kind but broken.
    pub(super) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), why: why.into() }
    }
}
