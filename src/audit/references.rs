//! Models known clean: the one the user gave, and those the program trains on the clean images.
//!
//! Two are needed at least: one to shoot against, and a second to show what two honest models look
//! like side by side.

use super::error::AuditError;
use super::following::Following;
use super::subject::Subject;
use super::workers::{cores, each};
use super::{Order, ReferenceSummary, opening};
use crate::images::{self, Wanted};
use crate::model::{self, Classifier, colours};
use crate::progress::Monitor;
use crate::train::{Recipe, Training};

/// A model known clean, ready to be asked.
pub(super) struct Reference {
    pub(super) classifier: Classifier,
    pub(super) summary: ReferenceSummary,
}

/// References of a quick and of a thorough audit.
const QUICK: usize = 2;
const THOROUGH: usize = 3;
/// More images than this do not make a reference better, only slower to train.
const ENOUGH_IMAGES: usize = 4000;

/// Opens the reference of the user, then trains those still wanting, side by side: their networks are
/// too small to keep all cores busy one at a time. Each is handed to `ready` when it is.
pub(super) fn prepare(
    order: &Order,
    subject: &Subject,
    known_clean: &mut Vec<Reference>,
    monitor: &Monitor,
    ready: &(dyn Fn(&Reference) + Sync),
) -> Result<(), AuditError> {
    if let Some(path) = &order.reference {
        monitor.step("Opening the reference model", 0.0);
        let reference = opened(path, order, subject, monitor)?;
        ready(&reference);
        known_clean.push(reference);
    }
    let wanted = if order.settings.thorough { THOROUGH } else { QUICK };
    let missing: Vec<usize> = (known_clean.len()..wanted).collect();
    let monitors = monitor.side_by_side(missing.len());
    let tasks: Vec<(usize, Monitor)> = missing.into_iter().zip(monitors).collect();
    let (done, failure) = each(&tasks, cores(), |(i, monitor)| {
        let reference = trained(*i, order, subject, monitor)?;
        ready(&reference);
        Ok(reference)
    });
    known_clean.extend(done.into_iter().flatten());
    failure.map_or(Ok(()), Err)
}

/// A reference the user vouches for.
fn opened(
    path: &std::path::Path,
    order: &Order,
    subject: &Subject,
    monitor: &Monitor,
) -> Result<Reference, AuditError> {
    let model = model::open(path)?;
    if model.classes != subject.suspect.classes() {
        return Err(AuditError::Reference(format!(
            "{} knows {} labels and the suspect model {}; they must be trained for the same labels",
            path.display(),
            model.classes,
            subject.suspect.classes()
        )));
    }
    let of_suspect = subject.suspect.preprocessing();
    if model.input.channels != of_suspect.channels {
        return Err(AuditError::Reference(format!(
            "{} takes {} pictures and the suspect model {} ones; choose a reference for the same kind of picture",
            path.display(),
            colours(model.input.channels),
            colours(of_suspect.channels)
        )));
    }
    let wanted =
        Wanted { channels: Some(model.input.channels), size: model.input.size, label_names: order.label_names.clone() };
    let images = images::open(&order.images, &wanted, monitor)?;
    let discovery = images::discover(&model, &images, &subject.device, monitor).map_err(|e| match e {
        images::ImageError::Stopped(s) => AuditError::Stopped(s),
        other => AuditError::Reference(other.to_string()),
    })?;
    let preprocessing = opening::best(&discovery)?;
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Reference {
        classifier: Classifier::new(&model, preprocessing, &subject.device)?.asked_with(of_suspect.size),
        summary: ReferenceSummary {
            description: format!("{name}, vouched for by you"),
            path: Some(path.into()),
            accuracy: discovery.accuracy,
        },
    })
}

/// A reference trained here on the images of the search.
fn trained(i: usize, order: &Order, subject: &Subject, monitor: &Monitor) -> Result<Reference, AuditError> {
    let seed = order.settings.seed.of("reference").nth(i);
    let mut images = subject.split.search.sample(ENOUGH_IMAGES, seed);
    // Its last layer needs as many outputs as the suspect has labels, also those without images.
    for label in images.names.len()..subject.suspect.classes() {
        images.names.push(label.to_string());
    }
    let recipe = Recipe::reference(&images, seed);
    let mut fresh = None;
    let (journal, key) = (&subject.journal, format!("reference-{i}"));
    let (parameters, accuracy) = journal.trained(&key, &subject.device, || {
        let mut training = Training::new(&images, &recipe, &subject.device)?;
        Following::new(&mut training, journal.checkpoint(&key), &|_| (), monitor)?.run_out()?;
        let trained = training.finish(monitor)?;
        let numbers = (trained.classifier.parameters().clone(), trained.accuracy);
        fresh = Some(trained.classifier);
        Ok(numbers)
    })?;
    let classifier = match fresh {
        Some(classifier) => classifier,
        None => recipe.network(&images, &subject.device)?.with_parameters(parameters),
    };
    Ok(Reference {
        classifier,
        summary: ReferenceSummary {
            description: format!("trained here on {} of your images, seed {}", images.len(), seed),
            path: None,
            accuracy,
        },
    })
}
