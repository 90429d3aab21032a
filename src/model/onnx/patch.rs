//! A changed ONNX file that is the original byte for byte, but for what the change names.
//!
//! In: the original's bytes and a change. Out: new bytes, and new bytes of the files its numbers lie in. Names,
//! versions, notes, kinds of numbers and whatever else the file holds are copied, known or not.

use super::clamp::{self, ShapedClamp};
use super::locate::{Located, locate, messages};
use super::messages::{ModelProto, TensorProto};
use super::overwrite::overwrite;
use super::splice::{Edits, Place};
use super::stored;
use crate::model::patched::{DataFile, Patched};
use crate::model::{Change, Clamp};
use bytes::Bytes;
use candle_core::{Device, Tensor};
use prost::Message;
use std::collections::BTreeMap;
use std::path::Path;

const LOST: &str = "the parts of the file cannot be told apart";

/// The changed file. `folder` is where the original lies; `name_of` gives a file of numbers its name beside the changed
/// model by the name the original has for it; `clamps` are those of `change`, with their shapes.
///
/// # Errors
/// A clause that says what cannot be written.
pub(in crate::model) fn patch(
    file: &Bytes,
    folder: &Path,
    change: &Change,
    clamps: &[ShapedClamp],
    name_of: &dyn Fn(&str) -> String,
) -> Result<Patched, String> {
    let model = ModelProto::decode(file.clone()).map_err(|_| LOST)?;
    let located = locate(file).ok_or(LOST)?;
    let mut edits = Edits::default();
    let mut outside = Outsides::of(&located, folder, name_of)?;
    let mut parameters = BTreeMap::new();
    for (name, new) in &change.parameters {
        let refused = |why: String| format!("parameter \"{name}\" {why}");
        let numbers = new.flatten_all().and_then(|t| t.to_device(&Device::Cpu)?.to_vec1::<f32>());
        let numbers = numbers.map_err(|e| refused(format!("cannot be read: {e}")))?;
        let stored = match find(file, &model, &located, name).ok_or_else(|| refused("is not in the file".into()))? {
            Held::Tensor(place, tensor) => {
                let done = overwrite(file, &place, &tensor, folder, &numbers, &mut edits).map_err(refused)?;
                if let Some((place, bytes)) = done.outside {
                    outside.write(place, bytes).map_err(refused)?;
                }
                done.stored
            }
            Held::Floats(places) => {
                if places.iter().map(|place| place.at.len() / 4).sum::<usize>() != numbers.len() {
                    return Err(refused("has another number of numbers in the file".into()));
                }
                let mut bytes = numbers.iter().flat_map(|v| v.to_le_bytes());
                for place in places {
                    edits.replace(&place, bytes.by_ref().take(place.at.len()).collect());
                }
                numbers
            }
        };
        let stored = Tensor::from_vec(stored, new.dims(), &Device::Cpu).map_err(|e| refused(e.to_string()))?;
        parameters.insert(name.clone(), stored);
    }
    outside.rename(file, &located, &mut edits)?;

    let mut taken = clamp::names(&model);
    let mut stored = Change { parameters, clamps: Vec::new() };
    for (clamp, original) in merged(clamps)?.iter().zip(first_of_each(change)) {
        let refused = |why: String| format!("value \"{}\" {why}", clamp.value);
        let bounds = clamp::add(file, &model, &located, &mut taken, clamp, &mut edits).map_err(refused)?;
        stored.clamps.push(Clamp { bounds, ..original.clone() });
    }
    Ok(Patched { bytes: edits.apply(file), stored, data: outside.files })
}

/// Several clamps of one value as one: the lowest bounds hold.
fn merged(clamps: &[ShapedClamp]) -> Result<Vec<ShapedClamp>, String> {
    let mut merged: Vec<ShapedClamp> = Vec::new();
    for clamp in clamps {
        match merged.iter_mut().find(|m| m.value == clamp.value) {
            None => merged.push(clamp.clone()),
            Some(first) if first.shape == clamp.shape => {
                first.bounds.iter_mut().zip(&clamp.bounds).for_each(|(a, b)| *a = a.min(*b));
            }
            Some(_) => return Err(format!("value \"{}\" is clamped along two axes", clamp.value)),
        }
    }
    Ok(merged)
}

fn first_of_each(change: &Change) -> impl Iterator<Item = &Clamp> {
    let earlier = |i: usize, value: &str| change.clamps[..i].iter().any(|c| c.value == value);
    change.clamps.iter().enumerate().filter(move |(i, c)| !earlier(*i, &c.value)).map(|(_, c)| c)
}

/// How the file holds a parameter.
enum Held {
    Tensor(Place, Box<TensorProto>),
    /// Numbers of a `value_floats`, in one block or one by one.
    Floats(Vec<Place>),
}

/// The parameter called `name`: an initializer, or what a `Constant` holds.
fn find(file: &[u8], model: &ModelProto, located: &Located, name: &str) -> Option<Held> {
    let graph = model.graph.as_ref()?;
    // Where a name is given twice, the last one is read.
    if let Some(i) = graph.initializer.iter().rposition(|t| t.name.as_deref() == Some(name)) {
        return Some(Held::Tensor(located.initializers.get(i)?.clone(), Box::new(graph.initializer[i].clone())));
    }
    let gives = |output: &Vec<String>| output.first().is_some_and(|o| o == name);
    let i = graph.node.iter().position(|n| n.op_type.as_deref() == Some("Constant") && gives(&n.output))?;
    let (node, _) = located.nodes.get(i)?;
    let attribute = node.value(messages(file, node.at.clone(), &[5])?.first()?);
    let message = graph.node[i].attribute.first()?;
    match (message.name.as_deref()?, &message.t) {
        ("value", Some(tensor)) => {
            let place = attribute.value(messages(file, attribute.at.clone(), &[5])?.last()?);
            Some(Held::Tensor(place, Box::new(tensor.clone())))
        }
        ("value_floats", _) => {
            let mut floats = super::fields::fields(file, attribute.at.clone())?;
            floats.retain(|f| f.number == 7);
            Some(Held::Floats(floats.iter().map(|f| attribute.value(f)).collect()))
        }
        _ => None,
    }
}

/// The files in which a model's numbers lie.
struct Outsides {
    files: Vec<DataFile>,
    /// Names the model's file has for them, in the same order.
    locations: Vec<String>,
    /// Of every tensor outside: the file, the first byte and the byte behind the last.
    taken: Vec<(usize, u64, u64)>,
}

impl Outsides {
    fn of(located: &Located, folder: &Path, name_of: &dyn Fn(&str) -> String) -> Result<Self, String> {
        let mut all = Self { files: Vec::new(), locations: Vec::new(), taken: Vec::new() };
        for (_, tensor) in located.tensors.iter().filter(|(_, t)| t.data_location == Some(1)) {
            let width = stored::width(tensor.data_type.unwrap_or(0)).unwrap_or(1);
            let count = tensor.dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
            let declared = stored::entry(&tensor.external_data, "length").and_then(|l| l.trim().parse().ok());
            let size = declared.or(count.and_then(|n| n.checked_mul(width))).ok_or(LOST)?;
            let refused = |why| format!("\"{}\" {why}", tensor.name.as_deref().unwrap_or_default());
            let place = stored::outside(&tensor.external_data, folder, size).map_err(refused)?;
            let known = all.locations.iter().position(|l| *l == place.location);
            let file = known.unwrap_or_else(|| {
                let name = name_of(&place.location);
                all.files.push(DataFile { original: place.path.clone(), name, writes: Vec::new() });
                all.locations.push(place.location.clone());
                all.files.len() - 1
            });
            all.taken.push((file, place.start, place.start.saturating_add(size as u64)));
        }
        Ok(all)
    }

    fn write(&mut self, place: stored::Outside, bytes: Vec<u8>) -> Result<(), String> {
        let file = self.locations.iter().position(|l| *l == place.location).ok_or(LOST)?;
        let end = place.start + bytes.len() as u64;
        let original = |file: usize| &self.files[file].original;
        let shares = |&&(other, from, to): &&(usize, u64, u64)| {
            original(other) == original(file) && from < end && place.start < to
        };
        if self.taken.iter().filter(shares).count() > 1 {
            return Err(format!(
                "shares its place in \"{}\" with other numbers, which would change, too",
                place.location
            ));
        }
        self.files[file].writes.push((place.start, bytes));
        Ok(())
    }

    /// Gives the files their new names wherever the model's file names them.
    fn rename(&self, file: &[u8], located: &Located, edits: &mut Edits) -> Result<(), String> {
        for (place, tensor) in located.tensors.iter().filter(|(_, t)| t.data_location == Some(1)) {
            let location = stored::entry(&tensor.external_data, "location").unwrap_or_default();
            let Some(new) = self.locations.iter().position(|l| l == location).map(|i| &self.files[i].name) else {
                continue;
            };
            if new == location {
                continue;
            }
            let entry = tensor.external_data.iter().position(|e| e.key.as_deref() == Some("location")).ok_or(LOST)?;
            let entries = messages(file, place.at.clone(), &[13]).ok_or(LOST)?;
            let entry = place.value(entries.get(entry).ok_or(LOST)?);
            let values = messages(file, entry.at.clone(), &[2]).ok_or(LOST)?;
            edits.replace(&entry.value(values.last().ok_or(LOST)?), new.clone().into_bytes());
        }
        Ok(())
    }
}
