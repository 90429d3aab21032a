//! The channels ("neurons") of a network: where their factors and shifts are kept, and what switches them off.
//!
//! In: a graph and its parameters. Out: for every normalisation its scale and shift, and for every convolution or dense
//! layer that no normalisation follows the rows of its weight and its bias. So a network with normalisations, one where
//! they were folded away and one that never had any are treated alike. The layer that gives the logits has no channels.

use super::graph::{Binary, Node, Op, ValueId};
use super::{Change, Graph, Parameters};
use candle_core::{Result, Tensor};
use std::collections::{BTreeMap, BTreeSet};

/// A parameter whose slices along one axis belong to the channels of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slices<'a> {
    pub name: &'a str,
    pub axis: usize,
}

/// The channels that one step of a network computes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Channels<'a> {
    /// What multiplies the channel: a normalisation's scale, or the rows of a weight.
    pub factor: Slices<'a>,
    /// What is added to it.
    pub shift: Option<Slices<'a>>,
    /// How many.
    pub count: usize,
}

/// All channels of a network, in the order in which they are computed.
pub(crate) fn channels<'a>(graph: &'a Graph, parameters: &Parameters) -> Vec<Channels<'a>> {
    let last = last_layers(graph);
    let mut taken = BTreeSet::new();
    let mut all = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let normalised = || {
            let readers: Vec<&Node> = readers(graph, node).collect();
            !readers.is_empty() && readers.iter().all(|reader| matches!(reader.op, Op::BatchNorm { .. }))
        };
        let found = match node.op {
            Op::BatchNorm { .. } => of_normalisation(graph, node, parameters),
            _ if last.contains(&i) || normalised() => None,
            _ => of_layer(graph, node, parameters),
        };
        // A weight that two steps share has its channels once.
        all.extend(found.filter(|found| taken.insert(found.factor.name)));
    }
    all
}

/// The channels of a convolution or dense layer, whatever reads it.
pub(crate) fn of_layer<'a>(graph: &'a Graph, node: &Node, parameters: &Parameters) -> Option<Channels<'a>> {
    let weight = graph.parameter_read(node, 1)?;
    let dims = parameters.get(weight)?.dims();
    let (axis, bias) = match node.op {
        Op::Conv(_) => (0, graph.parameter_read(node, 2)),
        Op::Gemm { transpose_b, .. } if dims.len() == 2 => (usize::from(!transpose_b), graph.parameter_read(node, 2)),
        Op::MatMul if dims.len() == 2 => (1, None),
        _ => return None,
    };
    let count = dims[axis];
    let bias = bias.or_else(|| added(graph, node)).and_then(|name| {
        let dims = parameters.get(name)?.dims();
        let fits = dims.iter().product::<usize>() == count;
        Some(Slices { name, axis: dims.iter().position(|&d| d == count).filter(|_| fits)? })
    });
    Some(Channels { factor: Slices { name: weight, axis }, shift: bias, count })
}

/// The channels of a normalisation.
pub(crate) fn of_normalisation<'a>(graph: &'a Graph, node: &Node, parameters: &Parameters) -> Option<Channels<'a>> {
    let [scale, shift] = [1, 2].map(|i| graph.parameter_read(node, i));
    let scale = scale?;
    let shift = shift.map(|name| Slices { name, axis: 0 });
    Some(Channels { factor: Slices { name: scale, axis: 0 }, shift, count: parameters.get(scale)?.elem_count() })
}

/// The bias that a node of its own adds to what `node` computes.
fn added<'a>(graph: &'a Graph, node: &Node) -> Option<&'a str> {
    let mut readers = readers(graph, node);
    let reader = readers.next().filter(|reader| matches!(reader.op, Op::Binary(Binary::Add)))?;
    if readers.next().is_some() {
        return None;
    }
    [0, 1].into_iter().find_map(|i| graph.parameter_read(reader, i))
}

/// The steps that read what `node` computes.
pub(crate) fn readers<'a>(graph: &'a Graph, node: &Node) -> impl Iterator<Item = &'a Node> {
    let output = node.outputs.first().copied();
    graph.nodes.iter().filter(move |reader| output.is_some() && reader.inputs.contains(&output))
}

/// Whether a step multiplies with a weight.
fn weighs(node: &Node) -> bool {
    matches!(node.op, Op::Conv(_) | Op::ConvTranspose { .. } | Op::Gemm { .. } | Op::MatMul)
}

/// Positions of the layers between which and the logits there is no other: their channels are labels.
pub(crate) fn last_layers(graph: &Graph) -> BTreeSet<usize> {
    let mut towards: BTreeSet<ValueId> = BTreeSet::from([graph.logits]);
    let mut last = BTreeSet::new();
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if !node.outputs.iter().any(|id| towards.contains(id)) {
            continue;
        }
        if weighs(node) {
            last.insert(i);
        } else {
            towards.extend(node.inputs.iter().flatten());
        }
    }
    last
}

/// `values`, one a channel, in a shape that broadcasts along `axis` of a tensor of `rank` axes.
fn along(values: &[f32], axis: usize, like: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; like.rank()];
    shape[axis] = values.len();
    Tensor::from_slice(values, shape, like.device())
}

impl Channels<'_> {
    /// The parameters with every channel's factor and shift multiplied by `factors` and `shifts`, one a channel.
    ///
    /// # Errors
    /// Where a parameter is not there or has other channels.
    pub fn scaled(&self, parameters: &Parameters, factors: &[f32], shifts: &[f32]) -> Result<Vec<(String, Tensor)>> {
        let parts = std::iter::once((&self.factor, factors)).chain(self.shift.iter().map(|shift| (shift, shifts)));
        let scaled = parts.map(|(slices, by)| {
            let old = parameter(parameters, slices.name)?;
            Ok((slices.name.to_owned(), old.broadcast_mul(&along(by, slices.axis, old)?)?))
        });
        scaled.collect()
    }

    /// How the loss depends on such multipliers, from how it depends on the numbers they are multiplied into: one a
    /// channel for the factor, and for the shift; zeros where it does not.
    ///
    /// # Errors
    /// As [`Channels::scaled`].
    pub fn slopes(&self, parameters: &Parameters, by_number: &Parameters) -> Result<[Vec<f32>; 2]> {
        let of = |slices: Option<&Slices<'_>>| {
            let Some((slices, slope)) = slices.and_then(|s| Some((s, by_number.get(s.name)?))) else {
                return Ok(vec![0.0; self.count]);
            };
            let product = (slope * parameter(parameters, slices.name)?)?;
            product.transpose(0, slices.axis)?.contiguous()?.reshape((self.count, ()))?.sum(1)?.to_vec1()
        };
        Ok([of(Some(&self.factor))?, of(self.shift.as_ref())?])
    }
}

fn parameter<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a Tensor> {
    parameters.get(name).ok_or_else(|| candle_core::Error::Msg(format!("there is no parameter \"{name}\"")))
}

/// Channels to switch off, without the numbers that come of it: small, however large the model is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Silence {
    /// By parameter: the axis of its channels, and for each of them whether it stays.
    stays: BTreeMap<String, (usize, Vec<bool>)>,
    /// How many are off.
    pub count: usize,
}

impl Silence {
    /// Switches off those of `channels` that do not stay.
    pub fn add(&mut self, channels: &Channels<'_>, stays: Vec<bool>) {
        let off = stays.iter().filter(|stays| !**stays).count();
        if off > 0 {
            self.count += off;
            for slices in std::iter::once(&channels.factor).chain(&channels.shift) {
                self.stays.insert(slices.name.to_owned(), (slices.axis, stays.clone()));
            }
        }
    }

    /// How many are off, in words: "1 channel off".
    pub fn words(&self) -> String {
        format!("{} channel{} off", self.count, if self.count == 1 { "" } else { "s" })
    }

    /// The numbers that do it.
    ///
    /// # Errors
    /// Where a parameter is not there or has other channels.
    pub fn change(&self, parameters: &Parameters) -> Result<Change> {
        let mut change = Change::default();
        for (name, (axis, stays)) in &self.stays {
            let old = parameter(parameters, name)?;
            let by: Vec<f32> = stays.iter().map(|&stays| f32::from(u8::from(stays))).collect();
            change.parameters.insert(name.clone(), old.broadcast_mul(&along(&by, *axis, old)?)?);
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Classifier;
    use crate::model::graph::{Source, Value};
    use crate::tensor::{Conv2d, Seed};
    use crate::train::tiny;
    use candle_core::{DType, Device, Var};

    fn network() -> Classifier {
        tiny([12, 12], 4, Seed(1))
    }

    #[test]
    fn without_normalisations_the_rows_of_all_layers_but_the_last_are_channels() {
        let network = network();
        let found = channels(network.graph(), network.parameters());
        let names: Vec<&str> = found.iter().map(|c| c.factor.name).collect();
        assert_eq!(names, ["conv1.weight", "conv2.weight", "conv3.weight", "hidden.weight"]);
        assert_eq!(found.iter().map(|c| c.count).collect::<Vec<_>>(), [12, 24, 32, 32]);
        assert_eq!(found[3].shift, Some(Slices { name: "hidden.bias", axis: 0 }));
    }

    /// picture -> conv (weight) -> batch norm -> conv (second) -> add (bias [1, 2, 1, 1]) -> flatten -> matmul (last).
    fn normalised() -> (Graph, Parameters) {
        let shapes: [(&str, &[usize]); 8] = [
            ("weight", &[3, 1, 1, 1]),
            ("scale", &[3]),
            ("shift", &[3]),
            ("mean", &[3]),
            ("variance", &[3]),
            ("second", &[2, 3, 1, 1]),
            ("bias", &[1, 2, 1, 1]),
            ("last", &[8, 2]),
        ];
        let mut values = vec![Value { name: "picture".into(), source: Source::Input }];
        let mut parameters = Parameters::new();
        for (name, shape) in shapes {
            parameters.insert(name.into(), Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap());
            values.push(Value { name: name.into(), source: Source::Parameter(name.into()) });
        }
        let mut nodes = Vec::new();
        let mut last = ValueId(0);
        for (op, reads) in [
            (Op::Conv(Conv2d::default()), &[1][..]),
            (Op::BatchNorm { epsilon: 0.0 }, &[2, 3, 4, 5]),
            (Op::Conv(Conv2d::default()), &[6]),
            (Op::Binary(Binary::Add), &[7]),
            (Op::Flatten { axis: 1 }, &[]),
            (Op::MatMul, &[8]),
        ] {
            values.push(Value { name: format!("step {}", nodes.len()), source: Source::Computed });
            let output = ValueId(values.len() - 1);
            let inputs = std::iter::once(last).chain(reads.iter().map(|&i| ValueId(i))).map(Some).collect();
            nodes.push(Node { name: format!("step {}", nodes.len()), op, inputs, outputs: vec![output] });
            last = output;
        }
        (Graph { values, nodes, input: ValueId(0), logits: last }, parameters)
    }

    #[test]
    fn a_normalisation_stands_for_the_layer_in_front_of_it_and_a_bias_may_be_a_step_of_its_own() {
        let (graph, parameters) = normalised();
        let found = channels(&graph, &parameters);
        let slices = |name, axis| Slices { name, axis };
        let expected = [
            Channels { factor: slices("scale", 0), shift: Some(slices("shift", 0)), count: 3 },
            Channels { factor: slices("second", 0), shift: Some(slices("bias", 1)), count: 2 },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn switched_off_channels_give_nothing_and_the_others_what_they_gave() {
        let (graph, parameters) = normalised();
        let mut silence = Silence::default();
        silence.add(&channels(&graph, &parameters)[1], vec![false, true]);
        assert_eq!((silence.count, silence.words().as_str()), (1, "1 channel off"));
        let mut changed = parameters.clone();
        changed.extend(silence.change(&parameters).unwrap().parameters);
        let inside = Graph { logits: graph.nodes[3].outputs[0], ..graph };
        let x = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let run = |parameters: &Parameters| {
            inside.run(parameters, &x, None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let before = run(&parameters);
        assert!(before.iter().all(|&v| v != 0.0));
        assert_eq!(run(&changed), [&[0.0; 4], &before[4..]].concat());
    }

    #[test]
    fn slopes_of_multipliers_are_those_of_numbers_times_what_is_multiplied() {
        let network = network();
        let found = channels(network.graph(), network.parameters());
        let layer = &found[1];
        let x = Seed(3).random().uniform_tensor(0.0, 1.0, (2, 3, 12, 12), &Device::Cpu).unwrap();
        let loss = |factors: &[f32]| {
            let mut parameters = network.parameters().clone();
            parameters.extend(layer.scaled(&parameters, factors, &vec![1.0; layer.count]).unwrap());
            let loss = network.with_parameters(parameters).logits(&x).unwrap().sqr().unwrap().sum_all().unwrap();
            loss.to_scalar::<f32>().unwrap()
        };
        let mut parameters = network.parameters().clone();
        let weight = Var::from_tensor(&parameters["conv2.weight"]).unwrap();
        parameters.insert("conv2.weight".into(), weight.as_tensor().clone());
        let value = network.with_parameters(parameters).logits(&x).unwrap().sqr().unwrap().sum_all().unwrap();
        let by_number = value.backward().unwrap().remove(&weight).unwrap();
        let by_number = Parameters::from([("conv2.weight".to_owned(), by_number)]);
        let [by_factor, by_shift] = layer.slopes(network.parameters(), &by_number).unwrap();
        assert_eq!(by_shift, vec![0.0; layer.count], "nothing is known of the bias here");
        for channel in [0, 7, 23] {
            let at = |value: f32| {
                let mut factors = vec![1.0; layer.count];
                factors[channel] = value;
                loss(&factors)
            };
            let difference = (at(1.02) - at(0.98)) / 0.04;
            let slope = by_factor[channel];
            assert!((slope - difference).abs() < 0.03 * slope.abs().max(0.05), "{slope} and {difference}");
        }
    }
}
