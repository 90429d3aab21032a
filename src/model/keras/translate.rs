//! Walks the layers of a Keras model in an order in which they can run, and puts the graph together.

use super::archive::{Archive, Weight};
use super::builder::{self, Builder, Feature, shown};
use super::config::{INPUT_LAYER, Layer, Network, Origin, input_shape};
use super::layers::{known_activation, translation};
use super::settings::LayerView;
use super::{Fault, config};
use crate::model::graph::{Graph, Op, Parameters, Unary, ValueId};
use crate::model::{InputLayout, InputSpec};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A translated model.
#[derive(Debug)]
pub(super) struct Translated {
    pub graph: Graph,
    pub parameters: Parameters,
    /// How the file keeps each parameter.
    pub origins: BTreeMap<String, builder::Origin>,
    pub input: InputSpec,
    pub classes: usize,
    pub notes: Vec<String>,
}

/// Translates the layers of an archive.
pub(super) fn translate(archive: &Archive) -> Result<Translated, Fault> {
    let network = config::parse(&archive.config)?;
    let unsupported = unsupported(&network);
    if !unsupported.is_empty() {
        return Err(Fault::Unsupported(unsupported.into_iter().collect()));
    }
    let keras3 = archive.version.as_deref().is_some_and(|version| version.starts_with('3'));
    let [entrance] = network.inputs.as_slice() else {
        return Err(Fault::NotAClassifier(format!("it reads {} pictures at once", network.inputs.len())));
    };
    let mut builder = Builder::new(&entrance.layer);
    let door = network.layers.iter().find(|layer| layer.name == entrance.layer);
    let (input, picture) = entry(&mut builder, &network, door)?;
    let walk = Walk { weights: Shelf { archive, model: None }, keras3 };
    let outputs = walk.network(&mut builder, &network, vec![picture])?;
    let [answer] = outputs.as_slice() else {
        return Err(Fault::NotAClassifier(format!("it gives {} answers at once", outputs.len())));
    };
    let (logits, classes) = logits(&mut builder, answer)?;
    let origins = std::mem::take(&mut builder.origins);
    let (graph, parameters, notes) = builder.finish(logits);
    Ok(Translated { graph, parameters, origins, input, classes, notes })
}

/// Every layer, at any depth.
fn all_layers(network: &Network) -> Vec<&Layer> {
    let mut found = Vec::new();
    let mut open = vec![network];
    while let Some(network) = open.pop() {
        for layer in &network.layers {
            found.push(layer);
            open.extend(&layer.nested);
        }
    }
    found
}

/// What there is no translation for, by name.
fn unsupported(network: &Network) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for layer in all_layers(network) {
        if layer.class == "Lambda" {
            names.insert(format!("Lambda (layer \"{}\" holds program code, which is never run)", layer.name));
        } else if layer.nested.is_none() && layer.class != INPUT_LAYER && translation(&layer.class).is_none() {
            names.insert(layer.class.clone());
        } else if let Some(activation) = layer.settings.get("activation").filter(|value| !value.is_null())
            && let Err(name) = known_activation(activation)
        {
            names.insert(format!("activation \"{name}\" (layer \"{}\")", layer.name));
        }
    }
    names
}

/// The layer that steps of the walk itself belong to.
fn own_view<'a>(name: &'a str, settings: &'a Map<String, Value>) -> LayerView<'a> {
    LayerView { class: INPUT_LAYER, name, settings, weights: Vec::new(), keras3: false }
}

/// What goes in, by the shape the input layer names.
fn entry(builder: &mut Builder, network: &Network, door: Option<&Layer>) -> Result<(InputSpec, Feature), Fault> {
    let shape = door.and_then(input_shape).and_then(Value::as_array);
    let Some([_, dims @ ..]) = shape.map(Vec::as_slice) else {
        return Err(Fault::NotAClassifier("its file does not say what shape of picture goes in".into()));
    };
    let mut shape = Vec::with_capacity(dims.len());
    for dim in dims {
        let size = dim.as_u64().filter(|n| (1..=u64::from(u16::MAX)).contains(n)).map(|n| n as usize);
        if size.is_none() && !dim.is_null() {
            return Err(Fault::Damaged(format!("{dim} is no size of a picture")));
        }
        shape.push(size);
    }
    let first = all_layers(network)
        .into_iter()
        .any(|layer| layer.settings.get("data_format").and_then(Value::as_str) == Some("channels_first"));
    let refused = || Fault::NotAClassifier(format!("it reads values of the shape {}, not pictures", shown(&shape)));
    let (layout, channels, height, width) = match *shape.as_slice() {
        [channels, height, width] if first => (InputLayout::Nchw, channels, height, width),
        [height, width, channels] => (InputLayout::Nhwc, channels, height, width),
        [height, width] => (InputLayout::Nhwc, Some(1), height, width),
        _ => return Err(refused()),
    };
    let channels = channels.filter(|&n| n == 1 || n == 3).ok_or_else(refused)?;
    let size = height.zip(width).map(|(height, width)| [height, width]);
    let input = InputSpec { layout, channels, size, fixed_batch: None };
    let mut picture = Feature { id: builder.input(), shape: shape.clone(), moved: false };
    let view_settings = Map::new();
    let view = own_view("input", &view_settings);
    builder.bounded(&view, &shape)?;
    if let [Some(height), Some(width)] = *shape.as_slice() {
        // Models of gray pictures without an axis for channels.
        let sizes = builder.integers(vec![0, height as i64, width as i64]);
        picture.id = builder.node(&view, Op::Reshape { allow_zero: false }, &[picture.id, sizes])?;
    } else if shape.len() == 2 {
        return Err(refused());
    }
    Ok((input, picture))
}

/// The logits and the number of labels, before any softmax at the end.
fn logits(builder: &mut Builder, answer: &Feature) -> Result<(ValueId, usize), Fault> {
    let refused = || Fault::NotAClassifier(format!("it answers with values of the shape {}", shown(&answer.shape)));
    let classes = match answer.shape.as_slice() {
        &[Some(classes)] => classes,
        _ => return Err(refused()),
    };
    if classes < 2 {
        return Err(Fault::NotAClassifier("it answers with one number; at least two labels are needed".into()));
    }
    let Some(last) = builder.maker(answer.id) else { return Err(refused()) };
    let name = match &last.op {
        Op::Softmax { .. } | Op::LogSoftmax { .. } => "softmax",
        Op::Unary(Unary::Sigmoid) => "sigmoid",
        _ => return Ok((answer.id, classes)),
    };
    let before = last.inputs.first().copied().flatten().unwrap_or(answer.id);
    builder.notes.push(format!("{name} at the end stepped over"));
    builder.drop_maker(answer.id);
    Ok((before, classes))
}

/// Where the weights of a network's layers lie.
#[derive(Clone, Copy)]
struct Shelf<'a> {
    archive: &'a Archive,
    /// The top layer that is a model and holds the weights of all layers inside it.
    model: Option<&'a str>,
}

impl<'a> Shelf<'a> {
    fn weights(&self, layer: &str) -> Vec<&'a Weight> {
        let all = self.archive.weights.get(self.model.unwrap_or(layer)).map_or(&[][..], Vec::as_slice);
        let belongs = |weight: &&Weight| self.model.is_none() || weight.name.rsplit('/').nth(1) == Some(layer);
        all.iter().filter(belongs).collect()
    }
}

/// A walk through a network.
struct Walk<'a> {
    weights: Shelf<'a>,
    keras3: bool,
}

impl<'a> Walk<'a> {
    /// What a network makes of `inputs`.
    fn network(
        &self,
        builder: &mut Builder,
        network: &'a Network,
        inputs: Vec<Feature>,
    ) -> Result<Vec<Feature>, Fault> {
        if inputs.len() != network.inputs.len() {
            return Err(Fault::Damaged(format!(
                "a model wants {} inputs and gets {}",
                network.inputs.len(),
                inputs.len()
            )));
        }
        let mut values: BTreeMap<Origin, Feature> = network.inputs.iter().cloned().zip(inputs).collect();
        for (layer, call) in running_order(network)? {
            let origin = Origin { layer: layer.name.clone(), call };
            if values.contains_key(&origin) {
                continue;
            }
            let read: Option<Vec<Feature>> = layer.calls[call].iter().map(|from| values.get(from).cloned()).collect();
            let read =
                read.ok_or_else(|| Fault::Damaged(format!("layer \"{}\" reads what is not there yet", layer.name)))?;
            let feature = self.layer(builder, layer, read)?;
            values.insert(origin, feature);
        }
        let outputs: Option<Vec<Feature>> = network.outputs.iter().map(|from| values.get(from).cloned()).collect();
        outputs.filter(|outputs| !outputs.is_empty()).ok_or_else(|| Fault::Damaged("the model has no output".into()))
    }

    fn layer(&self, builder: &mut Builder, layer: &'a Layer, read: Vec<Feature>) -> Result<Feature, Fault> {
        let view = LayerView::new(layer, self.weights.weights(&layer.name), self.keras3);
        builder.use_of(&view)?;
        let Some(nested) = &layer.nested else {
            let translate = translation(&layer.class).ok_or_else(|| Fault::Unsupported(vec![layer.class.clone()]))?;
            return translate(builder, &view, &read);
        };
        let shelf = Shelf { model: Some(self.weights.model.unwrap_or(&layer.name)), ..self.weights };
        let outputs = Walk { weights: shelf, keras3: self.keras3 }.network(builder, nested, read)?;
        match <[Feature; 1]>::try_from(outputs) {
            Ok([only]) => Ok(only),
            Err(_) => {
                Err(Fault::Unsupported(vec![format!("models inside models with several outputs (\"{}\")", layer.name)]))
            }
        }
    }
}

/// Every use of every layer, after all it reads.
fn running_order(network: &Network) -> Result<Vec<(&Layer, usize)>, Fault> {
    let uses = || network.layers.iter().flat_map(|layer| (0..layer.calls.len()).map(move |call| (layer, call)));
    let index: BTreeMap<(&str, usize), usize> =
        uses().enumerate().map(|(i, (layer, call))| ((layer.name.as_str(), call), i)).collect();
    let uses: Vec<(&Layer, usize)> = uses().collect();
    let mut waits: Vec<usize> = uses.iter().map(|(layer, call)| layer.calls[*call].len()).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); uses.len()];
    for (i, (layer, call)) in uses.iter().enumerate() {
        for from in &layer.calls[*call] {
            if let Some(&source) = index.get(&(from.layer.as_str(), from.call)) {
                readers[source].push(i);
            }
        }
    }
    let mut ready: BTreeSet<usize> = (0..uses.len()).filter(|&i| waits[i] == 0).collect();
    let mut order = Vec::with_capacity(uses.len());
    while let Some(next) = ready.pop_first() {
        order.push(uses[next]);
        for &reader in &readers[next] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() < uses.len() {
        let stuck: Vec<&str> =
            (0..uses.len()).filter(|&i| waits[i] > 0).map(|i| uses[i].0.name.as_str()).take(5).collect();
        return Err(Fault::Damaged(format!("its layers feed each other in a circle ({})", stuck.join(", "))));
    }
    Ok(order)
}
