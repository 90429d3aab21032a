//! Recognises a source of images by its content; one file a kind below this folder.
//!
//! In: a path and what the model wants. Out: an [`ImageSet`] of one size. Hidden files are ignored.
//! Never follows a link out of the folder it was given, never unpickles, never asks for more memory
//! than [`MAX_SET_BYTES`] for the images of a set.

mod cifar;
mod decode;
mod folder;
mod idx;
mod label_folders;
mod label_names;
mod layout;
mod npz;
mod stream;
mod table;

use super::{ImageError, ImageSet};
use crate::progress::Monitor;
use std::path::{Path, PathBuf};

/// What the model wants of the images, as far as it is known when they are opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// 1 or 3; `None`: as most of the pictures are.
    pub channels: Option<usize>,
    /// Height and width; `None`: as most of the pictures are, the longer side at most 512 pixels.
    pub size: Option<[usize; 2]>,
    /// A text file with one label name a line, in the order of the model's labels.
    pub label_names: Option<PathBuf>,
}

/// Memory for the images of a set; pictures beyond it are left out, labels as even as they can be.
const MAX_SET_BYTES: u64 = 2 << 30;

/// A kind of file: whether its first bytes look like one, and its reader.
struct FileKind {
    recognises: fn(&Path, &[u8]) -> bool,
    open: fn(&Path, &Wanted, &Monitor) -> Result<ImageSet, ImageError>,
}

/// The kinds of file, tried in this order.
const FILE_KINDS: [FileKind; 4] = [
    FileKind { recognises: npz::recognises, open: npz::open },
    FileKind { recognises: idx::recognises, open: idx::open },
    FileKind { recognises: cifar::recognises, open: cifar::open },
    FileKind { recognises: table::recognises, open: table::open },
];

/// A kind of folder: `None` where the folder is not of that kind.
type FolderKind = fn(&folder::Folder, &Wanted, &Monitor) -> Result<Option<ImageSet>, ImageError>;

/// The kinds of folder, tried in this order.
const FOLDER_KINDS: [FolderKind; 5] =
    [idx::open_folder, cifar::open_folder, table::open_folder, label_folders::open_folder, npz::open_folder];

/// Opens images of any known kind, decoded in parallel, brought to one size.
///
/// # Errors
/// [`ImageError`], a sentence that says what is wrong. Single unreadable pictures are counted and
/// named in [`ImageSet::skipped`] instead.
pub fn open(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    monitor.step("Reading images", None);
    let about = path.metadata().map_err(|e| ImageError::io(path, e))?;
    if about.is_dir() {
        return open_folder(path, wanted, monitor);
    }
    if !about.is_file() {
        return Err(ImageError::not_images(path, "it is neither a file nor a folder"));
    }
    let start = stream::first_bytes(path)?;
    if start.is_empty() {
        return Err(ImageError::not_images(path, "it is empty"));
    }
    match FILE_KINDS.iter().find(|kind| (kind.recognises)(path, &start)) {
        Some(kind) => (kind.open)(path, wanted, monitor),
        None if start.starts_with(npz::NPY_MAGIC) => Err(ImageError::not_images(
            path,
            "it is a single array without labels; save both in one .npz file as x and y",
        )),
        None if image::guess_format(&start).is_ok() => {
            Err(ImageError::not_images(path, "it is a single picture without a label"))
        }
        None => Err(ImageError::not_images(path, "its content is of no known kind")),
    }
}

fn open_folder(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let folder = folder::Folder::list(path, monitor)?;
    for open in FOLDER_KINDS {
        if let Some(set) = open(&folder, wanted, monitor)? {
            return Ok(set);
        }
    }
    let pictures = folder.files.iter().filter(|f| folder::may_be_picture(f)).count();
    Err(ImageError::not_images(
        path,
        match pictures {
            0 if folder.files.is_empty() && folder.folders.is_empty() => "it is empty".into(),
            0 => "no pictures were found in it or its sub-folders".into(),
            n => format!(
                "its {n} pictures have no labels: they lie neither in sub-folders nor beside a CSV that lists them"
            ),
        },
    ))
}

#[cfg(test)]
mod tests;
