//! What can be wrong with a model file, each a sentence a person can act on.

use crate::one_line::one_line;
use std::path::PathBuf;

/// A file of another program that holds a model, or its weights.
#[derive(Debug)]
pub struct Foreign {
    /// The file.
    pub path: PathBuf,
    /// What kind of file it is.
    pub what: &'static str,
    /// Why it cannot be opened as it is.
    pub why: &'static str,
    /// Lines of Python that make an ONNX file of it.
    pub python: String,
}

/// Why a model could not be opened or run. Each text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a kind of file we know.
    #[error("{path} is not a model file that can be opened: {}. Open an .onnx file, or a Keras .h5 or .keras file", one_line(.why))]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        why: String,
    },
    /// A model of another program: what it is, and how it becomes ONNX.
    #[error(
        "{} is {}, which {}. Make an ONNX file of it where it was made, with these lines of Python, and open \
         that:\n\n{}", .0.path.display(), .0.what, .0.why, .0.python
    )]
    Foreign(Box<Foreign>),
    /// A known kind of file, but broken or cut off.
    #[error("{path} is damaged: {}. Get the file again from its source", one_line(.why))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        why: String,
    },
    /// Operators the graph needs and we do not have; named before anything runs.
    #[error("this model uses operators that are not supported yet: {}", one_line(&.0.join(", ")))]
    Unsupported(Vec<String>),
    /// The graph is not an image classifier.
    #[error("this model is not an image classifier: {}", one_line(.0))]
    NotAClassifier(String),
    /// The numbers in the file cannot be right.
    #[error(
        "parameter \"{}\" of this model holds {what}; the model cannot give meaningful answers and was not examined",
        one_line(.parameter)
    )]
    BadNumbers {
        /// Name of the parameter.
        parameter: String,
        /// "NaN" or "an infinite value".
        what: &'static str,
    },
    /// A preprocessing that does not fit the model's input.
    #[error("this preprocessing does not fit the model: {0}")]
    Preprocessing(String),
    /// A repair that does not fit the model.
    #[error("this change does not fit the model: {}", one_line(.0))]
    Change(String),
    /// The graph failed at a node.
    #[error("the model failed at node \"{}\" ({}): {}", one_line(.node), one_line(.op), one_line(.why))]
    Node {
        /// The node's name, or its position.
        node: String,
        /// The operator.
        op: String,
        /// What happened.
        why: String,
    },
    /// The device or the arithmetic failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
}
