//! A graph in the making, and pictures on their way through it.
//!
//! Keras keeps channels last; our operations want them first. A [`Feature`] knows in which order it is stored, and is
//! moved by a `Transpose` only where an operation needs the other order.

use super::Fault;
use super::archive::Weight;
use super::settings::{DataFormat, LayerView};
use crate::model::graph::{Graph, Node, Op, Parameters, Source, Value, ValueId};
use crate::model::numbers::check_finite;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// A value of one picture has no more numbers than this (1 GiB): a file that asks for more is hostile.
const MAX_NUMBERS: usize = 1 << 28;
/// A graph has no more steps, and its layers are used no more often, than this.
const MAX_STEPS: usize = 100_000;

/// A value between two layers.
#[derive(Debug, Clone)]
pub(super) struct Feature {
    /// Where it is.
    pub id: ValueId,
    /// Dimensions as Keras sees them, without the batch; `None` is open.
    pub shape: Vec<Option<usize>>,
    /// Stored with channels first although Keras has them last; three dimensions only.
    pub moved: bool,
}

/// How the file keeps a parameter.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// See [`Weight::place`].
    pub place: [String; 2],
    /// Its shape there.
    pub shape: Vec<usize>,
    /// The order our axes have in the file's.
    pub permutation: Vec<usize>,
}

/// A graph in the making.
#[derive(Debug)]
pub(super) struct Builder {
    values: Vec<Value>,
    nodes: Vec<Node>,
    input: ValueId,
    uses: usize,
    /// The trained numbers so far.
    pub parameters: Parameters,
    /// How the file keeps each of them.
    pub origins: BTreeMap<String, Origin>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Values that exist in both orders, each way.
    twins: BTreeMap<ValueId, ValueId>,
    /// Parameters by name, with the layer they came from.
    stored: BTreeMap<String, (ValueId, *const Weight)>,
}

impl Builder {
    /// An empty graph and its input.
    pub(super) fn new(input_name: &str) -> Self {
        let input = Value { name: input_name.into(), source: Source::Input };
        Self {
            values: vec![input],
            nodes: Vec::new(),
            input: ValueId(0),
            uses: 0,
            parameters: Parameters::new(),
            origins: BTreeMap::new(),
            notes: Vec::new(),
            twins: BTreeMap::new(),
            stored: BTreeMap::new(),
        }
    }

    /// The value of the picture.
    pub(super) fn input(&self) -> ValueId {
        self.input
    }

    fn value(&mut self, name: String, source: Source) -> ValueId {
        self.values.push(Value { name, source });
        ValueId(self.values.len() - 1)
    }

    /// Fixed numbers.
    pub(super) fn constant(&mut self, values: &[f32], shape: &[usize]) -> Result<ValueId, Fault> {
        let tensor = Tensor::from_slice(values, shape, &Device::Cpu)?;
        Ok(self.value(String::new(), Source::Constant(tensor)))
    }

    /// A list of integers.
    pub(super) fn integers(&mut self, values: Vec<i64>) -> ValueId {
        let shape = vec![values.len()];
        self.value(String::new(), Source::Integers(values, shape))
    }

    /// A layer's trained numbers: checked against `shape`, then with their axes in the order of `permutation` and
    /// seen as `target` (the permuted shape where `None`).
    pub(super) fn parameter(
        &mut self,
        view: &LayerView,
        weight: &Weight,
        shape: &[usize],
        permutation: &[usize],
        target: Option<Vec<usize>>,
    ) -> Result<ValueId, Fault> {
        if weight.shape != shape || weight.values.len() != shape.iter().product::<usize>() {
            return Err(view.broken(format_args!(
                "its weights \"{}\" have the shape {:?} where its settings say {shape:?}",
                weight.name, weight.shape
            )));
        }
        let mut name = weight.name.clone();
        if let Some(&(id, known)) = self.stored.get(&name) {
            if std::ptr::eq(known, weight) {
                return Ok(id);
            }
            name = format!("{}/{name}", view.name);
        }
        check_finite(&name, &weight.values)?;
        let mut tensor = Tensor::from_slice(&weight.values, shape, &Device::Cpu)?.permute(permutation)?.contiguous()?;
        if let Some(target) = target {
            tensor = tensor.reshape(target)?;
        }
        if self.parameters.insert(name.clone(), tensor).is_some() {
            return Err(view.broken(format_args!("its weights \"{name}\" appear twice")));
        }
        let (place, shape, permutation) = (weight.place.clone(), shape.to_vec(), permutation.to_vec());
        self.origins.insert(name.clone(), Origin { place, shape, permutation });
        let id = self.value(name.clone(), Source::Parameter(name.clone()));
        self.stored.insert(name, (id, std::ptr::from_ref(weight)));
        Ok(id)
    }

    /// One step of `view`, with one output.
    pub(super) fn node(&mut self, view: &LayerView, op: Op, inputs: &[ValueId]) -> Result<ValueId, Fault> {
        self.node_with_gaps(view, op, inputs.iter().copied().map(Some).collect())
    }

    /// Like [`Builder::node`], where optional inputs may be absent.
    pub(super) fn node_with_gaps(
        &mut self,
        view: &LayerView,
        op: Op,
        inputs: Vec<Option<ValueId>>,
    ) -> Result<ValueId, Fault> {
        if self.nodes.len() >= MAX_STEPS {
            return Err(view.broken(format_args!("the model has more than {MAX_STEPS} steps")));
        }
        let output = self.value(format!("{}/{}", view.name, self.nodes.len()), Source::Computed);
        self.nodes.push(Node { name: view.name.into(), op, inputs, outputs: vec![output] });
        Ok(output)
    }

    /// Refuses values so large that they cannot be honest.
    pub(super) fn bounded(&self, view: &LayerView, shape: &[Option<usize>]) -> Result<(), Fault> {
        let numbers = shape.iter().flatten().try_fold(1_usize, |product, &n| product.checked_mul(n));
        match numbers {
            Some(numbers) if numbers <= MAX_NUMBERS => Ok(()),
            _ => Err(view.broken(format_args!("it makes values of the shape {}, far too large", shown(shape)))),
        }
    }

    /// A picture with its channels first, and its shape `[channels, height, width]`.
    pub(super) fn channels_first(
        &mut self,
        view: &LayerView,
        feature: &Feature,
        format: DataFormat,
    ) -> Result<(ValueId, [Option<usize>; 3]), Fault> {
        let &[a, b, c] = feature.shape.as_slice() else {
            return Err(
                view.broken(format_args!("it wants a picture, but gets values of the shape {}", shown(&feature.shape)))
            );
        };
        match format {
            DataFormat::ChannelsFirst => Ok((self.as_keras(view, feature)?, [a, b, c])),
            DataFormat::ChannelsLast if feature.moved => Ok((feature.id, [c, a, b])),
            DataFormat::ChannelsLast => Ok((self.turned(view, feature.id, [0, 3, 1, 2])?, [c, a, b])),
        }
    }

    /// A value in Keras's own order.
    pub(super) fn as_keras(&mut self, view: &LayerView, feature: &Feature) -> Result<ValueId, Fault> {
        if feature.moved { self.turned(view, feature.id, [0, 2, 3, 1]) } else { Ok(feature.id) }
    }

    /// A picture that has its channels first, as a feature of a layer that keeps the order `format`.
    pub(super) fn picture(
        &self,
        view: &LayerView,
        id: ValueId,
        [channels, height, width]: [Option<usize>; 3],
        format: DataFormat,
    ) -> Result<Feature, Fault> {
        let shape = match format {
            DataFormat::ChannelsLast => vec![height, width, channels],
            DataFormat::ChannelsFirst => vec![channels, height, width],
        };
        self.bounded(view, &shape)?;
        Ok(Feature { id, shape, moved: format == DataFormat::ChannelsLast })
    }

    /// The other order of a value; made once.
    fn turned(&mut self, view: &LayerView, id: ValueId, permutation: [usize; 4]) -> Result<ValueId, Fault> {
        if let Some(&twin) = self.twins.get(&id) {
            return Ok(twin);
        }
        let twin = self.node(view, Op::Transpose { permutation: permutation.to_vec() }, &[id])?;
        self.twins.insert(id, twin);
        self.twins.insert(twin, id);
        Ok(twin)
    }

    /// Counts one use of a layer: models inside models could use each other without end.
    pub(super) fn use_of(&mut self, view: &LayerView) -> Result<(), Fault> {
        self.uses += 1;
        if self.uses > MAX_STEPS {
            return Err(view.broken(format_args!("layers are used more than {MAX_STEPS} times")));
        }
        Ok(())
    }

    /// Leaves out the node that computes a value.
    pub(super) fn drop_maker(&mut self, id: ValueId) {
        self.nodes.retain(|node| !node.outputs.contains(&id));
    }

    /// The node that computes a value.
    pub(super) fn maker(&self, id: ValueId) -> Option<&Node> {
        self.nodes.iter().rev().find(|node| node.outputs.contains(&id))
    }

    /// The finished graph with its parameters and notes.
    pub(super) fn finish(self, logits: ValueId) -> (Graph, Parameters, Vec<String>) {
        let graph = Graph { values: self.values, nodes: self.nodes, input: self.input, logits };
        (graph, self.parameters, self.notes)
    }
}

/// A shape for people: `[32, 32, 3]`, with `?` for what is open.
pub(super) fn shown(shape: &[Option<usize>]) -> String {
    let dims: Vec<String> = shape.iter().map(|n| n.map_or("?".into(), |n| n.to_string())).collect();
    format!("[{}]", dims.join(", "))
}
