//! Small convolutional networks as graphs of our own operations.

use crate::model::graph::{Node, Op, Source, Unary, Value, ValueId};
#[cfg(test)]
use crate::model::{Classifier, Preprocessing};
use crate::model::{Format, Graph, InputLayout, InputSpec, Model, Parameters};
use crate::tensor::{Conv2d, Pool2d, Random, Seed};
use candle_core::{DType, Device, Result, Tensor};
use std::path::PathBuf;
use std::sync::Arc;

/// The networks the program can build itself. All read pixels in `[0, 1]`, NCHW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Three convolutions 12-24-32 with pooling, one hidden layer of 32: about 100 KB as a file.
    Tiny,
    /// Three convolutions 16-32-64 with pooling, one hidden layer of 64: seconds to train.
    Small,
    /// Six convolutions in pairs 32-64-128 with pooling, one hidden layer of 128: the usual road-sign
    /// network, slimmer.
    Paired,
}

/// Smallest height and width: three poolings by two must leave a pixel.
const SMALLEST: usize = 8;
/// Pictures larger than this are halved by the first convolution already.
const LARGE: usize = 64;
/// Stages of the last width are added until the map in front of the dense layer is no larger than this.
const LAST_MAP: usize = 7;

/// What tells one network from another.
struct Plan {
    widths: [usize; 3],
    convolutions_a_stage: usize,
    hidden: usize,
}

impl Architecture {
    fn plan(self) -> Plan {
        match self {
            Self::Tiny => Plan { widths: [12, 24, 32], convolutions_a_stage: 1, hidden: 32 },
            Self::Small => Plan { widths: [16, 32, 64], convolutions_a_stage: 1, hidden: 64 },
            Self::Paired => Plan { widths: [32, 64, 128], convolutions_a_stage: 2, hidden: 128 },
        }
    }

    /// The network with freshly drawn parameters as a model like an opened one; `path` and `sha256` are empty.
    ///
    /// # Errors
    /// As [`Architecture::build`].
    pub fn untrained(self, channels: usize, size: [usize; 2], classes: usize, seed: Seed) -> Result<Model> {
        let (graph, parameters) = self.build(channels, size, classes, seed)?;
        Ok(Model {
            path: PathBuf::new(),
            format: Format::Onnx,
            sha256: String::new(),
            graph: Arc::new(graph),
            parameters,
            input: InputSpec { layout: InputLayout::Nchw, channels, size: Some(size), fixed_batch: None },
            classes,
            notes: Vec::new(),
        })
    }

    /// The graph and freshly drawn parameters for pictures `[channels, size[0], size[1]]`.
    ///
    /// Weights are normal with variance `2 / fan-in` (He et al., arXiv 1502.01852; the last layer
    /// `1 / fan-in`), biases zero. Named `conv1.weight`, `conv1.bias`, …, `hidden.weight`,
    /// `output.weight`, as PyTorch lays them out.
    ///
    /// # Errors
    /// Where the size is too small for the network's pooling, or there are fewer than two classes.
    pub fn build(self, channels: usize, size: [usize; 2], classes: usize, seed: Seed) -> Result<(Graph, Parameters)> {
        if size[0].min(size[1]) < SMALLEST {
            let [height, width] = size;
            candle_core::bail!("pictures of {height}x{width} pixels are too small; {SMALLEST}x{SMALLEST} are needed");
        }
        if channels == 0 || classes < 2 {
            candle_core::bail!("a classifier needs a channel and two labels, not {channels} and {classes}");
        }
        let plan = self.plan();
        let mut network = Network::new(channels, size, seed);
        let mut stage = 0;
        while stage < plan.widths.len() || network.size.iter().any(|&s| s > LAST_MAP) {
            let width = plan.widths[stage.min(plan.widths.len() - 1)];
            for i in 0..plan.convolutions_a_stage {
                let first = stage == 0 && i == 0;
                let stride = if first && size.iter().all(|&s| s > LARGE) { 2 } else { 1 };
                if i > 0 {
                    network.activation();
                }
                network.convolution(width, stride)?;
            }
            // The two commute, and in this order the activation has a quarter of the work.
            network.pooling();
            network.activation();
            stage += 1;
        }
        network.flatten();
        network.dense("hidden", plan.hidden, 2.0)?;
        network.activation();
        network.dense("output", classes, 1.0)?;
        Ok(network.finish())
    }
}

/// The smallest network, of three colours and untrained, for tests that need any network.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests only")]
pub(crate) fn tiny(size: [usize; 2], classes: usize, seed: Seed) -> Classifier {
    let model = Architecture::Tiny.untrained(3, size, classes, seed).unwrap();
    Classifier::new(&model, Preprocessing::unit(size, 3), &Device::Cpu).unwrap()
}

/// A graph in the making; `channels` and `size` describe the value that was added last.
struct Network {
    values: Vec<Value>,
    nodes: Vec<Node>,
    parameters: Parameters,
    channels: usize,
    size: [usize; 2],
    convolutions: usize,
    last: ValueId,
    random: Random,
}

impl Network {
    fn new(channels: usize, size: [usize; 2], seed: Seed) -> Self {
        Self {
            values: vec![Value { name: "image".into(), source: Source::Input }],
            nodes: Vec::new(),
            parameters: Parameters::new(),
            channels,
            size,
            convolutions: 0,
            last: ValueId(0),
            random: seed.of("weights").random(),
        }
    }

    fn value(&mut self, name: String, source: Source) -> ValueId {
        self.values.push(Value { name, source });
        ValueId(self.values.len() - 1)
    }

    /// Weights of the given shape, first dimension the outputs, with variance `gain / fan-in`; bias zero.
    fn weights(&mut self, layer: &str, shape: &[usize], gain: f32) -> Result<[ValueId; 2]> {
        let fan_in: usize = shape[1..].iter().product();
        let scale = (gain / fan_in as f32).sqrt();
        let weight = self.random.normal_tensor(scale, shape, &Device::Cpu)?;
        let bias = Tensor::zeros(shape[0], DType::F32, &Device::Cpu)?;
        Ok([("weight", weight), ("bias", bias)].map(|(part, tensor)| {
            let name = format!("{layer}.{part}");
            self.parameters.insert(name.clone(), tensor);
            self.value(name.clone(), Source::Parameter(name))
        }))
    }

    /// Appends `op(last, more…)`.
    fn node(&mut self, name: &str, op: Op, more: &[ValueId]) {
        let inputs = std::iter::once(self.last).chain(more.iter().copied()).map(Some).collect();
        let output = self.value(format!("{name}.output"), Source::Computed);
        self.nodes.push(Node { name: name.into(), op, inputs, outputs: vec![output] });
        self.last = output;
    }

    fn convolution(&mut self, width: usize, stride: usize) -> Result<()> {
        self.convolutions += 1;
        let name = format!("conv{}", self.convolutions);
        let weights = self.weights(&name, &[width, self.channels, 3, 3], 2.0)?;
        let geometry = Conv2d { stride: [stride; 2], pads: [1; 4], ..Conv2d::default() };
        self.node(&name, Op::Conv(geometry), &weights);
        self.channels = width;
        self.size = self.size.map(|s| s.div_ceil(stride));
        Ok(())
    }

    fn activation(&mut self) {
        let name = format!("relu{}", self.nodes.iter().filter(|n| matches!(n.op, Op::Unary(Unary::Relu))).count() + 1);
        self.node(&name, Op::Unary(Unary::Relu), &[]);
    }

    fn pooling(&mut self) {
        let name = format!("pool{}", self.nodes.iter().filter(|n| matches!(n.op, Op::MaxPool(_))).count() + 1);
        self.node(&name, Op::MaxPool(Pool2d::square(2)), &[]);
        self.size = self.size.map(|s| s / 2);
    }

    fn flatten(&mut self) {
        self.node("flatten", Op::Flatten { axis: 1 }, &[]);
        self.channels *= self.size[0] * self.size[1];
        self.size = [1, 1];
    }

    fn dense(&mut self, name: &str, outputs: usize, gain: f32) -> Result<()> {
        let weights = self.weights(name, &[outputs, self.channels], gain)?;
        let op = Op::Gemm { alpha: 1.0, beta: 1.0, transpose_a: false, transpose_b: true };
        self.node(name, op, &weights);
        self.channels = outputs;
        Ok(())
    }

    fn finish(mut self) -> (Graph, Parameters) {
        self.values[self.last.0].name = "logits".into();
        let graph = Graph { values: self.values, nodes: self.nodes, input: ValueId(0), logits: self.last };
        (graph, self.parameters)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ALL: [Architecture; 3] = [Architecture::Tiny, Architecture::Small, Architecture::Paired];

    #[test]
    fn every_network_answers_pictures_of_every_usual_size() {
        for architecture in ALL {
            for (channels, size) in [(1, [8, 8]), (1, [28, 28]), (3, [32, 32]), (3, [33, 97]), (3, [224, 224])] {
                let (graph, parameters) = architecture.build(channels, size, 5, Seed(1)).unwrap();
                let x = Seed(2).random().uniform_tensor(0.0, 1.0, (2, channels, size[0], size[1]), &Device::Cpu);
                let logits = graph.run(&parameters, &x.unwrap(), None).unwrap();
                assert_eq!(logits.dims(), [2, 5], "{architecture:?} {size:?}");
                let dense = &parameters["hidden.weight"];
                assert!(dense.elem_count() <= 128 * 128 * LAST_MAP * LAST_MAP, "{size:?}: {:?}", dense.dims());
            }
        }
    }

    #[test]
    fn weights_come_from_the_seed_with_the_variance_of_he() {
        let weights = |seed| Architecture::Small.build(3, [32, 32], 10, seed).unwrap().1;
        let flat = |p: &Parameters| p["hidden.weight"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let one = flat(&weights(Seed(1)));
        assert_eq!(one, flat(&weights(Seed(1))));
        assert_ne!(one, flat(&weights(Seed(2))));
        let variance = one.iter().map(|w| w * w).sum::<f32>() / one.len() as f32;
        let wanted = 2.0 / (64.0 * 16.0);
        assert!((variance / wanted - 1.0).abs() < 0.03, "{variance} instead of {wanted}");
    }

    #[test]
    fn pictures_that_are_too_small_are_refused() {
        let error = Architecture::Tiny.build(3, [7, 32], 4, Seed(1)).unwrap_err().to_string();
        assert!(error.contains("7x32"), "{error}");
    }
}
