//! How far an unfinished piece has come, written every few seconds: what is cut off loses those, not the whole piece.
//!
//! In: a journal, the key of a piece, its state whenever it has moved. Out: the last state that was written. Removed when the piece
//! is finished.

use super::{Journal, read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The state is written when so much has passed since it was written last, and so many times what writing took: states of large
/// pictures are large.
const EVERY: Duration = Duration::from_secs(5);
const SHARE: u32 = 20;

/// Where the state of one piece is kept.
pub(in crate::audit) struct Checkpoint {
    path: Option<PathBuf>,
    written: Instant,
    /// How long that took.
    took: Duration,
}

impl Journal {
    /// Where the state of the piece under `key` is kept until it is finished.
    pub(in crate::audit) fn checkpoint(&self, key: &str) -> Checkpoint {
        let path = self.folder.as_ref().map(|folder| folder.join(format!("{key}.unfinished.json")));
        Checkpoint { path, written: Instant::now(), took: Duration::ZERO }
    }
}

impl Checkpoint {
    /// The state that was written last, if it can be read.
    pub(in crate::audit) fn state<T: DeserializeOwned>(&self) -> Option<T> {
        read(self.path.as_ref()?)
    }

    /// Whether it is time to write the state.
    pub(in crate::audit) fn is_due(&self) -> bool {
        self.path.is_some() && self.written.elapsed() >= EVERY.max(SHARE * self.took)
    }

    /// Writes the state.
    pub(in crate::audit) fn keep(&mut self, state: &impl Serialize) {
        let began = Instant::now();
        self.write(state);
        (self.written, self.took) = (Instant::now(), began.elapsed());
    }

    fn write(&self, state: &impl Serialize) {
        let Some((path, folder)) = self.path.as_ref().and_then(|path| Some((path, path.parent()?))) else { return };
        if let Err(why) = write(folder, path, state) {
            log::warn!("how far the audit has come cannot be kept in {}: {why}", path.display());
        }
    }

    /// Removes the state: the piece is finished and kept as a whole.
    pub(in crate::audit) fn finished(self) {
        if let Some(path) = &self.path {
            // It may never have been written, and one that stays is never read again.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_state_is_found_again_until_the_piece_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().join("journal"));
        assert_eq!(journal.checkpoint("piece").state::<u32>(), None);
        let mut checkpoint = journal.checkpoint("piece");
        assert!(!checkpoint.is_due(), "it is too early to write");
        checkpoint.written = Instant::now().checked_sub(EVERY).unwrap();
        assert!(checkpoint.is_due());
        checkpoint.keep(&7);
        assert!(!checkpoint.is_due());
        checkpoint.written = Instant::now().checked_sub(EVERY).unwrap();
        checkpoint.took = EVERY / 2;
        assert!(!checkpoint.is_due(), "what takes long is written less often");
        assert!(!Journal::none().checkpoint("piece").is_due());
        assert_eq!(journal.checkpoint("piece").state(), Some(7));
        checkpoint.keep(&9);
        assert_eq!(journal.checkpoint("piece").state(), Some(9));
        assert_eq!(journal.checkpoint("another").state::<u32>(), None);
        checkpoint.finished();
        assert_eq!(journal.checkpoint("piece").state::<u32>(), None);
        journal.checkpoint("piece").finished();
        Journal::none().checkpoint("piece").keep(&1);
    }
}
