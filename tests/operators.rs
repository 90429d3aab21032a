//! Every operator that is read answers as onnxruntime does, in its old and new forms, and has the gradient of its answer.
//!
//! The models and answers were stored by `fixtures/make_operator_answers.py`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};
use poisdetc::model::{Classifier, Preprocessing, open};
use poisdetc::tensor::Seed;
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Stored {
    pixels: Vec<f32>,
    cases: BTreeMap<String, Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    model: String,
    answers: Vec<Vec<f32>>,
}

/// Half the length of a step of the finite difference; a right gradient agrees with one of them.
const STEPS: [f64; 4] = [2e-2, 5e-3, 1e-3, 2e-4];

/// Accepted error of a directional derivative, as a share of the gradient's length.
const SHARE: f64 = 0.01;

fn base64(text: &str) -> Vec<u8> {
    let digit = |b: u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text.bytes().filter(|&b| b != b'=').map(|b| u32::from(digit(b))).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, d| bits << 6 | d) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

fn check(name: &str, case: &Case, pixels: &Tensor) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, base64(&case.model)).unwrap();
    let model = open(&path).map_err(|e| e.to_string())?;
    let expected: Vec<f32> = case.answers.concat();
    if (model.classes, model.input.size, model.input.fixed_batch) != (case.answers[0].len(), Some([5, 6]), None) {
        return Err(format!("is understood as {:?} with {} classes", model.input, model.classes));
    }
    let classifier =
        Classifier::new(&model, Preprocessing::unit([5, 6], 3), &Device::Cpu).map_err(|e| e.to_string())?;
    let x = Var::from_tensor(pixels).unwrap();
    let y = classifier.logits(&x).map_err(|e| e.to_string())?;
    let answers = y.detach().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let worst = answers.iter().zip(&expected).map(|(a, e)| (a - e).abs() / e.abs().max(1.0)).fold(0.0, f32::max);
    if worst > 2e-5 || answers.len() != expected.len() {
        return Err(format!("differs from onnxruntime by {worst}: {answers:.3?} instead of {expected:.3?}"));
    }

    let mut random = Seed(9).of(name).random();
    let weights = random.normal_tensor(1.0, y.shape(), &Device::Cpu).unwrap();
    let total = y.mul(&weights).unwrap().sum_all().unwrap();
    let gradients = total.backward().map_err(|e| e.to_string())?;
    // Nothing flows back through steps such as rounding.
    let gradient = gradients.get(&x).cloned().unwrap_or_else(|| pixels.zeros_like().unwrap());
    let value = |x: &Tensor| -> f64 {
        let y = classifier.logits(x).unwrap();
        y.mul(&weights).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).sum()
    };
    let length = |t: &Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
    let size = length(&gradient).max(0.05);
    for _ in 0..3 {
        let anywhere = random.normal_tensor(1.0, pixels.shape(), &Device::Cpu).unwrap();
        let direction = ((&gradient / size).unwrap() + (&anywhere / length(&anywhere)).unwrap()).unwrap();
        let slope = f64::from(gradient.mul(&direction).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
        let error = |length: f64| {
            let step = (&direction * length).unwrap();
            let (ahead, behind) = (value(&pixels.add(&step).unwrap()), value(&pixels.sub(&step).unwrap()));
            ((ahead - behind) / (2.0 * length) - slope).abs() / size
        };
        let error = STEPS.into_iter().map(error).fold(f64::INFINITY, f64::min);
        if error > SHARE {
            return Err(format!("has a gradient that is off by {error:.4} of its length"));
        }
    }
    Ok(())
}

#[test]
fn every_operator_answers_as_onnxruntime_and_has_the_right_gradient() {
    let stored: Stored = serde_json::from_str(include_str!("fixtures/operator_answers.json")).unwrap();
    let pixels = Tensor::from_vec(stored.pixels, (2, 3, 5, 6), &Device::Cpu).unwrap();
    assert!(stored.cases.len() > 100);
    let wrong: Vec<String> = stored
        .cases
        .iter()
        .filter_map(|(name, case)| check(name, case, &pixels).err().map(|why| format!("{name} {why}")))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), stored.cases.len(), wrong.join("\n"));
}
