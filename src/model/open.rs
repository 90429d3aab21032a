//! Recognises a model file by its content and hands it to its reader.

use super::{Graph, ModelError, Parameters, keras, onnx};
use sha2::{Digest, Sha256};
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
    if bytes.starts_with(HDF5) {
        return keras::read(path, bytes, sha256);
    }
    match onnx::look(&bytes) {
        onnx::Look::NotOnnx => Err(ModelError::NotAModel { path: path.to_owned(), why: foreign(path, &bytes) }),
        _ => onnx::read(path, bytes.into(), sha256),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
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

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a file is that is no model we read, as far as its first bytes tell.
fn foreign(path: &Path, bytes: &[u8]) -> String {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let zip = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06");
    let pickle = bytes.first() == Some(&0x80) && bytes.get(1).is_some_and(|&v| (2..=5).contains(&v));
    // Names of the files in a zip archive stand in it uncompressed.
    let holds = |name: &[u8]| bytes.windows(name.len()).any(|w| w == name);
    if zip && (extension == "keras" || holds(b"model.weights.h5")) {
        return "it is a .keras archive, which may hold code and is not opened; in Python run \
                `keras.models.load_model(\"model.keras\").export(\"model.onnx\", format=\"onnx\")`"
            .into();
    }
    if pickle || (zip && (holds(b"data.pkl") || matches!(extension.as_str(), "pt" | "pth" | "bin"))) {
        return "it is a PyTorch file, which holds weights without a graph, or code that is never run here; in Python \
                run `torch.onnx.export(model.eval(), torch.zeros(1, 3, 32, 32), \"model.onnx\")` with the size of \
                your pictures"
            .into();
    }
    if zip {
        return "it is a zip archive".into();
    }
    let known: [(&[u8], &str); 6] = [
        (b"\x89PNG", "it is a PNG picture"),
        (b"\xff\xd8\xff", "it is a JPEG picture"),
        (b"\x93NUMPY", "it is a NumPy array"),
        (b"%PDF", "it is a PDF document"),
        (b"\x1f\x8b", "it is compressed with gzip"),
        (b"version https://git-lfs", "it only points to a file that Git LFS has not fetched"),
    ];
    let found = known.iter().find(|(start, _)| bytes.starts_with(start));
    if let Some((_, what)) = found {
        return (*what).into();
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return "it is a TensorFlow Lite model".into();
    }
    if bytes.iter().take(256).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        return "it is a text".into();
    }
    "its first bytes are those of no format known here".into()
}
