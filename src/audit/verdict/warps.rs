//! The rule for warps: a smooth field of shifts that bends every picture into the label.
//!
//! An honest model is hardly turned by bending: its labels need shifts of a twentieth of the side and more, and most turn
//! too few pictures then. A planted warp needs a fiftieth.

use super::{percent, recovered, stands_out, strange_to_honest_models, works};
use crate::audit::{Finding, Verdict};
use crate::detect::TriggerEvidence;

/// A warp works when it turns at least this share of held-back pictures: the field that is searched is coarser than the attacker's.
/// Labels that nobody attacked have been seen at 0.41, with the shifts that are usual.
pub(super) const WORKS: f32 = 0.7;
/// Of what the model's labels usually need: honest labels have been seen at 0.59.
pub(super) const LARGEST_SHARE: f32 = 0.4;
/// Probability and share that a warp has at most.
const STANDS_OUT: (f32, f32) = (0.05, LARGEST_SHARE);
/// A warp that moves pixels farther than this share of the side redraws the picture.
const LARGEST: f32 = 0.08;

/// Whether a warp is small enough to be compared with honest models.
pub(in crate::audit) fn may_be_planted(t: &TriggerEvidence) -> bool {
    works(t) && t.size <= LARGEST && stands_out(t, STANDS_OUT)
}

/// What a recovered warp says of its label.
pub(super) fn verdict(t: &TriggerEvidence) -> Verdict {
    strange_to_honest_models(t, may_be_planted(t))
}

/// The same with its reason.
pub(super) fn finding(t: &TriggerEvidence) -> Finding {
    if !works(t) {
        let because = format!(
            "No bend of the picture that works was found: the nearest, by {} of its side on average, turns {} of held-back \
             pictures",
            percent(t.size),
            percent(t.asr)
        );
        return Finding { verdict: Verdict::NoEvidence, because };
    }
    let what = format!("Bending the picture, by {} of its side on average,", percent(t.size));
    let because = recovered(t, &what, "warp");
    Finding { verdict: verdict(t), because }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger;
    use super::*;
    use crate::detect::Shape;

    /// As measured on a model of signs: 2.4 % of the side, where its other labels come to 12 % and honest models to nothing.
    fn planted() -> TriggerEvidence {
        TriggerEvidence {
            shape: Shape::Warp,
            usual_size: Some(0.122),
            reference_sizes: vec![1.0, 1.0],
            reference_asr: vec![0.0, 0.01],
            ..trigger(0.024, Some(1e-4), None)
        }
    }

    #[test]
    fn a_warp_is_confirmed_that_is_far_smaller_than_others_and_bends_honest_models_nowhere() {
        assert_eq!(verdict(&planted()), Verdict::Infected);
        let cases = [
            // As measured on a model of digits: half a percent of the side, where others come to 6.5 %.
            ("turns most", TriggerEvidence { reached: false, asr: 0.806, size: 0.005, ..planted() }, Verdict::Infected),
            ("works too rarely", TriggerEvidence { reached: false, asr: 0.6, ..planted() }, Verdict::NoEvidence),
            // As measured on a repaired CIFAR-10 network.
            (
                "an easy label",
                TriggerEvidence { size: 0.063, usual_size: Some(0.097), ..planted() },
                Verdict::NoEvidence,
            ),
            ("no outlier", TriggerEvidence { p_value: Some(0.2), ..planted() }, Verdict::NoEvidence),
            ("redraws", TriggerEvidence { size: 0.1, usual_size: Some(0.5), ..planted() }, Verdict::NoEvidence),
            ("honest models too", TriggerEvidence { reference_sizes: vec![0.03], ..planted() }, Verdict::NoEvidence),
            ("works there", TriggerEvidence { reference_asr: vec![0.5], ..planted() }, Verdict::NoEvidence),
            ("few pictures", TriggerEvidence { asr_images: 12, ..planted() }, Verdict::Suspicious),
            (
                "nothing honest",
                TriggerEvidence { reference_sizes: vec![], reference_asr: vec![], ..planted() },
                Verdict::Suspicious,
            ),
        ];
        for (what, evidence, expected) in cases {
            assert_eq!(verdict(&evidence), expected, "{what}");
        }
    }

    #[test]
    fn the_finding_says_how_far_and_that_honest_models_are_not_turned() {
        let said = finding(&planted()).because;
        assert!(
            said.starts_with("Bending the picture, by 2.4 % of its side on average, turns 97.0 % of 100"),
            "{said}"
        );
        assert!(said.contains("clean cannot be turned so, and this warp turns 0.5 % of pictures there"), "{said}");
        let said = finding(&TriggerEvidence { reached: false, asr: 0.4, ..planted() }).because;
        assert!(said.starts_with("No bend of the picture that works was found"), "{said}");
    }
}
