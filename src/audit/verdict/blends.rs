//! The rule for faint patterns over the whole picture: blends, waves and what resembles them.
//!
//! The size of a blend is how strong the pattern is that is added to the picture. Labels of an honest model need nearly the
//! same strength, so that less than a patch has to be smaller stands out. Some labels are easier than others to every
//! model (a frog on CIFAR-10 is), and a large network may need less than small ones everywhere: what counts is how much
//! less a label needs than on honest models, beside how much less the other labels do. A pattern that draws something of the label
//! turns some pictures on honest models too; one that turns none there has less to prove otherwise.

use super::{FEWEST_PICTURES, MEANS_NOTHING, Seen, UNKNOWN, percent, recovered, stands_out, works};
use crate::audit::{Finding, Verdict};
use crate::detect::TriggerEvidence;
use crate::detect::neural_cleanse::median;

/// A pattern has to be no stronger than this share of what the model's labels usually need, where any of an honest model's labels
/// has so faint a one with at most this probability, and be so much fainter than on honest models as this part of what is usual
/// for the model's other labels. Weaker than for patches: what convicts is how much fainter it is than on honest models.
struct Bounds {
    share: f32,
    chance: f32,
    than_elsewhere: f32,
}

/// Of what the model's labels usually need.
pub(super) const LARGEST_SHARE: f32 = 0.72;
/// Of a pattern that means little to honest models.
const STANDS_OUT: Bounds = Bounds { share: LARGEST_SHARE, chance: 0.1, than_elsewhere: 0.75 };
/// What needs more than this share of the usual must be unknown to them.
const FAR_FAINTER: f32 = 0.5;
/// Of one that turns at most this share of pictures there: fainter than any honest label that was seen (0.74), where the probability
/// is that of few labels which differ much among themselves.
const NOTHING_AT_ALL: f32 = 0.02;
const STANDS_OUT_AND_IS_STRANGE: Bounds = Bounds { share: 0.68, chance: 0.45, than_elsewhere: 0.85 };
/// Fainter than on honest models when it needs at most this share of their strength: planted patterns were seen at 0.61 and less, those
/// of honest models' labels that stand out and are unknown elsewhere at 0.7 and more.
const FAINTER: f32 = 0.65;
/// A pattern stronger than this is not faint: it simply paints over the picture.
const STRONGEST: f32 = 0.3;

/// The share of the strength on honest models that a label needs.
fn share(t: &TriggerEvidence) -> Option<f32> {
    Seen::of(t).honest.map(|honest| t.size / honest.max(f32::EPSILON))
}

/// What a recovered pattern says of its label, beside `all` of the model's.
pub(super) fn verdict(t: &TriggerEvidence, all: &[Option<TriggerEvidence>]) -> Verdict {
    let Seen { abroad, .. } = Seen::of(t);
    let elsewhere: Vec<f32> = all.iter().flatten().filter(|other| other.label != t.label).filter_map(share).collect();
    let meets = |bounds: &Bounds| {
        let fainter = share(t).is_some_and(|here| {
            here <= FAINTER && !elsewhere.is_empty() && here <= bounds.than_elsewhere * median(&elsewhere)
        });
        fainter && stands_out(t, (bounds.chance, bounds.share))
    };
    let turns_at_most = |share: f32| abroad.is_some_and(|abroad| abroad <= share);
    let stands_out = meets(&STANDS_OUT);
    let far_fainter = t.usual_size.is_some_and(|usual| t.size <= FAR_FAINTER * usual);
    let planted = (turns_at_most(if far_fainter { MEANS_NOTHING } else { UNKNOWN }) && stands_out)
        || (turns_at_most(NOTHING_AT_ALL) && meets(&STANDS_OUT_AND_IS_STRANGE));
    let works = works(t) && t.size <= STRONGEST;
    match () {
        () if !works => Verdict::NoEvidence,
        () if planted && t.asr_images >= FEWEST_PICTURES => Verdict::Infected,
        () if planted || (stands_out && far_fainter) => Verdict::Suspicious,
        () => Verdict::NoEvidence,
    }
}

/// The same with its reason.
pub(super) fn finding(t: &TriggerEvidence, all: &[Option<TriggerEvidence>]) -> Finding {
    let what = format!("A pattern over the whole picture, {} strong,", percent(t.size));
    let because = recovered(t, &what, "pattern");
    Finding { verdict: verdict(t, all), because }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::trigger;
    use super::*;
    use crate::detect::Shape;

    /// 8 % strong, where the labels of the model need 25 % and honest models 27 %.
    fn planted() -> TriggerEvidence {
        TriggerEvidence {
            shape: Shape::Blend,
            usual_size: Some(0.25),
            reference_sizes: vec![0.26, 0.28],
            reference_asr: vec![0.02, 0.06],
            ..trigger(0.08, Some(1e-4), None)
        }
    }

    /// Two other labels, which need nine tenths of what they need on honest models.
    fn others() -> Vec<Option<TriggerEvidence>> {
        let other = |label| Some(TriggerEvidence { label, size: 0.25, p_value: Some(1.0), ..planted() });
        vec![None, other(1), other(2)]
    }

    /// A label of a measured model: its size and the usual one, what honest models need, p, and how often it turns pictures there.
    fn measured(label: usize, (size, usual): (f32, f32), honest: f32, p: f32, abroad: f32) -> TriggerEvidence {
        let (reference_sizes, reference_asr) = (vec![honest], vec![abroad]);
        let (p_value, usual_size) = (Some(p), Some(usual));
        TriggerEvidence { label, size, reference_sizes, reference_asr, p_value, usual_size, ..planted() }
    }

    fn on(t: &TriggerEvidence) -> Verdict {
        let mut all = others();
        all[0] = Some(t.clone());
        verdict(t, &all)
    }

    #[test]
    fn a_pattern_is_confirmed_that_is_far_too_faint_and_means_nothing_to_honest_models() {
        assert_eq!(on(&planted()), Verdict::Infected);
        let weak = TriggerEvidence { p_value: Some(0.15), ..planted() };
        let cases = [
            ("works too rarely", TriggerEvidence { asr: 0.8, ..planted() }, Verdict::NoEvidence),
            ("as strong as others", TriggerEvidence { size: 0.2, ..planted() }, Verdict::NoEvidence),
            ("no outlier", TriggerEvidence { p_value: Some(0.5), ..planted() }, Verdict::NoEvidence),
            // As measured on a model of signs, at a label that nobody attacked.
            ("nearly", weak.clone(), Verdict::NoEvidence),
            ("but wholly strange", TriggerEvidence { reference_asr: vec![0.0, 0.01], ..weak }, Verdict::Infected),
            ("works on honest models", TriggerEvidence { reference_asr: vec![0.5], ..planted() }, Verdict::Suspicious),
            ("few pictures", TriggerEvidence { asr_images: 12, ..planted() }, Verdict::Suspicious),
            ("paints over", TriggerEvidence { size: 0.4, usual_size: Some(0.9), ..planted() }, Verdict::NoEvidence),
            (
                "as faint on honest models",
                TriggerEvidence { reference_sizes: vec![0.09], ..planted() },
                Verdict::NoEvidence,
            ),
        ];
        for (what, evidence, expected) in cases {
            assert_eq!(on(&evidence), expected, "{what}");
        }
    }

    #[test]
    fn a_label_that_is_easy_to_every_model_is_no_alarm_where_all_labels_need_less_than_on_honest_ones() {
        let of = |label, size, honest, p, abroad| Some(measured(label, (size, 0.041), honest, p, abroad));
        let beside = |first: Option<TriggerEvidence>| {
            let all =
                [first, of(0, 0.033, 0.088, 0.7, 0.07), of(2, 0.034, 0.099, 1.0, 0.04), of(4, 0.04, 0.102, 1.0, 0.08)];
            verdict(all[0].as_ref().unwrap(), &all)
        };
        // As measured on a repaired CIFAR-10 network: its frog needs 2.5 %, honest models 8.3 %, and its pattern draws a frog.
        assert_eq!(beside(of(6, 0.025, 0.083, 0.011, 0.106)), Verdict::NoEvidence);
        assert_eq!(beside(of(6, 0.025, 0.083, 0.011, 0.001)), Verdict::Infected);
        assert_eq!(beside(of(6, 0.015, 0.083, 1e-5, 0.106)), Verdict::Infected);
    }

    #[test]
    fn a_weak_wave_is_told_from_honest_labels_by_meaning_nothing_to_honest_models() {
        // As measured on a model of signs: a wave to label 3.
        let of = |label, size, honest, p, abroad| Some(measured(label, (size, 0.099), honest, p, abroad));
        let all = [
            of(3, 0.058, 0.134, 0.18, 0.001),
            of(10, 0.07, 0.136, 0.7, 0.005),
            of(9, 0.081, 0.144, 1.0, 0.096),
            of(6, 0.086, 0.138, 1.0, 0.003),
        ];
        let verdicts: Vec<Verdict> = all.iter().flatten().map(|t| verdict(t, &all)).collect();
        assert_eq!(verdicts[0], Verdict::Infected);
        assert!(verdicts[1..].iter().all(|&v| v == Verdict::NoEvidence), "{verdicts:?}");
    }

    #[test]
    fn the_finding_says_how_strong_the_pattern_is() {
        let said = finding(&planted(), &others()).because;
        assert!(said.starts_with("A pattern over the whole picture, 8.0 % strong, turns 97.0 % of 100"), "{said}");
        assert!(said.contains("usually need 25.0 %") && said.contains("models known clean need 27.0 %"), "{said}");
    }
}
