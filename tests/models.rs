//! Every ONNX model of the zoo answers as onnxruntime does, and its gradients are those of its answers.
//!
//! Reads the shared zoo (`../shared`, or the folder that `POISDETC_SHARED` names); skipped where it is absent.
//! The answers of onnxruntime were stored by `fixtures/make_onnxruntime_answers.py`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{D, Device, Tensor, Var};
use poisdetc::images::{self, ImageSet, Wanted};
use poisdetc::model::{ChannelOrder, Classifier, InputLayout, Model, Preprocessing, open};
use poisdetc::progress::Monitor;
use poisdetc::tensor::Seed;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Pictures per model in the stored answers.
const PICTURES: usize = 32;

/// Largest difference to onnxruntime that is accepted, in logits or shares.
const TOLERANCE: f32 = 1e-3;

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("POISDETC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    if folder.join("zoo/manifest.json").exists() {
        return Some(folder);
    }
    eprintln!("skipped: the shared zoo is not at {}", folder.display());
    None
}

fn entries(shared: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(shared.join("zoo/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let entries = manifest["models"].as_array().unwrap().clone();
    entries.into_iter().filter(|e| e["model"].as_str().unwrap().ends_with(".onnx")).collect()
}

/// The manifest's fraction or number.
fn number(value: &Value) -> f32 {
    match value {
        Value::String(text) => {
            let (top, bottom) = text.split_once('/').unwrap();
            top.parse::<f32>().unwrap() / bottom.parse::<f32>().unwrap()
        }
        other => other.as_f64().unwrap() as f32,
    }
}

fn per_channel(value: &Value, channels: usize) -> Vec<f32> {
    match value {
        Value::Array(list) => list.iter().map(number).collect(),
        one => vec![number(one); channels],
    }
}

/// The manifest's preprocessing; its scale is for bytes, ours for pixels in [0, 1].
fn preprocessing(entry: &Value, model: &Model) -> Preprocessing {
    let how = &entry["preprocess"];
    let channels = model.input.channels;
    Preprocessing {
        size: model.input.size.unwrap(),
        channels,
        order: ChannelOrder::Rgb,
        scale: 255.0 * number(&how["scale"]),
        mean: per_channel(&how["mean"], channels),
        std: per_channel(&how["std"], channels),
        name: "manifest".into(),
    }
}

/// Image sets by path, each read once.
struct Pictures(HashMap<PathBuf, ImageSet>);

impl Pictures {
    /// The first pictures of the set that fits a model, cut at the top left to its size.
    fn first(&mut self, shared: &Path, entry: &Value, size: [usize; 2]) -> Tensor {
        let path = shared.join("zoo").join(entry["images"].as_str().unwrap());
        let set = self.0.entry(path.clone()).or_insert_with(|| {
            let set = images::open(&path, &Wanted::default(), &Monitor::silent()).unwrap();
            set.subset(&(0..PICTURES).collect::<Vec<_>>())
        });
        let all = set.tensor(&(0..PICTURES).collect::<Vec<_>>(), &Device::Cpu).unwrap();
        all.narrow(2, 0, size[0]).unwrap().narrow(3, 0, size[1]).unwrap()
    }
}

fn softmax(logits: &Tensor) -> Tensor {
    let e = logits.broadcast_sub(&logits.max_keepdim(D::Minus1).unwrap()).unwrap().exp().unwrap();
    e.broadcast_div(&e.sum_keepdim(D::Minus1).unwrap()).unwrap()
}

#[test]
fn every_onnx_model_of_the_zoo_is_understood_and_answers_as_onnxruntime() {
    let Some(shared) = shared() else { return };
    let stored: HashMap<String, Vec<Vec<f32>>> =
        serde_json::from_str(include_str!("fixtures/onnxruntime_answers.json")).unwrap();
    let mut pictures = Pictures(HashMap::new());
    let entries = entries(&shared);
    assert!(entries.len() >= 18, "the zoo has {} ONNX models", entries.len());
    for entry in &entries {
        let name = entry["model"].as_str().unwrap();
        let model = open(&shared.join("zoo").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(model.sha256, entry["sha256"].as_str().unwrap(), "{name}");
        assert_eq!(model.classes, entry["classes"].as_u64().unwrap() as usize, "{name}");
        let layout = if entry["layout"] == "NHWC" { InputLayout::Nhwc } else { InputLayout::Nchw };
        assert_eq!(model.input.layout, layout, "{name}");
        assert_eq!(model.input.fixed_batch, None, "{name}");
        let shares = entry["output"] == "softmax";
        assert_eq!(model.notes.iter().any(|n| n.contains("softmax")), shares, "{name}: {:?}", model.notes);

        let classifier = Classifier::new(&model, preprocessing(entry, &model), &Device::Cpu).unwrap();
        let x = pictures.first(&shared, entry, model.input.size.unwrap());
        let logits = classifier.logits(&x).unwrap_or_else(|e| panic!("{name}: {e}"));
        let answers = if shares { softmax(&logits) } else { logits };
        let answers = answers.to_vec2::<f32>().unwrap();
        let expected = &stored[name];
        assert_eq!((answers.len(), answers[0].len()), (PICTURES, expected[0].len()), "{name}");
        let pairs = answers.iter().flatten().zip(expected.iter().flatten());
        let worst = pairs.map(|(a, e)| (a - e).abs()).fold(0.0, f32::max);
        println!("{name}: {worst:.2e}");
        assert!(worst <= TOLERANCE, "{name} differs from onnxruntime by {worst}");
    }
}

/// Half the length of a step of the finite difference, in units of pixels (L2 over the batch). Long steps cross kinks of
/// ReLU and max pooling, short ones drown in 32-bit rounding; a right gradient agrees with one of them.
const STEPS: [f64; 4] = [2e-2, 5e-3, 1e-3, 2e-4];

/// Accepted error of a directional derivative, as a share of the gradient's length.
const SHARE: f64 = 0.01;

#[test]
fn input_gradients_agree_with_finite_differences_on_every_model_of_the_zoo() {
    let Some(shared) = shared() else { return };
    let mut pictures = Pictures(HashMap::new());
    for entry in &entries(&shared) {
        let name = entry["model"].as_str().unwrap();
        let model = open(&shared.join("zoo").join(name)).unwrap();
        let classifier = Classifier::new(&model, preprocessing(entry, &model), &Device::Cpu).unwrap();
        let x = pictures.first(&shared, entry, model.input.size.unwrap()).narrow(0, 0, 4).unwrap();
        let mut random = Seed(5).of(name).random();
        let weights = random.normal_tensor(1.0, (4, model.classes), &Device::Cpu).unwrap();
        let value = |x: &Tensor| -> f64 {
            let y = classifier.logits(x).unwrap();
            let terms = y.detach().mul(&weights).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            terms.into_iter().map(f64::from).sum()
        };
        let variable = Var::from_tensor(&x).unwrap();
        let y = classifier.logits(&variable).unwrap();
        let gradients = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&variable).unwrap_or_else(|| panic!("{name} has no gradient"));
        let length = |t: &Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
        let size = length(gradient);
        assert!(size.is_finite() && size > 0.0, "{name}");
        let mut worst = 0.0_f64;
        for _ in 0..3 {
            // Half along the gradient, so that its length counts, half anywhere, so that its direction does.
            let anywhere = random.normal_tensor(1.0, x.shape(), &Device::Cpu).unwrap();
            let direction = ((gradient / size).unwrap() + (&anywhere / length(&anywhere)).unwrap()).unwrap().detach();
            let direction = (&direction / length(&direction)).unwrap();
            let slope = f64::from(gradient.mul(&direction).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
            let error = |length: f64| {
                let step = (&direction * length).unwrap();
                let (ahead, behind) = (value(&x.add(&step).unwrap()), value(&x.sub(&step).unwrap()));
                ((ahead - behind) / (2.0 * length) - slope).abs() / size
            };
            worst = worst.max(STEPS.into_iter().map(error).fold(f64::INFINITY, f64::min));
        }
        println!("{name}: {:.2} % of the gradient", 100.0 * worst);
        assert!(worst <= SHARE, "{name}: gradient is off by {worst} of its length");
    }
}
