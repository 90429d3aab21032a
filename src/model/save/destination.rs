//! Where a model may be saved: never by accident over the suspect, or over any other file.

use super::{Overwrite, SaveError};
use std::fs;
use std::path::{Path, PathBuf};

/// A destination that was looked at.
#[derive(Debug)]
pub(super) struct Destination {
    /// The file, links followed.
    pub path: PathBuf,
    /// The folder it lies in.
    pub folder: PathBuf,
    /// Its name there.
    pub name: String,
    /// Whether a file is replaced.
    pub replaces: bool,
}

impl Destination {
    /// Looks at `path`, where `suspect` is the model that was examined.
    pub fn look(path: &Path, suspect: &Path, overwrite: Overwrite) -> Result<Self, SaveError> {
        if path.is_dir() || path.file_name().is_none() {
            return Err(SaveError::NotAFile(path.to_owned()));
        }
        // A link stays a link: what it points to is replaced.
        let path = if path.is_symlink() { fs::canonicalize(path).unwrap_or(path.to_owned()) } else { path.to_owned() };
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            Some(folder) => folder.to_owned(),
            None => return Err(SaveError::NotAFile(path)),
        };
        match fs::metadata(&folder) {
            Ok(about) if about.is_dir() => {}
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Err(SaveError::ReadOnly(folder)),
            _ => return Err(SaveError::NoFolder(folder)),
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let replaces = fs::symlink_metadata(&path).is_ok();
        if replaces {
            if same_file(&path, suspect) {
                if overwrite != Overwrite::SuspectConfirmed {
                    return Err(SaveError::Suspect(path));
                }
            } else if overwrite == Overwrite::Never {
                return Err(SaveError::Exists(path));
            }
            if fs::metadata(&path).is_ok_and(|about| !about.is_file()) {
                return Err(SaveError::NotAFile(path));
            }
        }
        Ok(Self { path, folder, name, replaces })
    }

    /// A name for a file of numbers beside the model that nobody has: `wish`, where it is free.
    pub fn free_name(&self, wish: &str, given: &[String]) -> String {
        let free = |name: &str| {
            fs::symlink_metadata(self.folder.join(name)).is_err()
                && name != self.name
                && !given.iter().any(|other| other == name)
        };
        let plain = Path::new(wish).components().count() == 1 && !wish.starts_with('.');
        if plain && free(wish) {
            return wish.to_owned();
        }
        let mut name = format!("{}.data", self.name);
        let mut number = 1;
        while !free(&name) {
            number += 1;
            name = format!("{}.{number}.data", self.name);
        }
        name
    }
}

/// Whether two paths lead to the same bytes on the disk, whatever they are called.
pub(super) fn same_file(a: &Path, b: &Path) -> bool {
    if let (Ok(a), Ok(b)) = (fs::canonicalize(a), fs::canonicalize(b))
        && a == b
    {
        return true;
    }
    linked(a, b)
}

#[cfg(unix)]
fn linked(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    id(a).is_some_and(|found| Some(found) == id(b))
}

/// Where files have no number that can be asked for, equal content counts as the same file.
#[cfg(not(unix))]
fn linked(a: &Path, b: &Path) -> bool {
    let size = |path: &Path| fs::metadata(path).map(|about| about.len()).ok();
    size(a).is_some() && size(a) == size(b) && fs::read(a).ok().is_some_and(|found| Some(found) == fs::read(b).ok())
}
