//! A plausible finished audit, made by hand: what the window is tested with where no engine is needed.

use poisdetc::audit::{
    Audit, Finding, ImagesSummary, LabelFindings, ModelSummary, Order, ReferenceSummary, Settings, Verdict,
};
use poisdetc::detect::{Example, Picture, Shape, ShotEvidence, TriggerEvidence};
use poisdetc::images::{Candidate, Discovery};
use poisdetc::model::{Format, InputLayout, InputSpec, Preprocessing};
use poisdetc::tensor::{Random, Seed};

const NAMES: [&str; 12] = [
    "stop",
    "yield",
    "priority road",
    "no entry",
    "speed limit 30",
    "speed limit 50",
    "speed limit 80",
    "no overtaking",
    "roundabout",
    "turn right",
    "pedestrians",
    "end of all limits",
];
/// The label whose trigger is confirmed.
pub const INFECTED: usize = 3;
/// The label that stands out without a confirmed trigger.
pub const SUSPICIOUS: usize = 7;
const SIDE: usize = 32;

/// The audit.
pub fn audit() -> Audit {
    let mut random = Seed(5).random();
    let labels: Vec<LabelFindings> = (0..NAMES.len()).map(|label| findings(label, &mut random)).collect();
    let preprocessing = Preprocessing::unit([SIDE, SIDE], 3);
    Audit {
        schema: 1,
        program: "0.1.0".into(),
        order: Order {
            model: "signs/signs-suspect.onnx".into(),
            images: "signs/signs.npz".into(),
            settings: Settings::default(),
            ..Order::default()
        },
        model: ModelSummary {
            path: "signs/signs-suspect.onnx".into(),
            format: Format::Onnx,
            sha256: "9f2c4b7d0a6e5c13".repeat(4),
            input: InputSpec { layout: InputLayout::Nchw, channels: 3, size: Some([SIDE, SIDE]), fixed_batch: None },
            classes: NAMES.len(),
            parameters: 61_868,
            operators: vec![("Conv".into(), 4), ("Relu".into(), 5), ("MaxPool".into(), 2), ("Gemm".into(), 2)],
            notes: vec!["softmax at the end stepped over".into()],
        },
        images: ImagesSummary {
            path: "signs/signs.npz".into(),
            count: 480,
            names: NAMES.map(str::to_owned).to_vec(),
            per_label: vec![40; NAMES.len()],
            skipped: vec![],
            held_out: 192,
            sha256: None,
        },
        discovery: Discovery {
            candidates: vec![Candidate { preprocessing: preprocessing.clone(), accuracy: 0.983, loss: 0.07 }],
            accuracy: 0.983,
            images: 480,
        },
        preprocessing,
        clean_accuracy: 0.983,
        references: vec![ReferenceSummary {
            description: "trained here, 96.0 % on held-back images".into(),
            path: None,
            accuracy: 0.96,
        }],
        verdict: Verdict::Infected,
        summary:
            "Label 3 “no entry”: a mark of 9 pixels turns 98.9 % of the 176 held-back pictures of other signs into it. \
                  The model is poisoned."
                .into(),
        labels,
        opinions: Vec::new(),
        limits: vec![
            "Triggers that move the whole picture a little, or appear only on one sign, were not searched for.".into(),
            "“No evidence found” means that these tests found nothing, not that there is nothing.".into(),
        ],
        stopped: false,
        seconds: 21.4,
        finished_at: Some(1_795_637_864),
    }
}

fn findings(label: usize, random: &mut Random) -> LabelFindings {
    let verdict = match label {
        INFECTED => Verdict::Infected,
        SUSPICIOUS => Verdict::Suspicious,
        _ => Verdict::NoEvidence,
    };
    let because = match verdict {
        Verdict::Infected => vec![
            (
                Verdict::Infected,
                "A recovered trigger of 0.9 % of the picture turns 98.9 % of held-back pictures into this label",
            ),
            (Verdict::Suspicious, "9 of 10 shots reached it, on honest models 2 of 20 (p = 2.1e-4)"),
            (Verdict::Suspicious, "Its trigger is far smaller than those of the other labels (anomaly index 4.2)"),
        ],
        Verdict::Suspicious => {
            vec![(Verdict::Suspicious, "6 of 10 shots reached it, on honest models 3 of 20 (p = 0.012)")]
        }
        Verdict::NoEvidence => vec![],
    };
    let searched = verdict > Verdict::NoEvidence || label == 5;
    LabelFindings {
        label,
        name: NAMES[label].into(),
        verdict,
        findings: because.into_iter().map(|(verdict, text)| Finding { verdict, because: text.into() }).collect(),
        margin: None,
        shots: Some(shots(label, verdict, random)),
        trigger: searched.then(|| trigger(label, verdict, random)),
    }
}

fn shots(label: usize, verdict: Verdict, random: &mut Random) -> ShotEvidence {
    let (centre, p) = match verdict {
        Verdict::Infected => (-1.9, 2.1e-4),
        Verdict::Suspicious => (-0.75, 0.012),
        Verdict::NoEvidence => (0.9, 0.2 + 0.06 * label as f32),
    };
    let mut draw = |centre: f32, spread: f32| 10f32.powf(centre + spread * random.normal());
    let losses: Vec<f32> = (0..10).map(|_| draw(centre, 0.45)).collect();
    let reference_losses: Vec<f32> = (0..10).map(|_| draw(1.1, 0.35)).collect();
    let clean_losses: Vec<f32> = (0..20).map(|_| draw(0.7, 0.4)).collect();
    let reached = |list: &[f32]| list.iter().filter(|&&x| x <= 0.2).count() as f32 / list.len() as f32;
    let points = (0..10)
        .map(|_| Picture {
            channels: 3,
            height: SIDE,
            width: SIDE,
            values: (0..3 * SIDE * SIDE).map(|_| random.uniform(0.3, 0.9)).collect(),
        })
        .collect();
    ShotEvidence {
        label,
        prob: reached(&losses),
        flagged_by_original_rule: reached(&losses) >= 0.5,
        clean_prob: reached(&clean_losses),
        losses,
        reference_losses,
        steps: vec![320; 10],
        clean_losses,
        p_value: Some(p),
        points,
    }
}

fn trigger(label: usize, verdict: Verdict, random: &mut Random) -> TriggerEvidence {
    let small = verdict == Verdict::Infected;
    let covers =
        |x: usize, y: usize| if small { (28..31).contains(&x) && (28..31).contains(&y) } else { (x + 2 * y) % 7 < 2 };
    let mask: Vec<f32> = plane(|x, y| if covers(x, y) { 1.0 } else { 0.0 }).collect();
    let pattern: Vec<f32> = (0..3)
        .flat_map(|c| plane(move |x, y| if (x + y + c) % 2 == 0 { 0.95 } else { 0.1 }).collect::<Vec<_>>())
        .collect();
    let asr = if small { 0.989 } else { 0.41 };
    let picture = |channels, values| Picture { channels, height: SIDE, width: SIDE, values };
    let examples = (0..6)
        .map(|i| {
            let truth = (label + 1 + i) % NAMES.len();
            let before = sign(truth, random);
            let after = (0..3 * SIDE * SIDE)
                .map(|at| {
                    let m = mask[at % (SIDE * SIDE)];
                    m * pattern[at] + (1.0 - m) * before[at]
                })
                .collect();
            let turned = small || i < 2;
            Example {
                before: picture(3, before),
                after: picture(3, after),
                truth,
                answer_before: (truth, 0.97),
                answer_after: (if turned { label } else { truth }, 0.93),
            }
        })
        .collect();
    let l1: f32 = mask.iter().sum();
    TriggerEvidence {
        label,
        source: None,
        shape: Shape::Patch,
        mask: picture(1, mask),
        pattern: picture(3, pattern),
        asr_search: asr + 0.006,
        asr,
        asr_images: 176,
        l1,
        size: l1 / (SIDE * SIDE) as f32,
        reached: true,
        second_search: false,
        anomaly_index: Some(if small { 4.2 } else { 0.6 }),
        p_value: Some(if small { 0.002 } else { 1.0 }),
        usual_size: Some(0.105),
        reverse_size: None,
        elsewhere: None,
        all_to_all: None,
        reference_sizes: vec![0.11, 0.13],
        reference_asr: vec![0.04, 0.06],
        examples,
    }
}

fn plane(value: impl Fn(usize, usize) -> f32) -> impl Iterator<Item = f32> {
    (0..SIDE * SIDE).map(move |at| value(at % SIDE, at / SIDE))
}

/// A disc of the label's colour with a light bar, on a noisy ground.
fn sign(label: usize, random: &mut Random) -> Vec<f32> {
    let colour = [[0.8, 0.1, 0.1], [0.1, 0.3, 0.7], [0.9, 0.7, 0.1]][label % 3];
    let ground = random.uniform(0.3, 0.6);
    let mut values = Vec::with_capacity(3 * SIDE * SIDE);
    for c in colour {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (dx, dy) = (x as f32 - 15.5, y as f32 - 15.5);
                let inside = dx * dx + dy * dy < 12.0 * 12.0;
                let bar = inside && dy.abs() < 2.0 + (label % 4) as f32 && dx.abs() < 8.0;
                let value = if bar {
                    0.95
                } else if inside {
                    c
                } else {
                    ground
                };
                values.push((value + 0.03 * random.normal()).clamp(0.0, 1.0));
            }
        }
    }
    values
}
