//! Files that are no models, broken ones and hostile ones: each gets one clear sentence, no panic, no flood of memory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor};
use poisdetc::model::onnx::messages::*;
use poisdetc::model::{Classifier, ModelError, Preprocessing, open};
use prost::Message;
use std::path::Path;

fn tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        raw_data: Some(raw.into()),
        ..Default::default()
    }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(data_type::INT64),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        name: Some(name.into()),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn value(name: &str, kind: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|&d| DimensionProto { value: Some(DimensionValue::Size(d)) }).collect();
    let tensor_type = TensorTypeProto { elem_type: Some(kind), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

/// Pictures [any, 3, 8, 8] -> convolution -> mean -> two logits -> softmax.
fn good() -> ModelProto {
    let weights: Vec<f32> = (0..4 * 3 * 9).map(|i| (i as f32 * 0.7).sin()).collect();
    let graph = GraphProto {
        node: vec![
            node("Conv", "first", &["x", "w", "b"], "c"),
            node("Relu", "bend", &["c"], "r"),
            node("GlobalAveragePool", "pool", &["r"], "p"),
            node("Flatten", "flat", &["p"], "f"),
            node("MatMul", "last", &["f", "v"], "l"),
            node("Softmax", "shares", &["l"], "y"),
        ],
        initializer: vec![
            tensor("w", &[4, 3, 3, 3], &weights),
            tensor("b", &[4], &[0.1, -0.2, 0.3, 0.0]),
            tensor("v", &[4, 2], &[1.0, -1.0, 0.5, 2.0, -0.5, 1.5, 0.25, 0.75]),
        ],
        input: vec![value("x", data_type::FLOAT, &[-1, 3, 8, 8])],
        output: vec![value("y", data_type::FLOAT, &[-1, 2])],
        ..Default::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..Default::default()
    }
}

/// The good model with one thing changed.
fn changed(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = good();
    change(model.graph.as_mut().unwrap());
    model.encode_to_vec()
}

fn error_named(file: &str, bytes: &[u8]) -> ModelError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, bytes).unwrap();
    open(&path).expect_err("a bad file was opened")
}

fn error(bytes: &[u8]) -> ModelError {
    error_named("model.onnx", bytes)
}

/// The sentence names all of `parts`, and is one line.
fn says(error: &ModelError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{text}\" does not say \"{part}\"");
    }
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
}

fn opened(bytes: &[u8]) -> poisdetc::model::Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    open(&path).unwrap_or_else(|e| panic!("{e}"))
}

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
            assert!(matches!(open(&renamed), Err(ModelError::Foreign { .. } | ModelError::NotAModel { .. })));
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
    says(&error(&pads), &["first", "too large"]);
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

/// `count` nodes in a row between the convolution and its activation.
fn chained(g: &mut GraphProto, count: usize, step: impl Fn(&str, &str) -> NodeProto) {
    let mut before = "c".to_owned();
    for i in 0..count {
        let after = format!("step {i}");
        g.node.push(step(&before, &after));
        before = after;
    }
    g.node[1].input[0] = before;
}

#[test]
fn graphs_that_ask_for_endless_memory_or_work_are_refused_in_time() {
    let started = std::time::Instant::now();
    let attribute = |name: &str, ints: &[i64]| AttributeProto {
        name: Some(name.into()),
        ints: ints.to_vec(),
        ..Default::default()
    };
    // Each value is within bounds, all together are not: every one is read again at the end.
    let hoard = changed(|g| {
        g.initializer.push(integers("times", &[1, 1024, 32, 32]));
        let names: Vec<String> = (0..40).map(|i| format!("copy {i}")).collect();
        g.node.extend(names.iter().map(|n| node("Expand", n, &["p", "times"], n)));
        let mut all = vec!["p"];
        all.extend(names.iter().map(String::as_str));
        g.initializer.push(integers("big", &[256, 4, 512, 512]));
        for n in &names {
            let n = format!("{n} grown");
            g.node.push(node("Expand", &n, &["p", "big"], &n));
        }
        let grown: Vec<String> = names.iter().map(|n| format!("{n} grown")).collect();
        let parts: Vec<&str> = grown.iter().map(String::as_str).collect();
        g.node.push(node("Max", "together", &parts, "m"));
        g.node[3].input[0] = "m".into();
    });
    says(&error(&hoard), &["more", "than"]);
    // Constants that would be computed before anything runs.
    let folded = changed(|g| {
        g.initializer.push(integers("shape", &[1024, 1024]));
        for i in 0..2000 {
            let name = format!("zeros {i}");
            g.node.push(node("ConstantOfShape", &name, &["shape"], &name));
        }
        let names: Vec<String> = (0..2000).map(|i| format!("zeros {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        g.node.push(node("Max", "together", &names, "z"));
        g.node.push(node("ReduceMax", "one", &["z"], "one"));
        g.node.push(node("Add", "added", &["c", "one"], "c1"));
        g.node[1].input[0] = "c1".into();
    });
    // More memory than two seconds can fill is never taken; whether it opens does not matter.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, &folded).unwrap();
    let _ = open(&path).map_err(|e| assert!(!e.to_string().contains('\n'), "{e}"));
    // Windows that look at a picture of millions of cells from each of them.
    let windows = changed(|g| {
        let mut grow = node("Expand", "grow", &["c", "wide"], "w1");
        grow.attribute.clear();
        g.initializer.push(integers("wide", &[1, 4, 6, 6]));
        g.initializer.push(integers("scale", &[1, 4, 4096, 4096]));
        let mut resize = node("Resize", "zoom", &["w1", "", "", "scale"], "z");
        resize.attribute.push(AttributeProto {
            name: Some("mode".into()),
            s: Some(b"nearest".to_vec().into()),
            ..Default::default()
        });
        let mut pool = node("AveragePool", "look", &["z"], "q");
        pool.attribute.push(attribute("kernel_shape", &[4001, 4001]));
        pool.attribute.push(attribute("pads", &[2000, 2000, 2000, 2000]));
        g.node.extend([grow, resize, pool]);
        g.node[1].input[0] = "q".into();
    });
    says(&error(&windows), &["\"look\"", "more work"]);
    // A thousand doublings.
    let doubled = changed(|g| {
        g.initializer.push(integers("twice", &[1, 2, 1, 1]));
        chained(g, 1000, |before, after| node("Tile", after, &[before, "twice"], after));
    });
    says(&error(&doubled), &["too large"]);
    assert!(started.elapsed().as_secs() < 600, "{:?}", started.elapsed());
}

#[test]
fn absurd_attributes_are_refused_with_the_node() {
    let ints = |name: &str, ints: &[i64]| AttributeProto {
        name: Some(name.into()),
        ints: ints.to_vec(),
        ..Default::default()
    };
    let int = |name: &str, i: i64| AttributeProto { name: Some(name.into()), i: Some(i), ..Default::default() };
    for setting in [
        ints("strides", &[0, 0]),
        ints("strides", &[-1, 1]),
        ints("strides", &[i64::MAX, 1]),
        ints("pads", &[-1, 0, 0, 0]),
        ints("pads", &[1, 2, 3, 4, 5]),
        ints("dilations", &[0, 1]),
        ints("dilations", &[65535, 65535]),
        int("group", 0),
        int("group", -3),
        int("group", i64::MIN),
    ] {
        let bytes = changed(|g| g.node[0].attribute.push(setting.clone()));
        says(&error(&bytes), &["\"first\" (Conv)"]);
    }
    for (op, setting) in [
        ("Softmax", int("axis", i64::MIN)),
        ("Flatten", int("axis", i64::MAX)),
        ("Transpose", ints("perm", &[0, 0, 1, 2])),
        ("Transpose", ints("perm", &[-1])),
        ("DepthToSpace", int("blocksize", i64::MAX)),
        ("SpaceToDepth", int("blocksize", -2)),
        ("MaxPool", ints("kernel_shape", &[0, 3])),
        ("MaxPool", ints("kernel_shape", &[65535, 65535])),
        ("ReduceMean", ints("axes", &[17])),
        ("Squeeze", ints("axes", &[i64::MIN])),
        ("LRN", int("size", i64::MAX)),
        ("Concat", int("axis", i64::MIN)),
    ] {
        let bytes = changed(|g| {
            g.node[1] = node(op, "odd", &["c"], "r");
            g.node[1].attribute.push(setting.clone());
        });
        // Some of them mean something, if nothing useful: then a later node or the answer does not fit.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).unwrap();
        let _ = open(&path).map_err(|e| assert!(!e.to_string().contains('\n') && e.to_string().len() < 600, "{e}"));
    }
}

#[test]
fn deep_and_odd_messages_are_refused_before_they_cost_anything() {
    // Graphs in attributes of nodes of graphs, far deeper than any stack: skipped unread.
    let mut deep = vec![0x0a, 0];
    for _ in 0..20_000 {
        let mut outer = vec![0x0a];
        let mut length = deep.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(deep);
        deep = outer;
    }
    let mut file = vec![0x08, 8, 0x3a];
    let mut length = deep.len();
    while length >= 0x80 {
        file.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    file.push(length as u8);
    file.extend(deep);
    assert!(matches!(error(&file), ModelError::Damaged { .. } | ModelError::NotAModel { .. }));
    // Groups, which the format has never used.
    assert!(matches!(error(&[0x08, 8, 0x3b, 0x3b, 0x3b]), ModelError::Damaged { .. } | ModelError::NotAModel { .. }));
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

#[cfg(unix)]
#[test]
fn data_in_a_pipe_or_a_folder_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: mkfifo is not there");
        return;
    }
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for place in ["pipe", "folder"] {
        let bytes = changed(|g| {
            let entry = StringStringEntryProto { key: Some("location".into()), value: Some(place.into()) };
            g.initializer[1].raw_data = None;
            g.initializer[1].data_location = Some(1);
            g.initializer[1].external_data = vec![entry];
        });
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).unwrap();
        says(&open(&path).unwrap_err(), &["\"b\"", place, "no ordinary file"]);
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
