//! What is written, seen through the messages.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::graph::{Op, Reduction, Unary, Value};
use crate::tensor::{Conv2d, Pool2d};

/// A graph put together by hand.
struct Draft(Graph);

impl Draft {
    fn new() -> Self {
        let input = Value { name: "picture".into(), source: Source::Input };
        Self(Graph { values: vec![input], nodes: Vec::new(), input: ValueId(0), logits: ValueId(0) })
    }

    fn value(&mut self, name: &str, source: Source) -> ValueId {
        self.0.values.push(Value { name: name.into(), source });
        ValueId(self.0.values.len() - 1)
    }

    fn parameter(&mut self, name: &str) -> ValueId {
        self.value(name, Source::Parameter(name.into()))
    }

    fn then(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        let output = self.value("", Source::Computed);
        let inputs = inputs.iter().copied().map(Some).collect();
        let name = format!("node{}", self.0.nodes.len());
        self.0.nodes.push(Node { name, op, inputs, outputs: vec![output] });
        self.0.logits = output;
        output
    }
}

const INPUT: InputSpec = InputSpec { layout: InputLayout::Nchw, channels: 3, size: Some([8, 8]), fixed_batch: None };

fn numbers(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Convolution, ReLU, pooling, a dense layer and a softmax behind the logits.
fn small() -> (Graph, Parameters) {
    let mut draft = Draft::new();
    let (w, b) = (draft.parameter("conv/kernel:0"), draft.parameter("conv/bias:0"));
    let x = draft.then(Op::Conv(Conv2d { pads: [1, 0, 0, 1], ..Conv2d::default() }), &[ValueId(0), w, b]);
    let x = draft.then(Op::Unary(Unary::Relu), &[x]);
    let x = draft.then(Op::MaxPool(Pool2d::square(2)), &[x]);
    let x = draft.then(Op::Flatten { axis: 1 }, &[x]);
    let w = draft.parameter("dense/kernel:0");
    let gemm = Op::Gemm { alpha: 1.0, beta: 1.0, transpose_a: false, transpose_b: false };
    let logits = draft.then(gemm, &[x, w]);
    draft.then(Op::Softmax { axis: -1 }, &[logits]);
    draft.0.logits = logits;
    let parameters = Parameters::from([
        ("conv/kernel:0".into(), numbers(&[4, 3, 2, 2])),
        ("conv/bias:0".into(), numbers(&[4])),
        ("dense/kernel:0".into(), numbers(&[64, 5])),
        ("optimizer/step".into(), numbers(&[1])),
    ]);
    (draft.0, parameters)
}

fn decode(bytes: Vec<u8>) -> GraphProto {
    ModelProto::decode(bytes::Bytes::from(bytes)).unwrap().graph.unwrap()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().filter_map(|node| node.op_type.as_deref()).collect()
}

#[test]
fn parameters_keep_names_and_numbers_and_nothing_behind_the_logits_is_written() {
    let (graph, parameters) = small();
    let file = decode(write(&graph, &parameters, &INPUT, 5).unwrap());
    assert_eq!(operators(&file), ["Conv", "Relu", "MaxPool", "Flatten", "Gemm"]);
    let names: Vec<_> = file.initializer.iter().filter_map(|t| t.name.as_deref()).collect();
    assert_eq!(names, ["conv/kernel:0", "conv/bias:0", "dense/kernel:0"]);
    let raw: Vec<u8> =
        parameters["conv/bias:0"].to_vec1::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(file.initializer[1].raw_data.as_deref(), Some(&raw[..]));
    assert_eq!(file.initializer[0].dims, [4, 3, 2, 2]);
    assert_eq!(file.input.len(), 1);
    assert_eq!(file.input[0].name.as_deref(), Some("picture"));
    assert_eq!(file.node[4].output[0], file.output[0].name.clone().unwrap());
}

#[test]
fn every_name_is_given_once_and_read_only_after_it_was_written() {
    let (graph, parameters) = small();
    let file = decode(write(&graph, &parameters, &INPUT, 5).unwrap());
    let mut known: BTreeSet<String> = file.initializer.iter().filter_map(|t| t.name.clone()).collect();
    known.extend(file.input.iter().filter_map(|v| v.name.clone()));
    for node in &file.node {
        assert!(node.input.iter().all(|name| known.contains(name)), "{node:?}");
        assert!(node.output.iter().all(|name| known.insert(name.clone())), "{node:?}");
    }
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let (graph, parameters) = small();
    let once = write(&graph, &parameters, &INPUT, 5).unwrap();
    assert_eq!(once, write(&graph, &parameters, &INPUT, 5).unwrap());
    let model = ModelProto::decode(bytes::Bytes::from(once)).unwrap();
    assert_eq!((model.ir_version, model.producer_name.as_deref()), (Some(8), Some("PoisDetc")));
    assert_eq!(model.opset_import[0].version, Some(17));
}

#[test]
fn the_batch_is_open_unless_the_graph_insists() {
    let (graph, parameters) = small();
    let first = |input: &InputSpec| {
        let file = decode(write(&graph, &parameters, input, 5).unwrap());
        let dims = file.input[0].r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap().dim;
        (dims[0].value.clone().unwrap(), dims.len(), dims[3].value.clone().unwrap())
    };
    assert_eq!(first(&INPUT), (DimensionValue::Name("batch".into()), 4, DimensionValue::Size(8)));
    let fixed = InputSpec { fixed_batch: Some(4), layout: InputLayout::Nhwc, ..INPUT };
    assert_eq!(first(&fixed), (DimensionValue::Size(4), 4, DimensionValue::Size(3)));
}

#[test]
fn operations_that_set_17_lacks_are_spelled_out() {
    for (unary, expected) in [
        (Unary::Silu, vec!["Sigmoid", "Mul"]),
        (Unary::Mish, vec!["Softplus", "Tanh", "Mul"]),
        (Unary::Gelu { tanh: false }, vec!["Mul", "Erf", "Add", "Mul", "Mul"]),
        (Unary::Clip { min: 0.0, max: 6.0 }, vec!["Clip"]),
    ] {
        let mut draft = Draft::new();
        draft.then(Op::Unary(unary), &[ValueId(0)]);
        assert_eq!(operators(&decode(write(&draft.0, &Parameters::new(), &INPUT, 5).unwrap())), expected);
    }
}

#[test]
fn axes_become_a_setting_for_means_and_an_input_for_sums() {
    for (how, inputs, settings) in [(Reduction::Mean, 1, 2), (Reduction::Sum, 2, 1)] {
        let mut draft = Draft::new();
        let axes = draft.value("axes", Source::Integers(vec![2, 3], vec![2]));
        let op = Op::Reduce { how, axes: None, keep_dims: false, noop_with_empty_axes: false };
        draft.then(op, &[ValueId(0), axes]);
        let file = decode(write(&draft.0, &Parameters::new(), &INPUT, 3).unwrap());
        assert_eq!((file.node[0].input.len(), file.node[0].attribute.len()), (inputs, settings));
    }
}

#[test]
fn what_cannot_be_written_is_named_all_at_once() {
    let mut draft = Draft::new();
    let x = draft.then(Op::AvgPool(Pool2d { dilation: [2, 2], ..Pool2d::square(2) }), &[ValueId(0)]);
    let axes = draft.then(Op::Shape { start: 0, end: None }, &[x]);
    let op = Op::Reduce { how: Reduction::Max, axes: None, keep_dims: false, noop_with_empty_axes: false };
    draft.then(op, &[x, axes]);
    let error = write(&draft.0, &Parameters::new(), &INPUT, 3).unwrap_err().to_string();
    assert!(error.contains("AveragePool with dilation") && error.contains("ReduceMax with computed axes"), "{error}");
}

#[test]
fn a_missing_parameter_is_named() {
    let (graph, mut parameters) = small();
    parameters.remove("conv/bias:0");
    let error = write(&graph, &parameters, &INPUT, 5).unwrap_err().to_string();
    assert!(error.contains("conv/bias:0"), "{error}");
}
