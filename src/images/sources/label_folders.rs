//! A folder with one sub-folder a label, pictures in it or one level below it.

use super::decode::{Listed, Listing, decode};
use super::folder::{Folder, may_be_picture, name};
use super::{Wanted, label_names};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Names of the parts a data set is delivered in; never labels.
const PARTS: [&str; 9] = ["train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"];

/// A sub-folder and its pictures.
struct LabelFolder {
    name: String,
    direct: Vec<PathBuf>,
    nested: Vec<PathBuf>,
    /// Nothing at all inside: a label without images.
    empty: bool,
}

/// Opens a folder of label folders; `None` where no sub-folder has pictures.
pub(super) fn open_folder(folder: &Folder, wanted: &Wanted, monitor: &Monitor) -> Result<Option<ImageSet>, ImageError> {
    let mut skipped = folder.refused.clone();
    let mut found = Vec::new();
    for path in &folder.folders {
        found.push(look_into(path, folder, &mut skipped, monitor)?);
    }
    let with_pictures: Vec<&LabelFolder> =
        found.iter().filter(|f| !(f.direct.is_empty() && f.nested.is_empty())).collect();
    if with_pictures.is_empty() {
        return Ok(None);
    }
    let no_direct = with_pictures.iter().all(|f| f.direct.is_empty());
    if let ([only], true) = (with_pictures.as_slice(), no_direct) {
        // One folder around the label folders, as archives unpack.
        let around = Folder::list_below(&folder.path.join(&only.name), &folder.root, monitor)?;
        if around.folders.len() > 1 {
            return open_folder(&around, wanted, monitor);
        }
    }
    if no_direct && with_pictures.iter().all(|f| PARTS.contains(&f.name.to_lowercase().as_str())) {
        let parts: Vec<&str> = with_pictures.iter().map(|f| f.name.as_str()).collect();
        return Err(ImageError::not_images(
            &folder.path,
            format!("it holds several sets ({}): open one of them", parts.join(", ")),
        ));
    }
    let labelled: Vec<&LabelFolder> =
        found.iter().filter(|f| f.empty || !(f.direct.is_empty() && f.nested.is_empty())).collect();
    let words: BTreeSet<String> = labelled.iter().map(|f| f.name.clone()).collect();
    let (labels, names) = label_names::of_words(&words, wanted, &folder.path)?;
    let mut pictures = Vec::new();
    for f in labelled {
        for path in f.direct.iter().chain(&f.nested) {
            let shown = path.strip_prefix(&folder.path).unwrap_or(path).display().to_string();
            pictures.push(Listed { path: path.clone(), shown, label: labels[&f.name] });
        }
    }
    let listing = Listing { from: folder.path.clone(), root: folder.root.clone(), pictures, names, skipped };
    decode(listing, wanted, monitor).map(Some)
}

fn look_into(
    path: &std::path::Path,
    parent: &Folder,
    skipped: &mut Vec<String>,
    monitor: &Monitor,
) -> Result<LabelFolder, ImageError> {
    let label = name(path);
    let inside = Folder::list_below(path, &parent.root, monitor)?;
    skipped.extend(inside.refused.iter().map(|r| format!("{label}/{r}")));
    let mut nested = Vec::new();
    for below in &inside.folders {
        let deeper = Folder::list_below(below, &parent.root, monitor)?;
        skipped.extend(deeper.refused.iter().map(|r| format!("{label}/{}/{r}", name(below))));
        nested.extend(pictures(&deeper, monitor)?);
    }
    let empty = inside.files.is_empty() && inside.folders.is_empty() && inside.refused.is_empty();
    Ok(LabelFolder { direct: pictures(&inside, monitor)?, nested, empty, name: label })
}

fn pictures(folder: &Folder, monitor: &Monitor) -> Result<Vec<PathBuf>, ImageError> {
    let mut kept = Vec::new();
    for file in &folder.files {
        monitor.check()?;
        if may_be_picture(file) {
            kept.push(file.clone());
        }
    }
    Ok(kept)
}
