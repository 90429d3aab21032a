//! NumPy archives (`.npz`) with an array of images and an array of labels.
//!
//! The header of an array is parsed here: parsers made for files one trusts recurse over nested brackets and allocate
//! what the header claims, and both let a hostile file end the program. Pickled (object) arrays
//! are refused, never read.

use super::folder::{Folder, prefer_test};
use super::layout::{Layout, assemble};
use super::stream::read_declared;
use super::{MAX_SET_BYTES, Wanted, label_names};
use crate::images::{ImageError, ImageSet};
use crate::progress::Monitor;
use half::f16;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// First bytes of an `.npy` file.
pub(super) const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header of an array that is read; NumPy's own are about 128 bytes.
const MAX_HEADER: usize = 16 << 10;

/// What the name of an array ends with in an archive.
const ENDING: &str = ".npy";

type Archive = ZipArchive<BufReader<File>>;

pub(super) fn recognises(_: &Path, start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// The only `.npz` of a folder, or the one named after a test set.
pub(super) fn open_folder(folder: &Folder, wanted: &Wanted, monitor: &Monitor) -> Result<Option<ImageSet>, ImageError> {
    let files: Vec<_> = folder.files.iter().filter(|f| f.extension().is_some_and(|e| e == "npz")).cloned().collect();
    match prefer_test(files).as_slice() {
        [] => Ok(None),
        [only] => open(only, wanted, monitor).map(Some),
        several => Err(ImageError::not_images(
            &folder.path,
            format!("it holds {} .npz files that fit equally well: open one of them", several.len()),
        )),
    }
}

/// Opens an archive with images and labels under any usual name.
pub(super) fn open(path: &Path, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let file = BufReader::new(File::open(path).map_err(|e| ImageError::io(path, e))?);
    let mut archive =
        Archive::new(file).map_err(|e| ImageError::damaged(path, format!("it is no whole .npz archive ({e})")))?;
    let mut names: Vec<String> =
        archive.file_names().flatten().filter_map(|name| Some(name.strip_suffix(ENDING)?.to_owned())).collect();
    names.sort();
    if names.is_empty() {
        return Err(ImageError::not_images(path, "it is a .zip without NumPy arrays"));
    }
    let mut headers = Vec::with_capacity(names.len());
    for name in &names {
        monitor.check()?;
        headers.push(read(&mut archive, path, name, |reader| header(reader))?);
    }
    let (x, y) = choose(&names, &headers).ok_or_else(|| {
        let seen: Vec<String> =
            names.iter().zip(&headers).take(12).map(|(n, h)| format!("{n} {:?}", h.shape)).collect();
        ImageError::not_images(
            path,
            format!(
                "no pair of arrays of images and labels was found in it; save them as x and y (it has {})",
                seen.join(", ")
            ),
        )
    })?;
    for i in [x, y] {
        headers[i].check(path, &names[i])?;
    }
    let layout = Layout::of(&headers[x].shape).ok_or_else(|| {
        let why = format!("the shape {:?} of \"{}\" is not that of images", headers[x].shape, names[x]);
        ImageError::not_images(path, why)
    })?;
    let labels = labels(&values(&mut archive, path, &names[y], &headers[y], monitor)?, &headers[y].shape)
        .map_err(|why| ImageError::not_images(path, format!("the labels \"{}\" cannot be used: {why}", names[y])))?;
    if labels.len() != layout.n {
        return Err(ImageError::Mismatch(format!(
            "{} holds {} images (\"{}\") but {} labels (\"{}\")",
            path.display(),
            layout.n,
            names[x],
            labels.len(),
            names[y]
        )));
    }
    let bytes = if headers[x].kind == Kind::Unsigned && headers[x].width == 1 {
        raw(&mut archive, path, &names[x], &headers[x], monitor)?
    } else {
        let numbers = values(&mut archive, path, &names[x], &headers[x], monitor)?;
        to_bytes(&numbers, headers[x].kind)
            .map_err(|why| ImageError::not_images(path, format!("the images \"{}\" cannot be used: {why}", names[x])))?
    };
    let count = labels.iter().max().map_or(0, |&l| l + 1);
    let beside = path.parent().unwrap_or(Path::new("."));
    let label_names = label_names::of_numbers(count, wanted, beside, &[])?;
    assemble(&bytes, layout, labels, label_names, wanted, monitor)
}

/// What the bytes of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    Float,
    Bool,
    /// Python objects: pickled.
    Object,
    Other,
}

/// The header of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    kind: Kind,
    /// Bytes a value.
    width: usize,
    big_endian: bool,
    column_major: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Refuses what cannot be read safely.
    fn check(&self, path: &Path, name: &str) -> Result<(), ImageError> {
        let no = |why: String| Err(ImageError::not_images(path, format!("the array \"{name}\" {why}")));
        let readable = matches!(
            (self.kind, self.width),
            (Kind::Unsigned | Kind::Signed, 1 | 2 | 4 | 8) | (Kind::Float, 2 | 4 | 8) | (Kind::Bool, 1)
        );
        match self.kind {
            Kind::Object => {
                no("holds pickled Python objects, which are never opened; save plain numbers, all images of one size"
                    .into())
            }
            _ if !readable => no("does not hold numbers".into()),
            _ if self.column_major && self.shape.len() > 1 => {
                no("is stored column by column; save np.ascontiguousarray of it".into())
            }
            // Floats are held as `f32` while they are read.
            _ if self.values().is_none_or(|n| n.saturating_mul(4.max(self.width as u64)) > 4 * MAX_SET_BYTES) => {
                no(format!("claims the shape {:?}, more than {} GiB", self.shape, (4 * MAX_SET_BYTES) >> 30))
            }
            _ => Ok(()),
        }
    }

    /// Number of values; `None` where it overflows.
    fn values(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d as u64))
    }
}

/// Opens one array of the archive and reads from it.
fn read<T>(
    archive: &mut Archive,
    path: &Path,
    name: &str,
    work: impl FnOnce(&mut dyn Read) -> Result<T, String>,
) -> Result<T, ImageError> {
    let broken = |why: String| ImageError::damaged(path, format!("the array \"{name}\" cannot be read ({why})"));
    let mut file = archive.by_name(&format!("{name}{ENDING}")).map_err(|e| broken(e.to_string()))?;
    work(&mut file).map_err(broken)
}

/// Reads the header of an `.npy` stream up to its first value.
fn header(reader: &mut dyn Read) -> Result<Header, String> {
    let mut fixed = [0; 8];
    let cut = |_| "it is cut off".to_owned();
    reader.read_exact(&mut fixed).map_err(cut)?;
    if !fixed.starts_with(NPY_MAGIC) {
        return Err("it is no NumPy array".into());
    }
    let length = if fixed[6] == 1 {
        let mut two = [0; 2];
        reader.read_exact(&mut two).map_err(cut)?;
        usize::from(u16::from_le_bytes(two))
    } else {
        let mut four = [0; 4];
        reader.read_exact(&mut four).map_err(cut)?;
        u32::from_le_bytes(four) as usize
    };
    if length > MAX_HEADER {
        return Err("its header is too long".into());
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(cut)?;
    parse(&String::from_utf8_lossy(&text)).ok_or_else(|| "its header cannot be understood".into())
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
fn parse(text: &str) -> Option<Header> {
    let field = |key: &str| {
        let at = text.find(&format!("'{key}'"))? + key.len() + 2;
        text[at..].trim_start().strip_prefix(':').map(str::trim_start)
    };
    let column_major = match field("fortran_order")? {
        v if v.starts_with("True") => true,
        v if v.starts_with("False") => false,
        _ => return None,
    };
    let shape = field("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let shape: Vec<usize> = shape
        .split(',')
        .map(|d| d.trim().trim_end_matches('L'))
        .filter(|d| !d.is_empty())
        .map(|d| d.parse().ok())
        .collect::<Option<_>>()?;
    let mut header = Header { kind: Kind::Other, width: 1, big_endian: false, column_major, shape };
    let Some(quoted) = field("descr")?.strip_prefix('\'') else {
        return Some(header); // a record of several fields
    };
    let mut letters = quoted.split_once('\'')?.0.chars();
    let order = letters.next()?;
    header.big_endian = order == '>';
    header.kind = match letters.next()? {
        'u' => Kind::Unsigned,
        'i' => Kind::Signed,
        'f' => Kind::Float,
        'b' => Kind::Bool,
        'O' => Kind::Object,
        _ => Kind::Other,
    };
    header.width = letters.as_str().parse().unwrap_or(0);
    Some(header)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Images,
    Labels,
}

/// What an array is for and which part of a data set it is of, by its name.
fn role(name: &str) -> Option<(Role, Part)> {
    let lower = name.to_lowercase();
    let mut part = Part::Whole;
    let mut rest = Vec::new();
    for word in lower.split(['_', '-', '.', ' ']).filter(|w| !w.is_empty()) {
        match word {
            "test" | "te" => part = Part::Test,
            "val" | "valid" | "validation" | "dev" => part = Part::Validation,
            "train" | "training" | "tr" => part = Part::Train,
            word => rest.push(word),
        }
    }
    let role = match rest.as_slice() {
        ["x" | "xs" | "image" | "images" | "img" | "imgs" | "data" | "features" | "pixels" | "inputs" | "input"] => {
            Role::Images
        }
        ["y" | "ys" | "label" | "labels" | "target" | "targets" | "class" | "classes" | "classid"] => Role::Labels,
        ["xtest"] => return Some((Role::Images, Part::Test)),
        ["ytest"] => return Some((Role::Labels, Part::Test)),
        ["xtrain"] => return Some((Role::Images, Part::Train)),
        ["ytrain"] => return Some((Role::Labels, Part::Train)),
        _ => return None,
    };
    Some((role, part))
}

/// Parts of a data set; the model saw the last one in training, so it comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Whole,
    Test,
    Validation,
    Train,
}

/// The arrays of images and of labels: by their names, else by their shapes where only one pair fits.
fn choose(names: &[String], headers: &[Header]) -> Option<(usize, usize)> {
    let roles: Vec<Option<(Role, Part)>> = names.iter().map(|n| role(n)).collect();
    for part in [Part::Whole, Part::Test, Part::Validation, Part::Train] {
        let find = |wanted| roles.iter().position(|r| *r == Some((wanted, part)));
        if let (Some(x), Some(y)) = (find(Role::Images), find(Role::Labels)) {
            return Some((x, y));
        }
    }
    let of = |dimensions: std::ops::RangeInclusive<usize>| -> Vec<usize> {
        (0..headers.len()).filter(|&i| dimensions.contains(&headers[i].shape.len())).collect()
    };
    match (of(3..=4).as_slice(), of(1..=2).as_slice()) {
        (&[x], &[y]) if headers[x].shape[0] == headers[y].shape[0] => Some((x, y)),
        _ => None,
    }
}

/// The bytes of an array's values.
fn raw(
    archive: &mut Archive,
    path: &Path,
    name: &str,
    about: &Header,
    monitor: &Monitor,
) -> Result<Vec<u8>, ImageError> {
    let expected = about.values().unwrap_or(u64::MAX).saturating_mul(about.width as u64);
    let mut outcome = Ok(Vec::new());
    read(archive, path, name, |reader| {
        header(reader)?;
        outcome = read_declared(reader, expected, path, monitor);
        Ok(())
    })?;
    outcome
}

/// An array's values as numbers.
fn values(
    archive: &mut Archive,
    path: &Path,
    name: &str,
    about: &Header,
    monitor: &Monitor,
) -> Result<Vec<f32>, ImageError> {
    let bytes = raw(archive, path, name, about, monitor)?;
    Ok(bytes.chunks_exact(about.width).map(|value| number(value, about)).collect())
}

/// One value, of at most 8 bytes, as `f32` (labels are small, images have 8 bits of depth).
fn number(bytes: &[u8], about: &Header) -> f32 {
    let mut little = [0_u8; 8];
    little[..bytes.len()].copy_from_slice(bytes);
    if about.big_endian {
        little[..bytes.len()].reverse();
    }
    let bits = u64::from_le_bytes(little);
    let unused = 64 - 8 * bytes.len() as u32;
    match (about.kind, bytes.len()) {
        (Kind::Float, 2) => f16::from_bits(bits as u16).to_f32(),
        (Kind::Float, 4) => f32::from_bits(bits as u32),
        (Kind::Float, _) => f64::from_bits(bits) as f32,
        (Kind::Signed, _) => (((bits << unused) as i64) >> unused) as f32,
        _ => bits as f32,
    }
}

/// Labels from class numbers `[n]`, `[n, 1]`, or one-hot rows `[n, labels]`.
fn labels(values: &[f32], shape: &[usize]) -> Result<Vec<usize>, String> {
    let whole = |v: f32| {
        let fits = v >= 0.0 && v < label_names::MAX_LABELS as f32 && v.fract() == 0.0;
        if fits { Ok(v as usize) } else { Err(format!("{v} is no label")) }
    };
    match *shape {
        [_] | [_, 1] => values.iter().map(|&v| whole(v)).collect(),
        [_, classes] if classes > 1 => values
            .chunks_exact(classes)
            .map(|row| {
                let ones = row.iter().filter(|&&v| v == 1.0).count();
                let zeros = row.iter().filter(|&&v| v == 0.0).count();
                match row.iter().position(|&v| v == 1.0) {
                    Some(label) if ones == 1 && zeros + 1 == classes => Ok(label),
                    _ => Err("its rows are not one-hot".into()),
                }
            })
            .collect(),
        _ => Err(format!("its shape is {shape:?}")),
    }
}

/// Bytes of pixels that come as numbers in 0 to 1, -1 to 1 or 0 to 255.
fn to_bytes(values: &[f32], kind: Kind) -> Result<Vec<u8>, String> {
    const SLACK: f32 = 0.01;
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for &v in values {
        if !v.is_finite() {
            return Err("it holds values that are no numbers".into());
        }
        (low, high) = (low.min(v), high.max(v));
    }
    let fractions = kind == Kind::Float || kind == Kind::Bool;
    let (scale, shift) = if low >= 0.0 && high <= 1.0 + SLACK && fractions {
        (255.0, 0.0)
    } else if (-1.0 - SLACK..0.0).contains(&low) && high <= 1.0 + SLACK && fractions {
        (127.5, 127.5)
    } else if low >= 0.0 && high <= 255.0 + SLACK {
        (1.0, 0.0)
    } else {
        return Err(format!(
            "its values go from {low} to {high}; pixels go from 0 to 1, -1 to 1 or 0 to 255, before any further normalisation"
        ));
    };
    // The cast saturates, so the slack ends at 0 and 255.
    Ok(values.iter().map(|v| (v * scale + shift).round() as u8).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_are_parsed_and_nonsense_is_not() {
        let header = parse("{'descr': '>f4', 'fortran_order': False, 'shape': (3, 4), }  \n").unwrap();
        assert_eq!((header.kind, header.width, header.big_endian), (Kind::Float, 4, true));
        assert_eq!(header.shape, [3, 4]);
        assert_eq!(parse("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }").unwrap().kind, Kind::Object);
        assert_eq!(
            parse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }").unwrap().kind,
            Kind::Other
        );
        for bad in
            ["", "((((((((((((", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_shape_that_overflows_is_refused() {
        let mut header =
            parse("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296, 3), }").unwrap();
        assert!(header.check(Path::new("a.npz"), "x").is_err());
        header.shape = vec![usize::MAX];
        assert!(header.check(Path::new("a.npz"), "x").is_err());
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        let read = |descr: &str, bytes: &[u8]| {
            let about = parse(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}")).unwrap();
            number(bytes, &about)
        };
        assert_eq!(read("<i2", &(-7_i16).to_le_bytes()), -7.0);
        assert_eq!(read(">i4", &9_i32.to_be_bytes()), 9.0);
        assert_eq!(read("<i8", &(-1_i64).to_le_bytes()), -1.0);
        assert_eq!(read("|u1", &[200]), 200.0);
        assert_eq!(read("<f2", &f16::from_f32(0.5).to_bits().to_le_bytes()), 0.5);
        assert_eq!(read("<f4", &0.25_f32.to_le_bytes()), 0.25);
        assert_eq!(read(">f8", &0.125_f64.to_be_bytes()), 0.125);
    }

    #[test]
    fn names_tell_roles_and_the_test_part_comes_before_the_training_part() {
        let names: Vec<String> = ["X_train", "x_test", "y_test", "Y_train"].map(str::to_owned).to_vec();
        let header = parse("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }").unwrap();
        assert_eq!(choose(&names, &vec![header; 4]), Some((1, 2)));
        assert_eq!(role("test_images"), Some((Role::Images, Part::Test)));
        assert_eq!(role("labels"), Some((Role::Labels, Part::Whole)));
        assert_eq!(role("weights"), None);
    }
}
