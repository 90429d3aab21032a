//! Files that are no models, broken ones and hostile ones: each gets one clear sentence, no panic, no flood of memory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod made;

use candle_core::{Device, Tensor};
use made::*;
use poisdetc::model::onnx::messages::*;
use poisdetc::model::{Classifier, ModelError, Preprocessing, open};
use prost::Message;
use std::path::Path;

#[test]
fn the_model_that_the_bad_ones_are_made_of_is_good() {
    let model = opened(&good().encode_to_vec());
    assert_eq!((model.classes, model.input.size, model.input.fixed_batch), (2, Some([8, 8]), None));
    assert_eq!(model.notes, ["softmax at the end stepped over"]);
    assert_eq!(model.parameters.keys().collect::<Vec<_>>(), ["b", "v", "w"]);
    let classifier = Classifier::new(&model, Preprocessing::unit([8, 8], 3), &Device::Cpu).unwrap();
    let x = Tensor::zeros((2, 3, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
    let logits = classifier.logits(&x).unwrap().to_vec2::<f32>().unwrap();
    // Relu of the bias, times v.
    let expected = [0.1 * 1.0 - 0.3 * 0.5, -0.1 + 0.3 * 1.5];
    assert!(logits.iter().flatten().zip(expected.iter().cycle()).all(|(a, e)| (a - e).abs() < 1e-6), "{logits:?}");
}

#[test]
fn files_that_are_no_models_are_told_by_their_content() {
    says(&error(b""), &["model.onnx", "is empty", ".onnx", ".h5"]);
    says(&error(b"just a text, no model"), &["a text"]);
    // Its first letters are what a field of an ONNX file begins with.
    says(&error(&b"root:x:0:0:root:/root:/bin/sh\n".repeat(5)), &["a text"]);
    says(&error(&[0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0, 0]), &["PNG picture"]);
    says(&error(&[0xfe; 100]), &["no format known"]);
    says(&error_named("a.keras", b"PK\x03\x04 config.json"), &["zip archive without a model"]);
    says(&error_named("a.zip", b"PK\x03\x04 whatever"), &["zip archive"]);
    says(&error(b"version https://git-lfs.github.com/spec/v1\noid"), &["Git LFS"]);
    let folder = tempfile::tempdir().unwrap();
    says(&open(folder.path()).unwrap_err(), &["is a folder"]);
    says(&open(&folder.path().join("absent.onnx")).unwrap_err(), &["cannot read", "absent.onnx"]);
    says(&open(Path::new("")).unwrap_err(), &["cannot read"]);
}

/// One sentence, then lines of Python; the sentence and the lines name all of `parts`.
fn says_with_lines(path: &Path, parts: &[&str]) {
    let text = open(path).expect_err("a foreign file was opened").to_string();
    let (sentence, lines) = text.split_once("\n\n").unwrap_or_else(|| panic!("no lines in {text}"));
    assert!(!sentence.contains('\n') && sentence.len() < 400, "{sentence}");
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(sentence.contains(name) && lines.contains(name), "{text}");
    for part in parts {
        assert!(text.contains(part), "\"{text}\" does not say \"{part}\"");
    }
}

#[test]
fn models_of_other_programs_are_named_with_the_lines_that_make_onnx_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign");
    for (file, parts) in [
        ("weights.pth", ["PyTorch file of weights", "without the network", "load_state_dict(torch.load("]),
        ("legacy.pth", ["PyTorch file of weights", "without the network", "weights_only=True"]),
        ("pickled.pt", ["pickled PyTorch model", "never run here", "only where you trust"]),
        ("script.pt", ["TorchScript archive", "never run here", "torch.jit.load("]),
        ("program.pt2", ["torch.export archive", "form of PyTorch's own", "torch.export.load("]),
        ("weights.safetensors", ["safetensors file", "without the network", "load_file("]),
    ] {
        says_with_lines(&folder.join(file), &parts);
        // The name does not matter.
        let elsewhere = tempfile::tempdir().unwrap();
        let renamed = elsewhere.path().join("model.onnx");
        std::fs::copy(folder.join(file), &renamed).unwrap();
        says_with_lines(&renamed, &parts);
        // Nor does a whole directory of an archive: what is cut off is still named, or told to be no model.
        let bytes = std::fs::read(folder.join(file)).unwrap();
        for length in [bytes.len() / 2, bytes.len() - 1, 100] {
            std::fs::write(&renamed, &bytes[..length]).unwrap();
            assert!(matches!(open(&renamed), Err(ModelError::Foreign(_) | ModelError::NotAModel { .. })));
        }
    }
    let shared = std::env::var_os("POISDETC_SHARED").map_or_else(|| "../shared".into(), std::path::PathBuf::from);
    let checkpoint = shared.join("zoo/models/gtsrbbadnets_8_02_ckpt.pth");
    if checkpoint.exists() {
        says_with_lines(&checkpoint, &["PyTorch", "torch.onnx.export("]);
    } else {
        println!("skipped: {} is not there", checkpoint.display());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_damaged_or_no_model() {
    let whole = good().encode_to_vec();
    for length in 1..whole.len() {
        let error = error(&whole[..length]);
        assert!(matches!(error, ModelError::Damaged { .. } | ModelError::NotAModel { .. }), "{length}: {error}");
    }
    says(&error(&whole[..whole.len() / 2]), &["damaged", "cut off", "bytes are missing"]);
}

#[test]
fn a_file_with_any_byte_changed_never_panics() {
    let whole = good().encode_to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for place in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            std::fs::write(&path, bytes).unwrap();
            let _ = open(&path).map_err(|e| assert!(!e.to_string().is_empty()));
        }
    }
}

#[test]
fn operators_that_are_not_supported_are_all_named_with_their_nodes() {
    let bytes = changed(|g| {
        g.node[1] = node("LSTM", "memory", &["c"], "r");
        g.node[2].domain = Some("com.example".into());
    });
    says(&error(&bytes), &["LSTM (node \"memory\")", "com.example.GlobalAveragePool (node \"pool\")"]);
    let unread = changed(|g| g.node.push(node("LSTM", "aside", &["c"], "never read")));
    assert_eq!(opened(&unread).classes, 2);
    let sparse = changed(|g| {
        let b = g.initializer.remove(1);
        g.sparse_initializer.push(SparseTensorProto { values: Some(b) });
    });
    says(&error(&sparse), &["sparse", "\"b\""]);
    let quantised = changed(|g| {
        g.initializer[0].data_type = Some(data_type::INT8);
        g.initializer[0].dims = vec![2048, 1024];
    });
    says(&error(&quantised), &["first", "\"w\"", "quantised"]);
}

#[test]
fn parameters_that_are_no_numbers_are_named() {
    let nan = changed(|g| g.initializer[1] = tensor("b", &[4], &[0.0, f32::NAN, 0.0, 0.0]));
    says(&error(&nan), &["\"b\"", "NaN"]);
    let infinite = changed(|g| g.initializer[2] = tensor("v", &[4, 2], &[f32::INFINITY; 8]));
    says(&error(&infinite), &["\"v\"", "an infinite value"]);
    let huge = changed(|g| g.initializer[2] = tensor("v", &[4, 2], &[3e38; 8]));
    says(&error(&huge), &["not finite"]);
}

#[test]
fn declared_sizes_are_held_against_what_is_there() {
    for dims in [&[1_i64 << 40, 1 << 40, 3, 3][..], &[-4, 3, 3, 3], &[i64::MAX; 4]] {
        let bytes = changed(|g| g.initializer[0].dims = dims.to_vec());
        says(&error(&bytes), &["first", "\"w\"", "makes no sense"]);
    }
    let bytes = changed(|g| g.initializer[0].dims = vec![4000, 3, 3, 3]);
    says(&error(&bytes), &["\"w\"", "takes 432000 bytes, but 432 are there"]);
    // Nodes that ask for more memory than there is.
    let pads = changed(|g| {
        let pads = AttributeProto { name: Some("pads".into()), ints: vec![60000; 4], ..Default::default() };
        g.node[0].attribute.push(pads);
    });
    says(&error(&pads), &["first", "more work"]);
    let expand = changed(|g| {
        g.node[1] = node("Expand", "grow", &["c", "s"], "r");
        g.initializer.push(integers("s", &[1 << 20, 4, 1 << 20, 1 << 20]));
    });
    says(&error(&expand), &["grow", "too large"]);
    let range = changed(|g| {
        g.node[1] = node("Range", "count", &["zero", "many", "one"], "r");
        for (name, value) in [("zero", 0), ("many", i64::MAX), ("one", 1)] {
            g.initializer.push(TensorProto { dims: Vec::new(), ..integers(name, &[value]) });
        }
    });
    assert!(matches!(error(&range), ModelError::Node { .. } | ModelError::NotAClassifier(_)));
}

#[test]
fn graphs_that_cannot_run_are_damaged() {
    let circle = changed(|g| g.node[0].input[0] = "p".into());
    says(&error(&circle), &["damaged", "in a circle"]);
    let missing = changed(|g| g.node[0].input[0] = "nowhere".into());
    says(&error(&missing), &["damaged", "\"first\"", "\"nowhere\"", "nothing gives"]);
    let twice = changed(|g| g.node[1].output[0] = "c".into());
    says(&error(&twice), &["damaged", "\"c\""]);
    let no_output = changed(|g| g.output.clear());
    says(&error(&no_output), &["damaged", "no output"]);
    let wrong_output = changed(|g| g.output[0].name = Some("z".into()));
    says(&error(&wrong_output), &["damaged", "\"z\""]);
    let misfit = changed(|g| g.initializer[2].dims = vec![2, 4]);
    says(&error(&misfit), &["failed at node \"last\" (MatMul)"]);
    // Nodes in any order are fine.
    assert_eq!(opened(&changed(|g| g.node.reverse())).classes, 2);
}

#[test]
fn models_of_something_else_than_pictures_are_refused() {
    let input = |kind, dims: &[i64]| changed(|g| g.input[0] = value("x", kind, dims));
    says(&error(&input(data_type::INT64, &[1, 3, 8, 8])), &["not an image classifier", "64-bit whole numbers"]);
    says(&error(&input(data_type::FLOAT, &[1, 128])), &["2 dimensions (1 x 128)"]);
    says(&error(&input(data_type::FLOAT, &[1, 7, 8, 8])), &["7 channels"]);
    says(&error(&input(data_type::FLOAT, &[1, 3, 1 << 40, 8])), &["makes no sense"]);
    says(&error(&input(data_type::FLOAT, &[1, 3, -7, 8])), &["makes no sense"]);
    let two = changed(|g| {
        g.input.push(value("mask", data_type::FLOAT, &[-1, 3, 8, 8]));
        g.node.push(node("Mul", "masked", &["x", "mask"], "m"));
        g.node[0].input[0] = "m".into();
    });
    says(&error(&two), &["2 inputs (\"mask\", \"x\")"]);
    let none = changed(|g| g.node[0].input[0] = "w".into());
    says(&error(&none), &["does not depend on its input"]);
    let map = changed(|g| g.output[0].name = Some("r".into()));
    says(&error(&map), &["not an image classifier", "[1, 4, 6, 6]"]);
    let single = changed(|g| g.initializer[2] = tensor("v", &[4, 1], &[1.0; 4]));
    says(&error(&single), &["a single number"]);
}

#[test]
fn data_outside_the_folder_of_the_model_is_never_read() {
    for place in ["../secret", "/etc/hostname", "sub/../../secret"] {
        let bytes = changed(|g| {
            let entry = |k: &str, v: &str| StringStringEntryProto { key: Some(k.into()), value: Some(v.into()) };
            g.initializer[1].raw_data = None;
            g.initializer[1].data_location = Some(1);
            g.initializer[1].external_data = vec![entry("location", place)];
        });
        says(&error(&bytes), &["\"b\"", place, "nothing is read"]);
    }
}

#[test]
fn what_exporters_do_differently_is_understood() {
    // Initializers listed among the inputs.
    let listed = changed(|g| g.input.insert(0, value("w", data_type::FLOAT, &[4, 3, 3, 3])));
    assert_eq!(opened(&listed).classes, 2);
    // A batch of one, written into a Reshape: freed.
    let written = changed(|g| {
        g.input[0] = value("x", data_type::FLOAT, &[1, 3, 8, 8]);
        g.node[3] = node("Reshape", "flat", &["p", "s"], "f");
        g.initializer.push(integers("s", &[1, 4]));
    });
    let model = opened(&written);
    assert_eq!(model.input.fixed_batch, None);
    assert!(model.notes.iter().any(|n| n.contains("takes any number")), "{:?}", model.notes);
    // A batch that cannot be freed: pictures go through in pieces.
    let fixed = changed(|g| {
        g.input[0] = value("x", data_type::FLOAT, &[2, 3, 8, 8]);
        g.node[3] = node("Reshape", "flat", &["p", "s"], "f");
        g.initializer.push(integers("s", &[2, 4]));
        g.node.insert(4, node("Add", "rows", &["f", "r2"], "f2"));
        g.node[5].input[0] = "f2".into();
        g.initializer.push(tensor("r2", &[2, 1], &[0.0, 0.0]));
    });
    let model = opened(&fixed);
    assert_eq!(model.input.fixed_batch, Some(2));
    let classifier = Classifier::new(&model, Preprocessing::unit([8, 8], 3), &Device::Cpu).unwrap();
    let pixels: Vec<f32> = (0..5 * 192).map(|i| (i as f32 * 0.37).sin().abs()).collect();
    let x = Tensor::from_vec(pixels, (5, 3, 8, 8), &Device::Cpu).unwrap();
    let free = Classifier::new(&opened(&good().encode_to_vec()), Preprocessing::unit([8, 8], 3), &Device::Cpu).unwrap();
    let (a, b) = (classifier.logits(&x).unwrap(), free.logits(&x).unwrap());
    let worst = a.sub(&b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(a.dims() == [5, 2] && worst < 1e-5, "{worst}");
    // No softmax, logits as [n, k, 1, 1], any size.
    let spatial = changed(|g| {
        g.input[0] = value("x", data_type::FLOAT, &[-1, 3, -1, -1]);
        g.node.truncate(3);
        g.output[0].name = Some("p".into());
    });
    let model = opened(&spatial);
    assert_eq!((model.classes, model.input.size, model.notes.len()), (4, None, 0));
    // The label instead of the logits.
    let label = changed(|g| {
        let axis = AttributeProto { name: Some("axis".into()), i: Some(1), ..Default::default() };
        let mut arg_max = node("ArgMax", "label", &["y"], "best");
        arg_max.attribute.push(axis);
        g.node.push(arg_max);
        g.output[0].name = Some("best".into());
    });
    assert_eq!(opened(&label).classes, 2);
}

#[test]
fn a_preprocessing_that_does_not_fit_is_refused() {
    let model = opened(&good().encode_to_vec());
    let refused = |how: Preprocessing| Classifier::new(&model, how, &Device::Cpu).unwrap_err().to_string();
    assert!(refused(Preprocessing::unit([8, 8], 1)).contains("1 channels"));
    assert!(refused(Preprocessing::unit([9, 8], 3)).contains("9x8"));
    assert!(refused(Preprocessing { std: vec![0.0; 3], ..Preprocessing::unit([8, 8], 3) }).contains("makes no sense"));
    let classifier = Classifier::new(&model, Preprocessing::unit([8, 8], 3), &Device::Cpu).unwrap();
    let wrong = Tensor::zeros((1, 3, 9, 9), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(classifier.logits(&wrong).unwrap_err().to_string().contains("[1, 3, 9, 9]"));
}
