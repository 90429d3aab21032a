//! Why a detector could not finish.

/// Each text is a sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The model failed on an image.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] crate::progress::Stopped),
    /// The model's answer does not depend on the image.
    #[error("this model's answer does not depend on the image at all, so no trigger can be searched for")]
    NoGradient,
    /// There is nothing to search a trigger on.
    #[error("there is no clean image of any label but {label}, so no trigger towards it can be searched for")]
    NoImages {
        /// The label.
        label: usize,
    },
}
