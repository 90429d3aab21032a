//! Recognises a model file by its content and hands it to its reader.

use super::{Graph, ModelError, Parameters};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kinds of file that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Open Neural Network Exchange.
    Onnx,
    /// Keras HDF5 full model.
    Keras,
}

/// In which order the model's input holds a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InputLayout {
    /// Channels before rows.
    Nchw,
    /// Channels last.
    Nhwc,
}

/// What a model's file says of its input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InputSpec {
    /// Order of the axes.
    pub layout: InputLayout,
    /// 1 or 3.
    pub channels: usize,
    /// Height and width; `None` where any size is taken.
    pub size: Option<[usize; 2]>,
    /// A batch size the graph insists on; `None` where any is taken.
    pub fixed_batch: Option<usize>,
}

/// An opened model file.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where it was read from.
    pub path: PathBuf,
    /// Which reader took it.
    pub format: Format,
    /// Of the whole file, in lower-case hexadecimal.
    pub sha256: String,
    /// The computation.
    pub graph: Arc<Graph>,
    /// The trained numbers.
    pub parameters: Parameters,
    /// What goes in.
    pub input: InputSpec,
    /// Number of labels.
    pub classes: usize,
    /// What a reader noticed and a person should know: "softmax at the end stepped over", …
    pub notes: Vec<String>,
}

/// Opens a model file of any known format.
///
/// # Errors
/// [`ModelError`], a sentence that says what is wrong with the file.
pub fn open(path: &Path) -> Result<Model, ModelError> {
    let _ = path;
    Err(ModelError::NotAClassifier("readers are being written".into()))
}
