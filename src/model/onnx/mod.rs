//! ONNX files: our own few protobuf messages, translated into `graph::Op`; and written.

pub mod messages;
mod write;

pub use write::write;
