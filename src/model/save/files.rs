//! Files that appear whole or not at all.
//!
//! Everything is written under other names first, made durable, and renamed last: whoever looks, and whenever the
//! program ends, there is the old file or the new one. What was written goes away again unless it is kept.

use super::SaveError;
use super::destination::{Destination, same_file};
use crate::model::patched::{DataFile, Patched};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Files that are written, but not yet kept.
pub(super) struct Written {
    model: NamedTempFile,
    data: Provisional,
    needed: u64,
}

impl Written {
    /// Writes a model under a name of its own, and its numbers beside it.
    pub fn new(patched: &Patched, destination: &Destination) -> Result<Self, SaveError> {
        let size = |data: &DataFile| std::fs::metadata(&data.original).map_or(0, |about| about.len());
        let needed = patched.bytes.len() as u64 + patched.data.iter().map(size).sum::<u64>();
        let refused = |e| SaveError::of(e, &destination.path, needed);
        let mut written =
            Self { model: temporary(destination).map_err(refused)?, data: Provisional::default(), needed };
        for data in &patched.data {
            if same_file(&data.original, &destination.path) {
                return Err(SaveError::Suspect(destination.path.clone()));
            }
            let place = destination.folder.join(&data.name);
            let file = copy(data, destination).map_err(refused)?;
            file.persist_noclobber(&place).map_err(|e| SaveError::of(e.error, &place, needed))?;
            written.data.0.push(place);
        }
        let file = written.model.as_file_mut();
        file.write_all(&patched.bytes).and_then(|()| file.flush()).and_then(|()| file.sync_all()).map_err(refused)?;
        Ok(written)
    }

    /// Where the model is for now.
    pub fn path(&self) -> &Path {
        self.model.path()
    }

    /// Gives the model its name, for good; returns the files of numbers beside it.
    pub fn keep(mut self, destination: &Destination) -> Result<Vec<PathBuf>, SaveError> {
        let refused = |e: tempfile::PersistError| SaveError::of(e.error, &destination.path, self.needed);
        // A file that appeared meanwhile is nobody's to replace.
        if destination.replaces {
            self.model.persist(&destination.path).map_err(refused)?;
        } else {
            self.model.persist_noclobber(&destination.path).map_err(refused)?;
        }
        // The name itself must outlive a power cut, too; not every system can promise that.
        if let Ok(folder) = File::open(&destination.folder) {
            let _ = folder.sync_all();
        }
        Ok(self.data.keep())
    }
}

/// Files that are removed again unless they are kept.
#[derive(Default)]
struct Provisional(Vec<PathBuf>);

impl Provisional {
    fn keep(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Provisional {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Whether a file can be made in the destination's folder; it goes away again.
pub(super) fn try_folder(destination: &Destination) -> Result<(), SaveError> {
    temporary(destination).map(drop).map_err(|e| SaveError::of(e, &destination.path, 0))
}

/// An empty file in the destination's folder, with the rights of an ordinary one.
fn temporary(destination: &Destination) -> std::io::Result<NamedTempFile> {
    let prefix = format!(".{}.", destination.name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(rights);
    builder.tempfile_in(&destination.folder)
}

fn copy(data: &DataFile, destination: &Destination) -> std::io::Result<NamedTempFile> {
    let mut file = temporary(destination)?;
    std::io::copy(&mut File::open(&data.original)?, file.as_file_mut())?;
    for (start, bytes) in &data.writes {
        file.as_file_mut().seek(SeekFrom::Start(*start))?;
        file.as_file_mut().write_all(bytes)?;
    }
    file.as_file_mut().flush()?;
    file.as_file().sync_all()?;
    Ok(file)
}
