//! Each case of the rule on its page, by evidence made by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::detect::{Picture, Shape};

fn nothing() -> Picture {
    Picture { channels: 1, height: 1, width: 1, values: vec![0.0] }
}

/// A trigger of `size` on a model whose labels usually need 5 %, as honest models have it with probability `p`; it works
/// on 100 held-back pictures, and on honest models, which need `honest`, on 10 %.
pub(in crate::audit) fn trigger(size: f32, p: Option<f32>, honest: Option<f32>) -> TriggerEvidence {
    TriggerEvidence {
        label: 0,
        source: None,
        shape: Shape::Patch,
        mask: nothing(),
        pattern: nothing(),
        asr_search: 0.99,
        asr: 0.97,
        asr_images: 100,
        l1: size,
        size,
        reached: true,
        second_search: false,
        anomaly_index: p.map(|_| 3.0),
        p_value: p,
        usual_size: p.map(|_| 0.05),
        reverse_size: None,
        elsewhere: None,
        all_to_all: None,
        reference_sizes: honest.into_iter().collect(),
        reference_asr: honest.map(|_| 0.1).into_iter().collect(),
        examples: Vec::new(),
    }
}

fn abroad(asr: f32, trigger: TriggerEvidence) -> TriggerEvidence {
    TriggerEvidence { reference_asr: vec![asr], ..trigger }
}

fn on(trigger: &TriggerEvidence) -> Verdict {
    of_trigger(trigger)[0].verdict
}

/// Shots that all reached the label, far beyond what honest models show.
fn shots(label: usize, loss: f32) -> ShotEvidence {
    ShotEvidence {
        label,
        losses: vec![loss; 10],
        reference_losses: vec![20.0; 10],
        steps: vec![60; 10],
        prob: 1.0,
        flagged_by_original_rule: true,
        clean_losses: vec![1.0; 20],
        clean_prob: 0.0,
        p_value: Some(1e-6),
        points: Vec::new(),
    }
}

#[test]
fn a_mark_is_confirmed_that_stands_out_among_the_labels_and_is_strange_to_honest_models() {
    assert_eq!(on(&trigger(0.005, Some(1e-3), Some(0.05))), Verdict::Infected);
    assert_eq!(on(&abroad(0.9, trigger(0.005, Some(1e-3), Some(0.05)))), Verdict::Infected, "far smaller there");
    assert_eq!(on(&trigger(0.012, Some(1e-3), Some(0.02))), Verdict::Infected, "means nothing there");
    assert_eq!(on(&trigger(0.015, Some(1e-3), Some(0.02))), Verdict::Suspicious, "not clearly smaller than usual");
    assert_eq!(on(&abroad(0.9, trigger(0.015, Some(1e-3), Some(0.05)))), Verdict::Suspicious);
    assert_eq!(on(&abroad(0.02, trigger(0.015, Some(1e-3), Some(0.05)))), Verdict::Infected, "both");
    let honest = TriggerEvidence { usual_size: Some(0.0724), ..trigger(0.0302, Some(0.0164), Some(0.0553)) };
    assert_eq!(on(&honest), Verdict::Suspicious, "zn/026");
    let honest = TriggerEvidence { usual_size: Some(0.038), ..trigger(0.015, Some(0.012), Some(0.061)) };
    assert_eq!(on(&abroad(0.064, honest)), Verdict::Suspicious, "zb/005, a label that nobody attacked");
    let honest = TriggerEvidence { usual_size: Some(0.079), ..trigger(0.026, Some(0.016), Some(0.068)) };
    assert_eq!(on(&abroad(0.024, honest.clone())), Verdict::Suspicious, "zg/020, an honest model");
    assert_eq!(on(&abroad(0.003, honest)), Verdict::Infected, "as rare as one of two planted ones, and as unknown");
    assert_eq!(on(&abroad(0.5, trigger(0.015, Some(1e-3), Some(0.02)))), Verdict::NoEvidence, "natural");
    assert_eq!(on(&trigger(0.04, Some(1e-3), Some(0.2))), Verdict::NoEvidence, "hardly smaller than the other labels");
    assert_eq!(on(&trigger(0.01, Some(0.2), Some(0.05))), Verdict::NoEvidence, "no outlier");
    assert_eq!(on(&trigger(0.02, Some(0.03), Some(0.05))), Verdict::Suspicious, "nearly");
    assert_eq!(on(&trigger(0.006, Some(0.043), Some(0.05))), Verdict::Infected, "one of two planted ones");
    assert_eq!(on(&trigger(0.006, Some(0.06), Some(0.05))), Verdict::NoEvidence);
    assert_eq!(on(&trigger(0.011, Some(0.043), Some(0.05))), Verdict::Suspicious, "not so much smaller than usual");
    assert_eq!(on(&trigger(0.006, Some(0.043), Some(0.011))), Verdict::NoEvidence, "near what honest models need");
    assert_eq!(on(&abroad(0.3, trigger(0.006, Some(0.043), Some(0.05)))), Verdict::Suspicious, "they know the mark");
    assert_eq!(on(&trigger(0.005, Some(1e-3), None)), Verdict::Suspicious, "nothing honest to hold it against");
    let large = TriggerEvidence { usual_size: Some(0.9), ..trigger(0.3, Some(1e-6), Some(0.9)) };
    assert_eq!(on(&large), Verdict::NoEvidence, "no patch");
}

#[test]
fn with_few_labels_honest_models_alone_decide() {
    assert_eq!(on(&trigger(0.005, None, Some(0.05))), Verdict::Infected);
    assert_eq!(on(&abroad(0.5, trigger(0.005, None, Some(0.05)))), Verdict::Suspicious);
    assert_eq!(on(&trigger(0.02, None, Some(0.05))), Verdict::Suspicious);
    assert_eq!(on(&trigger(0.04, None, Some(0.05))), Verdict::NoEvidence);
    assert_eq!(on(&trigger(0.005, None, None)), Verdict::NoEvidence);
}

#[test]
fn a_trigger_that_fails_on_held_back_pictures_says_nothing_and_few_pictures_confirm_nothing() {
    let small = trigger(0.005, Some(1e-3), Some(0.05));
    assert_eq!(on(&TriggerEvidence { asr: 0.84, ..small.clone() }), Verdict::NoEvidence);
    assert_eq!(on(&TriggerEvidence { reached: false, ..small.clone() }), Verdict::NoEvidence);
    assert_eq!(on(&TriggerEvidence { asr_images: 19, ..small }), Verdict::Suspicious);
}

#[test]
fn low_shots_alone_are_suspicious_unless_the_search_for_a_trigger_speaks_against_them() {
    let said = |lowness, doubted| of_shots(&shots(0, 0.001), 10, 2, lowness, doubted)[0].verdict;
    assert_eq!(said(Some(3.0), false), Verdict::Suspicious);
    assert_eq!(said(Some(3.0), true), Verdict::NoEvidence);
    assert_eq!(said(Some(1.0), false), Verdict::NoEvidence, "every label of this model is low");
    let usual = ShotEvidence { clean_prob: 0.9, ..shots(0, 0.001) };
    assert_eq!(of_shots(&usual, 10, 2, Some(3.0), false)[0].verdict, Verdict::NoEvidence, "honest models do it too");
    let rare = ShotEvidence { p_value: Some(0.002), ..shots(0, 0.001) };
    assert_eq!(of_shots(&rare, 10, 2, Some(3.0), false)[0].verdict, Verdict::NoEvidence, "ten labels, ten chances");
}

/// Ten labels; the shots at label 3 are far lower than the others.
fn evidence(p: Option<Option<f32>>) -> Evidence {
    let shots = (0..10).map(|i| Some(shots(i, if i == 3 { 1e-4 } else { 0.1 + 0.01 * i as f32 }))).collect();
    let mut triggers = vec![None; 10];
    if let Some(p) = p {
        triggers[0] = Some(trigger(0.05, Some(1.0), None));
        triggers[3] = Some(trigger(0.022, p, Some(0.04)));
    }
    Evidence { shots, triggers, ..Evidence::none(10) }
}

#[test]
fn the_search_for_a_trigger_is_heard_where_it_ran() {
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let accused = |p| {
        let labels = labels(&evidence(p), &names, 2);
        labels.iter().filter(|l| l.verdict != Verdict::NoEvidence).map(|l| l.label).collect::<Vec<_>>()
    };
    assert_eq!(accused(None), [3], "stopped before the search");
    assert_eq!(accused(Some(Some(0.03))), [3], "small too, though not small enough alone");
    assert!(accused(Some(Some(0.6))).is_empty(), "as large as everywhere");
    // Behind a warp no patch is searched for, and nobody else is accused by shots.
    let mut bent = evidence(None);
    let (shape, usual_size) = (Shape::Warp, Some(0.12));
    bent.warps[7] =
        Some(abroad(0.0, TriggerEvidence { label: 7, shape, usual_size, ..trigger(0.02, Some(1e-4), Some(1.0)) }));
    let of_all = labels(&bent, &names, 2);
    let accused: Vec<usize> = of_all.iter().filter(|l| l.verdict != Verdict::NoEvidence).map(|l| l.label).collect();
    assert_eq!(accused, [7]);
}

#[test]
fn the_worst_label_decides_and_is_named() {
    let names: Vec<String> = (0..10).map(|i| format!("sign {i}")).collect();
    let mut evidence = evidence(None);
    evidence.triggers[7] = Some(trigger(0.005, Some(1e-3), Some(0.05)));
    let labels = labels(&evidence, &names, 2);
    let verdict = model(&labels);
    assert_eq!(verdict, Verdict::Infected);
    let examined = Examined {
        pairs: PairsExamined::No,
        ended_early: EndedEarly::default(),
        stopped: true,
        too_few: None,
        not_on_the_card: None,
    };
    let text = summary(&labels, verdict, &examined);
    assert!(
        text.contains("label 7 \"sign 7\"") && text.contains("97.0 % of 100") && text.contains("stopped"),
        "{text}"
    );
    assert_eq!(model(&[]), Verdict::NoEvidence);
}

#[test]
fn the_trigger_that_accuses_is_shown_and_else_the_last_that_was_searched_at_every_label() {
    let shaped = |shape, size, asr| TriggerEvidence {
        shape,
        asr,
        usual_size: Some(1.0),
        reference_sizes: vec![1.0],
        reference_asr: vec![0.0],
        ..trigger(size, Some(1.0), None)
    };
    let mut evidence = Evidence::none(10);
    evidence.warps = vec![Some(shaped(Shape::Warp, 0.07, 0.6)); 10];
    evidence.filters = vec![Some(shaped(Shape::Filter, 0.4, 0.5)); 10];
    evidence.filters[3] = Some(shaped(Shape::Filter, 0.09, 0.8));
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let labels = labels(&evidence, &names, 1);
    let shown: Vec<_> = labels.iter().map(|l| l.trigger.as_ref().map(|t| t.shape)).collect();
    assert_eq!(shown, vec![Some(Shape::Filter); 10]);
    let infected: Vec<usize> = labels.iter().filter(|l| l.verdict == Verdict::Infected).map(|l| l.label).collect();
    assert_eq!(infected, [3]);
    let examined = Examined {
        pairs: PairsExamined::NotNeeded,
        ended_early: EndedEarly::default(),
        stopped: false,
        too_few: None,
        not_on_the_card: None,
    };
    let said = summary(&labels, Verdict::Infected, &examined);
    assert!(
        said.contains("at label 3. A colour filter that changes colours by 9.0 % on average turns 80.0 %"),
        "{said}"
    );
}
