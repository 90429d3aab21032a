//! Work that takes long, followed to its end in small pieces: it tells how far it is, is written down every few seconds, and goes on
//! from there if it was cut off.
//!
//! In: a [`Stepwise`] piece of work, as it begins, and where its state is kept. Out: the same piece, further.

use super::error::AuditError;
use super::journal::Checkpoint;
use crate::progress::{Monitor, Stepwise};

/// Steps after which it is told how far the work is.
const TOLD_EVERY: usize = 4;

/// Work that is followed.
pub(super) struct Following<'f, W> {
    work: &'f mut W,
    checkpoint: Checkpoint,
    /// Gets the steps that are through.
    told: &'f dyn Fn(usize),
    monitor: &'f Monitor,
}

impl<'f, W: Stepwise> Following<'f, W>
where
    AuditError: From<W::Error>,
{
    /// Follows `work`; how far it has come is kept by `checkpoint`.
    ///
    /// # Errors
    /// Where the device cannot hold what was kept.
    pub(super) fn new(
        work: &'f mut W,
        checkpoint: Checkpoint,
        told: &'f dyn Fn(usize),
        monitor: &'f Monitor,
    ) -> Result<Self, AuditError> {
        if let Some(state) = checkpoint.state() {
            let before = work.steps_taken();
            work.go_on_from(state)?;
            told(work.steps_taken() - before);
        }
        Ok(Self { work, checkpoint, told, monitor })
    }

    /// To this step at most; it can be left there and followed again later.
    ///
    /// # Errors
    /// Where the work fails or somebody stops it.
    pub(super) fn until(mut self, step: usize) -> Result<(), AuditError> {
        self.go(step)?;
        let state = self.work.state()?;
        self.checkpoint.keep(&state);
        Ok(())
    }

    /// To this step at most; nothing is kept but what is due or was stopped.
    ///
    /// # Errors
    /// As [`Following::until`].
    pub(super) fn briefly(mut self, step: usize) -> Result<(), AuditError> {
        self.go(step)
    }

    /// To the end.
    ///
    /// # Errors
    /// As [`Following::until`].
    pub(super) fn run_out(mut self) -> Result<(), AuditError> {
        self.go(usize::MAX)?;
        self.checkpoint.finished();
        Ok(())
    }

    fn go(&mut self, step: usize) -> Result<(), AuditError> {
        while self.work.steps_taken() < step && !self.work.is_over() {
            let before = self.work.steps_taken();
            for _ in 0..TOLD_EVERY.min(step - before) {
                // One at a time: a step of a large network takes seconds.
                let went = self.work.advance(1, self.monitor).map_err(AuditError::from);
                if self.checkpoint.is_due() || matches!(went, Err(AuditError::Stopped(_))) {
                    let state = self.work.state()?;
                    self.checkpoint.keep(&state);
                }
                went?;
            }
            (self.told)(self.work.steps_taken() - before);
        }
        Ok(())
    }
}
