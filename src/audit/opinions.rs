//! The opinion phase of a thorough audit: published methods that ask for no label and name one of every model.
//!
//! In: the suspect, honest models, images. Out: which label each names, for how many pictures, and how many an honest model has at its own
//! such label. They accuse nobody (docs/verdict.md says what they were seen to do); they are told beside the reasons for a verdict.

use super::budget::pictures_at_once;
use super::case::Case;
use super::error::AuditError;
use super::subject::Evidence;
use super::workers::{cores, each};
use super::{Method, Opinion, Phase};
use crate::detect::ban::{Noise, disturb};
use crate::detect::bti_dbf::{Inversion, invert};
use crate::detect::{DetectError, Gathered};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::Seed;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All of them. Another one is a line here and an arm in [`gather`].
const METHODS: [Method; 2] = [Method::BtiDbf, Method::Ban];

/// Images that are learned from, and held-back ones that are counted, at most.
const LEARNED_FROM: usize = 500;
const COUNTED: usize = 400;

/// Asks each method about the suspect and about every model known clean.
pub(super) fn ask(case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, known_clean, pace, monitor, .. } = case;
    let seed = settings.seed;
    let images = subject.split.search.sample(LEARNED_FROM, seed);
    let held_out = subject.split.held_out.sample(COUNTED, seed);
    let at_once = pictures_at_once(subject.bytes_a_picture, settings.memory_budget);
    let models: Vec<&Classifier> =
        std::iter::once(&subject.suspect).chain(known_clean.iter().map(|reference| &reference.classifier)).collect();
    let questions: Vec<(Method, usize)> =
        METHODS.iter().flat_map(|&method| (0..models.len()).map(move |m| (method, m))).collect();
    let finished = AtomicUsize::new(0);
    let (done, failure) = each(&questions, cores(), |&(method, m)| {
        let found = subject.journal.once(&format!("opinion-{method:?}-{m}"), || {
            Ok::<_, AuditError>(gather(method, models[m], (&images, &held_out), at_once, seed, monitor)?)
        })?;
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        pace.at(Phase::Opinions, done as f32 / questions.len() as f32, "Asking other methods, which only name a label");
        Ok::<_, AuditError>(found)
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let answers: Vec<Option<Gathered>> = done.into_iter().flatten().collect();
    for (method, of_models) in METHODS.iter().zip(answers.chunks(models.len())) {
        if let Some((Some(gathered), honest)) = of_models.split_first() {
            let honest = honest.iter().flatten().map(|honest| honest.share).collect();
            evidence.opinions.push(Opinion { method: *method, gathered: *gathered, honest });
        }
    }
    Ok(())
}

fn gather(
    method: Method,
    model: &Classifier,
    images: (&ImageSet, &ImageSet),
    at_once: usize,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Option<Gathered>, DetectError> {
    match method {
        Method::BtiDbf => {
            let how = Inversion::default();
            invert(model, images, &Inversion { batch: how.batch.min(at_once), ..how }, seed, monitor)
        }
        Method::Ban => {
            let how = Noise::default();
            disturb(model, images, &Noise { batch: how.batch.min(at_once), ..how }, seed, monitor)
        }
    }
}
