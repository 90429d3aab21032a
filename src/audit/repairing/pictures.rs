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
