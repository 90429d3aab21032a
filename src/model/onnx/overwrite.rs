//! New numbers for one tensor of a file, in the bytes and the kind of number it already has.
//!
//! In: the tensor's place and message, and the new numbers. Out: changes of the model file or of the file its numbers
//! lie in, and the numbers as they are then read. A number that does not change keeps its bytes, whatever they are.

use super::fields::{fields, put_varint, varint, wire};
use super::messages::{TensorProto, data_type};
use super::splice::{Edits, Place};
use super::stored::{self, Numbers, Outside};
use half::{bf16, f16};
use std::path::Path;

/// Field numbers of a tensor.
mod field {
    pub(super) const FLOAT_DATA: u64 = 4;
    pub(super) const INT32_DATA: u64 = 5;
    pub(super) const RAW_DATA: u64 = 9;
    pub(super) const DOUBLE_DATA: u64 = 10;
}

/// What a tensor became.
pub(super) struct Overwritten {
    /// The numbers as they will be read.
    pub stored: Vec<f32>,
    /// New bytes outside the model's file, where its numbers lie there and change.
    pub outside: Option<(Outside, Vec<u8>)>,
}

/// Puts `new` into the tensor at `place`, whose message is `tensor`; `folder` is where the model file lies.
///
/// # Errors
/// A clause to follow the tensor's name.
pub(super) fn overwrite(
    file: &[u8],
    place: &Place,
    tensor: &TensorProto,
    folder: &Path,
    new: &[f32],
    edits: &mut Edits,
) -> Result<Overwritten, String> {
    let Numbers::Floats(old) = stored::decode(tensor, folder)?.numbers else {
        return Err("holds whole numbers".into());
    };
    if old.len() != new.len() {
        return Err(format!("holds {} numbers, not {}", old.len(), new.len()));
    }
    let kind = tensor.data_type.unwrap_or(0);
    let stored = new.iter().map(|&v| rounded(kind, v)).collect::<Result<Vec<_>, _>>()?;
    // A 64-bit number is read rounded; one that is not changed keeps all its bits.
    let stored: Vec<f32> =
        stored.into_iter().zip(old.iter().zip(new)).map(|(s, (o, n))| if same(*o, *n) { *o } else { s }).collect();
    let mut outside = None;
    if tensor.data_location == Some(1) {
        let size = old.len() * stored::width(kind).unwrap_or(0);
        let bytes = stored::external(&tensor.external_data, folder, size)?;
        let changed = raw(kind, &bytes, &old, new)?;
        if bytes != changed {
            outside = Some((stored::outside(&tensor.external_data, folder, size)?, changed));
        }
    } else {
        let broken = || "cannot be found in its file".to_owned();
        let found = fields(file, place.at.clone()).ok_or_else(broken)?;
        let last = found.iter().rev().find(|f| f.number == field::RAW_DATA && f.wire == wire::LENGTH);
        if let Some(data) = last.filter(|data| !data.value.is_empty()) {
            let bytes = raw(kind, &file[data.value.clone()], &old, new)?;
            replace(file, &place.value(data), bytes, edits);
        } else {
            let number = match kind {
                data_type::FLOAT => field::FLOAT_DATA,
                data_type::DOUBLE => field::DOUBLE_DATA,
                _ => field::INT32_DATA,
            };
            let mut done = 0;
            for data in found.iter().filter(|f| f.number == number) {
                let bytes = &file[data.value.clone()];
                let (old, new) = (&old[done..], &new[done..]);
                let (changed, count) = if number == field::INT32_DATA {
                    bits(kind, bytes, old, new)?
                } else {
                    let count = bytes.len() / stored::width(kind).unwrap_or(1);
                    let old = old.get(..count).ok_or_else(broken)?;
                    (raw(kind, bytes, old, &new[..count])?, count)
                };
                done += count;
                replace(file, &place.value(data), changed, edits);
            }
            if done != old.len() {
                return Err(broken());
            }
        }
    }
    Ok(Overwritten { stored, outside })
}

fn replace(file: &[u8], place: &Place, bytes: Vec<u8>, edits: &mut Edits) {
    if file[place.at.clone()] != bytes {
        edits.replace(place, bytes);
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits()
}

/// A number as it is read once it was stored as one of `kind`.
pub(super) fn rounded(kind: i32, value: f32) -> Result<f32, String> {
    let rounded = match kind {
        data_type::FLOAT | data_type::DOUBLE => value,
        data_type::FLOAT16 => f16::from_f32(value).to_f32(),
        data_type::BFLOAT16 => bf16::from_f32(value).to_f32(),
        other => return Err(format!("holds {}", stored::name(other))),
    };
    if value.is_finite() && !rounded.is_finite() {
        return Err(format!("holds {}, and {value} is too large for them", stored::name(kind)));
    }
    Ok(rounded)
}

/// Little-endian bytes of one number of a kind that [`rounded`] takes.
pub(super) fn put(kind: i32, value: f32, out: &mut Vec<u8>) {
    match kind {
        data_type::DOUBLE => out.extend(f64::from(value).to_le_bytes()),
        data_type::FLOAT16 => out.extend(f16::from_f32(value).to_le_bytes()),
        data_type::BFLOAT16 => out.extend(bf16::from_f32(value).to_le_bytes()),
        _ => out.extend(value.to_le_bytes()),
    }
}

/// `bytes`, which are read as `old`, with the numbers that differ in `new`.
fn raw(kind: i32, bytes: &[u8], old: &[f32], new: &[f32]) -> Result<Vec<u8>, String> {
    let width = stored::width(kind).unwrap_or(1);
    if bytes.len() != old.len() * width {
        return Err("cannot be found in its file".into());
    }
    let mut out = Vec::with_capacity(bytes.len());
    for ((bytes, &old), &new) in bytes.chunks_exact(width).zip(old).zip(new) {
        if same(old, new) {
            out.extend_from_slice(bytes);
        } else {
            put(kind, new, &mut out);
        }
    }
    Ok(out)
}

/// Like [`raw`] for 16-bit numbers whose bits are stored as whole numbers, and how many there are.
fn bits(kind: i32, bytes: &[u8], old: &[f32], new: &[f32]) -> Result<(Vec<u8>, usize), String> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut position, mut count) = (0, 0);
    while position < bytes.len() {
        let start = position;
        let read = varint(bytes, &mut position, bytes.len());
        let (Some(_), Some(&old), Some(&new)) = (read, old.get(count), new.get(count)) else {
            return Err("cannot be found in its file".into());
        };
        count += 1;
        if same(old, new) {
            out.extend_from_slice(&bytes[start..position]);
        } else {
            let bits =
                if kind == data_type::BFLOAT16 { bf16::from_f32(new).to_bits() } else { f16::from_f32(new).to_bits() };
            put_varint(bits.into(), &mut out);
        }
    }
    Ok((out, count))
}
