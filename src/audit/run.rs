//! Carries an order out, from files to verdict.

use super::{Audit, Event, Order};
use crate::progress::{Monitor, Stopped};

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

/// Does the audit on the calling thread; `events` are called from it and from worker threads.
/// Stopped in the middle, it returns what is known so far with [`Audit::stopped`] set, provided the
/// model and the images had been understood.
///
/// # Errors
/// [`AuditError`], a sentence that says what is wrong.
pub fn run(order: &Order, monitor: &Monitor, events: &(dyn Fn(Event) + Sync)) -> Result<Audit, AuditError> {
    let _ = (order, monitor, events);
    Err(AuditError::Setting("audits are being written".into()))
}
