//! Writes a graph and its parameters as an ONNX file, so that what the program trains or repairs can be used elsewhere.
//!
//! In: a [`Graph`], its [`Parameters`], what goes in and how many labels come out. Out: the bytes of a file for operator
//! set 17. Parameters keep their names; steps that do not lead to the logits are left out. The same graph and numbers
//! always give the same bytes. Never touches the disk, and never leaves out a step it cannot write: it refuses instead.

mod operators;

use super::messages::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type, data_type,
};
use crate::model::graph::{Graph, Node, Parameters, Source, ValueId};
use crate::model::{InputLayout, InputSpec, ModelError};
use candle_core::{DType, Device, Tensor};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the file format.
const IR_VERSION: i64 = 8;
/// Version of ONNX's own operators that the nodes mean.
const OPERATOR_SET: i64 = 17;

/// The bytes of an ONNX file that computes `logits [n, classes]` of one picture batch.
///
/// The batch size is left open unless `input` insists on one.
///
/// # Errors
/// [`ModelError::Unsupported`] with every operation that operator set 17 cannot express,
/// [`ModelError::Node`] where a parameter the graph needs is missing, [`ModelError::Compute`] where one cannot be read.
pub fn write(graph: &Graph, parameters: &Parameters, input: &InputSpec, classes: usize) -> Result<Vec<u8>, ModelError> {
    let steps = steps_to_logits(graph);
    let mut writer = Writer::new(graph, parameters, &steps);
    for node in &steps {
        writer.node(node)?;
    }
    if !writer.unsupported.is_empty() {
        return Err(ModelError::Unsupported(writer.unsupported.into_iter().collect()));
    }
    let logits = writer.logits()?;
    let batch = input.fixed_batch.map_or_else(|| named("batch"), sized);
    let graph = GraphProto {
        node: writer.nodes,
        name: Some("classifier".into()),
        initializer: writer.initializers,
        input: vec![float_value(&writer.names[&graph.input], input_shape(input, batch.clone()))],
        output: vec![float_value(&logits, vec![batch, sized(classes)])],
        sparse_initializer: Vec::new(),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("PoisDetc".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPERATOR_SET) }],
        metadata_props: Vec::new(),
        functions: Vec::new(),
    };
    Ok(model.encode_to_vec())
}

/// The nodes that lead to the logits, in running order.
fn steps_to_logits(graph: &Graph) -> Vec<&Node> {
    let mut wanted = BTreeSet::from([graph.logits]);
    let mut steps: Vec<&Node> = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| wanted.contains(output)) {
            wanted.extend(node.inputs.iter().flatten());
            steps.push(node);
        }
    }
    steps.reverse();
    steps
}

/// A file in the making.
struct Writer<'a> {
    graph: &'a Graph,
    parameters: &'a Parameters,
    /// Name in the file of every value that is used.
    names: BTreeMap<ValueId, String>,
    /// Every name given out so far.
    taken: BTreeSet<String>,
    /// Names of the initializers written so far: values may share a parameter.
    stored: BTreeSet<String>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// What cannot be written, for the error.
    unsupported: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    /// Gives every value that is used its name: parameters and the input first, since theirs must not change.
    fn new(graph: &'a Graph, parameters: &'a Parameters, steps: &[&Node]) -> Self {
        let mut used = BTreeSet::from([graph.input, graph.logits]);
        used.extend(steps.iter().flat_map(|step| step.inputs.iter().flatten().chain(&step.outputs)));
        let mut writer = Self {
            graph,
            parameters,
            names: BTreeMap::new(),
            taken: BTreeSet::new(),
            stored: BTreeSet::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
            unsupported: BTreeSet::new(),
        };
        for id in &used {
            if let Some(name) = graph.parameter(*id) {
                writer.taken.insert(name.to_owned());
                writer.names.insert(*id, name.to_owned());
            }
        }
        let input = writer.fresh(&graph.values[graph.input.0].name, "input");
        writer.names.insert(graph.input, input);
        for id in used {
            if !writer.names.contains_key(&id) {
                let name = writer.fresh(&graph.values[id.0].name, &format!("value_{}", id.0));
                writer.names.insert(id, name);
            }
        }
        writer
    }

    /// A name nobody has yet: `wish`, or `fallback` where it is empty, or one of them with a number.
    fn fresh(&mut self, wish: &str, fallback: &str) -> String {
        let wish = if wish.is_empty() { fallback } else { wish };
        let mut name = wish.to_owned();
        let mut number = 1;
        while self.taken.contains(&name) {
            number += 1;
            name = format!("{wish}_{number}");
        }
        self.taken.insert(name.clone());
        name
    }

    /// The name under which a value is read by a node; stores its numbers where it has some.
    fn read(&mut self, id: ValueId) -> Result<String, ModelError> {
        let name = self.names[&id].clone();
        let tensor = match &self.graph.values[id.0].source {
            Source::Input | Source::Computed => return Ok(name),
            Source::Parameter(parameter) => {
                let tensor = self.parameters.get(parameter).ok_or_else(|| ModelError::Node {
                    node: parameter.clone(),
                    op: "parameter".into(),
                    why: "the graph needs it, but its numbers are missing".into(),
                })?;
                float_tensor(&name, tensor)?
            }
            Source::Constant(tensor) => float_tensor(&name, tensor)?,
            Source::Integers(values, shape) => integer_tensor(&name, values, shape),
        };
        if self.stored.insert(name.clone()) {
            self.initializers.push(tensor);
        }
        Ok(name)
    }

    /// Stores fixed numbers a node needs, under a name made from `node`.
    fn constant(&mut self, node: &Node, what: &str, values: &[f32], shape: &[usize]) -> Result<String, ModelError> {
        let name = self.fresh(&format!("{}/{what}", node.name), what);
        let tensor = float_tensor(&name, &Tensor::from_slice(values, shape, &Device::Cpu)?)?;
        self.initializers.push(tensor);
        Ok(name)
    }

    /// Stores a list of integers a node needs, under a name made from `node`.
    fn integers(&mut self, node: &Node, what: &str, values: &[i64]) -> String {
        let name = self.fresh(&format!("{}/{what}", node.name), what);
        self.initializers.push(integer_tensor(&name, values, &[values.len()]));
        name
    }

    /// Adds a node of the file.
    fn push(&mut self, operator: &str, mut input: Vec<String>, output: Vec<String>, attribute: Vec<AttributeProto>) {
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        let name = self.fresh(&format!("{operator}_{}", self.nodes.len()), operator);
        self.nodes.push(NodeProto {
            input,
            output,
            name: Some(name),
            op_type: Some(operator.into()),
            attribute,
            domain: None,
            overload: None,
        });
    }

    /// Adds a node with one output that only the expansion of `node` reads, and returns that output's name.
    fn step(&mut self, node: &Node, operator: &str, input: &[&str]) -> String {
        let output = self.fresh(&format!("{}/{operator}", node.name), operator);
        self.push(operator, input.iter().map(|&name| name.to_owned()).collect(), vec![output.clone()], Vec::new());
        output
    }

    /// The name of the logits; ONNX wants them computed by a node.
    fn logits(&mut self) -> Result<String, ModelError> {
        let id = self.graph.logits;
        if matches!(self.graph.values[id.0].source, Source::Computed) {
            return Ok(self.names[&id].clone());
        }
        let source = self.read(id)?;
        let output = self.fresh("logits", "logits");
        self.push("Identity", vec![source], vec![output.clone()], Vec::new());
        Ok(output)
    }
}

/// The dimensions of the input, batch first.
fn input_shape(input: &InputSpec, batch: DimensionProto) -> Vec<DimensionProto> {
    let channels = sized(input.channels);
    let [height, width] = match input.size {
        Some([height, width]) => [sized(height), sized(width)],
        None => [named("height"), named("width")],
    };
    match input.layout {
        InputLayout::Nchw => vec![batch, channels, height, width],
        InputLayout::Nhwc => vec![batch, height, width, channels],
    }
}

/// A dimension of known size.
fn sized(size: usize) -> DimensionProto {
    DimensionProto { value: Some(DimensionValue::Size(size as i64)) }
}

/// A dimension whose size is known when the graph runs.
fn named(name: &str) -> DimensionProto {
    DimensionProto { value: Some(DimensionValue::Name(name.into())) }
}

/// A description of a value of `f32` numbers.
fn float_value(name: &str, dim: Vec<DimensionProto>) -> ValueInfoProto {
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(data_type::FLOAT), shape });
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type }) }
}

/// Numbers as an initializer.
fn float_tensor(name: &str, tensor: &Tensor) -> Result<TensorProto, ModelError> {
    let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(initializer(name, tensor.dims(), data_type::FLOAT, raw))
}

/// Integers as an initializer.
fn integer_tensor(name: &str, values: &[i64], shape: &[usize]) -> TensorProto {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    initializer(name, shape, data_type::INT64, raw)
}

fn initializer(name: &str, shape: &[usize], data_type: i32, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&n| n as i64).collect(),
        data_type: Some(data_type),
        name: Some(name.into()),
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    }
}

/// A setting that is an integer.
fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(attribute_type::INT),
        ..AttributeProto::default()
    }
}

/// A setting that is a list of integers.
fn integer_list(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&v| v as i64).collect();
    AttributeProto { name: Some(name.into()), ints, r#type: Some(attribute_type::INTS), ..AttributeProto::default() }
}

/// A setting that is a number.
fn number(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        f: Some(value),
        r#type: Some(attribute_type::FLOAT),
        ..AttributeProto::default()
    }
}

/// A setting that is a text.
fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        s: Some(value.as_bytes().to_vec().into()),
        r#type: Some(attribute_type::STRING),
        ..AttributeProto::default()
    }
}

/// A setting that is a tensor.
fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        t: Some(value),
        r#type: Some(attribute_type::TENSOR),
        ..AttributeProto::default()
    }
}

#[cfg(test)]
mod tests;
