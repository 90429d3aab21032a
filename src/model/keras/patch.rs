//! A changed Keras file that is the original byte for byte, but for the numbers that change.
//!
//! In: the original's bytes and a change. Out: new bytes. Our parameters have their axes in another order than the
//! file; the reader says how each was turned, and here it is turned back. Only numbers that lie in the file as they
//! are can be changed: compressed ones would need another place.

use super::builder::Origin;
use super::{Fault, archive, translate, zipped};
use crate::model::Change;
use crate::model::patched::Patched;
use candle_core::{Device, Tensor};
use half::f16;
use std::collections::BTreeMap;

/// The changed file.
///
/// # Errors
/// A clause that says what cannot be written.
pub(in crate::model) fn patch(file: &[u8], change: &Change) -> Result<Patched, String> {
    if let Some(clamp) = change.clamps.first() {
        return Err(format!("a Keras file has no place for a clamp (of value \"{}\")", clamp.value));
    }
    let unreadable = |fault: Fault| format!("the file cannot be read again: {}", fault.at("".as_ref()));
    let read = || translate::translate(&super::plain(file.to_vec())?);
    let origins = read().map_err(unreadable)?.origins;
    if zipped::is_archive(file) {
        let weights = zipped::unpack(file).map_err(unreadable)?.weights;
        let patched = patch_weights(&weights, change, &origins)?;
        return Ok(Patched { bytes: zipped::repack(file, &patched.bytes)?, ..patched });
    }
    patch_weights(file, change, &origins)
}

/// The HDF5 file with the changed numbers.
fn patch_weights(file: &[u8], change: &Change, origins: &BTreeMap<String, Origin>) -> Result<Patched, String> {
    let unreadable = |fault: Fault| format!("the file cannot be read again: {}", fault.at("".as_ref()));
    let mut wanted = Vec::new();
    for (name, new) in &change.parameters {
        let origin = origins.get(name).ok_or_else(|| format!("parameter \"{name}\" is not in the file"))?;
        wanted.push((name, new, origin));
    }
    let places: Vec<_> = wanted.iter().map(|(_, _, origin)| origin.place.clone()).collect();
    let found = archive::locate(file.to_vec(), &places).map_err(unreadable)?;
    let mut bytes = file.to_vec();
    let mut parameters = BTreeMap::new();
    for ((name, new, origin), found) in wanted.into_iter().zip(found) {
        let refused = |why: String| format!("parameter \"{name}\" {why}");
        let found = found.map_err(refused)?;
        let mut numbers = turned_back(new, origin).map_err(|e| refused(format!("does not fit the file: {e}")))?;
        for run in &found.runs {
            let new = &mut numbers[run.first..run.first + run.count];
            let old = &mut bytes[run.start..run.start + run.count * found.width];
            for (number, old) in new.iter_mut().zip(old.chunks_exact_mut(found.width)) {
                *number = put(old, *number, found.big_endian).map_err(refused)?;
            }
        }
        let stored = turned(numbers, origin, new.dims()).map_err(|e| refused(e.to_string()))?;
        parameters.insert(name.clone(), stored);
    }
    Ok(Patched { bytes, stored: Change { parameters, clamps: Vec::new() }, data: Vec::new() })
}

/// Our numbers in the order of the file.
fn turned_back(tensor: &Tensor, origin: &Origin) -> candle_core::Result<Vec<f32>> {
    let Origin { shape, permutation, .. } = origin;
    let ours: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
    let mut inverse = vec![0; permutation.len()];
    permutation.iter().enumerate().for_each(|(ours, &theirs)| inverse[theirs] = ours);
    tensor.to_device(&Device::Cpu)?.reshape(ours)?.permute(inverse)?.flatten_all()?.to_vec1()
}

/// The numbers of the file in our order.
fn turned(numbers: Vec<f32>, origin: &Origin, dims: &[usize]) -> candle_core::Result<Tensor> {
    let tensor = Tensor::from_vec(numbers, origin.shape.as_slice(), &Device::Cpu)?;
    tensor.permute(origin.permutation.as_slice())?.contiguous()?.reshape(dims)
}

/// Puts a number in place of another of 2, 4 or 8 bytes, and returns it as it will be read. A number that is read the
/// same already keeps its bytes.
fn put(bytes: &mut [u8], new: f32, big_endian: bool) -> Result<f32, String> {
    let mut little = bytes.to_vec();
    if big_endian {
        little.reverse();
    }
    let (old, mut changed, stored) = match *little.as_slice() {
        [a, b] => {
            let half = f16::from_f32(new);
            if !half.is_finite() {
                return Err(format!("holds 16-bit numbers, and {new} is too large for them"));
            }
            (f16::from_le_bytes([a, b]).to_f32(), half.to_le_bytes().to_vec(), half.to_f32())
        }
        [a, b, c, d] => (f32::from_le_bytes([a, b, c, d]), new.to_le_bytes().to_vec(), new),
        [a, b, c, d, e, f, g, h] => {
            (f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32, f64::from(new).to_le_bytes().to_vec(), new)
        }
        _ => return Err("holds an unusual kind of number".into()),
    };
    if old.to_bits() == new.to_bits() {
        return Ok(new);
    }
    if big_endian {
        changed.reverse();
    }
    bytes.copy_from_slice(&changed);
    Ok(stored)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_each_width_and_order_are_put_in_place() {
        let mut four = 1.5_f32.to_be_bytes();
        assert_eq!(put(&mut four, -2.25, true), Ok(-2.25));
        assert_eq!(four, (-2.25_f32).to_be_bytes());
        let mut two = f16::from_f32(1.0).to_le_bytes();
        assert_eq!(put(&mut two, 0.1, false), Ok(f16::from_f32(0.1).to_f32()));
        assert_eq!(two, f16::from_f32(0.1).to_le_bytes());
        assert!(put(&mut two, 1e6, false).unwrap_err().contains("too large"));
        // Read as 32 bits it is the same, so its further digits stay.
        let mut eight = std::f64::consts::PI.to_le_bytes();
        assert_eq!(put(&mut eight, std::f32::consts::PI, false), Ok(std::f32::consts::PI));
        assert_eq!(eight, std::f64::consts::PI.to_le_bytes());
    }

    #[test]
    fn turning_back_undoes_turning() {
        let origin =
            Origin { place: [String::new(), String::new()], shape: vec![2, 3, 4, 5], permutation: vec![2, 3, 0, 1] };
        let numbers: Vec<f32> = (0..120).map(|i| i as f32).collect();
        let ours = turned(numbers.clone(), &origin, &[20, 1, 2, 3]).unwrap();
        assert_ne!(ours.flatten_all().unwrap().to_vec1::<f32>().unwrap(), numbers);
        assert_eq!(turned_back(&ours, &origin).unwrap(), numbers);
    }
}
