//! The triggers of an audit once more: the same search, batches, images and seed give the same triggers, so an audit
//! need not carry its tensors.

use super::error::AuditError;
use super::hunting::followed;
use super::subject::Subject;
use super::workers::{cores, each};
use super::{Journal, Settings, pairs, triggers};
use crate::detect::{Direction, Shape, Trigger};
use crate::progress::Monitor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The triggers of these directions and shapes that an audit with these settings found. `told` gets the share that is done.
pub(super) fn again(
    settings: &Settings,
    subject: &Subject,
    targets: &[(Direction, Shape)],
    told: &(dyn Fn(f32) + Sync),
    monitor: &Monitor,
) -> Result<Vec<Trigger>, AuditError> {
    let [patches, blends, warps, filters] =
        [Shape::Patch, Shape::Blend, Shape::Warp, Shape::Filter].map(|shape| triggers::how(shape, settings, subject));
    let of_pairs = pairs::how(settings, subject);
    let how = |&(direction, shape): &(Direction, Shape)| match (direction.source, shape) {
        (Some(_), _) => &of_pairs,
        (None, Shape::Patch) => &patches,
        (None, Shape::Blend) => &blends,
        (None, Shape::Warp) => &warps,
        (None, Shape::Filter) => &filters,
    };
    let (done, total) = (AtomicUsize::new(0), targets.iter().map(|t| how(t).steps).sum::<usize>().max(1));
    let (found, failure) = each(targets, cores(), |target| {
        let moved = |n| told((done.fetch_add(n, Ordering::Relaxed) + n) as f32 / total as f32);
        let direction = target.0;
        let hunt = match direction.source {
            Some(_) => pairs::begin(subject, direction, how(target), settings.seed)?,
            None => triggers::begin(subject, direction.target, how(target), settings.seed)?,
        };
        followed((&Journal::none(), ""), hunt, &subject.device, &moved, monitor)
    });
    failure.map_or_else(|| Ok(found.into_iter().flatten().collect()), Err)
}
