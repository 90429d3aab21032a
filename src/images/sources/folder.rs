//! What lies in a folder, sorted as a person would, hidden things and links that leave it left out.

use super::label_names::natural;
use crate::images::ImageError;
use crate::progress::Monitor;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Entries of one folder that are looked at; more is refused.
const MAX_ENTRIES: usize = 2_000_000;
/// File names that are pictures by extension, in lower case.
const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "jpe", "bmp", "ppm", "pgm", "pnm", "webp"];
/// What operating systems leave in folders.
const NOT_MEANT: [&str; 3] = ["__MACOSX", "Thumbs.db", "desktop.ini"];

/// The visible content of a folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// The folder with every link resolved; nothing outside it is opened.
    pub root: PathBuf,
    /// Regular files in natural order.
    pub files: Vec<PathBuf>,
    /// Sub-folders in natural order.
    pub folders: Vec<PathBuf>,
    /// Links that lead out of the root, `name: why`.
    pub refused: Vec<String>,
}

impl Folder {
    /// Lists a folder that is its own root.
    pub fn list(path: &Path, monitor: &Monitor) -> Result<Self, ImageError> {
        let root = path.canonicalize().map_err(|e| ImageError::io(path, e))?;
        Self::list_below(path, &root, monitor)
    }

    /// Lists a folder inside `root`.
    pub fn list_below(path: &Path, root: &Path, monitor: &Monitor) -> Result<Self, ImageError> {
        let failed = |e| ImageError::io(path, e);
        let mut folder = Self { path: path.into(), root: root.into(), files: vec![], folders: vec![], refused: vec![] };
        for (i, entry) in path.read_dir().map_err(failed)?.enumerate() {
            monitor.check()?;
            if i >= MAX_ENTRIES {
                return Err(ImageError::not_images(path, format!("it has more than {MAX_ENTRIES} entries")));
            }
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let shown = name.to_string_lossy();
            if shown.starts_with('.') || NOT_MEANT.contains(&shown.as_ref()) {
                continue;
            }
            let inside = entry.path();
            let mut kind = entry.file_type().map_err(failed)?;
            if kind.is_symlink() {
                match resolve(&inside, root) {
                    Ok(target) => kind = target.metadata().map_err(failed)?.file_type(),
                    Err(why) => {
                        folder.refused.push(format!("{shown}: {why}"));
                        continue;
                    }
                }
            }
            if kind.is_dir() {
                folder.folders.push(inside);
            } else if kind.is_file() {
                folder.files.push(inside);
            }
        }
        folder.files.sort_by(|a, b| natural(&name(a), &name(b)));
        folder.folders.sort_by(|a, b| natural(&name(a), &name(b)));
        Ok(folder)
    }
}

/// Where `path` really is, if that is inside `root` (which has no links in it).
pub(super) fn resolve(path: &Path, root: &Path) -> Result<PathBuf, String> {
    let real = path.canonicalize().map_err(|e| e.to_string())?;
    if real.starts_with(root) { Ok(real) } else { Err("leads out of the folder and is not followed".into()) }
}

/// The last part of a path, for people.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned()
}

/// Whether a file is meant as a picture: by its extension, or by its first bytes where it has an unknown one.
pub(super) fn may_be_picture(path: &Path) -> bool {
    has_picture_extension(&name(path))
        || super::stream::first_bytes(path).is_ok_and(|start| image::guess_format(&start).is_ok())
}

/// Whether a file name ends like a picture's.
pub(super) fn has_picture_extension(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, e)| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// Of several files of one kind, those of the test part where any is named so (models were trained on
/// the rest), else all.
pub(super) fn prefer_test(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let test: Vec<PathBuf> =
        files.iter().filter(|f| ["test", "t10k"].iter().any(|t| name(f).to_lowercase().contains(t))).cloned().collect();
    if test.is_empty() { files } else { test }
}
