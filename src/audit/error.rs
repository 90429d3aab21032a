//! Why an audit could not be done.

use crate::detect::DetectError;
use crate::progress::Stopped;
use crate::tensor::device::UnknownDevice;
use crate::train::TrainError;

/// Why an audit could not be done, in a sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// The images cannot be used.
    #[error(transparent)]
    Images(#[from] crate::images::ImageError),
    /// The reference model cannot be used or trained.
    #[error("the reference model: {0}")]
    Reference(String),
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// Stopped before there was anything to keep.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(String),
}

impl From<UnknownDevice> for AuditError {
    fn from(error: UnknownDevice) -> Self {
        Self::Setting(error.to_string())
    }
}

impl From<TrainError> for AuditError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Stopped(stopped) => Self::Stopped(stopped),
            other => Self::Reference(other.to_string()),
        }
    }
}

impl From<DetectError> for AuditError {
    fn from(error: DetectError) -> Self {
        match error {
            DetectError::Model(e) => Self::Model(e),
            DetectError::Compute(e) => Self::Compute(e),
            DetectError::Stopped(e) => Self::Stopped(e),
            other => Self::Setting(other.to_string()),
        }
    }
}
