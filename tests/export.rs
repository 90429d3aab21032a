//! A repaired model goes back into the format it came in, and the file answers like the repair.
//!
//! Hand-made ONNX models hold their numbers in every way the format knows. The models of other people are read from
//! the shared zoo and skipped where it is absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::result_large_err)]

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use poisdetc::model::graph::{Op, Unary};
use poisdetc::model::onnx::messages::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type,
    data_type,
};
use poisdetc::model::{Change, Clamp, Format, Model, Overwrite, Preprocessing, SaveError, Saved, open, save};
use poisdetc::tensor::Seed;
use prost::Message;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const NUMBERS: [f32; 12] = [0.5, -1.0, 0.25, 1.0, 0.75, -0.5, 1.5, -0.25, 0.125, 2.0, -2.0, 1.25];

fn text(s: &str) -> Option<String> {
    Some(s.to_owned())
}

fn tensor(name: &str, dims: &[i64], kind: i32) -> TensorProto {
    TensorProto { name: text(name), dims: dims.to_vec(), data_type: Some(kind), ..Default::default() }
}

fn raw(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn node(op: &str, input: &[&str], output: &str) -> NodeProto {
    let input = input.iter().map(|s| (*s).to_owned()).collect();
    NodeProto { op_type: text(op), input, output: vec![output.to_owned()], name: text(op), ..Default::default() }
}

fn value(name: &str, dims: &[i64], kind: i32) -> ValueInfoProto {
    let dim = dims.iter().map(|&d| DimensionProto { value: Some(DimensionValue::Size(d)) }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: Some(kind), shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: text(name), r#type: Some(TypeProto { tensor_type }) }
}

/// Pictures `[1, 3, 4, 4]` through a 1x1 convolution with `w [4, 3, 1, 1]`, ReLU and the mean: four labels. With a
/// field at the end that no version of the format knows.
fn model_file(w: Result<TensorProto, NodeProto>, listed: bool, opset: i64) -> Vec<u8> {
    let kind = w.as_ref().ok().and_then(|t| t.data_type).unwrap_or(data_type::FLOAT);
    let mut graph = GraphProto {
        node: vec![
            node("Conv", &["picture", "w"], "seen"),
            node("Relu", &["seen"], "lit"),
            node("GlobalAveragePool", &["lit"], "mean"),
            node("Flatten", &["mean"], "logits"),
        ],
        name: text("graph"),
        input: vec![value("picture", &[1, 3, 4, 4], kind)],
        output: vec![value("logits", &[1, 4], kind)],
        ..Default::default()
    };
    match w {
        Ok(tensor) => {
            if listed {
                graph.input.push(value("w", &[4, 3, 1, 1], kind));
            }
            graph.initializer.push(tensor);
        }
        Err(constant) => graph.node.insert(0, constant),
    }
    let model = ModelProto {
        ir_version: Some(8),
        producer_name: text("hand"),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: text(""), version: Some(opset) }],
        metadata_props: vec![StringStringEntryProto { key: text("note"), value: text("kept") }],
        ..Default::default()
    };
    let mut bytes = model.encode_to_vec();
    bytes.extend([0xfa, 0x3e, 5]);
    bytes.extend(b"later");
    bytes
}

fn float_model() -> Vec<u8> {
    let w = tensor("w", &[4, 3, 1, 1], data_type::FLOAT);
    model_file(Ok(TensorProto { raw_data: Some(raw(&NUMBERS).into()), ..w }), false, 17)
}

fn put(folder: &Path, bytes: &[u8]) -> Model {
    let path = folder.join("suspect.onnx");
    std::fs::write(&path, bytes).unwrap();
    open(&path).unwrap()
}

fn plain(model: &Model) -> Preprocessing {
    Preprocessing::unit(model.input.size.unwrap_or([32, 32]), model.input.channels)
}

fn stored(model: &Model, change: &Change, to: &Path) -> Result<Saved, SaveError> {
    save(model, change, &plain(model), to, Overwrite::Never, None)
}

/// The third number becomes `new`.
fn one_number(model: &Model, name: &str, new: f32) -> Change {
    let old = &model.parameters[name];
    let mut values = old.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values[2] = new;
    let tensor = Tensor::from_vec(values, old.dims(), &Device::Cpu).unwrap();
    Change { parameters: BTreeMap::from([(name.to_owned(), tensor)]), clamps: Vec::new() }
}

/// Every parameter a little different.
fn stirred(model: &Model) -> Change {
    let stir = |(name, t): (&String, &Tensor)| {
        let mut random = Seed(2).of(name).random();
        let noise = random.uniform_tensor(0.97, 1.03, t.shape(), &Device::Cpu).unwrap();
        (name.clone(), t.mul(&noise).unwrap())
    };
    Change { parameters: model.parameters.iter().map(stir).collect(), clamps: Vec::new() }
}

/// Bounds for all values a ReLU gives, channels first.
fn clamped(model: &Model, layers: usize) -> Change {
    let relus = model.graph.nodes.iter().filter(|n| matches!(n.op, Op::Unary(Unary::Relu)));
    let clamps = relus.take(layers).map(|relu| {
        let value = model.graph.values[relu.outputs[0].0].name.clone();
        Clamp { value, bounds: vec![0.2], axis: 1 }
    });
    let mut change = Change { clamps: clamps.collect(), ..Change::default() };
    // The error names the shape of the value: one bound for each channel.
    for clamp in 0..change.clamps.len() {
        let one = Change { clamps: vec![change.clamps[clamp].clone()], ..Change::default() };
        let classifier = poisdetc::model::Classifier::new(model, plain(model), &Device::Cpu).unwrap();
        if let Err(error) = one.apply(&classifier) {
            let error = error.to_string();
            let dims: Vec<usize> = error
                .rsplit_once("shape [")
                .unwrap()
                .1
                .trim_end_matches(']')
                .split(", ")
                .map(|d| d.parse().unwrap())
                .collect();
            change.clamps[clamp].bounds = (0..dims[1]).map(|i| 0.1 + 0.2 * i as f32 / dims[1] as f32).collect();
        }
    }
    change
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_changed_gives_the_same_bytes_and_one_number_changes_only_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = float_model();
    let model = put(folder.path(), &bytes);
    stored(&model, &Change::default(), &folder.path().join("same.onnx")).unwrap();
    assert_eq!(std::fs::read(folder.path().join("same.onnx")).unwrap(), bytes);
    let saved = stored(&model, &one_number(&model, "w", 7.5), &folder.path().join("other.onnx")).unwrap();
    let other = std::fs::read(&saved.path).unwrap();
    let start = bytes.windows(48).position(|w| w == raw(&NUMBERS)).unwrap() + 8;
    assert_eq!(other[start..start + 4], 7.5_f32.to_le_bytes());
    assert_eq!((&other[..start], &other[start + 4..]), (&bytes[..start], &bytes[start + 4..]));
    assert_eq!((saved.format, saved.notes.len()), (Format::Onnx, 0));
    assert_eq!(open(&saved.path).unwrap().sha256, saved.sha256);
}

/// Numbers in every kind and field; each file grows by nothing but what varints need.
#[test]
fn every_kind_of_number_and_every_field_is_changed_in_place() {
    let dims = [4, 3, 1, 1];
    let halves: Vec<u8> = NUMBERS.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    let brains: Vec<u8> = NUMBERS.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
    let doubles = NUMBERS.map(|v| f64::from(v) + 1e-12);
    let of = |kind| tensor("w", &dims, kind);
    let constant =
        |attribute: AttributeProto| Err(NodeProto { attribute: vec![attribute], ..node("Constant", &[], "w") });
    let whole = TensorProto { raw_data: Some(raw(&NUMBERS).into()), ..tensor("", &dims, data_type::FLOAT) };
    let held = AttributeProto {
        name: text("value"),
        t: Some(whole),
        r#type: Some(attribute_type::TENSOR),
        ..Default::default()
    };
    let cases: Vec<(&str, Result<TensorProto, NodeProto>, bool)> = vec![
        ("raw float", Ok(TensorProto { raw_data: Some(raw(&NUMBERS).into()), ..of(data_type::FLOAT) }), false),
        ("listed float", Ok(TensorProto { raw_data: Some(raw(&NUMBERS).into()), ..of(data_type::FLOAT) }), true),
        ("float_data", Ok(TensorProto { float_data: NUMBERS.to_vec(), ..of(data_type::FLOAT) }), false),
        ("raw half", Ok(TensorProto { raw_data: Some(halves.into()), ..of(data_type::FLOAT16) }), false),
        (
            "half bits",
            Ok(TensorProto {
                int32_data: NUMBERS.iter().map(|&v| f16::from_f32(v).to_bits().into()).collect(),
                ..of(data_type::FLOAT16)
            }),
            false,
        ),
        ("raw bfloat", Ok(TensorProto { raw_data: Some(brains.into()), ..of(data_type::BFLOAT16) }), false),
        (
            "bfloat bits",
            Ok(TensorProto {
                int32_data: NUMBERS.iter().map(|&v| bf16::from_f32(v).to_bits().into()).collect(),
                ..of(data_type::BFLOAT16)
            }),
            false,
        ),
        (
            "raw double",
            Ok(TensorProto {
                raw_data: Some(doubles.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into()),
                ..of(data_type::DOUBLE)
            }),
            false,
        ),
        ("double_data", Ok(TensorProto { double_data: doubles.to_vec(), ..of(data_type::DOUBLE) }), false),
        ("constant", constant(held), false),
    ];
    for (case, w, listed) in cases {
        let folder = tempfile::tempdir().unwrap();
        let bytes = model_file(w, listed, 17);
        let model = put(folder.path(), &bytes);
        let same = stirless(&model);
        stored(&model, &same, &folder.path().join("same.onnx")).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(std::fs::read(folder.path().join("same.onnx")).unwrap(), bytes, "{case}");
        let saved = stored(&model, &one_number(&model, "w", 0.1), &folder.path().join("other.onnx"));
        let saved = saved.unwrap_or_else(|e| panic!("{case}: {e}"));
        let other = std::fs::read(&saved.path).unwrap();
        if !case.ends_with("bits") {
            assert_eq!(other.len(), bytes.len(), "{case}");
            let differ: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i] != other[i]).collect();
            assert!((1..=8).contains(&differ.len()) && differ[differ.len() - 1] - differ[0] < 8, "{case}: {differ:?}");
        }
        assert!(other.ends_with(b"later"), "{case}");
        let w = open(&saved.path).unwrap().parameters["w"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!((w[2] - 0.1).abs() < 1e-3 && w[3] == 1.0, "{case}: {w:?}");
        assert_eq!(saved.notes.len(), usize::from(case.contains("half") || case.contains("bfloat")), "{case}");
        if case.contains("half") {
            let error = stored(&model, &one_number(&model, "w", 1e6), &folder.path().join("large.onnx")).unwrap_err();
            assert!(error.to_string().contains("too large"), "{error}");
        }
        // And with a clamp of a value in the file's own kind of number.
        let clamp = Clamp { value: "lit".into(), bounds: vec![0.25, f32::INFINITY, 0.5, 0.1], axis: 1 };
        let change = Change { clamps: vec![clamp], ..one_number(&model, "w", 0.1) };
        let saved =
            stored(&model, &change, &folder.path().join("clamped.onnx")).unwrap_or_else(|e| panic!("{case}: {e}"));
        let clamped = std::fs::read(&saved.path).unwrap();
        assert!(clamped.ends_with(b"later"), "{case}");
        let file = ModelProto::decode(bytes::Bytes::from(clamped)).unwrap();
        let operators: Vec<_> = file.graph.unwrap().node.iter().filter_map(|n| n.op_type.clone()).collect();
        assert!(
            operators.ends_with(&["Relu", "Constant", "Min", "GlobalAveragePool", "Flatten"].map(String::from)),
            "{case}: {operators:?}"
        );
    }
}

/// The parameters as they are.
fn stirless(model: &Model) -> Change {
    Change { parameters: model.parameters.clone(), clamps: Vec::new() }
}

#[test]
fn old_operators_that_cannot_be_clamped_are_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let w = tensor("w", &[4, 3, 1, 1], data_type::FLOAT);
    let bytes = model_file(Ok(TensorProto { raw_data: Some(raw(&NUMBERS).into()), ..w }), true, 7);
    let model = put(folder.path(), &bytes);
    let clamp = Clamp { value: "lit".into(), bounds: vec![0.25; 4], axis: 1 };
    let change = Change { clamps: vec![clamp], ..Change::default() };
    let error = stored(&model, &change, &folder.path().join("clamped.onnx")).unwrap_err();
    assert!(error.to_string().contains("operators of version 7"), "{error}");
    assert_eq!(names(folder.path()), ["suspect.onnx"]);
}

#[test]
fn numbers_outside_the_file_are_copied_changed_and_never_written_over() {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: text(key), value: text(value) };
    let outside = |length: &str| TensorProto {
        external_data: vec![entry("location", "numbers.bin"), entry("offset", "16"), entry("length", length)],
        data_location: Some(1),
        ..tensor("w", &[4, 3, 1, 1], data_type::FLOAT)
    };
    let bytes = model_file(Ok(outside("48")), false, 17);
    let folder = tempfile::tempdir().unwrap();
    let data = [vec![9; 16], raw(&NUMBERS), vec![8; 5]].concat();
    std::fs::write(folder.path().join("numbers.bin"), &data).unwrap();
    let model = put(folder.path(), &bytes);
    let change = one_number(&model, "w", 7.5);
    let expected = {
        let mut data = data.clone();
        data[24..28].copy_from_slice(&7.5_f32.to_le_bytes());
        data
    };
    // Beside the original the numbers need another name.
    let saved = stored(&model, &change, &folder.path().join("repaired.onnx")).unwrap();
    assert_eq!(saved.data, [folder.path().join("repaired.onnx.data")]);
    assert_eq!(std::fs::read(&saved.data[0]).unwrap(), expected);
    assert_eq!(std::fs::read(folder.path().join("numbers.bin")).unwrap(), data);
    assert_eq!(std::fs::read(&model.path).unwrap(), bytes);
    // Elsewhere they keep it, and the model file does not change at all.
    let elsewhere = tempfile::tempdir().unwrap();
    let saved = stored(&model, &change, &elsewhere.path().join("repaired.onnx")).unwrap();
    assert_eq!(std::fs::read(&saved.path).unwrap(), bytes);
    assert_eq!(std::fs::read(elsewhere.path().join("numbers.bin")).unwrap(), expected);
    assert_eq!(names(elsewhere.path()), ["numbers.bin", "repaired.onnx"]);
    // The numbers of the suspect are never a destination, and a failure leaves none behind.
    let over =
        save(&model, &change, &plain(&model), &folder.path().join("numbers.bin"), Overwrite::SuspectConfirmed, None);
    assert!(matches!(over, Err(SaveError::Suspect(_))), "{over:?}");
    assert_eq!(std::fs::read(folder.path().join("numbers.bin")).unwrap(), data);
    assert_eq!(names(folder.path()), ["numbers.bin", "repaired.onnx", "repaired.onnx.data", "suspect.onnx"]);
}

#[test]
fn the_suspect_is_not_replaced_by_accident_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = float_model();
    let model = put(folder.path(), &bytes);
    let change = one_number(&model, "w", 7.5);
    let mut spellings = vec![
        model.path.clone(),
        folder.path().join("../").join(folder.path().file_name().unwrap()).join("./suspect.onnx"),
    ];
    std::fs::hard_link(&model.path, folder.path().join("hard.onnx")).unwrap();
    spellings.push(folder.path().join("hard.onnx"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&model.path, folder.path().join("soft.onnx")).unwrap();
        spellings.push(folder.path().join("soft.onnx"));
    }
    for path in &spellings {
        for overwrite in [Overwrite::Never, Overwrite::Others] {
            let result = save(&model, &change, &plain(&model), path, overwrite, None);
            assert!(matches!(result, Err(SaveError::Suspect(_))), "{path:?}: {result:?}");
        }
    }
    assert_eq!(std::fs::read(&model.path).unwrap(), bytes);
    let other = folder.path().join("other.onnx");
    std::fs::write(&other, b"mine").unwrap();
    let result = stored(&model, &change, &other);
    assert!(matches!(result, Err(SaveError::Exists(_))), "{result:?}");
    assert_eq!(std::fs::read(&other).unwrap(), b"mine");
    save(&model, &change, &plain(&model), &other, Overwrite::Others, None).unwrap();
    save(&model, &change, &plain(&model), &model.path, Overwrite::SuspectConfirmed, None).unwrap();
    assert_eq!(std::fs::read(&model.path).unwrap(), std::fs::read(&other).unwrap());
    // Now it is another file than the one that was opened.
    let result = stored(&model, &change, &folder.path().join("late.onnx"));
    assert!(matches!(result, Err(SaveError::SuspectChanged(_))), "{result:?}");
    assert!(!names(folder.path()).iter().any(|n| n.ends_with(".part") || n.starts_with("late")));
}

#[test]
fn places_that_cannot_be_written_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let model = put(folder.path(), &float_model());
    let change = one_number(&model, "w", 7.5);
    let result = |to: &Path| stored(&model, &change, to).unwrap_err();
    assert!(matches!(result(&folder.path().join("absent/x.onnx")), SaveError::NoFolder(_)));
    assert!(matches!(result(folder.path()), SaveError::NotAFile(_)));
    let wrong = Change {
        parameters: BTreeMap::from([("w".into(), Tensor::new(&[1.0_f32], &Device::Cpu).unwrap())]),
        ..Change::default()
    };
    let error = stored(&model, &wrong, &folder.path().join("x.onnx")).unwrap_err();
    assert!(error.to_string().contains("\"w\" has the shape [4, 3, 1, 1], not [1]"), "{error}");
    assert!(result(&folder.path().join("x.h5")).to_string().contains("cannot become a Keras file"));
    assert_eq!(names(folder.path()), ["suspect.onnx"]);
    if Path::new("/proc/self").is_dir() {
        // Nobody, the superuser included, can make a file here.
        let error = result(Path::new("/proc/x.onnx"));
        assert!(matches!(error, SaveError::ReadOnly(_) | SaveError::NoFolder(_) | SaveError::Io { .. }), "{error:?}");
    } else {
        eprintln!("skipped: no folder here refuses everybody");
    }
}

/// A disk of 64 KiB, where one may be mounted.
#[test]
fn a_full_disk_leaves_nothing_and_says_how_much_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(&disk).output();
    if !mounted.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let model = open(&sample()).unwrap();
    let result = stored(&model, &Change::default(), &disk.join("repaired.onnx"));
    let left = names(&disk);
    assert!(std::process::Command::new("umount").arg(&disk).status().unwrap().success());
    let error = result.unwrap_err();
    let size = std::fs::metadata(sample()).unwrap().len();
    assert!(matches!(error, SaveError::DiskFull { needed, .. } if needed == size), "{error:?}");
    assert!(left.is_empty(), "{left:?}");
}

/// Saves over one file again and again until it is killed; run by the test below.
#[test]
#[ignore = "runs until it is killed, in a process of its own"]
fn a_child_that_saves_without_end() {
    let Some(folder) = std::env::var_os("POISDETC_SAVE_WITHOUT_END").map(PathBuf::from) else { return };
    let model = open(&folder.join("suspect.onnx")).unwrap();
    for round in 0.. {
        let change = if round % 2 == 0 { Change::default() } else { one_number(&model, "w", 7.5) };
        save(&model, &change, &plain(&model), &folder.join("saved.onnx"), Overwrite::Others, None).unwrap();
    }
}

#[test]
fn a_program_that_is_killed_while_it_saves_leaves_one_whole_file_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let model = put(folder.path(), &float_model());
    let saved = folder.path().join("saved.onnx");
    let other = stored(&model, &one_number(&model, "w", 7.5), &saved).unwrap().sha256;
    for round in 0..12 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "a_child_that_saves_without_end"])
            .env("POISDETC_SAVE_WITHOUT_END", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60 + 13 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = open(&saved).unwrap().sha256;
        assert!(found == other || found == model.sha256, "round {round}");
    }
}

fn sample() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample");
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    models.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    models.sort();
    models.pop().expect("the sample has a model")
}

/// Changed numbers and clamps of one model, into its own format and, from Keras, into ONNX.
fn round_trip(path: &Path) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let model = open(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let own = |stem: &str| folder.path().join(stem).with_extension(path.extension().unwrap());
    let ok = |result: Result<Saved, SaveError>| result.unwrap_or_else(|e| panic!("{name}: {e}"));
    let same = ok(stored(&model, &stirless(&model), &own("same")));
    assert_eq!(same.sha256, model.sha256, "{name}");
    let saved = ok(stored(&model, &stirred(&model), &own("stirred")));
    assert_eq!(saved.format, model.format);
    assert_eq!(std::fs::metadata(path).unwrap().len(), std::fs::metadata(&saved.path).unwrap().len(), "{name}");
    assert_ne!(saved.sha256, model.sha256, "{name}");
    let change = Change { parameters: stirred(&model).parameters, ..clamped(&model, 3) };
    let as_onnx = stored(&model, &change, &folder.path().join("clamped.onnx"));
    let old = matches!(&as_onnx, Err(e) if e.to_string().contains("operators of version"));
    if !old {
        let saved = ok(as_onnx);
        println!("{name}: {} clamps, {:.1e}", change.clamps.len(), saved.difference);
        keep(&model, &change, &saved.path, &name);
    } else {
        println!("{name}: {}", as_onnx.unwrap_err());
    }
    if model.format == Format::Keras && !change.clamps.is_empty() {
        let error = stored(&model, &change, &own("clamped")).unwrap_err().to_string();
        assert!(error.contains("no place for a clamp") && error.contains(".onnx"), "{name}: {error}");
    }
}

/// Where `POISDETC_EXPORTS` names a folder, exported models and our answers are left there for
/// `python/check_export.py`.
fn keep(model: &Model, change: &Change, file: &Path, name: &str) {
    let Some(folder) = std::env::var_os("POISDETC_EXPORTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let stem = name.replace('.', "_");
    std::fs::copy(file, folder.join(format!("{stem}.onnx"))).unwrap();
    let classifier = poisdetc::model::Classifier::new(model, plain(model), &Device::Cpu).unwrap();
    let [h, w] = plain(model).size;
    let x =
        Seed(6).of("export").random().uniform_tensor(0.0, 1.0, (2, model.input.channels, h, w), &Device::Cpu).unwrap();
    let logits = change.apply(&classifier).unwrap().logits(&x).unwrap();
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let text = serde_json::json!({
        "shape": x.dims(), "pixels": flat(&x), "channels_last": format!("{:?}", model.input.layout) == "Nhwc",
        "notes": model.notes, "logits": flat(&logits),
    });
    std::fs::write(folder.join(format!("{stem}.json")), text.to_string()).unwrap();
}

#[test]
fn the_sample_and_our_keras_models_come_back_repaired() {
    round_trip(&sample());
    for name in ["many_layers", "nested", "gray"] {
        round_trip(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name).with_extension("h5"));
    }
}

/// Our Keras models with other numbers, as they are exported.
fn exported_keras(name: &str, folder: &Path) -> (Saved, Tensor, Tensor) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name).with_extension("h5");
    let model = open(&path).unwrap();
    let change = stirred(&model);
    let saved = stored(&model, &change, &folder.join(name).with_extension("h5")).unwrap();
    let classifier = poisdetc::model::Classifier::new(&model, plain(&model), &Device::Cpu).unwrap();
    let [h, w] = plain(&model).size;
    let shape = (2, model.input.channels, h, w);
    let x = Seed(6).of("export").random().uniform_tensor(0.0, 1.0, shape, &Device::Cpu).unwrap();
    let logits = change.apply(&classifier).unwrap().logits(&x).unwrap();
    (saved, x, logits)
}

/// `python/answer_keras_exports.py` loaded these very files in Keras and stored its answers.
#[test]
fn keras_loads_our_files_and_answers_as_we_do() {
    let fixture = include_str!("fixtures/keras_export_answers.json");
    let answers: BTreeMap<String, serde_json::Value> = serde_json::from_str(fixture).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Keras itself cannot load `many_layers` again: its old format does not keep the step `x * 1.5`.
    let names = ["nested", "gray"];
    let exported = names.map(|name| (name, exported_keras(name, folder.path())));
    for (name, (saved, x, _)) in &exported {
        if let Some(exports) = std::env::var_os("POISDETC_EXPORTS").map(PathBuf::from) {
            std::fs::create_dir_all(exports.join("keras")).unwrap();
            let to = exports.join("keras").join(name).with_extension("h5");
            std::fs::copy(&saved.path, &to).unwrap();
            let pixels = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let text = serde_json::json!({ "shape": x.dims(), "pixels": pixels });
            std::fs::write(to.with_extension("h5.json"), text.to_string()).unwrap();
        }
    }
    for (name, (saved, _, logits)) in &exported {
        let Some(theirs) = answers.get(*name) else { panic!("{name} was not answered by Keras") };
        assert_eq!(saved.sha256, theirs["sha256"].as_str().unwrap(), "{name}: the stored answers are of another file");
        let shares = candle_nn::ops::softmax(logits, candle_core::D::Minus1).unwrap().to_vec2::<f32>().unwrap();
        let theirs: Vec<Vec<f32>> = serde_json::from_value(theirs["shares"].clone()).unwrap();
        let worst = shares.concat().iter().zip(theirs.concat()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5 && shares.concat().len() == theirs.concat().len(), "{name}: {worst}");
    }
}

#[test]
fn every_model_of_the_zoo_comes_back_repaired() {
    let shared = std::env::var_os("POISDETC_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let Ok(models) = std::fs::read_dir(shared.join("zoo/models")) else {
        eprintln!("skipped: the zoo is not at {}", shared.display());
        return;
    };
    let mut models: Vec<PathBuf> = models.map(|e| e.unwrap().path()).collect();
    models.retain(|p| p.extension().is_some_and(|e| e == "onnx" || e == "h5"));
    models.sort();
    assert!(models.len() >= 21, "{}", models.len());
    models.iter().for_each(|path| round_trip(path));
}
