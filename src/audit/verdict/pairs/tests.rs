//! Each case of the rule, by evidence made by hand.
#![allow(clippy::unwrap_used)]

use super::super::tests::trigger;
use super::*;
use crate::detect::AllToAll;

/// Label 4 becomes 7 by a mark over 1 %, where ordinary pairs need 6 %, the way back 7 % and honest models 5 %.
fn planted() -> TriggerEvidence {
    TriggerEvidence {
        label: 7,
        source: Some(4),
        anomaly_index: Some(3.8),
        usual_size: Some(0.06),
        reverse_size: Some(0.07),
        elsewhere: Some(0.2),
        reference_sizes: vec![0.05, 0.06],
        reference_asr: vec![0.02, 0.1],
        ..trigger(0.01, None, None)
    }
}

fn names() -> Vec<String> {
    (0..10).map(|i| i.to_string()).collect()
}

#[test]
fn a_pair_is_confirmed_that_is_far_too_easy_one_way_only_and_only_here() {
    assert_eq!(verdict(&planted()), Verdict::Infected);
    let cases = [
        ("works too rarely", TriggerEvidence { asr: 0.8, ..planted() }, Verdict::NoEvidence),
        (
            "no smaller than ordinary pairs",
            TriggerEvidence { usual_size: Some(0.015), ..planted() },
            Verdict::NoEvidence,
        ),
        (
            "expected of its labels",
            TriggerEvidence { anomaly_index: Some(1.0), usual_size: Some(0.05), ..planted() },
            Verdict::NoEvidence,
        ),
        ("alike both ways", TriggerEvidence { reverse_size: Some(0.015), ..planted() }, Verdict::NoEvidence),
        (
            "as easy on honest models",
            TriggerEvidence { reference_sizes: vec![0.015], ..planted() },
            Verdict::NoEvidence,
        ),
        ("works on honest models", TriggerEvidence { reference_asr: vec![0.6], ..planted() }, Verdict::Suspicious),
        ("lost among others at first", TriggerEvidence { anomaly_index: Some(3.0), ..planted() }, Verdict::Infected),
        (
            "nearly",
            TriggerEvidence { anomaly_index: Some(1.6), usual_size: Some(0.04), ..planted() },
            Verdict::Suspicious,
        ),
        (
            "lost among others, but a ninth of all it is held against",
            TriggerEvidence {
                anomaly_index: Some(-1.8),
                usual_size: Some(0.1),
                reference_sizes: vec![0.12],
                ..planted()
            },
            Verdict::Infected,
        ),
        (
            "so, and honest models need as little",
            TriggerEvidence { anomaly_index: Some(-1.8), reference_sizes: vec![0.015], ..planted() },
            Verdict::NoEvidence,
        ),
        (
            "so, and other labels are turned as well",
            TriggerEvidence {
                anomaly_index: Some(-1.8),
                usual_size: Some(0.1),
                reference_sizes: vec![0.12],
                elsewhere: Some(0.34),
                ..planted()
            },
            Verdict::NoEvidence,
        ),
        ("few pictures", TriggerEvidence { asr_images: 12, ..planted() }, Verdict::Suspicious),
        ("nothing honest", TriggerEvidence { reference_sizes: Vec::new(), ..planted() }, Verdict::NoEvidence),
    ];
    for (what, evidence, expected) in cases {
        assert_eq!(verdict(&evidence), expected, "{what}");
    }
}

#[test]
fn labels_that_are_somewhat_near_in_every_respect_are_no_alarm() {
    // As measured on an honest model of signs: "no entry" to "yield" and "danger" to "pedestrians", each at least twice as small as
    // all it was held against, were called infected when that was enough.
    let verdict_on = |index, size, usual, back, honest: [f32; 2], abroad| {
        verdict(&TriggerEvidence {
            anomaly_index: Some(index),
            usual_size: Some(usual),
            reverse_size: Some(back),
            reference_sizes: honest.to_vec(),
            reference_asr: vec![abroad],
            ..trigger(size, None, None)
        })
    };
    assert_eq!(verdict_on(5.1, 0.01, 0.0362, 0.0258, [0.0346, 0.0339], 0.0), Verdict::NoEvidence);
    assert_eq!(verdict_on(3.6, 0.0045, 0.0362, 0.0109, [0.0119, 0.0073], 0.05), Verdict::NoEvidence);
    // And of two more such models "5 becomes 8" and "7 becomes 0".
    assert_eq!(verdict_on(-0.03, 0.0081, 0.0672, 0.0608, [0.0435, 0.0304], 0.0), Verdict::NoEvidence);
    assert_eq!(verdict_on(1.64, 0.0049, 0.0303, 0.0737, [0.0233, 0.0133], 0.0), Verdict::Suspicious);
    // The planted ones nearest to them: the tenth pair of an attack on all signs, 4 to 7; and one of an attack on all digits, for
    // which there is a search of its own.
    assert_eq!(verdict_on(9.5, 0.0143, 0.0543, 0.0515, [0.044, 0.045], 0.0), Verdict::Suspicious);
    assert_eq!(verdict_on(7.5, 0.004, 0.0468, 0.0136, [0.0124, 0.0172], 0.06), Verdict::Infected);
    assert_eq!(verdict_on(4.3, 0.0121, 0.1113, 0.0859, [0.0266, 0.0375], 0.0), Verdict::Infected);
}

#[test]
fn the_finding_names_both_labels_and_the_most_telling_trigger_is_shown() {
    let weaker = TriggerEvidence { source: Some(1), asr: 0.8, size: 0.005, ..planted() };
    let pairs = [weaker, planted()];
    let (telling, findings) = into_label(&pairs, 7, &names());
    assert_eq!(telling.unwrap().source, Some(4));
    assert_eq!(findings.len(), 2);
    assert!(findings[0].because.contains("pictures of label 4 into this label"), "{}", findings[0].because);
    assert!(findings[0].because.contains("the way back 7.0 %"), "{}", findings[0].because);
    assert!(into_label(&pairs, 3, &names()).1.is_empty());
}

#[test]
fn the_summary_says_which_label_becomes_which() {
    let convicted = |source: usize, target: usize| LabelFindings {
        label: target,
        name: format!("sign {target}"),
        verdict: Verdict::Infected,
        findings: Vec::new(),
        margin: None,
        shots: None,
        trigger: Some(TriggerEvidence { label: target, source: Some(source), ..planted() }),
    };
    let all: Vec<LabelFindings> = (0..6).map(|t| convicted((t + 5) % 6, t)).collect();
    let one = summary(&[&all[3]], &all);
    assert!(
        one.starts_with("This model is infected: label 2 \"sign 2\" becomes 3 \"sign 3\". A mark over 1.0 %"),
        "{one}"
    );
    let every = summary(&all.iter().collect::<Vec<_>>(), &all);
    assert!(every.starts_with("This model is infected at 6 of its 6 labels: label 5"), "{every}");
    assert!(every.contains("label 4 \"sign 4\" becomes 5 \"sign 5\". Marks over at most 1.0 %"), "{every}");
}

#[test]
fn one_mark_for_all_labels_is_told_as_one() {
    let of_all = AllToAll { share: 1.0, labels: 10, pictures: 400 };
    let into = |label: usize| TriggerEvidence {
        label,
        source: Some((label + 9) % 10),
        usual_size: None,
        reverse_size: None,
        elsewhere: None,
        all_to_all: Some(of_all),
        reference_sizes: vec![0.2],
        ..planted()
    };
    let pairs: Vec<TriggerEvidence> = (0..10).map(into).collect();
    let (telling, findings) = into_label(&pairs, 7, &names());
    assert_eq!((telling.unwrap().source, findings[0].verdict), (Some(6), Verdict::Infected));
    assert!(
        findings[0].because.contains("the same mark sends 10 of 10 labels each to another"),
        "{}",
        findings[0].because
    );
    let labels: Vec<LabelFindings> = pairs
        .iter()
        .map(|t| LabelFindings {
            label: t.label,
            name: t.label.to_string(),
            verdict: Verdict::Infected,
            findings: Vec::new(),
            margin: None,
            shots: None,
            trigger: Some(t.clone()),
        })
        .collect();
    let said = summary(&labels.iter().collect::<Vec<_>>(), &labels);
    assert!(
        said.contains("at 10 of its 10 labels") && said.contains("One mark over 1.0 % of the picture turns"),
        "{said}"
    );
}

#[test]
fn what_can_escape_depends_on_what_was_searched() {
    let thorough = |thorough| limit(PairsExamined::TooMany { pairs: 1806, thorough });
    assert!(limit(PairsExamined::All { pairs: 90 }).contains("90 pairs"));
    assert!(thorough(false).contains("a thorough audit does") && !thorough(true).contains("a thorough audit"));
    assert!(limit(PairsExamined::AllToAll).contains("one mark that sends each label to another; as it was confirmed"));
    assert!(limit(PairsExamined::NotNeeded).contains("one was confirmed"));
    assert!(limit(PairsExamined::No).contains("marks for one label only can escape"));
}
