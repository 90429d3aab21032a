//! The numbers an ONNX file carries: decoded one tensor at a time, when a node asks for them.
//!
//! Declared shapes are held against the bytes that are really there before memory is taken.
//! Data outside the file is read from the file's own folder only.

use super::messages::{StringStringEntryProto, TensorProto, data_type};
use crate::model::interpret::MOST_INTEGERS;
use bytes::Bytes;
use half::{bf16, f16};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// The most numbers of one tensor that are decoded (1 GiB of `f32`).
const MOST_NUMBERS: usize = 1 << 28;

/// Decoded numbers with their shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub numbers: Numbers,
    pub shape: Vec<usize>,
}

/// Real numbers become `f32`, whole ones `i64`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl Stored {
    pub fn integers(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], numbers: Numbers::Integers(values) }
    }

    pub fn floats(values: Vec<f32>) -> Self {
        Self { shape: vec![values.len()], numbers: Numbers::Floats(values) }
    }

    pub fn scalar(self) -> Self {
        Self { shape: Vec::new(), ..self }
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Floats(v) => v.len(),
            Numbers::Integers(v) => v.len(),
        }
    }

    /// The number, where there is exactly one.
    pub fn number(&self) -> Option<f64> {
        match &self.numbers {
            Numbers::Floats(v) if v.len() == 1 => Some(f64::from(v[0])),
            Numbers::Integers(v) if v.len() == 1 => Some(v[0] as f64),
            _ => None,
        }
    }
}

/// Decodes one tensor; `folder` is where the model file lies.
///
/// # Errors
/// A clause that says what does not hold, to follow the tensor's name.
pub(super) fn decode(tensor: &TensorProto, folder: &Path) -> Result<Stored, String> {
    decode_up_to(tensor, folder, MOST_INTEGERS)
}

/// Like [`decode`], for the weights of a quantised model: as many whole numbers as there may be others.
pub(super) fn decode_many(tensor: &TensorProto, folder: &Path) -> Result<Stored, String> {
    decode_up_to(tensor, folder, MOST_NUMBERS)
}

fn decode_up_to(tensor: &TensorProto, folder: &Path, most_integers: usize) -> Result<Stored, String> {
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let size = dims.as_ref().ok().and_then(|d| d.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)));
    let (Ok(shape), Some(size)) = (dims, size.filter(|&n| n <= MOST_NUMBERS)) else {
        return Err(format!("is declared with shape {:?}, which makes no sense", tensor.dims));
    };
    let kind = tensor.data_type.unwrap_or(0);
    let Some(width) = width(kind) else { return Err(format!("holds {}, which is not supported", name(kind))) };
    let real = matches!(kind, data_type::FLOAT | data_type::DOUBLE | data_type::FLOAT16 | data_type::BFLOAT16);
    if !real && size > most_integers {
        return Err(format!("holds {size} whole numbers (a quantised model?), which is not supported"));
    }
    let raw = if tensor.data_location == Some(1) {
        Some(external(&tensor.external_data, folder, size * width)?)
    } else {
        tensor.raw_data.clone().filter(|raw| !raw.is_empty() || size == 0)
    };
    let numbers = match raw {
        Some(raw) if raw.len() != size * width => {
            return Err(format!(
                "is declared with shape {shape:?}, which takes {} bytes, but {} are there",
                size * width,
                raw.len()
            ));
        }
        Some(raw) => from_bytes(kind, &raw),
        None => from_fields(kind, tensor),
    };
    let stored = Stored { numbers, shape };
    if stored.len() != size {
        return Err(format!("is declared with shape {:?}, but {} numbers are there", stored.shape, stored.len()));
    }
    Ok(stored)
}

/// Bytes of one number; `None` for kinds that are not read.
pub(super) fn width(kind: i32) -> Option<usize> {
    Some(match kind {
        data_type::UINT8 | data_type::INT8 | data_type::BOOL => 1,
        data_type::UINT16 | data_type::INT16 | data_type::FLOAT16 | data_type::BFLOAT16 => 2,
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => 4,
        data_type::DOUBLE | data_type::INT64 | data_type::UINT64 => 8,
        _ => return None,
    })
}

/// A kind of number in words.
pub(super) fn name(kind: i32) -> String {
    match kind {
        data_type::FLOAT => "32-bit numbers".into(),
        data_type::UINT8 => "bytes".into(),
        data_type::INT8 => "signed bytes".into(),
        data_type::UINT16 | data_type::INT16 => "16-bit whole numbers".into(),
        data_type::INT32 | data_type::UINT32 => "32-bit whole numbers".into(),
        data_type::INT64 | data_type::UINT64 => "64-bit whole numbers".into(),
        data_type::STRING => "texts".into(),
        data_type::BOOL => "truth values".into(),
        data_type::FLOAT16 | data_type::BFLOAT16 => "16-bit numbers".into(),
        data_type::DOUBLE => "64-bit numbers".into(),
        other => format!("numbers of kind {other}"),
    }
}

fn from_bytes(kind: i32, raw: &[u8]) -> Numbers {
    fn each<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
        raw.as_chunks::<N>().0.iter().map(|&b| read(b)).collect()
    }
    match kind {
        data_type::FLOAT => Numbers::Floats(each(raw, f32::from_le_bytes)),
        data_type::DOUBLE => Numbers::Floats(each(raw, |b| f64::from_le_bytes(b) as f32)),
        data_type::FLOAT16 => Numbers::Floats(each(raw, |b| f16::from_le_bytes(b).to_f32())),
        data_type::BFLOAT16 => Numbers::Floats(each(raw, |b| bf16::from_le_bytes(b).to_f32())),
        data_type::INT8 => Numbers::Integers(each(raw, |b| i64::from(i8::from_le_bytes(b)))),
        data_type::UINT16 => Numbers::Integers(each(raw, |b| i64::from(u16::from_le_bytes(b)))),
        data_type::INT16 => Numbers::Integers(each(raw, |b| i64::from(i16::from_le_bytes(b)))),
        data_type::INT32 => Numbers::Integers(each(raw, |b| i64::from(i32::from_le_bytes(b)))),
        data_type::UINT32 => Numbers::Integers(each(raw, |b| i64::from(u32::from_le_bytes(b)))),
        data_type::INT64 => Numbers::Integers(each(raw, i64::from_le_bytes)),
        data_type::UINT64 => Numbers::Integers(each(raw, |b| u64::from_le_bytes(b) as i64)),
        _ => Numbers::Integers(raw.iter().map(|&b| i64::from(b)).collect()),
    }
}

fn from_fields(kind: i32, tensor: &TensorProto) -> Numbers {
    let bits = |v: &i32| *v as u16;
    match kind {
        data_type::FLOAT => Numbers::Floats(tensor.float_data.clone()),
        data_type::DOUBLE => Numbers::Floats(tensor.double_data.iter().map(|&v| v as f32).collect()),
        data_type::FLOAT16 => {
            Numbers::Floats(tensor.int32_data.iter().map(|v| f16::from_bits(bits(v)).to_f32()).collect())
        }
        data_type::BFLOAT16 => {
            Numbers::Floats(tensor.int32_data.iter().map(|v| bf16::from_bits(bits(v)).to_f32()).collect())
        }
        data_type::INT64 => Numbers::Integers(tensor.int64_data.clone()),
        data_type::UINT32 | data_type::UINT64 => {
            Numbers::Integers(tensor.uint64_data.iter().map(|&v| v as i64).collect())
        }
        _ => Numbers::Integers(tensor.int32_data.iter().map(|&v| i64::from(v)).collect()),
    }
}

/// Numbers that lie in another file of the same folder.
pub(super) fn external(entries: &[StringStringEntryProto], folder: &Path, size: usize) -> Result<Bytes, String> {
    let Outside { location, path, start } = outside(entries, folder, size)?;
    let trouble = |e: std::io::Error| format!("lies in \"{location}\", which cannot be read: {e}");
    // Asked before it is opened: opening a pipe would wait for a writer.
    if !std::fs::metadata(&path).map_err(trouble)?.is_file() {
        return Err(format!("lies in \"{location}\", which is no ordinary file"));
    }
    let mut file = File::open(&path).map_err(trouble)?;
    let about = file.metadata().map_err(trouble)?;
    if !about.is_file() || start.checked_add(size as u64).is_none_or(|end| end > about.len()) {
        return Err(format!("lies in \"{location}\", which is too short to hold it"));
    }
    file.seek(SeekFrom::Start(start)).map_err(trouble)?;
    let mut bytes = vec![0; size];
    file.read_exact(&mut bytes).map_err(trouble)?;
    Ok(bytes.into())
}

/// Where numbers outside the model's file lie.
pub(super) struct Outside {
    /// As the model's file names it.
    pub location: String,
    /// The file, links followed; inside the model's folder.
    pub path: PathBuf,
    /// Position of the first byte.
    pub start: u64,
}

/// The entry called `key`.
pub(super) fn entry<'a>(entries: &'a [StringStringEntryProto], key: &str) -> Option<&'a str> {
    entries.iter().find(|e| e.key.as_deref() == Some(key)).and_then(|e| e.value.as_deref())
}

/// The place of `size` bytes of numbers outside the model's file.
pub(super) fn outside(entries: &[StringStringEntryProto], folder: &Path, size: usize) -> Result<Outside, String> {
    let location = entry(entries, "location").unwrap_or_default();
    let place = Path::new(location);
    let inside = !location.is_empty()
        && !location.contains('\\')
        && place.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err(format!("lies in \"{location}\", outside the folder of the model, where nothing is read"));
    }
    let number = |key: &str| entry(entries, key).map_or(Ok(None), |t| t.trim().parse::<u64>().map(Some));
    let (Ok(offset), Ok(length)) = (number("offset"), number("length")) else {
        return Err(format!("has a place in \"{location}\" that is not a number"));
    };
    if length.is_some_and(|l| l != size as u64) {
        return Err(format!("takes {size} bytes, but {} are declared in \"{location}\"", length.unwrap_or(0)));
    }
    let trouble = |e: std::io::Error| format!("lies in \"{location}\", which cannot be read: {e}");
    // A link inside the folder may still point out of it.
    let (root, path) = (folder_of(folder).canonicalize(), folder_of(folder).join(place).canonicalize());
    let (root, path) = (root.map_err(trouble)?, path.map_err(trouble)?);
    if !path.starts_with(&root) {
        return Err(format!("lies in \"{location}\", outside the folder of the model, where nothing is read"));
    }
    Ok(Outside { location: location.to_owned(), path, start: offset.unwrap_or(0) })
}

fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tensor(kind: i32, dims: &[i64]) -> TensorProto {
        TensorProto { data_type: Some(kind), dims: dims.to_vec(), ..Default::default() }
    }

    #[test]
    fn every_kind_of_number_is_read_from_bytes_and_from_fields() {
        let here = Path::new("");
        let raw = |kind, bytes: &[u8], n| {
            decode(&TensorProto { raw_data: Some(bytes.to_vec().into()), ..tensor(kind, &[n]) }, here).unwrap().numbers
        };
        assert_eq!(raw(data_type::FLOAT, &1.5_f32.to_le_bytes(), 1), Numbers::Floats(vec![1.5]));
        assert_eq!(raw(data_type::DOUBLE, &(-2.5_f64).to_le_bytes(), 1), Numbers::Floats(vec![-2.5]));
        assert_eq!(raw(data_type::FLOAT16, &[0x00, 0x3c, 0x00, 0xc0], 2), Numbers::Floats(vec![1.0, -2.0]));
        assert_eq!(raw(data_type::BFLOAT16, &[0x80, 0x3f], 1), Numbers::Floats(vec![1.0]));
        assert_eq!(raw(data_type::INT64, &(-7_i64).to_le_bytes(), 1), Numbers::Integers(vec![-7]));
        assert_eq!(raw(data_type::INT32, &(-7_i32).to_le_bytes(), 1), Numbers::Integers(vec![-7]));
        assert_eq!(raw(data_type::UINT8, &[0, 255], 2), Numbers::Integers(vec![0, 255]));
        let fields = TensorProto { float_data: vec![1.0, 2.0], ..tensor(data_type::FLOAT, &[2, 1]) };
        assert_eq!(decode(&fields, here).unwrap().numbers, Numbers::Floats(vec![1.0, 2.0]));
        let halves = TensorProto { int32_data: vec![0x3c00], ..tensor(data_type::FLOAT16, &[]) };
        assert_eq!(decode(&halves, here).unwrap().numbers, Numbers::Floats(vec![1.0]));
        let doubles = TensorProto { double_data: vec![0.5], ..tensor(data_type::DOUBLE, &[1]) };
        assert_eq!(decode(&doubles, here).unwrap().numbers, Numbers::Floats(vec![0.5]));
    }

    #[test]
    fn a_shape_that_the_data_does_not_fill_is_refused_without_taking_memory() {
        let here = Path::new("");
        for dims in [&[1_i64 << 40, 1 << 40][..], &[-1, 3], &[i64::MAX]] {
            assert!(decode(&tensor(data_type::FLOAT, dims), here).unwrap_err().contains("makes no sense"));
        }
        let short = TensorProto { raw_data: Some(vec![0; 8].into()), ..tensor(data_type::FLOAT, &[1000, 1000]) };
        assert!(decode(&short, here).unwrap_err().contains("but 8 are there"));
        assert!(decode(&tensor(data_type::FLOAT, &[4]), here).unwrap_err().contains("0 numbers are there"));
        assert!(decode(&tensor(data_type::STRING, &[1]), here).unwrap_err().contains("texts"));
    }

    #[test]
    fn outside_data_is_read_from_the_own_folder_only() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("model");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join("secret"), [0; 64]).unwrap();
        std::fs::write(inner.join("weights.bin"), [0_u8, 0, 0x80, 0x3f, 0, 0, 0, 0x40]).unwrap();
        let outside = |entries: &[(&str, &str)], n: i64| {
            let external_data = entries
                .iter()
                .map(|(k, v)| StringStringEntryProto { key: Some((*k).into()), value: Some((*v).into()) })
                .collect();
            decode(&TensorProto { external_data, data_location: Some(1), ..tensor(data_type::FLOAT, &[n]) }, &inner)
        };
        let good = outside(&[("location", "weights.bin"), ("offset", "4"), ("length", "4")], 1).unwrap();
        assert_eq!(good.numbers, Numbers::Floats(vec![2.0]));
        let absolute = folder.path().join("secret");
        for escape in ["../secret", "a/../../secret", absolute.to_str().unwrap(), "", "..\\secret"] {
            assert!(outside(&[("location", escape)], 1).unwrap_err().contains("nothing is read"), "{escape}");
        }
        assert!(outside(&[("location", "weights.bin"), ("offset", "8")], 1).unwrap_err().contains("too short"));
        assert!(outside(&[("location", "weights.bin")], 100_000_000).unwrap_err().contains("too short"));
        assert!(outside(&[("location", "weights.bin"), ("length", "9")], 1).unwrap_err().contains("declared"));
        assert!(outside(&[("location", "absent")], 1).unwrap_err().contains("cannot be read"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("secret"), inner.join("link")).unwrap();
            assert!(outside(&[("location", "link")], 1).unwrap_err().contains("nothing is read"));
        }
    }
}
