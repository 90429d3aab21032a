//! The repair itself, one part after the other.

use super::limits::limits;
use super::pictures::pictures;
use super::{Proof, RepairEvent, RepairOrder, RepairReport, RepairingError, Target};
use crate::audit::again::again;
use crate::audit::error::AuditError;
use crate::audit::opening::{self, Opened};
use crate::audit::pace::forwarded;
use crate::audit::subject::Subject;
use crate::audit::{Audit, Event, Order, run};
use crate::detect::{DetectError, Trigger};
use crate::images::ImageError;
use crate::model;
use crate::model::{Change, Format, Overwrite, SaveError, Saved, save};
use crate::progress::{Monitor, Step};
use crate::repair::{self, Counted, Parts, Point, Problem, Repair, RepairError, Repaired};
use crate::tensor::{Seed, device};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Shares of the work at which its parts end: opening, finding the triggers again, repairing, writing.
const OPENED: f32 = 0.02;
const FOUND: f32 = 0.10;
const REPAIRED: f32 = 0.60;

/// How far the whole is, told to whoever watches.
struct Course<'a> {
    started: Instant,
    events: &'a (dyn Fn(RepairEvent) + Sync),
}

impl Course<'_> {
    fn at(&self, fraction: f32, stage: &str) {
        let elapsed = self.started.elapsed().as_secs_f32();
        // Before a few seconds of the work an estimate would only jump about.
        let seconds_left = (fraction > FOUND && elapsed > 2.0).then(|| elapsed * (1.0 - fraction) / fraction);
        (self.events)(RepairEvent::Progress { fraction, stage: stage.into(), seconds_left });
    }
}

/// Repairs on the calling thread; `events` are called from it and from worker threads. Stopped before the repaired file
/// is written it leaves none; stopped during the second audit it keeps the file and says that it was not examined.
///
/// # Errors
/// [`RepairingError`], a sentence that says what is wrong.
pub fn repair_model(
    order: &RepairOrder,
    monitor: &Monitor,
    events: &(dyn Fn(RepairEvent) + Sync),
) -> Result<RepairReport, RepairingError> {
    let course = Course { started: Instant::now(), events };
    course.at(0.0, "Reading the files");
    let on = device::open(&order.audited.settings.device).map_err(AuditError::from)?;
    let audited = as_audited(order);
    let opened = opening::open(&audited, &monitor.with_listener(|_| {}))?;
    let methods = methods(order, opened.model.format)?;
    belong_together(order, &opened)?;
    model::check_destination(&opened.model, &order.destination, order.overwrite)?;
    let subject = opening::subject(&audited, &opened, &order.preprocessing, on.device)?;
    same_images(order, &subject)?;

    let found = |share: f32| course.at(OPENED + (FOUND - OPENED) * share, "Finding the triggers of the audit again");
    found(0.0);
    let told: Vec<_> = order.infected.iter().map(Target::origin).collect();
    let triggers = again(&audited.settings, &subject, &told, &found, monitor)?;
    let (parts, counted, repaired) = repaired(order, &subject, &triggers, &methods, &course, monitor)?;
    let changed = repaired.change.apply(&subject.suspect).map_err(RepairError::from)?;
    let pictures = pictures(&counted, [&subject.suspect, &changed], &parts.proof)?;
    monitor.check().map_err(AuditError::from)?;

    course.at(REPAIRED, "Writing the repaired model");
    let saved = save(&opened.model, &repaired.change, &order.preprocessing, &order.destination, order.overwrite, None)?;
    events(RepairEvent::Saved(saved.path.clone()));
    let scan = scan_again(&audited, order, &saved, &course, monitor);
    let compared = repaired.attempts.iter().filter(|attempt| attempt.proved.is_some()).count();
    let mut limits = limits(order, &counted, repaired.before.images, compared, scan.as_ref().map_err(String::as_str));
    limits.extend(on.instead);
    Ok(RepairReport {
        order: order.clone(),
        method: repaired.method,
        attempts: repaired.attempts,
        before: repaired.before,
        after: repaired.after,
        meets_aim: repaired.meets_aim,
        pictures,
        change: repaired.change,
        choices: repaired.choices,
        proof: Some(Arc::new(Proof { suspect: subject.suspect, images: parts.proof, counted })),
        saved,
        stopped: scan.as_ref().map_or_else(|_| monitor.is_stopped(), |again| again.stopped),
        scanned_again: scan.ok(),
        seconds: course.started.elapsed().as_secs_f64(),
        limits,
    })
}

/// Looks whether the repaired model could be written, before anything is done for it.
///
/// # Errors
/// [`RepairingError`], as [`repair_model`] would say it.
pub fn check_destination(model: &Path, destination: &Path, overwrite: Overwrite) -> Result<(), RepairingError> {
    let model = model::open(model).map_err(AuditError::from)?;
    Ok(model::check_destination(&model, destination, overwrite)?)
}

/// Writes a finished repair once more, to `destination`.
///
/// # Errors
/// [`RepairingError`], a sentence; then nothing was written.
pub fn export(report: &RepairReport, destination: &Path, overwrite: Overwrite) -> Result<Saved, RepairingError> {
    written(&report.order, &report.change, destination, overwrite)
}

/// Writes the suspect with `change` to `destination`.
pub(super) fn written(
    order: &RepairOrder,
    change: &Change,
    destination: &Path,
    overwrite: Overwrite,
) -> Result<Saved, RepairingError> {
    let model = model::open(&order.audited.model).map_err(AuditError::from)?;
    if model.sha256 != order.sha256 {
        return Err(SaveError::SuspectChanged(model.path).into());
    }
    Ok(save(&model, change, &order.preprocessing, destination, overwrite, None)?)
}

/// The audit's order. Whether labels may lack images was decided by that audit.
fn as_audited(order: &RepairOrder) -> Order {
    let mut audited = order.audited.clone();
    audited.settings.allow_missing_labels = true;
    audited
}

/// The methods to try on a model that came as a file of the kind `own`: none whose result could not be written.
fn methods(order: &RepairOrder, own: Format) -> Result<Vec<&'static dyn Repair>, RepairingError> {
    let can_be_kept = |method: &dyn Repair| !method.adds_steps() || model::holds_clamps(&order.destination, own);
    let Some(name) = &order.method else {
        let recommended = repair::recommended(!order.infected.is_empty(), true);
        return Ok(recommended.into_iter().filter(|method| can_be_kept(*method)).collect());
    };
    let method = repair::method(name).ok_or_else(|| {
        let known: Vec<&str> = repair::methods().iter().map(|m| m.name()).collect();
        RepairingError::Order(format!("there is no repair called \"{name}\"; choose one of {}", known.join(", ")))
    })?;
    if method.needs_trigger() && order.infected.is_empty() {
        let others: Vec<&str> = repair::recommended(false, true).iter().map(|m| m.name()).collect();
        return Err(RepairingError::Order(format!(
            "{name} needs a recovered trigger, and the audit confirmed none; choose {} instead",
            others.join(" or ")
        )));
    }
    if !can_be_kept(method) {
        return Err(RepairingError::Order(format!(
            "{name} adds steps to the network, for which a Keras file has no place; choose a name for the repaired \
             model that ends in .onnx, or another method"
        )));
    }
    Ok(vec![method])
}

/// Refuses files that the audit did not see: its triggers and its proof would mean nothing.
fn belong_together(order: &RepairOrder, opened: &Opened) -> Result<(), RepairingError> {
    let refused = |why: String| Err(RepairingError::Order(why));
    if opened.model.sha256 != order.sha256 {
        let short = |sha256: &str| sha256.get(..12).unwrap_or(sha256).to_owned();
        return refused(format!(
            "the audit is of another file than {} (its SHA-256 begins with {}, this file's with {}); audit this model \
             first, or give the file that was audited",
            order.audited.model.display(),
            short(&order.sha256),
            short(&opened.model.sha256)
        ));
    }
    let seen = &opened.images_summary.per_label;
    if *seen != order.per_label {
        return refused(format!(
            "the audit was done with other images than {}: it saw {} of {} labels, here are {} of {}, or other numbers \
             of a label; give the same images, since those it held back are the proof",
            order.audited.images.display(),
            order.per_label.iter().sum::<usize>(),
            order.per_label.len(),
            opened.images_summary.count,
            seen.len()
        ));
    }
    match order.infected.iter().find(|target| target.label.max(target.source.unwrap_or(0)) >= opened.model.classes) {
        Some(target) => refused(format!("the audit names label {}, which this model does not have", target.label)),
        None => Ok(()),
    }
}

/// Refuses as many images of each label as the audit saw, but other ones.
fn same_images(order: &RepairOrder, subject: &Subject) -> Result<(), RepairingError> {
    match &order.images_sha256 {
        Some(seen) if *seen != subject.split.sha256() => Err(RepairingError::Order(format!(
            "the audit was done with other images than {}: there are as many of each label, but they are not the same \
             pictures in the same order; give the same images, since those it held back are the proof, or audit this model \
             with these first",
            order.audited.images.display()
        ))),
        _ => Ok(()),
    }
}

fn repaired(
    order: &RepairOrder,
    subject: &Subject,
    triggers: &[Trigger],
    methods: &[&dyn Repair],
    course: &Course<'_>,
    monitor: &Monitor,
) -> Result<(Parts, Vec<Counted>, Repaired), RepairingError> {
    course.at(FOUND, "Measuring the suspect");
    let seed = order.audited.settings.seed;
    let parts = Parts::of(&subject.split.search, &subject.split.held_out, seed);
    let watch = |method: &str, point: Point| (course.events)(RepairEvent::Point(method.into(), point));
    let told = |step: Step| {
        if let Some(fraction) = step.fraction {
            course.at(FOUND + (REPAIRED - FOUND) * fraction, &step.stage);
        }
    };
    let (counted, repaired) = forwarded(monitor, &told, |monitor| {
        let problem = Problem::new(&subject.suspect, &parts, triggers, order.aim, seed, monitor)?;
        let repaired = repair::repair(&problem, methods, &watch, monitor)?;
        let repaired = match order.setting {
            Some(setting) => repaired.at_setting(setting, &problem, monitor)?,
            None => repaired,
        };
        Ok::<_, RepairError>((problem.measured_with, repaired))
    })?;
    Ok((parts, counted, repaired))
}

/// The audit of the repaired file, with a seed the first audit did not have; or why there is none.
fn scan_again(
    audited: &Order,
    order: &RepairOrder,
    saved: &Saved,
    course: &Course<'_>,
    monitor: &Monitor,
) -> Result<Audit, String> {
    let preprocessing = Some(order.preprocessing.clone());
    let mut again = Order { model: saved.path.clone(), preprocessing, ..audited.clone() };
    again.settings.seed = fresh(order.audited.settings.seed);
    let tell = |event: Event| {
        if let Event::Progress { fraction, stage, .. } = event {
            course.at(REPAIRED + (1.0 - REPAIRED) * fraction, &format!("Scanning the repaired model: {stage}"));
        }
    };
    run(&again, monitor, &tell).map_err(|why| match why {
        AuditError::Stopped(_) | AuditError::Images(ImageError::Stopped(_)) => {
            "somebody stopped before it began".into()
        }
        why => why.to_string(),
    })
}

/// A seed for the second audit that follows from the first one's.
fn fresh(seed: Seed) -> Seed {
    // Short enough to be typed and to survive programs that read JSON numbers as floating point.
    Seed(seed.of("scan again").0 >> 32)
}

impl From<DetectError> for RepairingError {
    fn from(error: DetectError) -> Self {
        Self::Audit(error.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::repairing::Target;
    use crate::detect::Shape;
    use crate::model::Preprocessing;

    fn order(method: Option<&str>, destination: &str) -> RepairOrder {
        RepairOrder {
            audited: Order::default(),
            preprocessing: Preprocessing::unit([8, 8], 3),
            sha256: String::new(),
            per_label: Vec::new(),
            images_sha256: None,
            infected: vec![Target {
                label: 0,
                source: None,
                shape: Shape::Patch,
                second_search: false,
                all_to_all: false,
                size: None,
            }],
            method: method.map(str::to_owned),
            setting: None,
            aim: crate::repair::Aim::default(),
            destination: destination.into(),
            overwrite: Overwrite::Never,
        }
    }

    #[test]
    fn a_clamp_is_not_begun_where_the_file_has_no_place_for_it() {
        let names = |method, destination, own| {
            let methods = methods(&order(method, destination), own)?;
            Ok::<_, RepairingError>(methods.iter().map(|m| m.name()).collect::<Vec<_>>())
        };
        let sentence = names(Some("clamp"), "repaired.h5", Format::Keras).unwrap_err().to_string();
        for part in ["clamp", "Keras", "ends in .onnx"] {
            assert!(sentence.contains(part), "{sentence}");
        }
        for (destination, own) in [("repaired.onnx", Format::Keras), ("repaired.onnx", Format::Onnx)] {
            assert_eq!(names(Some("clamp"), destination, own).unwrap(), ["clamp"]);
        }
        let all = names(None, "repaired.onnx", Format::Onnx).unwrap();
        let kept: Vec<&str> = all.iter().copied().filter(|name| *name != "clamp").collect();
        assert_eq!(names(None, "repaired.h5", Format::Keras).unwrap(), kept);
        assert_eq!(names(None, "repaired.onnx", Format::Keras).unwrap(), all);
    }
}
