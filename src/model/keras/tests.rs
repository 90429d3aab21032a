//! Whole files, good, bad and hostile.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::archive::{Archive, Weight};
use super::*;
use crate::model::graph::Op;
use crate::tensor::Seed;
use hdf5_pure::{AttrValue, FileBuilder};
use serde_json::{Value, json};

/// An archive put together by hand; weights count up from 0 in steps of 1/8.
fn archive(config: &Value, weights: &[(&str, &str, &[usize])]) -> Archive {
    let mut archive =
        Archive { config: config.to_string(), version: Some("2.4.0".into()), weights: Default::default() };
    for (layer, name, shape) in weights {
        let values = (0..shape.iter().product()).map(|i: usize| i as f32 / 8.0).collect();
        let weight = Weight {
            place: [(*layer).into(), format!("{name}:0")],
            name: format!("{layer}/{name}:0"),
            shape: shape.to_vec(),
            values,
        };
        archive.weights.entry((*layer).into()).or_default().push(weight);
    }
    archive
}

fn chain(layers: Value) -> Value {
    json!({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
}

/// Convolution, flattening and a dense layer on pictures of 4 x 4.
fn small() -> Value {
    chain(json!([
        {"class_name": "Conv2D", "config": {"name": "c", "batch_input_shape": [null, 4, 4, 3], "filters": 2,
            "kernel_size": [3, 3], "padding": "same", "strides": [2, 2], "activation": "relu"}},
        {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 5, "activation": "softmax"}},
    ]))
}

const SMALL: [(&str, &str, &[usize]); 4] =
    [("c", "kernel", &[3, 3, 3, 2]), ("c", "bias", &[2]), ("d", "kernel", &[8, 5]), ("d", "bias", &[5])];

fn sentence(archive: &Archive) -> String {
    translate::translate(archive).unwrap_err().at(Path::new("m.h5")).to_string()
}

#[test]
fn kernels_turn_pads_are_uneven_and_flattening_keeps_channels_last() {
    let model = translate::translate(&archive(&small(), &SMALL)).unwrap();
    let names: Vec<&str> = model.parameters.keys().map(String::as_str).collect();
    assert_eq!(names, ["c/bias:0", "c/kernel:0", "d/bias:0", "d/kernel:0"]);
    let kernel = &model.parameters["c/kernel:0"];
    assert_eq!(kernel.dims(), [2, 3, 3, 3]);
    // Place [1, 2, 0, 1] of the file: row 1, column 2, input channel 0, filter 1.
    let value: f32 = kernel.get(1).unwrap().get(0).unwrap().get(1).unwrap().get(2).unwrap().to_scalar().unwrap();
    assert_eq!(value, (((3 + 2) * 3 * 2) + 1) as f32 / 8.0);
    let ops: Vec<&Op> = model.graph.nodes.iter().map(|node| &node.op).collect();
    let [
        Op::Transpose { .. },
        Op::Conv(conv),
        Op::Unary(_),
        Op::Transpose { permutation },
        Op::Flatten { .. },
        Op::Gemm { .. },
    ] = ops.as_slice()
    else {
        panic!("{ops:?}")
    };
    assert_eq!(conv.pads, [0, 0, 1, 1]);
    assert_eq!(permutation, &[0, 2, 3, 1]);
    assert_eq!((model.classes, model.notes), (5, vec!["softmax at the end stepped over".to_owned()]));
}

#[test]
fn a_missing_setting_or_a_wrong_shape_is_named_with_its_layer() {
    let mut config = small();
    config["config"]["layers"][0]["config"]["filters"] = Value::Null;
    let text = sentence(&archive(&config, &SMALL));
    assert!(text.contains("\"c\" (Conv2D)") && text.contains("\"filters\" is missing"), "{text}");
    let text = sentence(&archive(&small(), &[SMALL[0], SMALL[1], ("d", "kernel", &[9, 5]), SMALL[3]]));
    assert!(text.contains("d/kernel:0") && text.contains("[9, 5]") && text.contains("[8, 5]"), "{text}");
    let text = sentence(&archive(&small(), &SMALL[..3]));
    assert!(text.contains("\"d\" (Dense)") && text.contains("2 arrays of weights"), "{text}");
}

#[test]
fn layers_in_a_circle_are_named() {
    let add = |name: &str, other: &str| json!({"class_name": "Add", "name": name, "config": {"name": name}, "inbound_nodes": [[["i", 0, 0, {}], [other, 0, 0, {}]]]});
    let config = json!({"class_name": "Functional", "config": {
        "layers": [
            {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [null, 4, 4, 3]}, "inbound_nodes": []},
            add("a", "b"), add("b", "a"),
        ],
        "input_layers": [["i", 0, 0]], "output_layers": [["b", 0, 0]],
    }});
    let text = sentence(&archive(&config, &[]));
    assert!(text.contains("circle (a, b)"), "{text}");
}

#[test]
fn all_unsupported_layers_are_named_and_code_is_refused() {
    let config = chain(json!([
        {"class_name": "Lambda", "config": {"name": "trick", "batch_input_shape": [null, 4, 4, 3], "function": ["4wEA", null, null]}},
        {"class_name": "LSTM", "config": {"name": "l", "units": 3}},
        {"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "my_function"}},
        {"class_name": "LSTM", "config": {"name": "l2", "units": 3}},
    ]));
    let text = sentence(&archive(&config, &[]));
    assert!(text.contains("\"trick\" holds program code, which is never run"), "{text}");
    assert!(text.matches("LSTM").count() == 1 && text.contains("my_function"), "{text}");
}

#[test]
fn what_is_no_classifier_of_pictures_is_refused() {
    let dense = |shape: Value, units: usize| {
        chain(json!([
            {"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": shape}},
            {"class_name": "Dense", "config": {"name": "d", "units": units}},
        ]))
    };
    for (config, shape, expected) in [
        (dense(json!([null, 4, 4, 3]), 1), [48, 1], "at least two labels"),
        (dense(json!([null, 48]), 3), [48, 3], "not pictures"),
        (dense(json!([null, 4, 4, 7]), 3), [112, 3], "not pictures"),
    ] {
        let text = sentence(&archive(&config, &[("d", "kernel", &shape), ("d", "bias", &shape[1..])]));
        assert!(text.contains("not an image classifier") && text.contains(expected), "{text}");
    }
}

#[test]
fn bad_numbers_are_refused_by_name() {
    let mut archive = archive(&small(), &SMALL);
    archive.weights.get_mut("d").unwrap()[0].values[7] = f32::NAN;
    let text = sentence(&archive);
    assert!(text.contains("\"d/kernel:0\"") && text.contains("NaN"), "{text}");
}

#[test]
fn settings_that_ask_for_endless_memory_are_refused() {
    let mut config = small();
    config["config"]["layers"][0]["config"]["dilation_rate"] = json!([1_000_000, 1_000_000]);
    config["config"]["layers"][0]["config"]["strides"] = json!(1);
    assert!(sentence(&archive(&config, &SMALL)).contains("far too large"));
    let padding = chain(json!([{"class_name": "ZeroPadding2D", "config":
        {"name": "p", "batch_input_shape": [null, 4, 4, 3], "padding": 1_000_000}}]));
    assert!(sentence(&archive(&padding, &[])).contains("far too large"));
}

#[test]
fn models_that_use_each_other_without_end_are_refused() {
    let mut inner = json!({"class_name": "Dropout", "name": "x", "config": {"name": "x"}});
    for depth in 0..12 {
        let mut layers = vec![
            json!({"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [null, 4, 4, 3]}, "inbound_nodes": []}),
        ];
        inner["inbound_nodes"] = (0..10)
            .map(|call| if call == 0 { json!([["i", 0, 0, {}]]) } else { json!([["x", call - 1, 0, {}]]) })
            .collect();
        layers.push(inner);
        let config =
            json!({"name": "x", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["x", 9, 0]]});
        inner = json!({"class_name": "Functional", "name": if depth == 11 { "m" } else { "x" }, "config": config});
    }
    let text = sentence(&archive(&inner, &[]));
    assert!(text.contains("times"), "{text}");
}

/// A file with these attributes at its root, and a group `model_weights` where `weights` is set.
fn file(attributes: &[(&str, AttrValue)], weights: Option<(&[f32], &[u64])>) -> Vec<u8> {
    let mut builder = FileBuilder::new();
    for (name, value) in attributes {
        builder.set_attr(name, value.clone());
    }
    if let Some((values, shape)) = weights {
        let mut group = builder.create_group("model_weights");
        let mut layer = group.create_group("d");
        layer.set_attr("weight_names", AttrValue::AsciiStringArray(vec!["kernel:0".into()]));
        layer.create_dataset("kernel:0").with_f32_data(values).with_shape(shape);
        group.add_group(layer.finish());
        builder.add_group(group.finish());
    }
    builder.finish().unwrap()
}

fn opened(bytes: Vec<u8>) -> String {
    match read(Path::new("m.h5"), bytes, String::new()) {
        Ok(_) => "opened".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_kind_of_text_is_read() {
    let config = small().to_string();
    for value in [
        AttrValue::String(config.clone()),
        AttrValue::AsciiString(config.clone()),
        AttrValue::VarLenString(config.clone()),
        AttrValue::VarLenAsciiString(config.clone()),
    ] {
        let archive = archive::read(file(&[("model_config", value)], Some((&[1.0, 2.0], &[2])))).unwrap();
        assert_eq!(archive.config, config);
        assert_eq!(
            (archive.weights["d"][0].name.as_str(), &archive.weights["d"][0].values),
            ("d/kernel:0", &vec![1.0, 2.0])
        );
    }
}

#[test]
fn files_without_layers_say_what_they_are() {
    let names = AttrValue::AsciiStringArray(vec!["conv2d".into()]);
    let text = opened(file(&[("layer_names", names)], None));
    assert!(text.contains("only the weights of a Keras model") && text.contains("model.save"), "{text}");
    let text = opened(file(&[("title", AttrValue::AsciiString("weather".into()))], None));
    assert!(text.contains("no Keras model in it"), "{text}");
    let text = opened(file(&[("model_config", AttrValue::AsciiString(small().to_string()))], None));
    assert!(text.contains("damaged") && text.contains("model_weights"), "{text}");
    assert!(opened(Vec::new()).contains("damaged"));
    assert!(opened(b"\x89HDF\r\n\x1a\n".to_vec()).contains("damaged"));
}

fn fixture() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras/gray.h5")).unwrap()
}

#[test]
fn a_file_cut_off_anywhere_is_refused_with_a_sentence() {
    let whole = fixture();
    assert_eq!(opened(whole.clone()), "opened");
    for part in 0..40 {
        let text = opened(whole[..whole.len() * part / 40].to_vec());
        assert!(text.contains("m.h5"), "{text}");
    }
}

#[test]
fn a_file_with_changed_bytes_never_ends_in_a_panic() {
    let whole = fixture();
    let mut random = Seed(5).random();
    let mut refused = 0;
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(8) {
            // Half of the changes go to the headers at the start of the file.
            let reach = if random.chance(0.5) { 4096.min(bytes.len()) } else { bytes.len() };
            bytes[random.below(reach)] = random.below(256) as u8;
        }
        refused += usize::from(opened(bytes) != "opened");
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn an_archive_with_changed_bytes_or_endless_zeros_ends_in_one_sentence() {
    let whole = include_bytes!("../../../tests/fixtures/breadth/keras_nested-keras.keras");
    let sentence = |bytes: Vec<u8>| crate_error(read(Path::new("m.keras"), bytes, String::new()));
    let mut random = Seed(5).of("archive").random();
    let mut refused = 0;
    for _ in 0..200 {
        let mut bytes = whole.to_vec();
        for _ in 0..3 {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        refused += usize::from(sentence(bytes).is_some());
    }
    assert!(refused > 20, "{refused}");
    for length in [whole.len() - 1, whole.len() / 2, 100] {
        assert!(sentence(whole[..length].to_vec()).unwrap().contains("damaged"), "{length}");
    }
    // A hundred megabytes of zeros pack into a hundred kilobytes.
    let mut packed = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["metadata.json", "config.json", "model.weights.h5"] {
        let small = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        packed.start_file(name, small).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 100 << 20), &mut packed).unwrap();
    }
    let bomb = packed.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20 && zipped::is_archive(&bomb));
    let text = sentence(bomb).unwrap();
    assert!(text.contains("unpacks to more than any model"), "{text}");
}

fn crate_error(read: Result<Model, ModelError>) -> Option<String> {
    let text = read.err()?.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    Some(text)
}
