//! The triggers of an audit once more: the same search, batches, images and seed give the same triggers, so an audit
//! need not carry its tensors.

use super::hunting::followed;
use super::run::{AuditError, Subject};
use super::workers::{cores, each};
use super::{Settings, pairs, triggers};
use crate::detect::{Direction, Trigger};
use crate::progress::Monitor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The triggers that an audit with these settings found in `directions`. `told` gets the share that is done.
pub(super) fn again(
    settings: &Settings,
    subject: &Subject,
    directions: &[Direction],
    told: &(dyn Fn(f32) + Sync),
    monitor: &Monitor,
) -> Result<Vec<Trigger>, AuditError> {
    let (of_labels, of_pairs) = (triggers::how(settings, subject)?, pairs::how(settings, subject)?);
    let steps = |direction: &Direction| if direction.source.is_some() { of_pairs.steps } else { of_labels.steps };
    let (done, total) = (AtomicUsize::new(0), directions.iter().map(steps).sum::<usize>().max(1));
    let (found, failure) = each(directions, cores(), |&direction| {
        let moved = |n| told((done.fetch_add(n, Ordering::Relaxed) + n) as f32 / total as f32);
        let hunt = match direction.source {
            Some(_) => pairs::begin(subject, direction, &of_pairs, settings.seed)?,
            None => triggers::begin(subject, direction.target, &of_labels, settings.seed)?,
        };
        followed(hunt, moved, monitor)
    });
    failure.map_or_else(|| Ok(found.into_iter().flatten().collect()), Err)
}
