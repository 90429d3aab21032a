//! Names a file that is no model we read for what it is, by its content, and says how its model becomes ONNX.
//!
//! In: the bytes of a file. Out: a [`ModelError`]. Nothing is unpacked and nothing in a file is executed: archives are
//! told by the names in their directory, pickles by their first bytes and the names that stand in them.

use super::error::{Foreign, ModelError};
use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;
use zip::ZipArchive;

/// Kinds of file that hold a model, or its weights, in a form that cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TorchScript,
    TorchExport,
    TorchWeights,
    TorchPickle,
    Safetensors,
    SavedModel,
    TfLite,
}

/// How many names an archive's directory is looked through for.
const MOST_NAMES: usize = 100_000;

/// First bytes of a pickle of the number that PyTorch's files began with before version 1.6.
const LEGACY_TORCH: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// What a file is, as an error to be shown.
pub(super) fn recognise(path: &Path, bytes: &[u8]) -> ModelError {
    let Some(kind) = kind(bytes) else {
        return ModelError::NotAModel { path: path.to_owned(), why: other(path, bytes) };
    };
    let (what, why) = match kind {
        Kind::TorchScript => {
            ("a TorchScript archive", "holds its computation as program code, which is never run here")
        }
        Kind::TorchExport => ("a torch.export archive", "holds its computation in a form of PyTorch's own"),
        Kind::TorchWeights => ("a PyTorch file of weights", "holds weights without the network they belong to"),
        Kind::TorchPickle => ("a pickled PyTorch model", "holds program code, which is never run here"),
        Kind::Safetensors => ("a safetensors file", "holds weights without the network they belong to"),
        Kind::SavedModel => ("a TensorFlow SavedModel", "holds its computation in a form of TensorFlow's own"),
        Kind::TfLite => ("a TensorFlow Lite model", "holds its computation in a form of TensorFlow's own"),
    };
    ModelError::Foreign(Box::new(Foreign { path: path.to_owned(), what, why, python: python(kind, path) }))
}

/// Lines of Python that make an ONNX file of it. They run on the machine of the person who trusts the file, never here.
fn python(kind: Kind, path: &Path) -> String {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // As Python writes texts; JSON's escapes are Python's, too.
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let (file, onnx) = (quoted(&file), quoted(&format!("{stem}.onnx")));
    let lines: &[&str] = match kind {
        Kind::TorchScript => &[
            "import torch",
            "model = torch.jit.load(FILE, map_location=\"cpu\").eval()",
            "torch.onnx.export(model, torch.zeros(1, 3, 32, 32), ONNX, dynamo=False)  # the size of your pictures",
        ],
        Kind::TorchExport => &[
            "import torch",
            "program = torch.export.load(FILE)",
            "torch.onnx.export(program, (), ONNX, dynamo=True, external_data=False)",
        ],
        Kind::TorchWeights => &[
            "import torch; model = YourNetwork()  # the class that was trained",
            "model.load_state_dict(torch.load(FILE, map_location=\"cpu\", weights_only=True))",
            "torch.onnx.export(model.eval(), torch.zeros(1, 3, 32, 32), ONNX, dynamo=False)  # the size of your pictures",
        ],
        Kind::TorchPickle => &[
            "import torch  # the next line runs code of the file: only where you trust who made it",
            "model = torch.load(FILE, map_location=\"cpu\", weights_only=False).eval()",
            "torch.onnx.export(model, torch.zeros(1, 3, 32, 32), ONNX, dynamo=False)  # the size of your pictures",
        ],
        Kind::Safetensors => &[
            "import torch; from safetensors.torch import load_file; model = YourNetwork()  # the class that was trained",
            "model.load_state_dict(load_file(FILE))",
            "torch.onnx.export(model.eval(), torch.zeros(1, 3, 32, 32), ONNX, dynamo=False)  # the size of your pictures",
        ],
        Kind::SavedModel => &[
            "import subprocess, sys",
            "folder = \".\"  # the folder that holds saved_model.pb and variables",
            "subprocess.run([sys.executable, \"-m\", \"tf2onnx.convert\", \"--saved-model\", folder, \"--output\", \"model.onnx\"])",
        ],
        Kind::TfLite => &[
            "import subprocess, sys",
            "command = [sys.executable, \"-m\", \"tf2onnx.convert\", \"--tflite\", FILE, \"--output\", ONNX]",
            "subprocess.run(command, check=True)",
        ],
    };
    lines.join("\n").replace("FILE", &file).replace("ONNX", &onnx)
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

fn holds(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|w| w == name)
}

fn kind(bytes: &[u8]) -> Option<Kind> {
    if is_zip(bytes) {
        return archive_kind(bytes);
    }
    if bytes.starts_with(LEGACY_TORCH) {
        return Some(pickle_kind(bytes));
    }
    if bytes.first() == Some(&0x80) && bytes.get(1).is_some_and(|v| (2..=5).contains(v)) {
        return Some(Kind::TorchPickle);
    }
    if is_safetensors(bytes) {
        return Some(Kind::Safetensors);
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some(Kind::TfLite);
    }
    // Version 1 of the format, then a graph with its notes.
    if bytes.starts_with(&[0x08, 0x01, 0x12]) && holds(&bytes[..bytes.len().min(1 << 20)], b"serve") {
        return Some(Kind::SavedModel);
    }
    None
}

/// The names in an archive's directory, those that are text.
fn names<'a>(archive: &'a ZipArchive<Cursor<&[u8]>>) -> impl Iterator<Item = Cow<'a, str>> {
    archive.file_names().take(MOST_NAMES).flatten()
}

/// What an archive is by the names in its directory; where that is broken, by names that stand in it.
fn archive_kind(bytes: &[u8]) -> Option<Kind> {
    let directory = ZipArchive::new(Cursor::new(bytes)).ok();
    let has = |ending: &str| match &directory {
        Some(archive) => names(archive).any(|n| n == ending || n.ends_with(&format!("/{ending}"))),
        None => holds(bytes, ending.as_bytes()),
    };
    let has_folder = |folder: &str| match &directory {
        Some(archive) => names(archive).any(|n| n.split('/').rev().skip(1).any(|part| part == folder)),
        None => holds(bytes, format!("{folder}/").as_bytes()),
    };
    if has("serialized_exported_program.json") || has("archive_format") || has("models/model.json") {
        Some(Kind::TorchExport)
    } else if has("constants.pkl") && has_folder("code") {
        Some(Kind::TorchScript)
    } else if has("data.pkl") {
        Some(pickle_kind(bytes))
    } else {
        None
    }
}

/// Whether a pickle holds more than tensors in dictionaries: a class of a network, by its name.
fn pickle_kind(bytes: &[u8]) -> Kind {
    // Names of classes stand in a pickle as text. Tensors are big; the pickle in front of them is not.
    let start = &bytes[..bytes.len().min(1 << 20)];
    let network =
        holds(start, b"torch.nn.modules") || holds(start, b"c__main__") || holds(start, b"torch.fx.graph_module");
    if network { Kind::TorchPickle } else { Kind::TorchWeights }
}

/// A length of eight bytes, then as much JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    length >= 2 && length <= rest.len() && rest[0] == b'{' && rest[..length].trim_ascii_end().ends_with(b"}")
}

/// Whether its beginning can be read by people. No ONNX file's can, though a text may begin like one: its fields are told by bytes
/// that no text has.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().take(256).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
}

/// What a file is that is no model at all, as far as its first bytes tell.
fn other(path: &Path, bytes: &[u8]) -> String {
    if is_zip(bytes) {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let hint = matches!(extension.as_str(), "pt" | "pth" | "pt2" | "keras");
        return if hint { "it is a zip archive without a model in it".into() } else { "it is a zip archive".into() };
    }
    let known: [(&[u8], &str); 9] = [
        (b"\x89PNG", "it is a PNG picture"),
        (b"\xff\xd8\xff", "it is a JPEG picture"),
        (b"\x93NUMPY", "it is a NumPy array"),
        (b"%PDF", "it is a PDF document"),
        (b"\x1f\x8b", "it is compressed with gzip"),
        (b"GGUF", "it is a language model in GGUF form"),
        (b"7z\xbc\xaf", "it is a 7z archive"),
        (b"Rar!", "it is a RAR archive"),
        (b"version https://git-lfs", "it only points to a file that Git LFS has not fetched"),
    ];
    if let Some((_, what)) = known.iter().find(|(start, _)| bytes.starts_with(start)) {
        return (*what).into();
    }
    if is_text(bytes) {
        return "it is a text".into();
    }
    "its first bytes are those of no format known here".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_content() {
        let json = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let safetensors = [&(json.len() as u64).to_le_bytes()[..], json, &[0; 4]].concat();
        assert_eq!(kind(&safetensors), Some(Kind::Safetensors));
        assert_eq!(kind(&safetensors[..20]), None);
        assert_eq!(kind(&[LEGACY_TORCH, b"\x80\x02ccollections\nOrderedDict\n"].concat()), Some(Kind::TorchWeights));
        assert_eq!(
            kind(&[LEGACY_TORCH, b"\x80\x02ctorch.nn.modules.conv\nConv2d\n"].concat()),
            Some(Kind::TorchPickle)
        );
        assert_eq!(kind(b"\x80\x04\x95 something"), Some(Kind::TorchPickle));
        assert_eq!(kind(b"\0\0\0\0TFL3"), Some(Kind::TfLite));
        // A broken directory: the names stand in the archive all the same.
        assert_eq!(kind(b"PK\x03\x04 archive/data.pkl"), Some(Kind::TorchWeights));
        assert_eq!(kind(b"PK\x03\x04 a/constants.pkl a/code/x.py a/data.pkl"), Some(Kind::TorchScript));
        assert_eq!(kind(b"PK\x03\x04 serialized_exported_program.json"), Some(Kind::TorchExport));
        assert_eq!(kind(b"PK\x03\x04 holiday.jpg"), None);
        assert_eq!(kind(b"hello"), None);
    }

    #[test]
    fn the_lines_name_the_file_as_python_writes_texts() {
        let lines = python(Kind::TorchScript, Path::new("a \"b\".pt"));
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.contains(r#"torch.jit.load("a \"b\".pt""#) && lines.contains(r#""a \"b\".onnx""#), "{lines}");
    }
}
