//! What a changed classifier answers, held against numbers computed by hand.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::graph::Unary;
use crate::model::{Format, InputLayout, InputSpec, Model, Preprocessing};

/// Two channels, `relu(picture)`, the mean over the picture and twice that: `[n, 2]`.
fn model() -> Model {
    let value = |name: &str, source| Value { name: name.into(), source };
    let values = vec![
        value("picture", Source::Input),
        value("lit", Source::Computed),
        value("mean", Source::Computed),
        value("flat", Source::Computed),
        value("scale", Source::Parameter("scale".into())),
        value("logits", Source::Computed),
    ];
    let node = |name: &str, op, inputs: &[usize], output| Node {
        name: name.into(),
        op,
        inputs: inputs.iter().map(|&i| Some(ValueId(i))).collect(),
        outputs: vec![ValueId(output)],
    };
    let nodes = vec![
        node("relu", Op::Unary(Unary::Relu), &[0], 1),
        node("pool", Op::GlobalAvgPool, &[1], 2),
        node("flatten", Op::Flatten { axis: 1 }, &[2], 3),
        node("mul", Op::Binary(Binary::Mul), &[3, 4], 5),
    ];
    let scale = Tensor::new(&[2.0_f32, 2.0, 2.0], &Device::Cpu).unwrap();
    Model {
        path: "hand made".into(),
        format: Format::Onnx,
        sha256: String::new(),
        graph: Arc::new(Graph { values, nodes, input: ValueId(0), logits: ValueId(5) }),
        parameters: Parameters::from([("scale".into(), scale)]),
        input: InputSpec { layout: InputLayout::Nchw, channels: 3, size: Some([2, 2]), fixed_batch: None },
        classes: 3,
        notes: Vec::new(),
    }
}

fn classifier() -> Classifier {
    Classifier::new(&model(), Preprocessing::unit([2, 2], 3), &Device::Cpu).unwrap()
}

fn answers(classifier: &Classifier) -> Vec<f32> {
    let pixels = Tensor::from_vec((0..12).map(|i| i as f32 / 12.0).collect(), (1, 3, 2, 2), &Device::Cpu).unwrap();
    classifier.logits(&pixels).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
}

fn clamp(value: &str, bounds: &[f32]) -> Change {
    let clamp = Clamp { value: value.into(), bounds: bounds.to_vec(), axis: 1 };
    Change { clamps: vec![clamp], ..Change::default() }
}

#[test]
fn nothing_changed_answers_the_same_and_new_numbers_leave_the_original_alone() {
    let old = classifier();
    let before = answers(&old);
    assert_eq!(answers(&Change::default().apply(&old).unwrap()), before);
    let scale = Tensor::new(&[0.0_f32, 1.0, 4.0], &Device::Cpu).unwrap();
    let change = Change { parameters: BTreeMap::from([("scale".into(), scale)]), clamps: Vec::new() };
    let expected = [0.0, before[1] / 2.0, before[2] * 2.0];
    assert!(close(&answers(&change.apply(&old).unwrap()), &expected));
    assert_eq!(answers(&old), before);
}

#[test]
fn a_clamp_holds_each_channel_under_its_own_bound() {
    let old = classifier();
    // Means of the channels are 1.5, 5.5 and 9.5 twelfths.
    let change = clamp("mean", &[1.0, 0.25, f32::INFINITY]);
    assert!(close(&answers(&change.apply(&old).unwrap()), &[0.25, 0.5, 19.0 / 12.0]));
    // Cells of the second channel are 4, 5, 6 and 7 twelfths.
    let change = clamp("lit", &[1.0, 5.0 / 12.0, 1.0]);
    assert!(close(&answers(&change.apply(&old).unwrap()), &[0.25, 2.0 * 4.75 / 12.0, 19.0 / 12.0]));
    assert!(close(&answers(&old), &[0.25, 11.0 / 12.0, 19.0 / 12.0]));
}

#[test]
fn the_logits_can_be_clamped_and_one_value_twice() {
    let mut change = clamp("logits", &[0.125, 0.5, 2.0]);
    change.clamps.extend(clamp("logits", &[1.0, 1.0, 1.0]).clamps);
    assert!(close(&answers(&change.apply(&classifier()).unwrap()), &[0.125, 0.5, 1.0]));
}

#[test]
fn what_does_not_fit_is_named() {
    let old = classifier();
    let text = |change: &Change| change.apply(&old).unwrap_err().to_string();
    let new = |name: &str, t: Tensor| Change { parameters: BTreeMap::from([(name.into(), t)]), clamps: Vec::new() };
    let ones = |n: usize| Tensor::ones(n, DType::F32, &Device::Cpu).unwrap();
    assert!(text(&new("w", ones(3))).contains("parameter \"w\" is none of the model's"));
    assert!(text(&new("scale", ones(2))).contains("\"scale\" has the shape [3], not [2]"));
    assert!(text(&new("scale", Tensor::new(&[0_u8, 1, 2], &Device::Cpu).unwrap())).contains("U8"));
    assert!(text(&new("scale", Tensor::new(&[0_f32, f32::NAN, 2.0], &Device::Cpu).unwrap())).contains("NaN"));
    assert!(text(&clamp("absent", &[1.0])).contains("no step"));
    assert!(text(&clamp("picture", &[1.0; 3])).contains("no step"));
    assert!(text(&clamp("mean", &[1.0, 1.0])).contains("2 bounds along axis 1 of a value of shape [1, 3, 1, 1]"));
    assert!(text(&clamp("mean", &[1.0, f32::NAN, 1.0])).contains("no number"));
}
