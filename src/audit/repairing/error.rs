//! Why a repair ended without a repaired file, each a sentence a person can act on.

use crate::audit::AuditError;
use crate::images::ImageError;
use crate::model::SaveError;
use crate::repair::RepairError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairingError {
    /// The files could not be opened, or the trigger could not be found again.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// No method could be done.
    #[error(transparent)]
    Repair(#[from] RepairError),
    /// The repaired model could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// Files and audit do not belong together, or the order makes no sense.
    #[error("{0}")]
    Order(String),
}

impl RepairingError {
    /// Whether it only says that somebody asked to stop.
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Audit(AuditError::Stopped(_) | AuditError::Images(ImageError::Stopped(_))) => true,
            Self::Repair(error) => error.is_stop(),
            _ => false,
        }
    }
}
