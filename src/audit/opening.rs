//! First phases: the model and the images as they were understood, and the preprocessing.

use super::error::AuditError;
use super::journal::Journal;
use super::subject::{Subject, too_few_pictures};
use super::{ImagesSummary, ModelSummary, Order};
use crate::images::{self, Candidate, Discovery, ImageSet, Wanted};
use crate::model::{self, Classifier, Model, Preprocessing};
use crate::progress::Monitor;
use candle_core::Device;

/// Files understood.
pub(super) struct Opened {
    pub(super) model: Model,
    pub(super) images: ImageSet,
    pub(super) model_summary: ModelSummary,
    pub(super) images_summary: ImagesSummary,
}

/// Reads the model, then the images as the model wants them.
pub(super) fn open(order: &Order, monitor: &Monitor) -> Result<Opened, AuditError> {
    monitor.step("Reading the model", 0.0);
    let model = model::open(&order.model)?;
    let model_summary = ModelSummary::of(&model);
    monitor.step("Reading the images", 0.2);
    let wanted = Wanted {
        channels: Some(model.input.channels),
        size: order.preprocessing.as_ref().map(|p| p.size).or(model.input.size),
        label_names: order.label_names.clone(),
    };
    let images = images::open(&order.images, &wanted, &monitor.part(0.2, 1.0))?;
    let images_summary = ImagesSummary::of(&order.images, &images, 0);
    let missing = images_summary.missing_labels(model.classes).filter(|_| !order.settings.allow_missing_labels);
    if let Some(why) = missing {
        return Err(AuditError::Setting(format!(
            "{}: {why}. Add images, or allow missing labels (--allow-missing-labels)",
            order.images.display()
        )));
    }
    Ok(Opened { model, images, model_summary, images_summary })
}

/// Finds the preprocessing, or measures the one the user insists on.
pub(super) fn discovery(
    order: &Order,
    opened: &Opened,
    device: &Device,
    monitor: &Monitor,
) -> Result<Discovery, AuditError> {
    match &order.preprocessing {
        None => Ok(images::discover(&opened.model, &opened.images, device, monitor)?),
        Some(chosen) => measured(opened, chosen, device, monitor),
    }
}

/// The preprocessing that fits best.
pub(in crate::audit) fn best(discovery: &Discovery) -> Result<Preprocessing, AuditError> {
    let best = discovery.candidates.first().map(|c| c.preprocessing.clone());
    best.ok_or_else(|| AuditError::Setting("no preprocessing could be tried on this model".into()))
}

/// The accuracy under the preprocessing a user insists on, without trying any other.
fn measured(
    opened: &Opened,
    chosen: &Preprocessing,
    device: &Device,
    monitor: &Monitor,
) -> Result<Discovery, AuditError> {
    let classifier = Classifier::new(&opened.model, chosen.clone(), device)?;
    let images = opened.images.resized(chosen.size);
    let (accuracy, loss) = images::accuracy(&classifier, &images, monitor)?;
    let candidates = vec![Candidate { preprocessing: chosen.clone(), accuracy, loss }];
    Ok(Discovery { candidates, accuracy, images: images.len() })
}

/// The suspect ready to be asked, and the images split in those for searching and those held back.
pub(super) fn subject(
    order: &Order,
    opened: &Opened,
    preprocessing: &Preprocessing,
    device: Device,
) -> Result<Subject, AuditError> {
    let held_out = order.settings.held_out;
    if !(held_out > 0.0 && held_out < 1.0) {
        return Err(AuditError::Setting(format!(
            "the share of images held back must lie between 0 and 1, not {held_out}"
        )));
    }
    let suspect = Classifier::new(&opened.model, preprocessing.clone(), &device)?;
    let images = opened.images.resized(preprocessing.size);
    let bytes_a_picture = suspect.bytes_a_picture()?;
    let split = images.split(held_out, order.settings.seed);
    let too_few_pictures = too_few_pictures(&split, held_out);
    Ok(Subject { suspect, split, device, bytes_a_picture, too_few_pictures, journal: Journal::none() })
}
