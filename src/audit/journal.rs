//! Finished pieces of an audit on disk, so that one that was cut off goes on from there.
//!
//! In: a folder. A piece of work (a reference model, shots at some labels, one search) that is finished is written there
//! whole; asked for again with the same key, it is read instead of done. Every piece comes from the seed alone, so an audit
//! that goes on gives the numbers it would have given. Pieces belong to one order, one model, one set of images and one
//! version of the program: those of others are not found.
//!
//! A journal never fails an audit: what cannot be written is only not kept, what cannot be read is done again.

mod checkpoint;
mod kept;

pub(super) use checkpoint::Checkpoint;

use super::Order;
use super::error::AuditError;
use crate::disk;
use crate::model::{hexadecimal, read_file};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Where finished pieces are kept, if anywhere.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    folder: Option<PathBuf>,
}

impl Journal {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Keeps pieces in a folder, which is made when it is needed. Whoever named it removes it.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// The part of it that belongs to an order as it was understood: files, settings and program. `images` tells them apart, and
    /// is only asked where something is kept.
    pub(super) fn of(
        &self,
        order: &Order,
        model: &str,
        images: impl FnOnce() -> String,
        preprocessing: &impl Serialize,
    ) -> Self {
        let Some(folder) = &self.folder else { return Self::none() };
        let reference = match order.reference.as_deref().map(read_file) {
            None => Vec::new(),
            Some(Ok(bytes)) => bytes,
            // It will be told when it is opened.
            Some(Err(_)) => return Self::none(),
        };
        let mut digest = Sha256::new();
        let settings = serde_json::to_vec(&(&order.settings, preprocessing)).unwrap_or_default();
        let images = images();
        for part in [env!("CARGO_PKG_VERSION").as_bytes(), model.as_bytes(), images.as_bytes(), &settings, &reference] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self { folder: Some(folder.join(hexadecimal(&digest.finalize()[..12]))) }
    }

    /// What `work` gives, or gave before under the same key.
    pub(super) fn once<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        work: impl FnOnce() -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let Some(folder) = &self.folder else { return work() };
        let path = folder.join(format!("{key}.json"));
        if let Some(kept) = read(&path) {
            return Ok(kept);
        }
        let fresh = work()?;
        if let Err(why) = write(folder, &path, &fresh) {
            log::warn!("a finished piece of the audit cannot be kept in {}: {why}", path.display());
        }
        Ok(fresh)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn write(folder: &Path, path: &Path, piece: &impl Serialize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    disk::write(path, &serde_json::to_vec(piece).map_err(std::io::Error::other)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::progress::Stopped;

    #[test]
    fn a_piece_is_done_once_and_a_broken_one_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().join("new")).of(&Order::default(), "m", || "i".into(), &1);
        let done = std::cell::Cell::new(0);
        let piece = |journal: &Journal| {
            journal.once("piece", || {
                done.set(done.get() + 1);
                Ok((done.get(), 0.1_f32))
            })
        };
        assert_eq!([piece(&journal).unwrap(), piece(&journal).unwrap()], [(1, 0.1), (1, 0.1)]);
        let other = Journal::at(folder.path().join("new")).of(&Order::default(), "another", || "i".into(), &1);
        assert_eq!(piece(&other).unwrap(), (2, 0.1), "pieces of another model are not found");
        std::fs::write(journal.folder.as_ref().unwrap().join("piece.json"), "[1, 0.").unwrap();
        assert_eq!(piece(&journal).unwrap(), (3, 0.1));
        assert_eq!([piece(&Journal::none()).unwrap(), piece(&Journal::none()).unwrap()], [(4, 0.1), (5, 0.1)]);
    }

    #[test]
    fn work_that_failed_or_was_stopped_is_not_kept_and_a_full_disk_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().into());
        assert!(journal.once::<i32>("piece", || Err(Stopped.into())).is_err());
        assert_eq!(journal.once("piece", || Ok(7)).unwrap(), 7);
        let file = folder.path().join("no folder");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Journal::at(file).once("piece", || Ok(8)).unwrap(), 8);
    }
}
