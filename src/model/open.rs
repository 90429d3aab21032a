//! Recognises a model file by its content and hands it to its reader.

use super::{Graph, ModelError, Parameters, foreign, keras, onnx};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kinds of file that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Open Neural Network Exchange.
    Onnx,
    /// Keras full model: HDF5, or a `.keras` archive.
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

/// The largest file that is read.
const LARGEST_FILE: u64 = 4 << 30;

/// First bytes of an HDF5 file.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Opens a model file of any known format, told by its content.
///
/// # Errors
/// [`ModelError`], a sentence that says what is wrong with the file.
pub fn open(path: &Path) -> Result<Model, ModelError> {
    let bytes = read_file(path)?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    if bytes.starts_with(HDF5) || keras::is_archive(&bytes) {
        return keras::read(path, bytes, sha256);
    }
    match onnx::look(&bytes) {
        _ if foreign::is_text(&bytes) => Err(foreign::recognise(path, &bytes)),
        onnx::Look::NotOnnx => Err(foreign::recognise(path, &bytes)),
        _ => onnx::read(path, bytes.into(), sha256),
    }
}

/// The bytes of a file that may be a model.
///
/// # Errors
/// [`ModelError`], a sentence that says why there are none.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let refused = |why: &str| ModelError::NotAModel { path: path.to_owned(), why: why.to_owned() };
    let about = std::fs::metadata(path).map_err(io)?;
    if about.is_dir() {
        return Err(refused("it is a folder"));
    }
    if !about.is_file() {
        return Err(refused("it is no ordinary file"));
    }
    if about.len() > LARGEST_FILE {
        return Err(refused("it is larger than 4 GiB"));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    if bytes.is_empty() {
        return Err(refused("it is empty"));
    }
    Ok(bytes)
}

/// A digest as it is shown and saved, in lower case.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
