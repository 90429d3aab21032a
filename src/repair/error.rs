//! Why a repair could not be done, each a sentence a person can act on.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The method lacks something.
    #[error("{0}")]
    Lacks(String),
    /// The loss became infinite or no number.
    #[error("{method} ran away: the model's answers became infinite")]
    Diverged {
        /// Name of the method.
        method: &'static str,
    },
    /// Clean accuracy fell further than anything the method could win.
    #[error("{method} costs this model too much clean accuracy; choose another method")]
    CostsAccuracy {
        /// Name of the method.
        method: &'static str,
    },
    /// The model fails.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Asking the images failed.
    #[error(transparent)]
    Images(#[from] crate::images::ImageError),
    /// Trying a trigger failed.
    #[error(transparent)]
    Detect(#[from] crate::detect::DetectError),
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
}

impl RepairError {
    /// Whether it only says that somebody asked to stop, wherever that was noticed.
    pub fn is_stop(&self) -> bool {
        use crate::detect::DetectError;
        use crate::images::ImageError;
        matches!(self, Self::Stopped(_) | Self::Images(ImageError::Stopped(_)) | Self::Detect(DetectError::Stopped(_)))
    }
}
