//! A plausible finished repair of the hand-made audit.

use super::example;
use candle_core::{DType, Device, Tensor};
use poisdetc::audit::repairing::{Pictures, Proof, RepairOrder, RepairReport, UNKNOWN};
use poisdetc::audit::{Audit, Verdict};
use poisdetc::detect::{Example, Shape, Trigger};
use poisdetc::images::{self, Wanted};
use poisdetc::model::{self, Change, Classifier, Format, Preprocessing, Saved};
use poisdetc::progress::Monitor;
use poisdetc::repair::{Attempt, Choice, Choices, Counted, Measured, Point, Stamp, Success};
use std::path::Path;
use std::sync::Arc;

/// The curve of its method, from 98 % down to 2 % of attack success.
pub fn curve() -> Vec<Point> {
    let at = |i: usize| {
        let done = i as f32 / 12.0;
        Point { done, accuracy: 0.983 - 0.012 * done, asr: Some(0.02 + 0.96 * (1.0 - done).powi(3)) }
    };
    (0..=12).map(at).collect()
}

/// How often the recovered mark works.
fn marked(share: f32) -> Vec<Success> {
    vec![Success { label: example::INFECTED, stamp: Stamp::Mark, share }]
}

/// The repair; `clean` where its second audit finds nothing.
pub fn report(clean: bool) -> RepairReport {
    let audit = example::audit();
    let order = RepairOrder::of(&audit, "/nowhere/signs-suspect-repaired.onnx".into());
    let measured = |accuracy: f32, asr: f32| Measured {
        images: audit.images.held_out,
        accuracy,
        by_label: (0..audit.labels.len()).map(|label| Some(accuracy - 0.004 * (label % 3) as f32)).collect(),
        asr: marked(asr),
    };
    let (before, after) = (measured(0.983, 0.989), measured(0.971, 0.021));
    let trigger = audit.labels[example::INFECTED].trigger.as_ref().expect("the infected label has a trigger");
    let answer = |e: &Example| Example { answer_after: (e.truth, 0.94), ..e.clone() };
    let mut again = Audit { order: audit.order.clone(), ..audit.clone() };
    if clean {
        again.verdict = Verdict::NoEvidence;
        again.summary = "No evidence of poisoning was found. That is no proof that there is none".into();
    }
    RepairReport {
        method: "unlearning".into(),
        attempts: vec![Attempt {
            method: "unlearning".into(),
            curve: curve(),
            reached: Some(after.clone()),
            proved: Some(after.clone()),
            failure: None,
        }],
        before,
        after,
        meets_aim: true,
        pictures: vec![Pictures {
            label: example::INFECTED,
            before: trigger.examples.clone(),
            after: trigger.examples.iter().map(answer).collect(),
        }],
        change: Change::default(),
        choices: None,
        proof: None,
        saved: Saved {
            path: order.destination.clone(),
            data: Vec::new(),
            format: Format::Onnx,
            sha256: "5b".repeat(32),
            difference: 0.0,
            pictures: 8,
            notes: Vec::new(),
        },
        scanned_again: Some(again),
        stopped: false,
        seconds: 41.0,
        limits: vec![UNKNOWN.into()],
        order,
    }
}

/// Settings of [`with_settings`]: the bias of the last layer is multiplied by these. The last makes the model useless.
pub const FACTORS: [f32; 4] = [1.0, 1.01, 1.02, 1000.0];
/// The parameter they change.
pub const CHANGED: &str = "output.bias";

/// The same repair with a trade-off of four settings over the model of the sample, the second of them chosen. What they
/// did on validation images is made up, what they do on held-back ones is measured by whoever takes another; the repaired
/// files go to `folder`.
pub fn with_settings(folder: &Path) -> RepairReport {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample");
    let model = model::open(&sample.join("signs-suspect.onnx")).expect("the sample opens");
    let size = model.input.size.expect("the sample has a fixed size");
    let preprocessing = Preprocessing::unit(size, model.input.channels);
    let wants = Wanted { channels: Some(model.input.channels), size: Some(size), label_names: None };
    let images = images::open(&sample.join("signs.npz"), &wants, &Monitor::silent()).expect("the images open");
    let suspect = Classifier::new(&model, preprocessing.clone(), &Device::Cpu).expect("it can be run");
    let shape = |channels: usize| (1, channels, size[0], size[1]);
    let trigger = Trigger {
        label: example::INFECTED,
        source: None,
        shape: Shape::Patch,
        mask: Tensor::zeros(shape(1), DType::F32, &Device::Cpu).expect("a mask"),
        pattern: Tensor::zeros(shape(model.input.channels), DType::F32, &Device::Cpu).expect("a pattern"),
        l1: 0.0,
        asr_search: 1.0,
        reached: true,
    };
    let mut report = report(true);
    let bias = &suspect.parameters()[CHANGED];
    let choice = |i: usize| {
        let share = i as f32 / (FACTORS.len() - 1) as f32;
        let mut change = Change::default();
        if i > 0 {
            let changed = bias.affine(f64::from(FACTORS[i]), 0.0).expect("a bias");
            change.parameters.insert(CHANGED.into(), changed);
        }
        let asr = marked(0.98 * (1.0 - share));
        let measured = Measured { images: 60, accuracy: 0.983 - 0.03 * share, by_label: Vec::new(), asr };
        Choice::new(format!("{i} of 3, {} channels off", 4 * i), change, measured)
    };
    report.choices = Some(Choices {
        setting: "Deviations from its layer beyond which a channel is switched off",
        list: (0..FACTORS.len()).map(choice).collect(),
        chosen: 1,
    });
    report.order.audited.model = model.path.clone();
    report.order.sha256 = model.sha256.clone();
    report.order.preprocessing = preprocessing;
    report.order.destination = folder.join("signs-suspect-repaired.onnx");
    report.proof = Some(Arc::new(Proof {
        suspect,
        images: images.sample(48, report.order.audited.settings.seed),
        counted: vec![Counted { stamp: Stamp::Mark, trigger }],
    }));
    report
}
