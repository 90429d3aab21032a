//! A small good model in the messages of an ONNX file, to be changed into bad ones, and what is asked of their errors.
#![allow(dead_code, reason = "each test file uses a part of it")]

use poisdetc::model::onnx::messages::*;
use poisdetc::model::{ModelError, open};
use prost::Message;

pub fn tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        raw_data: Some(raw.into()),
        ..Default::default()
    }
}

pub fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(data_type::INT64),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

pub fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        name: Some(name.into()),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

pub fn value(name: &str, kind: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|&d| DimensionProto { value: Some(DimensionValue::Size(d)) }).collect();
    let tensor_type = TensorTypeProto { elem_type: Some(kind), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

/// Pictures [any, 3, 8, 8] -> convolution -> mean -> two logits -> softmax.
pub fn good() -> ModelProto {
    let weights: Vec<f32> = (0..4 * 3 * 9).map(|i| (i as f32 * 0.7).sin()).collect();
    let graph = GraphProto {
        node: vec![
            node("Conv", "first", &["x", "w", "b"], "c"),
            node("Relu", "bend", &["c"], "r"),
            node("GlobalAveragePool", "pool", &["r"], "p"),
            node("Flatten", "flat", &["p"], "f"),
            node("MatMul", "last", &["f", "v"], "l"),
            node("Softmax", "shares", &["l"], "y"),
        ],
        initializer: vec![
            tensor("w", &[4, 3, 3, 3], &weights),
            tensor("b", &[4], &[0.1, -0.2, 0.3, 0.0]),
            tensor("v", &[4, 2], &[1.0, -1.0, 0.5, 2.0, -0.5, 1.5, 0.25, 0.75]),
        ],
        input: vec![value("x", data_type::FLOAT, &[-1, 3, 8, 8])],
        output: vec![value("y", data_type::FLOAT, &[-1, 2])],
        ..Default::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..Default::default()
    }
}

/// The good model with one thing changed.
pub fn changed(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = good();
    change(model.graph.as_mut().unwrap());
    model.encode_to_vec()
}

pub fn error_named(file: &str, bytes: &[u8]) -> ModelError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, bytes).unwrap();
    open(&path).expect_err("a bad file was opened")
}

pub fn error(bytes: &[u8]) -> ModelError {
    error_named("model.onnx", bytes)
}

/// The sentence names all of `parts`, and is one line.
pub fn says(error: &ModelError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{text}\" does not say \"{part}\"");
    }
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
}

pub fn opened(bytes: &[u8]) -> poisdetc::model::Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    open(&path).unwrap_or_else(|e| panic!("{e}"))
}
