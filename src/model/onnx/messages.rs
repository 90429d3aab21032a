//! The protobuf messages of an ONNX file, as far as an image classifier needs them.
//!
//! Field numbers are those of the format's `onnx.proto`. Fields that are left out here (documentation,
//! training, quantisation) are skipped when a file is read. `raw_data` is a view into the bytes the file
//! was read into, not a copy, so the place of every initializer in the file can be found again.
//! Plain data: nothing here checks anything.

use bytes::Bytes;
use prost::{Message, Oneof};

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// Name of the program that wrote the file.
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// Version of that program.
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    /// The computation.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Which version of each set of operators the nodes mean.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Free notes.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Operators that the file itself makes out of others.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// An operator made out of others.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    /// Name of the operator.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Names its inputs have inside.
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// Names its outputs have inside.
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// Steps.
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    /// Which version of each set of operators the steps mean.
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Set of operators it belongs to.
    #[prost(string, optional, tag = "10")]
    pub domain: Option<String>,
    /// Settings with a value for where a caller gives none.
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    /// Tells functions of one name apart.
    #[prost(string, optional, tag = "13")]
    pub overload: Option<String>,
}

/// A set of operators and its version.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// Empty for ONNX's own operators.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Version of the set.
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// A name and a text.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// Name.
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    /// Text.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Nodes, the numbers they use, and what goes in and out.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Steps, in an order in which they can run (a promise that is not always kept).
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name of the graph.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    /// Trained numbers.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What goes in; old files list the initializers here, too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What comes out.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Trained numbers that are mostly zero.
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
}

/// One step.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the values it reads; an empty name is an absent optional input.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values it writes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name, often empty.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// Name of the operator.
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// Settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Which set of operators; empty for ONNX's own.
    #[prost(string, optional, tag = "7")]
    pub domain: Option<String>,
    /// Which of the file's functions of one name.
    #[prost(string, optional, tag = "8")]
    pub overload: Option<String>,
}

/// One setting of a node.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A text.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Texts.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    /// Which of the fields is meant: 1 `f`, 2 `i`, 3 `s`, 4 `t`, 6 `floats`, 7 `ints`, 8 `strings`.
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
    /// Inside a function: the caller's setting that is meant.
    #[prost(string, optional, tag = "21")]
    pub ref_attr_name: Option<String>,
}

/// Values of the field [`AttributeProto::type`].
pub mod attribute_type {
    #![allow(missing_docs, reason = "named after the fields they choose")]
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const TENSOR: i32 = 4;
    pub const FLOATS: i32 = 6;
    pub const INTS: i32 = 7;
    pub const STRINGS: i32 = 8;
}

/// Numbers with a shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Shape; empty for a single number.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// One of [`data_type`].
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// The numbers, where they are `float`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// The numbers, where they are short integers, booleans, or the bits of `float16` and `bfloat16`.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// The numbers, where they are `int64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name of the value.
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// The numbers as bytes, little-endian, row-major; then the typed fields are empty.
    #[prost(bytes = "bytes", optional, tag = "9")]
    pub raw_data: Option<Bytes>,
    /// The numbers, where they are `double`.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// The numbers, where they are unsigned and wide.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Where the numbers lie outside this file: `location`, `offset`, `length`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1 where [`TensorProto::external_data`] is to be used.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
}

/// Values of the field [`TensorProto::data_type`].
pub mod data_type {
    #![allow(missing_docs, reason = "named after the types they are")]
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const STRING: i32 = 8;
    pub const BOOL: i32 = 9;
    pub const FLOAT16: i32 = 10;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
    pub const UINT64: i32 = 13;
    pub const BFLOAT16: i32 = 16;
}

/// Numbers that are mostly zero. Recognised, so that it can be named; not read.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    /// The numbers that are not zero; carries the name.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
}

/// A value that goes in or out.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Type and shape.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// Type of a value; absent where it is no tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Type of a tensor (`TypeProto.Tensor` in the format).
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// One of [`data_type`].
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// Absent where not even the number of dimensions is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// One entry a dimension.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One dimension (`TensorShapeProto.Dimension` in the format).
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    /// Absent where nothing is known.
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

/// What is known of a dimension.
#[derive(Clone, PartialEq, Oneof)]
pub enum DimensionValue {
    /// Its size.
    #[prost(int64, tag = "1")]
    Size(i64),
    /// A name for a size that is known when the graph runs.
    #[prost(string, tag = "2")]
    Name(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn raw_data_is_a_view_into_the_file_not_a_copy() {
        let numbers: Vec<u8> = (0..64).collect();
        let tensor =
            TensorProto { name: Some("w".into()), raw_data: Some(numbers.clone().into()), ..Default::default() };
        let graph = GraphProto { initializer: vec![tensor], ..Default::default() };
        let file = Bytes::from(ModelProto { graph: Some(graph), ..Default::default() }.encode_to_vec());
        let model = ModelProto::decode(file.clone()).unwrap();
        let raw = model.graph.unwrap().initializer[0].raw_data.clone().unwrap();
        let start = raw.as_ptr() as usize - file.as_ptr() as usize;
        assert_eq!(file.slice(start..start + raw.len()), raw);
        assert_eq!(raw.to_vec(), numbers);
    }
}
