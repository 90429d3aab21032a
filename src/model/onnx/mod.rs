//! ONNX files: our own few protobuf messages, translated into `graph::Op`; and written.
//!
//! In: the bytes of a file. Out: a [`Model`](super::Model). `wire` looks at the frame before anything is decoded,
//! `order` sorts the nodes, `operators` translates each, `stored` decodes numbers. Nothing here computes.

mod builder;
pub mod messages;
mod operators;
mod order;
mod read;
mod stored;
mod wire;
mod write;

pub use read::read;
pub(super) use wire::{Look, look};
pub use write::write;
