//! The rule for one mark that sends every label to another one of its own.

use super::{FAR_SMALLER, FEWEST_PICTURES, LARGEST_PATCH, MEANS_NOTHING, Seen, percent};
use crate::audit::Verdict;
use crate::detect::{AllToAll, Trigger, TriggerEvidence};

/// It sends at least this share of all labels each to another one: planted marks 0.7 and more, those of honest models at most 0.21.
const MOST: f32 = 0.5;
/// The same missed: suspicious.
pub(in crate::audit) const NEARLY: f32 = 1.0 / 3.0;
/// And at least so many labels: where there are two or three, a mark of an honest model may do the same.
const FEWEST_LABELS: f32 = 3.0;

/// Whether such a mark is worth being compared with honest models.
pub(in crate::audit) fn may_be_planted(trigger: &Trigger, of_all: AllToAll) -> bool {
    trigger.reached
        && trigger.size() <= LARGEST_PATCH
        && of_all.share >= NEARLY
        && of_all.share * of_all.labels as f32 >= FEWEST_LABELS - 0.5
}

/// What it says of each label that others become.
pub(super) fn verdict(t: &TriggerEvidence, of_all: AllToAll) -> Verdict {
    let Seen { honest, abroad } = Seen::of(t);
    let far_smaller = honest.is_some_and(|honest| t.size <= FAR_SMALLER * honest);
    let foreign = abroad.is_some_and(|abroad| abroad <= MEANS_NOTHING);
    let confirmed = of_all.share >= MOST && far_smaller && foreign && of_all.pictures >= FEWEST_PICTURES;
    let unknown = honest.is_none();
    match () {
        () if confirmed => Verdict::Infected,
        () if far_smaller || foreign || unknown => Verdict::Suspicious,
        () => Verdict::NoEvidence,
    }
}

/// Why, after what the mark does to pictures of one label.
pub(super) fn because(t: &TriggerEvidence, of_all: AllToAll) -> String {
    let mut because = format!(
        "; the same mark sends {:.0} of {} labels each to another one, where a mark that changes the answers of an honest model sends \
         them to the same few",
        of_all.share * of_all.labels as f32,
        of_all.labels
    );
    let Seen { honest, abroad } = Seen::of(t);
    if let (Some(honest), Some(abroad)) = (honest, abroad) {
        let need = if honest < 1.0 {
            format!("need {} to change the answers", percent(honest))
        } else {
            "keep their answers under any mark that was tried".to_owned()
        };
        because += &format!("; models known clean {need}, and this mark changes {} of them there", percent(abroad));
    }
    because
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger;
    use super::*;

    #[test]
    fn a_mark_is_planted_that_sends_most_labels_each_to_another_and_is_strange_to_honest_models() {
        let of_all = AllToAll { share: 0.9, labels: 10, pictures: 200 };
        let planted = trigger(0.004, None, Some(0.12));
        assert_eq!(verdict(&planted, of_all), Verdict::Infected);
        let cases = [
            ("a third", AllToAll { share: 0.4, ..of_all }, planted.clone(), Verdict::Suspicious),
            ("few pictures", AllToAll { pictures: 12, ..of_all }, planted.clone(), Verdict::Suspicious),
            ("nothing honest", of_all, trigger(0.004, None, None), Verdict::Suspicious),
            ("as small on honest models", of_all, trigger(0.08, None, Some(0.12)), Verdict::Suspicious),
            (
                "as small there, and it works there",
                of_all,
                TriggerEvidence { reference_asr: vec![0.6], ..trigger(0.08, None, Some(0.12)) },
                Verdict::NoEvidence,
            ),
        ];
        for (what, of_all, evidence, expected) in cases {
            assert_eq!(verdict(&evidence, of_all), expected, "{what}");
        }
    }

    #[test]
    fn the_reason_tells_how_many_labels_and_what_honest_models_do() {
        let said = because(&trigger(0.004, None, Some(0.12)), AllToAll { share: 0.9, labels: 10, pictures: 200 });
        assert!(said.contains("sends 9 of 10 labels") && said.contains("need 12.0 %"), "{said}");
        let said = because(&trigger(0.004, None, Some(1.0)), AllToAll { share: 0.9, labels: 10, pictures: 200 });
        assert!(said.contains("keep their answers"), "{said}");
    }
}
