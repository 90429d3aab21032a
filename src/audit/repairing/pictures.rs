//! Held-back pictures with the recovered marks, and what suspect and repaired model say of them.

use super::Pictures;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::repair::{Counted, RepairError, Stamp};

/// Pictures of a label at most and at least, and of all labels about.
const MOST: usize = 6;
const FEWEST: usize = 2;
const IN_ALL: usize = 24;

/// Some for the mark of every infected label: the more labels, the fewer of each.
pub(super) fn pictures(
    counted: &[Counted],
    [suspect, repaired]: [&Classifier; 2],
    images: &ImageSet,
) -> Result<Vec<Pictures>, RepairError> {
    let marks: Vec<&Counted> = counted.iter().filter(|counted| counted.stamp == Stamp::Mark).collect();
    let each = (IN_ALL / marks.len().max(1)).clamp(FEWEST, MOST);
    let of = |Counted { trigger, .. }: &Counted| {
        let before = trigger.examples(suspect, images, each)?;
        let after = trigger.examples(repaired, images, each)?;
        Ok(Pictures { label: trigger.label, before, after })
    };
    marks.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;

    #[test]
    fn every_infected_label_has_pictures_with_its_mark_and_blocks_have_none() {
        let (suspect, images) = (planted::network(), planted::images(40, 2));
        let aimed = |label, stamp| {
            let trigger = crate::detect::Trigger { label, ..planted::trigger() };
            Counted { stamp, trigger }
        };
        let marks = [aimed(2, Stamp::Mark), aimed(0, Stamp::Mark), aimed(2, Stamp::Block)];
        let shown = pictures(&marks, [&suspect, &suspect], &images).unwrap();
        assert_eq!(shown.iter().map(|some| some.label).collect::<Vec<_>>(), [2, 0]);
        for some in &shown {
            assert!(!some.before.is_empty() && some.before == some.after);
            assert!(some.before.iter().all(|example| example.truth != some.label && example.answer_after.0 == 2));
        }
        let many: Vec<Counted> = (0..30).map(|_| aimed(2, Stamp::Mark)).collect();
        let shown = pictures(&many, [&suspect, &suspect], &images).unwrap();
        assert!(shown.len() == 30 && shown.iter().all(|some| (1..=FEWEST).contains(&some.before.len())));
    }
}
