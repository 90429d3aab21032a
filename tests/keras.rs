//! Keras files give the answers that Keras gives.
//!
//! The models of `tests/data/keras` are ours, made and answered by TensorFlow (see `make.py` there). Those of the shared
//! zoo were made by others; each has a twin in ONNX, exported and checked on its own.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{D, Device, Tensor};
use poisdetc::model::{Change, Format, InputLayout, Model, Overwrite, Preprocessing, onnx, open, save};
use poisdetc::tensor::Seed;
use std::path::{Path, PathBuf};

/// Probabilities of a batch of pictures in the layout of the model.
fn probabilities(model: &Model, x: &Tensor) -> Tensor {
    let logits = model.graph.run(&model.parameters, x, model.input.fixed_batch).expect("the model runs");
    candle_nn::ops::softmax(&logits, D::Minus1).unwrap()
}

/// The largest difference between two tensors.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn array(path: &Path, name: &str) -> Tensor {
    Tensor::read_npz_by_name(path, &[name]).unwrap().remove(0)
}

#[test]
fn every_layer_does_what_tensorflow_does() {
    for name in ["many_layers", "nested", "gray"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras");
        let model = open(&folder.join(name).with_extension("h5")).unwrap();
        assert_eq!((model.format, model.input.layout), (Format::Keras, InputLayout::Nhwc));
        assert_eq!(model.notes, ["softmax at the end stepped over"]);
        let answers = folder.join(name).with_extension("npz");
        let (x, y) = (array(&answers, "x"), array(&answers, "y"));
        // Gray pictures get an axis for their one channel.
        let x = if x.dims().len() == 3 { x.unsqueeze(3).unwrap() } else { x };
        assert_eq!(model.classes, y.dims()[1]);
        let error = difference(&probabilities(&model, &x), &y);
        assert!(error < 1e-5, "{name}: {error}");
    }
}

fn zoo() -> Option<PathBuf> {
    let shared = std::env::var_os("POISDETC_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let zoo = shared.join("zoo/models");
    if !zoo.is_dir() {
        eprintln!("skipped: {} is not there", zoo.display());
        return None;
    }
    Some(zoo)
}

#[test]
fn the_models_of_others_answer_like_their_twins() {
    let Some(zoo) = zoo() else { return };
    for (keras, onnx, brightest) in [
        ("demo_model.h5", "poisdetc_demo_model_gtsrb.onnx", 1.0),
        ("traffic_classifier.h5", "adawiyah_traffic_classifier_gtsrb_clean.onnx", 255.0),
        ("cifar10_backdoor.h5", "aeva_resnet20_cifar10_target0.onnx", 1.0),
    ] {
        let (keras, onnx) = (open(&zoo.join(keras)).unwrap(), open(&zoo.join(onnx)).unwrap());
        assert_eq!((keras.input.size, keras.classes), (onnx.input.size, onnx.classes));
        let [height, width] = keras.input.size.unwrap();
        let shape = (8, height, width, keras.input.channels);
        let x = Seed(3).of("pictures").random().uniform_tensor(0.0, brightest, shape, &Device::Cpu).unwrap();
        let (a, b) = (probabilities(&keras, &x), probabilities(&onnx, &x));
        let error = difference(&a, &b);
        assert!(error < 1e-3, "{}: {error}", keras.path.display());
        // Noise must not be answered all alike, or the comparison says nothing.
        assert!(difference(&a.get(0).unwrap(), &a.get(1).unwrap()) > 1e-3, "{}", keras.path.display());
    }
}

/// Written as ONNX and read back, a model gives the same logits: between them the three use most operations.
#[test]
fn a_model_written_as_onnx_reads_back_with_equal_answers() {
    for name in ["many_layers", "nested", "gray"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name).with_extension("h5");
        let model = open(&path).unwrap();
        let bytes = onnx::write(&model.graph, &model.parameters, &model.input, model.classes).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.onnx");
        std::fs::write(&copy, bytes).unwrap();
        let copy = open(&copy).unwrap();
        assert_eq!((copy.format, &copy.input, copy.classes), (Format::Onnx, &model.input, model.classes));
        let [height, width] = model.input.size.unwrap();
        let shape = (3, height, width, model.input.channels);
        let x = Seed(4).of("pictures").random().uniform_tensor(0.0, 1.0, shape, &Device::Cpu).unwrap();
        let run = |model: &Model| model.graph.run(&model.parameters, &x, model.input.fixed_batch).unwrap();
        let error = difference(&run(&model), &run(&copy));
        assert!(error < 1e-5, "{name}: {error}");
    }
}

#[test]
fn a_keras_archive_is_saved_as_one_with_only_its_numbers_changed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/breadth/keras_nested-keras.keras");
    let suspect = open(&path).unwrap();
    assert_eq!(suspect.format, Format::Keras);
    let mut change = Change::default();
    for name in ["base/conv2d/0", "dense/1"] {
        let old = &suspect.parameters[name];
        change.parameters.insert(name.into(), (old * 1.5).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let how = Preprocessing::unit([20, 20], 3);
    let to = |name: &str| save(&suspect, &change, &how, &folder.path().join(name), Overwrite::Never, None);
    let saved = to("repaired.keras").unwrap();
    assert_eq!((saved.format, saved.notes.len()), (Format::Keras, 0));
    let repaired = open(&saved.path).unwrap();
    for (name, old) in &suspect.parameters {
        let factor = if change.parameters.contains_key(name) { 1.5 } else { 1.0 };
        assert_eq!(difference(&repaired.parameters[name], &(old * factor).unwrap()), 0.0, "{name}");
    }
    // All that is no weight is the same; and the archive is of the same size, byte for byte but for the numbers.
    let parts = |path: &Path| {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut read = |i| {
            let mut file = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            std::io::copy(&mut file, &mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        };
        [read(0), read(1), read(2)]
    };
    let (before, after) = (parts(&path), parts(&saved.path));
    for ((name, old), (same, new)) in before.iter().zip(&after) {
        assert_eq!((name, old.len()), (same, new.len()));
        assert_eq!(old == new, name != "model.weights.h5", "{name}");
    }
    let onnx = to("repaired.onnx").unwrap();
    assert_eq!(onnx.format, Format::Onnx);
    let refused = to("repaired.h5").unwrap_err().to_string();
    assert!(refused.contains("keep the ending .keras"), "{refused}");
}
