//! ONNX files: our own few protobuf messages, translated into `graph::Op`; written, and changed in place.
//!
//! In: the bytes of a file. Out: a [`Model`](super::Model). `wire` looks at the frame before anything is decoded,
//! `order` sorts the nodes, `operators` translates each, `stored` decodes numbers. Nothing here computes.
//! A repair goes back into the bytes it came from: `locate` finds the parts, `overwrite` and `clamp` change them,
//! `splice` copies everything else. `write` makes a file from scratch.

mod builder;
mod clamp;
mod fields;
mod functions;
mod locate;
pub mod messages;
mod operators;
mod order;
mod overwrite;
mod patch;
mod read;
mod splice;
mod stored;
mod wire;
mod write;

pub(super) use clamp::ShapedClamp;
pub use operators::supported_operators;
pub(super) use patch::patch;
pub use read::read;
pub(super) use wire::{Look, look};
pub use write::write;
