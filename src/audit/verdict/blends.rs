//! The rule for faint patterns over the whole picture: blends, waves and what resembles them.
//!
//! The size of a blend is how strong the pattern is laid over the picture. Labels of an honest model need nearly the
//! same strength, so that less than a patch has to be smaller stands out; honest models then tell the natural from
//! the planted.

use super::{FEWEST_PICTURES, MEANS_NOTHING, Seen, WORKS};
use crate::audit::{Finding, Verdict};
use crate::detect::TriggerEvidence;

/// A pattern stands out beyond so many deviations and at no more than this share of the strength that the model's labels
/// usually need. Labels of honest models stayed within 1.8 deviations and above 0.76.
const STANDS_OUT: (f32, f32) = (2.2, 0.72);
/// The same missed by a little.
const NEARLY: (f32, f32) = (2.0, 0.76);
/// Fainter than on honest models when it needs at most this share of their strength.
const FAINTER: f32 = 0.7;
/// A pattern stronger than this is not faint: it simply paints over the picture.
const STRONGEST: f32 = 0.3;

/// What a recovered pattern says of its label.
pub(super) fn verdict(t: &TriggerEvidence) -> Verdict {
    let Seen { honest, abroad } = Seen::of(t);
    let below = |(deviations, share): (f32, f32)| {
        t.anomaly_index.is_some_and(|index| index > deviations)
            && t.usual_size.is_some_and(|usual| t.size <= share * usual)
    };
    let fainter = honest.is_some_and(|honest| t.size <= FAINTER * honest);
    let foreign = abroad.is_some_and(|abroad| abroad <= MEANS_NOTHING);
    let works = t.reached && t.asr >= WORKS && t.size <= STRONGEST;
    match () {
        () if !works || !fainter => Verdict::NoEvidence,
        () if below(STANDS_OUT) && foreign && t.asr_images >= FEWEST_PICTURES => Verdict::Infected,
        () if below(NEARLY) => Verdict::Suspicious,
        () => Verdict::NoEvidence,
    }
}

pub(super) fn finding(t: &TriggerEvidence) -> Finding {
    let percent = |v: f32| format!("{:.1} %", 100.0 * v);
    let Seen { honest, abroad } = Seen::of(t);
    let mut because = format!(
        "A pattern over the whole picture, {} strong, turns {} of {} held-back pictures into this label",
        percent(t.size),
        percent(t.asr),
        t.asr_images
    );
    if let (Some(usual), Some(index)) = (t.usual_size, t.anomaly_index) {
        because += &format!("; labels of this model usually need {} (anomaly index {index:.1})", percent(usual));
    }
    if let (Some(honest), Some(abroad)) = (honest, abroad) {
        because += &format!(
            "; models known clean need {} for this label, and this pattern turns {} of pictures there",
            percent(honest),
            percent(abroad)
        );
    }
    Finding { verdict: verdict(t), because }
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
            ..trigger(0.08, Some(8.0), None)
        }
    }

    #[test]
    fn a_pattern_is_confirmed_that_is_far_too_faint_and_means_nothing_to_honest_models() {
        assert_eq!(verdict(&planted()), Verdict::Infected);
        let cases = [
            ("works too rarely", TriggerEvidence { asr: 0.8, ..planted() }, Verdict::NoEvidence),
            ("as strong as others", TriggerEvidence { size: 0.2, ..planted() }, Verdict::NoEvidence),
            ("no outlier", TriggerEvidence { anomaly_index: Some(1.5), ..planted() }, Verdict::NoEvidence),
            ("nearly", TriggerEvidence { anomaly_index: Some(2.1), ..planted() }, Verdict::Suspicious),
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
            assert_eq!(verdict(&evidence), expected, "{what}");
        }
    }

    #[test]
    fn the_finding_says_how_strong_the_pattern_is() {
        let said = finding(&planted()).because;
        assert!(said.starts_with("A pattern over the whole picture, 8.0 % strong, turns 97.0 % of 100"), "{said}");
        assert!(said.contains("usually need 25.0 %") && said.contains("models known clean need 27.0 %"), "{said}");
    }
}
