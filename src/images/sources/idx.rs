//! MNIST's IDX files, plain or gzip: the images, their labels beside them.
//!
//! Format: two zero bytes, type (8: unsigned byte), number of dimensions, each dimension as a big-endian
//! `u32`, the values (LeCun, "The MNIST database").

use super::folder::{Folder, may_be_picture, name, prefer_test};
use super::layout::{Layout, assemble};
use super::stream::{first_bytes, read_declared, unpacked};
use super::{MAX_SET_BYTES, Wanted, label_names};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;
use std::io::Read;
use std::path::{Path, PathBuf};

const UNSIGNED_BYTE: u8 = 8;
/// Files of a folder that are looked into.
const MAX_LOOKED_INTO: usize = 10_000;

pub(super) fn recognises(path: &Path, start: &[u8]) -> bool {
    let packed = start.starts_with(&[0x1f, 0x8b]);
    (packed || start.starts_with(&[0, 0, UNSIGNED_BYTE])) && shape(path).is_some()
}

/// Dimensions the header of an IDX file of bytes gives; `None` where it is none.
fn shape(path: &Path) -> Option<Vec<usize>> {
    header(&mut *unpacked(path).ok()?)
}

fn header(reader: &mut dyn Read) -> Option<Vec<usize>> {
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).ok()?;
    let [0, 0, UNSIGNED_BYTE, dimensions @ 1..=4] = magic else { return None };
    (0..dimensions)
        .map(|_| {
            let mut size = [0; 4];
            reader.read_exact(&mut size).ok()?;
            Some(u32::from_be_bytes(size) as usize)
        })
        .collect()
}

/// Opens a file of images, or of labels beside which the images lie.
pub(super) fn open(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = Folder::list(parent, monitor)?;
    let all = look_into(&folder, monitor)?;
    let own = shape(path).unwrap_or_default();
    if own.len() == 1 {
        let images = partner(path, own[0], all.iter().filter(|(_, s)| s.len() > 1)).ok_or_else(|| {
            ImageError::not_images(
                path,
                format!("it holds {} labels, and no file with as many images lies beside it", own[0]),
            )
        })?;
        return read_pair(images, path, wanted, monitor);
    }
    let n = own.first().copied().unwrap_or(0);
    let labels = partner(path, n, all.iter().filter(|(_, s)| s.len() == 1)).ok_or_else(|| {
        ImageError::not_images(
            path,
            format!("no file with {n} labels lies beside it (for MNIST, t10k-labels-idx1-ubyte beside t10k-images-idx3-ubyte)"),
        )
    })?;
    read_pair(path, labels, wanted, monitor)
}

/// Opens the images of a folder; those of the test part where there are several.
pub(super) fn open_folder(folder: &Folder, wanted: &Wanted, monitor: &Monitor) -> Result<Option<ImageSet>, ImageError> {
    let images = look_into(folder, monitor)?.into_iter().filter(|(_, s)| s.len() > 1).map(|(p, _)| p).collect();
    match prefer_test(images).first() {
        Some(path) => open(path, wanted, monitor).map(Some),
        None => Ok(None),
    }
}

/// The IDX files of a folder with their dimensions.
fn look_into(folder: &Folder, monitor: &Monitor) -> Result<Vec<(PathBuf, Vec<usize>)>, ImageError> {
    let mut found = Vec::new();
    for file in folder.files.iter().take(MAX_LOOKED_INTO) {
        monitor.check()?;
        let start = first_bytes(file).unwrap_or_default();
        if !recognises(file, &start) || may_be_picture(file) {
            continue;
        }
        if let Some(shape) = shape(file) {
            found.push((file.clone(), shape));
        }
    }
    Ok(found)
}

/// Of the files with `n` items the one whose name starts most like that of `path`.
fn partner<'a>(path: &Path, n: usize, files: impl Iterator<Item = &'a (PathBuf, Vec<usize>)>) -> Option<&'a Path> {
    let own = name(path);
    let alike = |other: &Path| own.bytes().zip(name(other).bytes()).take_while(|(a, b)| a == b).count();
    files.filter(|(_, s)| s[0] == n).map(|(p, _)| p.as_path()).max_by_key(|p| alike(p))
}

fn read_pair(images: &Path, labels: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let (shape, bytes) = read(images, monitor)?;
    let layout = Layout::of(&shape)
        .ok_or_else(|| ImageError::not_images(images, format!("its dimensions {shape:?} are not those of images")))?;
    let (_, labels) = read(labels, monitor)?;
    let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();
    if labels.len() != layout.n {
        let why = format!("{} images, but {} labels", layout.n, labels.len());
        return Err(ImageError::Mismatch(format!("{} holds {why}", images.display())));
    }
    let count = labels.iter().max().map_or(0, |&l| l + 1);
    let beside = images.parent().unwrap_or(Path::new("."));
    let names = label_names::of_numbers(count, wanted, beside, &[])?;
    assemble(&bytes, layout, labels, names, wanted, monitor)
}

/// Dimensions and values of a file, which must hold exactly what its header says.
fn read(path: &Path, monitor: &Monitor) -> Result<(Vec<usize>, Vec<u8>), ImageError> {
    let mut reader = unpacked(path)?;
    let shape = header(&mut *reader).ok_or_else(|| ImageError::damaged(path, "its header is cut off"))?;
    let expected = shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d as u64)).unwrap_or(u64::MAX);
    if expected == 0 {
        return Err(ImageError::not_images(path, "it holds no items"));
    }
    if expected > 2 * MAX_SET_BYTES {
        return Err(ImageError::damaged(path, format!("its header claims {expected} bytes of images")));
    }
    let bytes = read_declared(&mut *reader, expected, path, monitor)?;
    if reader.read(&mut [0]).unwrap_or(0) > 0 {
        return Err(ImageError::damaged(path, format!("it holds more than the {expected} bytes its header says")));
    }
    Ok((shape, bytes))
}
