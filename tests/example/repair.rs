//! A plausible finished repair of the hand-made audit.

use super::example;
use poisdetc::audit::repairing::{RepairOrder, RepairReport};
use poisdetc::audit::{Audit, Verdict};
use poisdetc::detect::Example;
use poisdetc::model::{Change, Format, Saved};
use poisdetc::repair::{Attempt, Measured, Point};

/// The curve of its method, from 98 % down to 2 % of attack success.
pub fn curve() -> Vec<Point> {
    let at = |i: usize| {
        let done = i as f32 / 12.0;
        Point { done, accuracy: 0.983 - 0.012 * done, asr: Some(0.02 + 0.96 * (1.0 - done).powi(3)) }
    };
    (0..=12).map(at).collect()
}

/// The repair; `clean` where its second audit finds nothing.
pub fn report(clean: bool) -> RepairReport {
    let audit = example::audit();
    let order = RepairOrder::of(&audit, "/nowhere/signs-suspect-repaired.onnx".into());
    let measured = |accuracy: f32, asr: f32| Measured {
        images: audit.images.held_out,
        accuracy,
        by_label: (0..audit.labels.len()).map(|label| Some(accuracy - 0.004 * (label % 3) as f32)).collect(),
        asr: vec![(example::INFECTED, asr)],
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
            failure: None,
        }],
        before,
        after,
        meets_aim: true,
        examples_before: trigger.examples.clone(),
        examples_after: trigger.examples.iter().map(answer).collect(),
        change: Change::default(),
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
        limits: vec![
            "The attacker's own trigger is unknown. Shown is that the recovered one no longer works and what a second \
             search finds, not that the attacker's is gone"
                .into(),
        ],
        order,
    }
}
