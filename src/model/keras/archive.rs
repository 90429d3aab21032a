//! The HDF5 side of a Keras file: its texts and its weights, as plain data.
//!
//! In: the bytes of a file. Out: an [`Archive`]. The file is hostile: what is read is metered, so that a small file
//! cannot claim endless memory or time, and a panic of the HDF5 reader ends as an error. Knows nothing of layers.

use super::Fault;
use super::config::{Layer, Network};
use super::zipped::Parts;
use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, Error, File, FormatError, Group, Layout, Source};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file may be read this many times over before it counts as hostile: headers are looked up again and again.
const READ_FACTOR: u64 = 64;
/// Weights may take this many times the size of the file: compression of honest weights gains little.
const INFLATION: u64 = 64;
/// What is allowed on top of both, for very small files.
const ALLOWANCE: u64 = 16 << 20;

/// A Keras file as plain data.
#[derive(Debug)]
pub(super) struct Archive {
    /// The layers, as JSON.
    pub config: String,
    /// Version of Keras that wrote the file.
    pub version: Option<String>,
    /// The weights of each top layer, in the order Keras wrote them.
    pub weights: BTreeMap<String, Vec<Weight>>,
}

/// One array of trained numbers.
#[derive(Debug)]
pub(super) struct Weight {
    /// The group it is kept in, below that of all weights, and its name there.
    pub place: [String; 2],
    /// Name in the file, with the layer's name in front: `conv2d/kernel:0`.
    pub name: String,
    /// Dimensions in Keras's order.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// Reads the texts and weights of a Keras model.
pub(super) fn read(bytes: Vec<u8>) -> Result<Archive, Fault> {
    // The one place where a panic is caught: the HDF5 reader is other people's code on hostile bytes, and nothing
    // it might leave half done outlives this call.
    catch_unwind(AssertUnwindSafe(|| read_metered(bytes)))
        .unwrap_or_else(|_| Err(Fault::Damaged("its HDF5 structure contradicts itself".into())))
}

/// Puts the texts of a `.keras` archive together with the weights in its HDF5 file.
pub(super) fn read_parts(parts: Parts) -> Result<Archive, Fault> {
    let Parts { config, version, weights } = parts;
    let network = super::config::parse(&config)?;
    let weights = catch_unwind(AssertUnwindSafe(|| {
        let mut room = (weights.len() as u64).saturating_mul(INFLATION).saturating_add(ALLOWANCE);
        numbered(&open(weights)?.root(), &network, &mut room)
    }))
    .unwrap_or_else(|_| Err(Fault::Damaged("its HDF5 structure contradicts itself".into())))?;
    Ok(Archive { config, version, weights })
}

fn open(bytes: Vec<u8>) -> Result<File, Fault> {
    let allowed = (bytes.len() as u64).saturating_mul(READ_FACTOR).saturating_add(ALLOWANCE);
    Ok(File::from_source(Metered { bytes, left: AtomicU64::new(allowed) })?)
}

/// The weights of each top layer of a network, as Keras 3 numbers them: `layers/conv2d_1/vars/0`, where the name is made
/// of the class and a count. Weights of a model inside it are kept with the top layer that it is.
fn numbered(root: &Group, network: &Network, room: &mut u64) -> Result<BTreeMap<String, Vec<Weight>>, Fault> {
    let mut weights = BTreeMap::new();
    for (layer, path) in numbered_layers(root, "layers", network)? {
        let mut found = Vec::new();
        let mut open = vec![(layer, path, layer.name.clone())];
        while let Some((layer, path, name)) = open.pop() {
            if let Some(nested) = &layer.nested {
                for (inner, path) in numbered_layers(root, &format!("{path}/layers"), nested)? {
                    open.push((inner, path, format!("{name}/{}", inner.name)));
                }
                continue;
            }
            let path = format!("{path}/vars");
            let Ok(group) = root.group(&path) else { continue };
            for nth in 0.. {
                let Ok(dataset) = group.dataset(&nth.to_string()) else { break };
                let mut weight = weight(&name, format!("{name}/{nth}"), &dataset, room)?;
                weight.place = [path.clone(), nth.to_string()];
                found.push(weight);
            }
        }
        weights.insert(layer.name.clone(), found);
    }
    Ok(weights)
}

/// Each layer of a network and the group its weights lie in. Newer versions note the layer's name there.
fn numbered_layers<'a>(root: &Group, folder: &str, network: &'a Network) -> Result<Vec<(&'a Layer, String)>, Fault> {
    let mut noted = BTreeMap::new();
    if let Ok(group) = root.group(folder) {
        for (key, inside) in group.iter_groups()? {
            let name = inside.group("vars").ok().map(|vars| text(&vars, "name")).transpose()?.flatten();
            noted.extend(name.map(|name| (name, key)));
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::with_capacity(network.layers.len());
    for layer in &network.layers {
        let class = snake_case(&layer.class);
        let count = counts.entry(class.clone()).and_modify(|n| *n += 1).or_insert(0);
        let counted = if *count == 0 { class } else { format!("{class}_{count}") };
        let key = noted.get(&layer.name).unwrap_or(&counted);
        found.push((layer, format!("{folder}/{key}")));
    }
    Ok(found)
}

/// `Conv2D` as Keras makes `conv2d` of it, `PReLU` as `p_re_lu`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> =
        class.rsplit('>').next().unwrap_or(class).chars().filter(|c| c.is_alphanumeric()).collect();
    let mut name = String::new();
    for (i, &c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let starts_word = c.is_uppercase()
            && before.is_some_and(|b| b.is_lowercase() || letters.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if starts_word {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn read_metered(bytes: Vec<u8>) -> Result<Archive, Fault> {
    let size = bytes.len() as u64;
    let file = open(bytes)?;
    let root = file.root();
    let Some(config) = text(&root, "model_config")? else { return Err(without_layers(&root)) };
    let version = text(&root, "keras_version")?;
    let Ok(groups) = root.group("model_weights") else {
        return Err(Fault::Damaged("it names layers, but the group \"model_weights\" is missing".into()));
    };
    let mut room = size.saturating_mul(INFLATION).saturating_add(ALLOWANCE);
    let mut weights = BTreeMap::new();
    for (layer, group) in groups.iter_groups()? {
        weights.insert(layer.clone(), layer_weights(&layer, &group, &mut room)?);
    }
    Ok(Archive { config, version, weights })
}

/// What an HDF5 file without `model_config` is.
fn without_layers(root: &Group) -> Fault {
    let keras = root.attrs().is_ok_and(|attrs| attrs.contains_key("layer_names"))
        || ["layers", "model_weights", "_layer_checkpoint_dependencies"].iter().any(|name| root.group(name).is_ok());
    Fault::NotAModel(if keras {
        "it holds only the weights of a Keras model, without the layers they belong to; \
         save the whole model with model.save(\"name.h5\")"
            .into()
    } else {
        "it is an HDF5 file, but there is no Keras model in it".into()
    })
}

/// One text among the attributes of a group, whatever kind of string it was stored as.
fn text(group: &Group, name: &str) -> Result<Option<String>, Fault> {
    Ok(group.attrs()?.get(name).and_then(|value| value.as_str()).map(str::to_owned))
}

/// A list of texts, which Keras cuts into `name0`, `name1`, … where it is too long for one attribute.
fn texts(group: &Group, name: &str) -> Result<Vec<String>, Fault> {
    let attributes = group.attrs()?;
    if let Some(list) = attributes.get(name).and_then(|value| value.as_strings()) {
        return Ok(list.to_vec());
    }
    let pieces = (0..).map_while(|i| attributes.get(&format!("{name}{i}"))).filter_map(|value| value.as_strings());
    Ok(pieces.flatten().cloned().collect())
}

fn layer_weights(layer: &str, group: &Group, room: &mut u64) -> Result<Vec<Weight>, Fault> {
    let mut weights = Vec::new();
    for name in texts(group, "weight_names")? {
        let dataset = group
            .dataset(&name)
            .map_err(|_| Fault::Damaged(format!("the weights \"{name}\" of layer \"{layer}\" are missing")))?;
        weights.push(weight(layer, name, &dataset, room)?);
    }
    Ok(weights)
}

fn weight(layer: &str, name: String, dataset: &Dataset, room: &mut u64) -> Result<Weight, Fault> {
    let dims = dataset.shape()?;
    let width = dataset.element_size()?.max(size_of::<f32>() as u64);
    let wanted = dims.iter().copied().try_fold(width, u64::checked_mul).filter(|wanted| wanted <= room);
    let Some(wanted) = wanted else {
        return Err(Fault::Damaged(format!(
            "the weights \"{name}\" claim to be {dims:?}, more than the file can hold"
        )));
    };
    *room -= wanted;
    // Both fit: their product does.
    let shape = dims.iter().map(|&n| n as usize).collect();
    let values = dataset.read_f32().map_err(|error| {
        Fault::Damaged(format!("the weights \"{name}\" of layer \"{layer}\" cannot be read ({error})"))
    })?;
    let place = [layer.to_owned(), name.clone()];
    let name = if name.contains('/') { name } else { format!("{layer}/{name}") };
    Ok(Weight { place, name, shape, values })
}

/// Where an array stands in the bytes of a file.
#[derive(Debug)]
pub(super) struct Stored {
    /// Bytes of one number: 2, 4 or 8.
    pub width: usize,
    /// The first byte is the highest.
    pub big_endian: bool,
    /// Pieces that lie in one row.
    pub runs: Vec<Run>,
}

/// Numbers of an array that lie in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Position in the file of the first byte.
    pub start: usize,
    /// Position in the array, row-major, of the first number.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// Finds the arrays at `places` (see [`Weight::place`]) in the bytes of a file that [`read`] has read.
///
/// # Errors
/// A clause to follow the array's name, and its position in `places`; `Fault` where the file cannot be read at all.
pub(super) fn locate(bytes: Vec<u8>, places: &[[String; 2]]) -> Result<Vec<Result<Stored, String>>, Fault> {
    let find = move || -> Result<Vec<Result<Stored, String>>, Fault> {
        let size = bytes.len();
        let root = open(bytes)?.root();
        // The weights of a `.keras` archive lie at the top.
        let layers = root.group("model_weights").unwrap_or(root);
        let one = |[layer, name]: &[String; 2]| Ok(stored(&layers.group(layer)?.dataset(name)?, size)?);
        places.iter().map(one).collect()
    };
    catch_unwind(AssertUnwindSafe(find))
        .unwrap_or_else(|_| Err(Fault::Damaged("its HDF5 structure contradicts itself".into())))
}

fn stored(dataset: &Dataset, file: usize) -> Result<Result<Stored, String>, Error> {
    let (width, big_endian) = match dataset.datatype()? {
        Datatype::FloatingPoint { size: size @ (2 | 4 | 8), byte_order: DatatypeByteOrder::LittleEndian, .. } => {
            (size as usize, false)
        }
        Datatype::FloatingPoint { size: size @ (2 | 4 | 8), byte_order: DatatypeByteOrder::BigEndian, .. } => {
            (size as usize, true)
        }
        _ => return Ok(Err("holds an unusual kind of number".into())),
    };
    let shape: Vec<usize> = dataset.shape()?.iter().map(|&n| n as usize).collect();
    let runs = match dataset.layout()? {
        _ if !dataset.filters().is_empty() => return Ok(Err("is compressed in the file".into())),
        Layout::Contiguous { address: Some(start), .. } => {
            vec![Run { start: start as usize, first: 0, count: shape.iter().product() }]
        }
        Layout::Chunked { chunk_shape, .. } => {
            let chunk: Vec<usize> = chunk_shape.iter().map(|&n| n as usize).collect();
            let places = dataset.chunks()?.into_iter();
            let places = places.map(|c| (c.address as usize, c.offset.iter().map(|&n| n as usize).collect()));
            chunk_rows(&shape, &chunk, places, width)
        }
        other => return Ok(Err(format!("is stored in an unusual way ({other})"))),
    };
    let inside =
        |run: &Run| run.count.checked_mul(width).and_then(|n| n.checked_add(run.start)).is_some_and(|e| e <= file);
    let whole = runs.iter().map(|run| run.count).sum::<usize>() == shape.iter().product::<usize>();
    if !whole || !runs.iter().all(inside) {
        return Ok(Err("is not all in the file".into()));
    }
    Ok(Ok(Stored { width, big_endian, runs }))
}

/// The rows of the chunks of an array; cells of a chunk beyond the edge of the array are left out.
fn chunk_rows(
    shape: &[usize],
    chunk: &[usize],
    places: impl Iterator<Item = (usize, Vec<usize>)>,
    width: usize,
) -> Vec<Run> {
    let (Some(&last), Some(&row)) = (shape.last(), chunk.last()) else { return Vec::new() };
    if shape.len() != chunk.len() || chunk.contains(&0) {
        return Vec::new();
    }
    let mut runs = Vec::new();
    for (start, offset) in places {
        let Some(&column) = offset.last().filter(|_| offset.len() == shape.len()) else { return Vec::new() };
        let count = row.min(last.saturating_sub(column));
        for nth in 0..chunk.iter().product::<usize>() / row {
            // Position of the row in the array, from its position in the chunk.
            let (mut rest, mut first, mut stride, mut inside) = (nth, column, last, count > 0);
            for axis in (0..shape.len() - 1).rev() {
                let index = offset[axis] + rest % chunk[axis];
                rest /= chunk[axis];
                inside &= index < shape[axis];
                first += index * stride;
                stride *= shape[axis];
            }
            if inside {
                runs.push(Run { start: start + nth * row * width, first, count });
            }
        }
    }
    runs
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Damaged(format!("its HDF5 structure cannot be read ({error})"))
    }
}

/// Bytes that may be read only so often.
struct Metered {
    bytes: Vec<u8>,
    left: AtomicU64,
}

impl Source for Metered {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let wanted = buffer.len() as u64;
        let taken = |left: u64| left.checked_sub(wanted);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err() {
            return Err(FormatError::Source("the same bytes are used over and over".into()));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = start.checked_add(buffer.len()).and_then(|end| self.bytes.get(start..end));
        let Some(found) = found else {
            return Err(FormatError::UnexpectedEof {
                expected: start.saturating_add(buffer.len()),
                available: self.bytes.len(),
            });
        };
        buffer.copy_from_slice(found);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_chunks_cover_an_array_once_and_nothing_beyond_its_edge() {
        // An array of 3 x 5 in chunks of 2 x 3.
        let places = [(100, vec![0, 0]), (200, vec![0, 3]), (300, vec![2, 0]), (400, vec![2, 3])];
        let runs = chunk_rows(&[3, 5], &[2, 3], places.into_iter(), 4);
        let run = |start, first, count| Run { start, first, count };
        let expected =
            [run(100, 0, 3), run(112, 5, 3), run(200, 3, 2), run(212, 8, 2), run(300, 10, 3), run(400, 13, 2)];
        assert_eq!(runs, expected);
    }

    #[test]
    fn classes_get_the_names_that_keras_makes_of_them() {
        let names =
            ["Conv2D", "PReLU", "SeparableConv2D", "BatchNormalization", "ReLU", "GlobalAveragePooling2D", "ELU"];
        let snakes = [
            "conv2d",
            "p_re_lu",
            "separable_conv2d",
            "batch_normalization",
            "re_lu",
            "global_average_pooling2d",
            "elu",
        ];
        assert_eq!(names.map(snake_case), snakes);
    }

    #[test]
    fn bytes_can_be_read_until_the_meter_runs_out_and_never_beyond_the_end() {
        let source = Metered { bytes: vec![7; 10], left: AtomicU64::new(12) };
        let mut buffer = [0; 5];
        assert!(source.read_at(6, &mut buffer).is_err());
        assert!(source.read_at(u64::MAX, &mut buffer[..1]).is_err());
        assert!(source.read_at(5, &mut buffer).is_ok() && buffer == [7; 5]);
        assert!(matches!(source.read_at(0, &mut buffer), Err(FormatError::Source(_))));
    }
}
