//! A folder with a CSV that lists pictures and labels, one a line; the CSV itself may be given too.
//!
//! Separators `,` `;` tab. Columns are found by their header, or by which one names pictures. Paths are
//! relative to the folder of the CSV and never leave it.

use super::decode::{Listed, Listing, decode};
use super::folder::{Folder, has_picture_extension, name, prefer_test};
use super::{Wanted, label_names};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;
use csv::{ReaderBuilder, StringRecord};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Largest CSV that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Most pictures a CSV may list.
const MAX_ROWS: usize = 2_000_000;
/// Rows whose pictures are looked for to tell whether a CSV belongs to a folder.
const LOOKED_FOR: usize = 50;
/// Headers of the column of paths, likeliest first.
const PATHS: [&str; 10] =
    ["path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "picture"];
/// Headers of the column of labels, numbers before names.
const LABELS: [&str; 12] = [
    "label",
    "labels",
    "classid",
    "class_id",
    "label_id",
    "labelid",
    "target",
    "y",
    "class",
    "category",
    "class_name",
    "classname",
];

/// What a CSV lists.
struct Table {
    /// Path as written (with `/`) and label.
    rows: Vec<(String, String)>,
}

pub(super) fn recognises(path: &Path, start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The last character may be cut in two.
        Err(e) if e.valid_up_to() + 4 > start.len() => std::str::from_utf8(&start[..e.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.contains('\0') && has_csv_extension(path) || text.lines().take(2).any(names_picture)
}

fn names_picture(line: &str) -> bool {
    line.split([',', ';', '\t']).count() > 1
        && line.split([',', ';', '\t']).any(|f| has_picture_extension(f.trim().trim_matches('"')))
}

fn has_csv_extension(path: &Path) -> bool {
    let name = name(path).to_lowercase();
    [".csv", ".tsv"].iter().any(|e| name.ends_with(e))
}

/// Opens the pictures a CSV lists.
pub(super) fn open(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = parent.canonicalize().map_err(|e| ImageError::io(parent, e))?;
    let table = Table::read(path, monitor)?.ok_or_else(|| {
        ImageError::not_images(
            path,
            "no columns of picture files and labels were found in it; name them path and label",
        )
    })?;
    table.decode(path, &root, wanted, monitor)
}

/// Opens the pictures listed by the CSV of a folder; `None` where none lists pictures that are there.
pub(super) fn open_folder(folder: &Folder, wanted: &Wanted, monitor: &Monitor) -> Result<Option<ImageSet>, ImageError> {
    let mut fitting = Vec::new();
    for file in folder.files.iter().filter(|f| has_csv_extension(f)) {
        if Table::read(file, monitor)?.is_some_and(|t| t.belongs_to(&folder.root)) {
            fitting.push(file.clone());
        }
    }
    match prefer_test(fitting).as_slice() {
        [] => Ok(None),
        [only] => open(only, wanted, monitor).map(Some),
        several => {
            let names: Vec<String> = several.iter().map(|f| name(f)).collect();
            let why = format!("several files list its pictures ({}): open one of them", names.join(", "));
            Err(ImageError::not_images(&folder.path, why))
        }
    }
}

impl Table {
    /// Reads a CSV; `None` where it has no columns of pictures and labels.
    fn read(path: &Path, monitor: &Monitor) -> Result<Option<Self>, ImageError> {
        let length = path.metadata().map_err(|e| ImageError::io(path, e))?.len();
        if length > MAX_BYTES {
            return Err(ImageError::not_images(
                path,
                format!("it has {} MiB, too much for a list of pictures", length >> 20),
            ));
        }
        let start = super::stream::first_bytes(path)?;
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(separator(&start))
            .from_path(path)
            .map_err(|e| ImageError::damaged(path, e.to_string()))?;
        let mut records = Vec::new();
        for (i, record) in reader.byte_records().enumerate() {
            if i % 1024 == 0 {
                monitor.check()?;
            }
            let record = record.map_err(|e| ImageError::damaged(path, e.to_string()))?;
            if i >= MAX_ROWS {
                return Err(ImageError::not_images(path, format!("it lists more than {MAX_ROWS} pictures")));
            }
            records.push(StringRecord::from_byte_record_lossy(record));
        }
        let Some((paths, labels, header)) = columns(&records) else { return Ok(None) };
        let rows = records
            .iter()
            .skip(usize::from(header))
            .filter_map(|r| Some((r.get(paths)?.replace('\\', "/"), r.get(labels)?.to_owned())))
            .filter(|(path, label)| !path.is_empty() && !label.is_empty())
            .collect::<Vec<_>>();
        Ok((!rows.is_empty()).then_some(Self { rows }))
    }

    fn belongs_to(&self, root: &Path) -> bool {
        self.rows.iter().take(LOOKED_FOR).any(|(path, _)| inside(root, path).is_ok_and(|p| p.is_file()))
    }

    fn decode(self, from: &Path, root: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
        let words: BTreeSet<String> = self.rows.iter().map(|(_, label)| label.clone()).collect();
        let (labels, names) = label_names::of_words(&words, wanted, root)?;
        let (mut pictures, mut skipped) = (Vec::new(), Vec::new());
        for (shown, label) in self.rows {
            match inside(root, &shown) {
                Ok(path) => pictures.push(Listed { path, shown, label: labels[&label] }),
                Err(why) => skipped.push(format!("{shown}: {why}")),
            }
        }
        decode(Listing { from: from.into(), root: root.into(), pictures, names, skipped }, wanted, monitor)
    }
}

/// A path of the CSV below `root`. A first part that repeats the name of the folder itself is stepped over
/// ("Test/00000.png" in the folder Test, as the German traffic sign benchmark has it).
fn inside(root: &Path, written: &str) -> Result<PathBuf, String> {
    let relative: PathBuf = Path::new(written).components().filter(|c| *c != Component::CurDir).collect();
    if relative.components().any(|c| !matches!(c, Component::Normal(_))) || written.contains(':') {
        return Err("leads out of the folder and is not followed".into());
    }
    let path = root.join(&relative);
    if !path.exists() {
        let stepped = root.file_name().and_then(|own| relative.strip_prefix(own).ok()).map(|rest| root.join(rest));
        if let Some(stepped) = stepped.filter(|p| p.exists()) {
            return Ok(stepped);
        }
    }
    Ok(path)
}

/// The likeliest separator of the first line.
fn separator(start: &[u8]) -> u8 {
    let line = start.split(|&b| b == b'\n').next().unwrap_or(start);
    let count = |separator: u8| line.iter().filter(|&&b| b == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|&s| count(s)).unwrap_or(b',')
}

/// Columns of paths and of labels, and whether the first row is a header.
fn columns(records: &[StringRecord]) -> Option<(usize, usize, bool)> {
    let first = records.first()?;
    let heads: Vec<String> = first.iter().map(|f| f.trim_start_matches('\u{feff}').to_lowercase()).collect();
    let find = |names: &[&str]| names.iter().find_map(|n| heads.iter().position(|h| h == n));
    if let (Some(paths), Some(labels)) = (find(&PATHS), find(&LABELS)) {
        return Some((paths, labels, true));
    }
    let picture = |r: &StringRecord| r.iter().position(has_picture_extension);
    let (paths, header) = match picture(first) {
        Some(column) => (column, false),
        None => (picture(records.get(1)?)?, true),
    };
    let labels = match find(&LABELS) {
        Some(column) if header => column,
        _ if paths + 1 < heads.len() => paths + 1,
        _ => paths.checked_sub(1)?,
    };
    Some((paths, labels, header))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(rows: &[&[&str]]) -> Option<(usize, usize, bool)> {
        columns(&rows.iter().map(|r| StringRecord::from(r.to_vec())).collect::<Vec<_>>())
    }

    #[test]
    fn columns_are_found_by_header_or_position() {
        assert_eq!(found(&[&["Width", "ClassId", "Path"], &["32", "7", "a.png"]]), Some((2, 1, true)));
        assert_eq!(found(&[&["a.png", "cat"], &["b.png", "dog"]]), Some((0, 1, false)));
        assert_eq!(found(&[&["cat", "a.png"]]), Some((1, 0, false)));
        assert_eq!(found(&[&["whatever", "kind"], &["b.png", "dog"]]), Some((0, 1, true)));
        assert_eq!(found(&[&["1", "2"], &["3", "4"]]), None);
        assert_eq!(found(&[&["a.png"]]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn separators_are_told_by_the_first_line() {
        assert_eq!(separator(b"Filename;Width;ClassId\n1.ppm;3;4,5"), b';');
        assert_eq!(separator(b"a\tb\n"), b'\t');
        assert_eq!(separator(b"a,b"), b',');
    }

    #[test]
    fn paths_never_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["../a.png", "/etc/a.png", "x/../../a.png", "C:/a.png"] {
            assert!(inside(dir.path(), bad).is_err(), "{bad}");
        }
        assert_eq!(inside(dir.path(), "./a/b.png").unwrap(), dir.path().join("a/b.png"));
    }
}
