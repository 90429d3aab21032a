//! Another setting of a finished repair: measured on the images of the proof, and written.

use super::limits::limits;
use super::pictures::pictures;
use super::work::written;
use super::{RepairOrder, RepairReport, RepairingError};
use crate::images::ImageSet;
use crate::model::{Classifier, Overwrite};
use crate::progress::Monitor;
use crate::repair::{Choices, Counted, RepairError, measure};
use std::path::PathBuf;
use std::time::Instant;

/// What a repair is proved with.
#[derive(Debug)]
pub struct Proof {
    /// The model that was repaired.
    pub suspect: Classifier,
    /// Images that neither the search nor the repair saw.
    pub images: ImageSet,
    /// What successes are counted with.
    pub counted: Vec<Counted>,
}

/// The report of the same repair with the setting at `index` of its list, written to `destination`. It was not audited
/// again, and says so.
///
/// # Errors
/// [`RepairingError`], a sentence; then nothing was written.
pub fn choose(
    report: &RepairReport,
    index: usize,
    destination: PathBuf,
    monitor: &Monitor,
) -> Result<RepairReport, RepairingError> {
    let started = Instant::now();
    let none = || RepairingError::Order("this repair has no such setting to choose".into());
    let (choices, proof) = report.choices.as_ref().zip(report.proof.as_ref()).ok_or_else(none)?;
    let choice = choices.list.get(index).ok_or_else(none)?;
    let change = choice.change(&proof.suspect)?;
    let repaired = change.apply(&proof.suspect).map_err(RepairError::from)?;
    let after = measure(&repaired, &proof.images, &proof.counted, monitor)?;
    let pictures = pictures(&proof.counted, [&proof.suspect, &repaired], &proof.images)?;
    monitor.check().map_err(RepairError::from)?;
    let order = RepairOrder { destination, ..report.order.clone() };
    let saved = written(&order, &change, &order.destination, Overwrite::Others)?;
    let why = "it is another setting than the one that was; scan it again";
    Ok(RepairReport {
        meets_aim: after.misses(order.aim, &report.before) == 0.0,
        after,
        pictures,
        change,
        choices: Some(Choices { chosen: index, ..choices.clone() }),
        limits: limits(&order, &proof.counted, report.before.images, 1, Err(why)),
        saved,
        scanned_again: None,
        stopped: false,
        seconds: report.seconds + started.elapsed().as_secs_f64(),
        order,
        ..report.clone()
    })
}
