//! The rule for faint patterns over the whole picture: blends, waves and what resembles them.
//!
//! The size of a blend is how strong the pattern is laid over the picture. Labels of an honest model need nearly the
//! same strength, so that less than a patch has to be smaller stands out. Some labels are easier than others to every
//! model (a frog on CIFAR-10 is), and a large network may need less than small ones everywhere: what counts is how much
//! less a label needs than on honest models, beside how much less the other labels do.

use super::{FEWEST_PICTURES, MEANS_NOTHING, Seen, WORKS, beside_others, percent, stands_out};
use crate::audit::{Finding, Verdict};
use crate::detect::TriggerEvidence;
use crate::detect::neural_cleanse::median;

/// A pattern stands out where an honest model has so faint a one at any label with at most this probability, at no more
/// than this share of the strength that the model's labels usually need. Weaker than for patches: what convicts is how
/// much fainter it is than on honest models, beside the other labels.
const STANDS_OUT: (f32, f32) = (0.1, 0.72);
/// The same missed by a little.
const NEARLY: (f32, f32) = (0.2, 0.76);
/// Fainter than on honest models when it needs at most this share of their strength.
const FAINTER: f32 = 0.7;
/// And that share is at most this part of what it is at the model's other labels.
const FAINTER_THAN_ELSEWHERE: f32 = 0.75;
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
    let fainter = share(t).is_some_and(|here| {
        here <= FAINTER && !elsewhere.is_empty() && here <= FAINTER_THAN_ELSEWHERE * median(&elsewhere)
    });
    let foreign = abroad.is_some_and(|abroad| abroad <= MEANS_NOTHING);
    let works = t.reached && t.asr >= WORKS && t.size <= STRONGEST;
    match () {
        () if !works || !fainter => Verdict::NoEvidence,
        () if stands_out(t, STANDS_OUT) && foreign && t.asr_images >= FEWEST_PICTURES => Verdict::Infected,
        () if stands_out(t, NEARLY) => Verdict::Suspicious,
        () => Verdict::NoEvidence,
    }
}

/// The same with its reason.
pub(super) fn finding(t: &TriggerEvidence, all: &[Option<TriggerEvidence>]) -> Finding {
    let Seen { honest, abroad } = Seen::of(t);
    let mut because = format!(
        "A pattern over the whole picture, {} strong, turns {} of {} held-back pictures into this label",
        percent(t.size),
        percent(t.asr),
        t.asr_images
    );
    because += &beside_others(t);
    if let (Some(honest), Some(abroad)) = (honest, abroad) {
        because += &format!(
            "; models known clean need {} for this label, and this pattern turns {} of pictures there",
            percent(honest),
            percent(abroad)
        );
    }
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

    fn on(t: &TriggerEvidence) -> Verdict {
        let mut all = others();
        all[0] = Some(t.clone());
        verdict(t, &all)
    }

    #[test]
    fn a_pattern_is_confirmed_that_is_far_too_faint_and_means_nothing_to_honest_models() {
        assert_eq!(on(&planted()), Verdict::Infected);
        let cases = [
            ("works too rarely", TriggerEvidence { asr: 0.8, ..planted() }, Verdict::NoEvidence),
            ("as strong as others", TriggerEvidence { size: 0.2, ..planted() }, Verdict::NoEvidence),
            ("no outlier", TriggerEvidence { p_value: Some(0.5), ..planted() }, Verdict::NoEvidence),
            ("nearly", TriggerEvidence { p_value: Some(0.15), ..planted() }, Verdict::Suspicious),
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
        // As measured on a repaired CIFAR-10 network: its frog needs 4.7 %, honest models 11.4 %.
        let of = |label, size, honest: f32, p| {
            let sizes = vec![honest];
            let usual_size = Some(0.075);
            Some(TriggerEvidence { label, size, reference_sizes: sizes, p_value: Some(p), usual_size, ..planted() })
        };
        let all =
            [of(0, 0.061, 0.132, 0.8), of(2, 0.058, 0.14, 0.3), of(4, 0.071, 0.132, 1.0), of(6, 0.047, 0.114, 0.008)];
        assert_eq!(verdict(all[3].as_ref().unwrap(), &all), Verdict::NoEvidence);
        let planted =
            [of(0, 0.061, 0.132, 0.8), of(2, 0.058, 0.14, 0.3), of(4, 0.071, 0.132, 1.0), of(6, 0.03, 0.114, 1e-5)];
        assert_eq!(verdict(planted[3].as_ref().unwrap(), &planted), Verdict::Infected);
    }

    #[test]
    fn the_finding_says_how_strong_the_pattern_is() {
        let said = finding(&planted(), &others()).because;
        assert!(said.starts_with("A pattern over the whole picture, 8.0 % strong, turns 97.0 % of 100"), "{said}");
        assert!(said.contains("usually need 25.0 %") && said.contains("models known clean need 27.0 %"), "{said}");
    }
}
