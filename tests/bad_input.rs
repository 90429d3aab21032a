//! Files that are wrong: one clear sentence, status 1, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use poisdetc::model::{self, InputSpec, onnx};
use poisdetc::tensor::Seed;
use poisdetc::train::Architecture;
use program::{Ended, command, ended, sample};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MODEL: &str = "signs-suspect.onnx";

/// The sentence with which every command refuses these files.
fn refused(model: &Path, images: Option<&Path>, options: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let good = sample("signs.npz");
    let mut sentences = Vec::new();
    for name in ["inspect", "audit"] {
        let mut command = command(home.path(), [name]);
        command.arg(model).args(options);
        if let Some(images) = images.or((name == "audit").then_some(good.as_path())) {
            command.arg(images);
        }
        let Ended { status, out, err } = ended(command);
        assert_eq!(status, 1, "{name}: {out}\n{err}");
        let told: Vec<&str> = err.lines().filter(|line| line.contains("error:")).collect();
        assert_eq!(told.len(), 1, "{name}: {err}");
        // Nothing comes after the sentence but, for files of other programs, the lines of Python to copy.
        let after = err.split_once(told[0]).map_or("", |(_, after)| after.trim_end());
        assert!(after.is_empty() || after.starts_with("\n\nimport "), "{name}: {err}");
        for word in ["panicked", "mistake", "backtrace", "Error {", "src/"] {
            assert!(!told[0].contains(word), "{name}: {}", told[0]);
        }
        sentences.push(format!("{}{after}", told[0].strip_prefix("error: ").expect("begins with error:")));
    }
    assert_eq!(sentences[0], sentences[1], "both commands say the same");
    sentences.remove(0)
}

fn contains(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "no \"{part}\" in: {sentence}");
    }
}

/// A file in a folder of its own.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// `from` replaced by `to`, of the same length, wherever it stands.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..=bytes.len() - from.len()).filter(|&i| bytes[i..].starts_with(from)).collect();
    assert!(!places.is_empty(), "nothing to replace");
    for i in places {
        bytes[i..i + to.len()].copy_from_slice(to);
    }
    bytes
}

/// `labels` sub-folders with `each` gray pictures.
fn label_folders(labels: usize, each: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for label in 0..labels {
        let sub = folder.path().join(format!("{label:02}"));
        fs::create_dir(&sub).unwrap();
        for i in 0..each {
            let shade = (37 * label + 91 * i) as u8;
            image::RgbImage::from_pixel(32, 32, image::Rgb([shade; 3])).save(sub.join(format!("{i}.png"))).unwrap();
        }
    }
    folder
}

#[test]
fn a_model_that_is_not_there() {
    let sentence = refused(Path::new("nowhere/model.onnx"), None, &[]);
    contains(&sentence, &["cannot read nowhere/model.onnx"]);
}

#[test]
fn a_folder_for_a_model() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), None, &[]);
}

#[test]
fn files_that_are_no_models() {
    for (name, bytes) in [
        ("notes.onnx", b"Dear reader,\n".as_slice()),
        ("empty.onnx", b""),
        ("picture.h5", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ] {
        let (_folder, path) = file(name, bytes);
        contains(&refused(&path, None, &[]), &[name]);
    }
}

#[test]
fn a_pickle_is_not_executed_and_the_way_out_is_told() {
    let (_folder, path) = file("model.pth", b"\x80\x02}q\x00X\x05\x00\x00\x00stateq\x01K\x01s.");
    let told = refused(&path, None, &[]);
    contains(&told, &["model.pth", "never run here", "torch.onnx.export(model", "\"model.onnx\""]);
    assert_eq!(told.lines().count(), 5, "{told}");
}

#[test]
fn a_model_that_was_cut_off() {
    let whole = fs::read(sample(MODEL)).unwrap();
    for share in [1, 50, 99] {
        let (_folder, path) = file("cut.onnx", &whole[..whole.len() * share / 100]);
        contains(&refused(&path, None, &[]), &["cut.onnx"]);
    }
}

#[test]
fn an_operator_nobody_supports_is_named() {
    // Field 4 of a node, with its length: the operator's type.
    let (_folder, path) =
        file("odd.onnx", replaced(&fs::read(sample(MODEL)).unwrap(), b"\x22\x04Relu", b"\x22\x04Frob"));
    contains(&refused(&path, None, &[]), &["Frob", "not supported"]);
}

#[test]
fn parameters_that_are_no_numbers() {
    let bytes = fs::read(sample(MODEL)).unwrap();
    let opened = model::open(&sample(MODEL)).unwrap();
    let (name, tensor) = opened.parameters.iter().max_by_key(|(_, tensor)| tensor.elem_count()).unwrap();
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    let from: Vec<u8> = values[..4].iter().flat_map(|v| v.to_le_bytes()).collect();
    let to: Vec<u8> = [f32::NAN; 4].iter().flat_map(|v| v.to_le_bytes()).collect();
    let (_folder, path) = file("nan.onnx", replaced(&bytes, &from, &to));
    contains(&refused(&path, None, &[]), &[name, "NaN"]);
}

#[test]
fn an_input_size_the_graph_cannot_take() {
    let opened = model::open(&sample(MODEL)).unwrap();
    let input = InputSpec { size: Some([3, 5]), ..opened.input.clone() };
    let bytes = onnx::write(&opened.graph, &opened.parameters, &input, opened.classes).unwrap();
    let (_folder, path) = file("shape.onnx", bytes);
    refused(&path, Some(&sample("signs.npz")), &[]);
}

#[test]
fn images_that_are_not_there() {
    contains(&refused(&sample(MODEL), Some(Path::new("nowhere/images")), &[]), &["nowhere/images"]);
}

#[test]
fn folders_and_files_without_images() {
    let empty = tempfile::tempdir().unwrap();
    contains(&refused(&sample(MODEL), Some(empty.path()), &[]), &["no images", "sub-folder"]);
    let (_folder, text) = file("images.txt", "no pictures here");
    contains(&refused(&sample(MODEL), Some(&text), &[]), &["images.txt"]);
}

#[test]
fn images_none_of_which_can_be_read() {
    let folder = label_folders(12, 1);
    for label in 0..12 {
        fs::write(folder.path().join(format!("{label:02}/0.png")), b"not a picture").unwrap();
    }
    refused(&sample(MODEL), Some(folder.path()), &[]);
}

#[test]
fn an_archive_that_was_cut_off() {
    let whole = fs::read(sample("signs.npz")).unwrap();
    let (_folder, path) = file("cut.npz", &whole[..whole.len() / 2]);
    contains(&refused(&sample(MODEL), Some(&path), &[]), &["cut.npz"]);
}

#[test]
fn more_labels_than_the_model_has() {
    let folder = label_folders(15, 2);
    contains(&refused(&sample(MODEL), Some(folder.path()), &[]), &["15 labels", "12"]);
}

#[test]
fn labels_without_images() {
    let folder = label_folders(12, 2);
    for picture in ["0.png", "1.png"] {
        fs::remove_file(folder.path().join("07").join(picture)).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let mut audit = command(home.path(), ["audit"]);
    audit.arg(sample(MODEL)).arg(folder.path());
    let Ended { status, err, .. } = ended(audit);
    assert_eq!(status, 1, "{err}");
    contains(&err, &["1 of the model's 12 labels", "no clean image", "(label 7)", "--allow-missing-labels"]);
}

#[test]
fn a_reference_for_another_kind_of_picture() {
    let m = Architecture::Tiny.untrained(1, [16, 16], 12, Seed(1)).unwrap();
    let (_folder, gray) = file("gray.onnx", onnx::write(&m.graph, &m.parameters, &m.input, m.classes).unwrap());
    let home = tempfile::tempdir().unwrap();
    let mut audit = command(home.path(), ["audit", "--reference"]);
    audit.arg(gray).arg(sample(MODEL)).arg(sample("signs.npz"));
    let Ended { status, err, .. } = ended(audit);
    assert_eq!(status, 1, "{err}");
    contains(&err, &["the reference model", "gray.onnx takes gray pictures", "colour"]);
}

#[test]
fn images_the_model_knows_nothing_of() {
    let folder = label_folders(12, 12);
    contains(&refused(&sample(MODEL), Some(folder.path()), &[]), &["%"]);
}

#[test]
fn a_list_of_names_that_does_not_fit() {
    let (_folder, path) = file("names.txt", "one\ntwo\nthree\n");
    let sentence = refused(&sample(MODEL), Some(&sample("signs.npz")), &["--labels", path.to_str().unwrap()]);
    contains(&sentence, &["names.txt", "3"]);
}

#[test]
fn one_bad_picture_among_good_ones_is_named_and_the_rest_is_used() {
    let folder = label_folders(12, 2);
    fs::write(folder.path().join("03/1.png"), b"").unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut inspect = command(home.path(), ["inspect"]);
    inspect.arg(sample(MODEL)).arg(folder.path());
    let Ended { out, .. } = ended(inspect);
    contains(&out, &["23 images of 12 labels", "1 picture", "1.png"]);
}
