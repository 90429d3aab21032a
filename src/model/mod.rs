//! A classifier as a differentiable graph, and the readers that translate files into it.
//!
//! In: a file ([`open`]). Out: a [`Model`]: the immutable [`Graph`], its [`Parameters`] apart from it,
//! and what is known of the input. A [`Classifier`] adds the [`Preprocessing`] and answers pixels in
//! `[0, 1]` with logits, differentiable in the pixels and in the parameters.
//! Readers only translate into [`graph::Op`]; nothing outside `onnx` knows a protobuf, nothing outside
//! `keras` knows HDF5. A [`Change`] is what a repair does to a model: [`save`] writes it into the file the model came
//! in. Files are hostile until proven otherwise: sizes are checked before memory is
//! asked for, and nothing in a file is ever executed.

mod change;
pub(crate) mod channels;
mod classifier;
mod error;
mod foreign;
pub mod graph;
mod inside;
mod interpret;
pub mod keras;
mod logits;
mod numbers;
pub mod onnx;
mod open;
mod patched;
mod preprocessing;
mod probe;
mod save;

pub use change::{Change, Clamp};
pub use classifier::Classifier;
pub use error::{Foreign, ModelError};
pub use graph::{Graph, Parameters};
pub use inside::{Cut, cut, feature_rows, until_last_layer};
pub use open::{Format, InputLayout, InputSpec, Model, open};
pub(crate) use open::{hexadecimal, read_file};
pub use preprocessing::{ChannelOrder, Preprocessing, colours};
pub use save::{Overwrite, SaveError, Saved, TOLERANCE, check_destination, holds_clamps, save};
