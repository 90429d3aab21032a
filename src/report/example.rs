//! A small finished audit for the tests of everything that shows one.

use crate::audit::{Audit, Finding, ImagesSummary, LabelFindings, ModelSummary, Order, ReferenceSummary, Verdict};
use crate::detect::{Example, MarginEvidence, Picture, Shape, ShotEvidence, TriggerEvidence};
use crate::images::{Candidate, Discovery};
use crate::model::{Format, InputLayout, InputSpec, Preprocessing};

fn picture(channels: usize, value: f32) -> Picture {
    Picture { channels, height: 4, width: 5, values: vec![value; channels * 20] }
}

fn shots(label: usize, losses: [f32; 2], prob: f32) -> ShotEvidence {
    ShotEvidence {
        label,
        losses: losses.into(),
        reference_losses: vec![4.0, 5.0],
        steps: vec![100, 200],
        prob,
        flagged_by_original_rule: prob >= 0.5,
        clean_losses: vec![2.0, 3.0],
        clean_prob: 0.0,
        p_value: Some(0.5),
        points: vec![picture(3, 0.5)],
    }
}

fn trigger(label: usize) -> TriggerEvidence {
    let mut mask = picture(1, 0.0);
    mask.values[19] = 1.0;
    TriggerEvidence {
        label,
        source: None,
        shape: Shape::Patch,
        mask,
        pattern: picture(3, 1.0),
        asr_search: 0.99,
        asr: 0.98,
        asr_images: 40,
        l1: 1.0,
        size: 0.05,
        reached: true,
        second_search: true,
        anomaly_index: Some(3.5),
        p_value: Some(0.008),
        usual_size: Some(0.18),
        reverse_size: None,
        elsewhere: None,
        all_to_all: None,
        reference_sizes: vec![0.2],
        reference_asr: vec![0.1],
        examples: vec![Example {
            before: picture(3, 0.25),
            after: picture(3, 0.75),
            truth: 0,
            answer_before: (0, 0.9),
            answer_after: (1, 0.99),
        }],
    }
}

/// Three labels: nothing at 0, infected with a trigger at 1, not examined at 2.
pub fn audit() -> Audit {
    let labels = vec![
        LabelFindings {
            label: 0,
            name: "yield".into(),
            verdict: Verdict::NoEvidence,
            findings: Vec::new(),
            margin: None,
            shots: Some(shots(0, [2.5, 3.5], 0.0)),
            trigger: None,
        },
        LabelFindings {
            label: 1,
            name: "stop".into(),
            verdict: Verdict::Infected,
            findings: vec![Finding { verdict: Verdict::Infected, because: "one mark turns 98.0 % into it".into() }],
            margin: Some(MarginEvidence {
                label: 1,
                margin: 31.5,
                times_usual: 2.5,
                index: Some(3.25),
                p_value: Some(0.01),
            }),
            shots: Some(shots(1, [0.01, 0.02], 1.0)),
            trigger: Some(trigger(1)),
        },
        LabelFindings {
            label: 2,
            name: "turn".into(),
            verdict: Verdict::NoEvidence,
            findings: Vec::new(),
            margin: None,
            shots: None,
            trigger: None,
        },
    ];
    let preprocessing = Preprocessing::unit([4, 5], 3);
    let candidate = Candidate { preprocessing: preprocessing.clone(), accuracy: 0.97, loss: 0.1 };
    Audit {
        schema: 1,
        program: "0.0.0".into(),
        order: Order { model: "signs.onnx".into(), images: "signs".into(), ..Order::default() },
        model: ModelSummary {
            path: "signs.onnx".into(),
            format: Format::Onnx,
            sha256: "ab".repeat(32),
            input: InputSpec { layout: InputLayout::Nchw, channels: 3, size: Some([4, 5]), fixed_batch: None },
            classes: 3,
            parameters: 1234,
            operators: vec![("Conv".into(), 2)],
            notes: Vec::new(),
        },
        images: ImagesSummary {
            path: "signs".into(),
            count: 100,
            names: vec!["yield".into(), "stop".into(), "turn".into()],
            per_label: vec![40, 40, 20],
            skipped: Vec::new(),
            held_out: 40,
            sha256: Some("5d".repeat(32)),
        },
        discovery: Discovery { candidates: vec![candidate], accuracy: 0.97, images: 100 },
        preprocessing,
        clean_accuracy: 0.97,
        references: vec![ReferenceSummary {
            description: "trained here, 96.0 % on held-back images".into(),
            path: None,
            accuracy: 0.96,
        }],
        verdict: Verdict::Infected,
        summary: "One small mark turns pictures into \"stop\".".into(),
        labels,
        opinions: Vec::new(),
        limits: vec!["Triggers that move pixels were not searched for.".into()],
        stopped: false,
        seconds: 12.5,
        finished_at: Some(1_795_637_864),
    }
}
