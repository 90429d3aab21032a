//! Carries an order out, from files to verdict: each phase in a file of its own, one after the other.

use super::case::Case;
use super::pace::{Pace, listen};
use super::references::Reference;
use super::subject::{Evidence, Subject};
use super::verdict::Examined;
use super::{
    Audit, AuditError, Event, ImagesSummary, Journal, LabelFindings, Opinion, Order, Phase, Settings, all_to_all,
    margins, opening, opinions, pairs, references, shots, triggers, verdict,
};
use crate::detect::Shape;
use crate::images::{Discovery, ImageSet};
use crate::model::Preprocessing;
use crate::progress::Monitor;
use crate::tensor::device::{self, Opened};
use std::time::{SystemTime, UNIX_EPOCH};

/// Does the audit on the calling thread; `events` are called from it and from worker threads.
/// Stopped in the middle, it returns what is known so far with [`Audit::stopped`] set, provided the
/// model and the images had been understood.
///
/// # Errors
/// [`AuditError`], a sentence that says what is wrong.
pub fn run(order: &Order, monitor: &Monitor, events: &(dyn Fn(Event) + Sync)) -> Result<Audit, AuditError> {
    run_kept(order, &Journal::none(), monitor, events)
}

/// As [`run`]; finished pieces are kept in `journal`, and those it has are not done again. Trained references, shots,
/// searches and comparisons are pieces, and so is what preprocessing fits; one that was cut off goes on from where it was some
/// seconds before. Only reading the files is done anew. The result is that of an audit in one go.
///
/// # Errors
/// As [`run`].
pub fn run_kept(
    order: &Order,
    journal: &Journal,
    monitor: &Monitor,
    events: &(dyn Fn(Event) + Sync),
) -> Result<Audit, AuditError> {
    let on = device::open(&order.settings.device)?;
    let (is_card, name) = (!on.device.is_cpu(), on.name.clone());
    match run_on(on, order, journal, monitor, events) {
        // A card that is lost in the middle, or whose memory is full: what was done is kept.
        Err(error) if is_card && !matches!(error, AuditError::Stopped(_)) => {
            run_on(Opened::processor_instead_of(&name, &error.to_string()), order, journal, monitor, events)
        }
        done => done,
    }
}

fn run_on(
    on: Opened,
    order: &Order,
    journal: &Journal,
    monitor: &Monitor,
    events: &(dyn Fn(Event) + Sync),
) -> Result<Audit, AuditError> {
    let Opened { device, name, instead } = on;
    let pace = Pace::new(expected(order), events);

    pace.begin(Phase::Open);
    let mut opened = listen(&pace, Phase::Open, monitor, |m| opening::open(order, m))?;
    events(Event::Model(opened.model_summary.clone()));
    events(Event::Images(opened.images_summary.clone()));

    pace.begin(Phase::Preprocessing);
    let before = journal.of(order, &opened.model.sha256, || opened.images.sha256(), &order.preprocessing);
    let discovery = before.once("preprocessing", || {
        listen(&pace, Phase::Preprocessing, monitor, |m| opening::discovery(order, &opened, &device, m))
    })?;
    let preprocessing = opening::best(&discovery)?;
    events(Event::Discovery(discovery.clone()));
    let mut subject = opening::subject(order, &opened, &preprocessing, device)?;
    let sha256 = subject.split.sha256();
    subject.journal = journal.of(order, &opened.model.sha256, || sha256.clone(), &preprocessing);
    opened.images_summary.sha256 = Some(sha256);

    let mut evidence = Evidence::none(opened.model.classes);
    let mut known_clean: Vec<Reference> = Vec::new();
    let ended = examine(order, &subject, &mut known_clean, &mut evidence, &pace, monitor, events);
    let stopped = match ended {
        Ok(()) => false,
        Err(AuditError::Stopped(_)) => true,
        Err(error) => return Err(error),
    };

    pace.begin(Phase::Verdict);
    let names = label_names(&opened.images, opened.model.classes);
    let labels = verdict::labels(&evidence, &names, known_clean.len());
    for label in &labels {
        events(Event::Label(label.clone()));
    }
    let too_few = subject.too_few_pictures.clone();
    let (pairs, ended_early) = (evidence.pairs_examined, evidence.ended_early);
    let examined = Examined { pairs, ended_early, stopped, too_few, not_on_the_card: instead };
    let order = Order { settings: Settings { device: name, ..order.settings.clone() }, ..order.clone() };
    let audit = assemble(
        order,
        opened,
        discovery,
        preprocessing,
        &subject,
        known_clean,
        labels,
        evidence.opinions,
        examined,
        pace.seconds(),
    );
    pace.at(Phase::Verdict, 1.0, "Done");
    Ok(audit)
}

/// The phases that can be stopped and still leave something to tell.
fn examine(
    order: &Order,
    subject: &Subject,
    known_clean: &mut Vec<Reference>,
    evidence: &mut Evidence,
    pace: &Pace<'_>,
    monitor: &Monitor,
    events: &(dyn Fn(Event) + Sync),
) -> Result<(), AuditError> {
    let settings = &order.settings;
    let case = Case { settings, subject, known_clean: &[], pace, monitor, events };
    pace.begin(Phase::Margins);
    margins::drive(case, evidence)?;
    if subject.too_few_pictures.is_some() {
        return Ok(());
    }
    pace.begin(Phase::References);
    listen(pace, Phase::References, monitor, |m| {
        references::prepare(order, subject, known_clean, m, &|r| events(Event::Reference(r.summary.clone())))
    })?;
    let case = Case { known_clean, ..case };
    if settings.thorough {
        pace.begin(Phase::Opinions);
        opinions::ask(case, evidence)?;
    }
    pace.begin(Phase::Shots);
    shots::fire(case, evidence)?;
    pace.begin(Phase::AllToAll);
    all_to_all::search(case, evidence)?;
    for (phase, shape) in [
        (Phase::Warps, Shape::Warp),
        (Phase::Filters, Shape::Filter),
        (Phase::Triggers, Shape::Patch),
        (Phase::Blends, Shape::Blend),
    ] {
        pace.begin(phase);
        triggers::search(shape, case, evidence)?;
    }
    pace.begin(Phase::Pairs);
    pairs::search(case, evidence)
}

/// Rough shares of the time, corrected as the phases learn more.
fn expected(order: &Order) -> Vec<(Phase, f32)> {
    let thorough = order.settings.thorough;
    let slow = if thorough { 4.0 } else { 1.0 };
    vec![
        (Phase::Open, 1.0),
        (Phase::Preprocessing, 2.0),
        (Phase::Margins, 6.0 * slow),
        (Phase::References, 12.0),
        (Phase::Opinions, if thorough { 12.0 } else { 0.0 }),
        (Phase::Shots, 40.0 * slow),
        (Phase::AllToAll, 3.0 * slow),
        (Phase::Warps, 10.0 * slow),
        (Phase::Filters, 3.0 * slow),
        (Phase::Triggers, 40.0 * slow),
        (Phase::Blends, 20.0 * slow),
        (Phase::Pairs, 25.0 * slow),
    ]
}

/// A name for every label of the model, also for those without images.
fn label_names(images: &ImageSet, classes: usize) -> Vec<String> {
    (0..classes).map(|i| images.names.get(i).cloned().unwrap_or_else(|| i.to_string())).collect()
}

#[allow(clippy::too_many_arguments, reason = "one document out of its parts, in one place")]
fn assemble(
    order: Order,
    opened: opening::Opened,
    discovery: Discovery,
    preprocessing: Preprocessing,
    subject: &Subject,
    known_clean: Vec<Reference>,
    labels: Vec<LabelFindings>,
    opinions: Vec<Opinion>,
    examined: Examined,
    seconds: f64,
) -> Audit {
    let clean_accuracy = discovery.accuracy;
    let names = label_names(&opened.images, opened.model.classes);
    let held_out = subject.split.held_out.len();
    let images = ImagesSummary { names, held_out, ..opened.images_summary };
    let verdict = verdict::model(&labels);
    let summary = verdict::summary(&labels, verdict, &examined);
    let limits = verdict::limits(&images, &known_clean, &labels, &examined);
    Audit {
        schema: 1,
        program: env!("CARGO_PKG_VERSION").into(),
        order,
        model: opened.model_summary,
        images,
        discovery,
        preprocessing,
        clean_accuracy,
        references: known_clean.into_iter().map(|r| r.summary).collect(),
        verdict,
        summary,
        labels,
        opinions,
        limits,
        stopped: examined.stopped,
        seconds,
        finished_at: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
    }
}
