//! CIFAR-10 and CIFAR-100 binary files: records of label bytes and a planar 32x32 RGB picture
//! (Krizhevsky, "Learning multiple layers of features from tiny images").
//!
//! CIFAR-10 has one label byte, CIFAR-100 two (coarse, fine); the fine one is used.

use super::folder::{Folder, name, prefer_test};
use super::layout::{Layout, assemble};
use super::stream::read_declared;
use super::{MAX_SET_BYTES, Wanted, label_names};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;
/// Lists of names that come with the data sets.
const LISTS: [&str; 2] = ["batches.meta.txt", "fine_label_names.txt"];

/// One of the two data sets: how many labels each label byte can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Records {
    label_bytes: &'static [u8],
}

const KINDS: [Records; 2] = [Records { label_bytes: &[10] }, Records { label_bytes: &[20, 100] }];

impl Records {
    fn size(self) -> usize {
        self.label_bytes.len() + PIXELS
    }

    fn labels_fit(self, record: &[u8]) -> bool {
        self.label_bytes.iter().zip(record).all(|(&limit, &label)| label < limit)
    }

    /// By the size of the file and the labels of its first record.
    fn of(path: &Path, start: &[u8]) -> Option<Self> {
        let length = path.metadata().ok()?.len();
        KINDS.into_iter().find(|kind| {
            length > 0 && length % kind.size() as u64 == 0 && start.len() > kind.size() && kind.labels_fit(start)
                || length == kind.size() as u64 && kind.labels_fit(start)
        })
    }
}

pub(super) fn recognises(path: &Path, start: &[u8]) -> bool {
    Records::of(path, start).is_some()
}

/// Opens one file.
pub(super) fn open(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    open_all(&[path.into()], wanted, monitor)
}

/// Opens the `.bin` files of a folder; those of the test part where any is named so.
pub(super) fn open_folder(folder: &Folder, wanted: &Wanted, monitor: &Monitor) -> Result<Option<ImageSet>, ImageError> {
    let mut found = Vec::new();
    for file in folder.files.iter().filter(|f| name(f).to_lowercase().ends_with(".bin")) {
        if recognises(file, &super::stream::first_bytes(file)?) {
            found.push(file.clone());
        }
    }
    let files = prefer_test(found);
    if files.is_empty() { Ok(None) } else { open_all(&files, wanted, monitor).map(Some) }
}

fn open_all(files: &[PathBuf], wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    let mut kind = None;
    for path in files {
        let file = File::open(path).map_err(|e| ImageError::io(path, e))?;
        let length = file.metadata().map_err(|e| ImageError::io(path, e))?.len();
        if length + bytes.len() as u64 > 2 * MAX_SET_BYTES {
            return Err(ImageError::damaged(path, format!("with {length} bytes it is larger than CIFAR ever is")));
        }
        let content = read_declared(&mut BufReader::new(file), length, path, monitor)?;
        let own =
            Records::of(path, &content).ok_or_else(|| ImageError::damaged(path, "its size or labels do not fit"))?;
        if *kind.get_or_insert(own) != own {
            return Err(ImageError::not_images(path, "it is of another kind of CIFAR than the files beside it"));
        }
        for (i, record) in content.chunks_exact(own.size()).enumerate() {
            if !own.labels_fit(record) {
                return Err(ImageError::damaged(path, format!("picture {} has a label no CIFAR picture has", i + 1)));
            }
            labels.push(usize::from(record[own.label_bytes.len() - 1]));
            bytes.extend_from_slice(&record[own.label_bytes.len()..]);
        }
    }
    let layout = Layout { n: labels.len(), channels: 3, height: SIDE, width: SIDE, channels_last: false };
    let count = labels.iter().max().map_or(0, |&l| l + 1);
    let beside = files.first().and_then(|f| f.parent()).unwrap_or(Path::new("."));
    let names = label_names::of_numbers(count, wanted, beside, &LISTS)?;
    assemble(&bytes, layout, labels, names, wanted, monitor)
}
