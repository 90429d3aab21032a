//! Activation clamps in an ONNX file: a constant and a `Min` behind the node that computes the value.
//!
//! The node gives its result under a new name, and the minimum takes the old one: whatever read the value, inside the
//! graph or outside it, reads the clamped one, and no reader has to be touched.

use super::fields::put_varint;
use super::locate::{Located, messages};
use super::messages::{AttributeProto, ModelProto, NodeProto, TensorProto, attribute_type, data_type};
use super::overwrite::{put, rounded};
use super::splice::Edits;
use super::stored;
use half::{bf16, f16};
use prost::Message;
use std::collections::HashSet;

/// Since this version of the operator set `Min` broadcasts.
const BROADCASTS: i64 = 8;
/// Since these versions `Min` takes `float16` and `bfloat16` everywhere.
const TAKES_FLOAT16: i64 = 8;
const TAKES_BFLOAT16: i64 = 13;

/// A clamp whose bounds broadcast over its value.
#[derive(Debug, Clone)]
pub(in crate::model) struct ShapedClamp {
    /// Name of the value.
    pub value: String,
    /// Its bounds.
    pub bounds: Vec<f32>,
    /// The shape the bounds broadcast in.
    pub shape: Vec<usize>,
}

/// Adds a clamp; returns its bounds as they will be read.
///
/// # Errors
/// A clause to follow the value's name.
pub(super) fn add(
    file: &[u8],
    model: &ModelProto,
    located: &Located,
    taken: &mut HashSet<String>,
    clamp: &ShapedClamp,
    edits: &mut Edits,
) -> Result<Vec<f32>, String> {
    let graph = model.graph.as_ref().ok_or("has no graph")?;
    let standard = |domain: Option<&str>| matches!(domain, None | Some("" | "ai.onnx"));
    let opset = model.opset_import.iter().find(|o| standard(o.domain.as_deref())).and_then(|o| o.version).unwrap_or(0);
    let writer = graph.node.iter().enumerate().find_map(|(node, message)| {
        message.output.iter().position(|name| *name == clamp.value).map(|output| (node, output))
    });
    let (node, output) = writer.ok_or("is computed by no node of the file")?;
    let (place, around) = located.nodes.get(node).ok_or("cannot be found in the file")?;
    let kind = kind_of(model, &clamp.value).unwrap_or(data_type::FLOAT);
    let needed = match kind {
        data_type::FLOAT | data_type::DOUBLE => BROADCASTS,
        data_type::FLOAT16 => TAKES_FLOAT16,
        data_type::BFLOAT16 => TAKES_BFLOAT16,
        other => return Err(format!("holds {}, which cannot be clamped", stored::name(other))),
    };
    if opset < needed {
        return Err(format!("cannot be clamped with operators of version {opset}; version {needed} is needed"));
    }

    let bounds: Vec<f32> = clamp.bounds.iter().map(|&b| storable(kind, b)).collect::<Result<_, _>>()?;
    let mut fresh = |what: &str| {
        let mut name = format!("{}_{what}", clamp.value);
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{}_{what}_{number}", clamp.value);
        }
        name
    };
    let (unclamped, limits) = (fresh("unclamped"), fresh("bounds"));
    let mut raw = Vec::new();
    bounds.iter().for_each(|&b| put(kind, b, &mut raw));
    let tensor = TensorProto {
        dims: clamp.shape.iter().map(|&n| n as i64).collect(),
        data_type: Some(kind),
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    };
    let constant = NodeProto {
        output: vec![limits.clone()],
        name: Some(fresh("bounds_constant")),
        op_type: Some("Constant".into()),
        attribute: vec![AttributeProto {
            name: Some("value".into()),
            t: Some(tensor),
            r#type: Some(attribute_type::TENSOR),
            ..AttributeProto::default()
        }],
        ..NodeProto::default()
    };
    let minimum = NodeProto {
        input: vec![unclamped.clone(), limits],
        output: vec![clamp.value.clone()],
        name: Some(fresh("clamp")),
        op_type: Some("Min".into()),
        ..NodeProto::default()
    };
    let outputs = messages(file, place.at.clone(), &[2]).ok_or("cannot be found in the file")?;
    let name = outputs.get(output).ok_or("cannot be found in the file")?;
    edits.replace(&place.value(name), unclamped.into_bytes());
    let mut added = Vec::new();
    for node in [constant, minimum] {
        added.push(0x0a);
        put_varint(node.encoded_len() as u64, &mut added);
        added.extend(node.encode_to_vec());
    }
    edits.replace(&around.between(place.at.end), added);
    Ok(bounds)
}

/// A bound as it will be read; one that the kind of number cannot hold is as good as its largest.
fn storable(kind: i32, bound: f32) -> Result<f32, String> {
    let (low, high) = match kind {
        data_type::FLOAT16 => (f16::MIN.to_f32(), f16::MAX.to_f32()),
        data_type::BFLOAT16 => (bf16::MIN.to_f32(), bf16::MAX.to_f32()),
        _ => (f32::MIN, f32::MAX),
    };
    rounded(kind, bound.clamp(low, high))
}

/// Every name in the graph.
pub(super) fn names(model: &ModelProto) -> HashSet<String> {
    let Some(graph) = &model.graph else { return HashSet::new() };
    let nodes = graph.node.iter().flat_map(|n| n.input.iter().chain(&n.output).chain(&n.name));
    let values = graph.input.iter().chain(&graph.output).filter_map(|v| v.name.as_ref());
    nodes.chain(values).chain(graph.initializer.iter().filter_map(|t| t.name.as_ref())).cloned().collect()
}

/// The kind of number a value holds: operators give back the kind they are given, but for a few.
fn kind_of(model: &ModelProto, value: &str) -> Option<i32> {
    let graph = model.graph.as_ref()?;
    let mut value = value;
    for _ in 0..=graph.node.len() {
        if let Some(tensor) = graph.initializer.iter().find(|t| t.name.as_deref() == Some(value)) {
            return tensor.data_type;
        }
        let Some(node) = graph.node.iter().find(|n| n.output.iter().any(|o| o == value)) else {
            let input = graph.input.iter().find(|i| i.name.as_deref() == Some(value))?;
            return input.r#type.as_ref()?.tensor_type.as_ref()?.elem_type;
        };
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name.as_deref() == Some(name));
        let input = |i: usize| node.input.get(i).map(String::as_str);
        let tensor = || attribute("value").and_then(|a| a.t.as_ref()).and_then(|t| t.data_type);
        value = match node.op_type.as_deref().unwrap_or_default() {
            "Cast" => return attribute("to").and_then(|a| a.i).map(|to| to as i32),
            "Constant" | "ConstantOfShape" => return tensor().or(Some(data_type::FLOAT)),
            "Shape" | "Size" | "ArgMax" => return Some(data_type::INT64),
            "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" | "Not" | "And" | "Or" => {
                return Some(data_type::BOOL);
            }
            "CastLike" | "Where" => input(1)?,
            _ => input(0)?,
        };
    }
    None
}
