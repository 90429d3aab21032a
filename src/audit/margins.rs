//! The margin phase (MM-BD): needs the suspect model and nothing else.

use super::Phase;
use super::budget::{labels_at_once, pictures_at_once};
use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::subject::Evidence;
use super::workers::{cores, each};
use crate::detect::max_margin::{Ascent, Climb};
use crate::detect::neural_cleanse::median;
use crate::detect::{MarginEvidence, Outlier, Spread, outliers};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Drives every label's margin up and completes the evidence with them. A label whose margins are no numbers has none.
pub(super) fn drive(case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, pace, monitor, .. } = case;
    let how = if settings.thorough { Ascent::thorough() } else { Ascent::quick() };
    let at_once = how.at_once.min(pictures_at_once(subject.bytes_a_picture, settings.memory_budget));
    let how = Ascent { at_once, ..how };
    let labels: Vec<usize> = (0..subject.suspect.classes()).collect();
    let batches: Vec<&[usize]> = labels.chunks(labels_at_once(subject.bytes_a_picture)).collect();
    let finished = AtomicUsize::new(0);
    let (done, failure) = each(&batches, cores(), |batch| {
        let (journal, key) = (&subject.journal, format!("margins-{}", batch[0]));
        let margins = journal.once(&key, || {
            let mut climb = Climb::new(&subject.suspect, batch, &how, settings.seed)?;
            Following::new(&mut climb, journal.checkpoint(&key), &|_| (), monitor)?.run_out()?;
            Ok(climb.margins())
        })?;
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        pace.at(
            Phase::Margins,
            done as f32 / batches.len() as f32,
            "How far each label can be driven above the others",
        );
        Ok::<_, AuditError>(batch.iter().copied().zip(margins).collect::<Vec<_>>())
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let margins: Vec<(usize, f32)> = done.into_iter().flatten().flatten().filter(|(_, m)| m.is_finite()).collect();
    for found in compared(&margins) {
        evidence.margins[found.label] = Some(found);
    }
    Ok(())
}

/// Each label's margin beside those of all.
fn compared(margins: &[(usize, f32)]) -> Vec<MarginEvidence> {
    if margins.is_empty() {
        return Vec::new();
    }
    let values: Vec<f32> = margins.iter().map(|(_, margin)| *margin).collect();
    let usual = median(&values).max(f32::MIN_POSITIVE);
    // The test looks for what lies below: the reciprocal of a large margin is small.
    let logarithms: Vec<f32> = values.iter().map(|m| -m.max(f32::MIN_POSITIVE).ln()).collect();
    let beside = outliers(&logarithms, Spread::MARGIN);
    let of = |(&(label, margin), outlier): (&(usize, f32), Option<Outlier>)| MarginEvidence {
        label,
        margin,
        times_usual: margin / usual,
        index: outlier.map(|o| o.index),
        p_value: outlier.map(|o| o.p_of_any(margins.len())),
    };
    margins.iter().zip(beside).map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_margin_far_above_the_others_is_rare_and_few_labels_say_nothing() {
        let mut margins: Vec<(usize, f32)> = (0..10).map(|i| (i, 100.0 + i as f32)).collect();
        margins[6].1 = 330.0;
        let found = compared(&margins);
        assert!(found[6].p_value.unwrap() < 0.01 && found[6].times_usual > 3.0, "{:?}", found[6]);
        assert!(found.iter().filter(|f| f.label != 6).all(|f| f.p_value == Some(1.0)));
        assert!(compared(&margins[..4]).iter().all(|f| f.p_value.is_none()));
        assert!(compared(&[]).is_empty());
    }
}
