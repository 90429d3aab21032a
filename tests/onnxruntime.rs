//! The models the program wrote itself mean the same to onnxruntime.
//!
//! `fixtures/answer_sample.py` writes what onnxruntime answers, and `POISDETC_ONNXRUNTIME` says where; skipped
//! where it is not set, since the project itself never needs Python. `.ci/run` sets it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::Device;
use poisdetc::images::{self, Wanted};
use poisdetc::model::{self, Classifier, Preprocessing};
use poisdetc::progress::Monitor;
use serde_json::Value;
use std::path::Path;

/// Largest difference of a logit, of logits around 10.
const TOLERANCE: f32 = 1e-3;

#[test]
fn onnxruntime_answers_the_sample_as_we_do() {
    let Some(file) = std::env::var_os("POISDETC_ONNXRUNTIME") else {
        eprintln!("skipped: POISDETC_ONNXRUNTIME does not name the answers of onnxruntime");
        return;
    };
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample");
    let set = images::open(&folder.join("signs.npz"), &Wanted::default(), &Monitor::silent()).unwrap();
    let chosen: Vec<usize> = serde_json::from_value(stored["chosen"].clone()).unwrap();
    let pixels = set.tensor(&chosen, &Device::Cpu).unwrap();
    let answers = stored["answers"].as_object().unwrap();
    assert_eq!(answers.len(), 2, "the suspect and its honest twin");
    for (name, theirs) in answers {
        let theirs: Vec<Vec<f32>> = serde_json::from_value(theirs.clone()).unwrap();
        let model = model::open(&folder.join(name)).unwrap();
        let plain = Preprocessing::unit([set.height, set.width], set.channels);
        let classifier = Classifier::new(&model, plain, &Device::Cpu).unwrap();
        let ours: Vec<Vec<f32>> = classifier.logits(&pixels).unwrap().to_vec2().unwrap();
        assert_eq!((ours.len(), ours[0].len()), (theirs.len(), theirs[0].len()));
        let difference = ours.iter().flatten().zip(theirs.iter().flatten()).map(|(a, b)| (a - b).abs());
        let worst = difference.fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "{name}: a logit differs by {worst}");
    }
}
