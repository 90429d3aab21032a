//! The PoisDetc phase: shots at every label, on the suspect and between models known clean.

use super::budget::{labels_at_once, pictures_at_once};
use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::scope::looked_at_closely;
use super::subject::Evidence;
use super::workers::{cores, each};
use super::{Event, Phase};
use crate::detect::neural_cleanse::median;
use crate::detect::poisdetc::{self, Shooting, Shots, Volley, published_rule};
use crate::detect::{Picture, ShotEvidence, lower_than};
use crate::model::Classifier;
use candle_core::Tensor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Steps at most in each of the two long stages and their size (published: 1000 of 0.01; shots that are
/// decided leave early). The quick ones go as far as 300 published steps.
const QUICK: (usize, f64) = (60, 0.05);
const THOROUGH: (usize, f64) = (1000, poisdetc::RATE);

/// Shoots at every label; evidence of a label is complete once the clean pairs are through too.
pub(super) fn fire(case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, known_clean, pace, monitor, events } = case;
    let Some(first) = known_clean.first() else { return Ok(()) };
    let (steps, rate) = if settings.thorough { THOROUGH } else { QUICK };
    let mut bytes = subject.bytes_a_picture;
    for reference in known_clean {
        bytes += reference.classifier.bytes_a_picture()?;
    }
    let how = Shooting {
        shots: settings.shots,
        steps,
        rate,
        original_form: settings.original_form,
        early: true,
        at_once: pictures_at_once(bytes, settings.memory_budget),
    };
    let preprocessing = subject.suspect.preprocessing();
    let points = poisdetc::random_points(
        how.shots,
        preprocessing.channels,
        preprocessing.size,
        &mut settings.seed.of("shots").random(),
        &subject.device,
    )?;
    let labels: Vec<usize> = (0..subject.suspect.classes()).collect();
    // Both orders of every two references: what honest models look like to each other.
    let pairs: Vec<(&Classifier, &Classifier)> = known_clean
        .iter()
        .enumerate()
        .flat_map(|(i, a)| {
            known_clean
                .iter()
                .enumerate()
                .filter(move |(j, _)| *j != i)
                .map(move |(_, b)| (&a.classifier, &b.classifier))
        })
        .collect();
    let together = labels_at_once(bytes);
    let batches: Vec<&[usize]> = labels.chunks(together).collect();
    let compared = looked_at_closely(labels.len(), settings.thorough);
    let finished = AtomicUsize::new(0);
    let total = batches.len() + pairs.len() * compared.div_ceil(together);
    let volley = |pair: usize, one: &Classifier, two: &Classifier, labels: &[usize], what: &str| {
        let key = format!("shots-{pair}-{}", labels.iter().map(usize::to_string).collect::<Vec<_>>().join("-"));
        let shots = subject.journal.shots(&key, &subject.device, || {
            let mut volley = Volley::new(one, two, labels, &points, &how);
            Following::new(&mut volley, subject.journal.checkpoint(&key), &|_| (), monitor)?.run_out()?;
            Ok::<Vec<Shots>, AuditError>(volley.shots()?)
        })?;
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        pace.at(Phase::Shots, done as f32 / total as f32, what);
        Ok::<_, AuditError>(shots)
    };

    let (done, failure) = each(&batches, cores(), |batch| {
        let shots = volley(0, &subject.suspect, &first.classifier, batch, "Shots at every label of the suspect model")?;
        let fresh: Vec<ShotEvidence> = shots.iter().map(evidence_of).collect::<Result<_, _>>()?;
        fresh.iter().for_each(|e| events(Event::Shots(e.clone())));
        Ok(fresh)
    });
    for fresh in done.into_iter().flatten().flatten() {
        let label = fresh.label;
        evidence.shots[label] = Some(fresh);
    }
    if let Some(error) = failure {
        return Err(error);
    }

    // What is normal only matters for labels that could be accused.
    let stand_out = standing_out(evidence, settings.thorough);
    let clean: Vec<(usize, &[usize])> =
        (0..pairs.len()).flat_map(|p| stand_out.chunks(together).map(move |b| (p, b))).collect();
    let (done, failure) = each(&clean, cores(), |(pair, batch)| {
        let (one, two) = pairs[*pair];
        let shots = volley(pair + 1, one, two, batch, "The same shots between models known clean")?;
        Ok(shots.into_iter().map(|s| (s.label, s.losses)).collect::<Vec<_>>())
    });
    for (label, losses) in done.into_iter().flatten().flatten() {
        if let Some(evidence) = &mut evidence.shots[label] {
            evidence.clean_losses.extend(losses);
        }
    }
    for evidence in evidence.shots.iter_mut().flatten().filter(|e| !e.clean_losses.is_empty()) {
        evidence.clean_prob = published_rule(&evidence.clean_losses).0;
        evidence.p_value = lower_than(&evidence.losses, &evidence.clean_losses);
        events(Event::Shots(evidence.clone()));
    }
    failure.map_or(Ok(()), Err)
}

/// All labels of a small or thoroughly examined model; otherwise those with the lowest typical loss.
/// These are compared with honest models.
fn standing_out(evidence: &Evidence, thorough: bool) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..evidence.shots.len()).collect();
    let wanted = looked_at_closely(labels.len(), thorough);
    if wanted == labels.len() {
        return labels;
    }
    let typical = |s: &Option<ShotEvidence>| s.as_ref().map_or(f32::INFINITY, |s| median(&s.losses));
    let typical: Vec<f32> = evidence.shots.iter().map(typical).collect();
    labels.sort_by(|&a, &b| typical[a].total_cmp(&typical[b]));
    labels.truncate(wanted);
    labels.sort_unstable();
    labels
}

/// The evidence of one label before anything is known of honest models.
fn evidence_of(shots: &Shots) -> Result<ShotEvidence, AuditError> {
    let (prob, flagged) = published_rule(&shots.losses);
    let points: Result<Vec<Picture>, candle_core::Error> =
        (0..shots.points.dim(0)?).map(|i| shots.points.get(i).and_then(|p: Tensor| Picture::of(&p))).collect();
    Ok(ShotEvidence {
        label: shots.label,
        losses: shots.losses.clone(),
        reference_losses: shots.reference_losses.clone(),
        steps: shots.steps.clone(),
        prob,
        flagged_by_original_rule: flagged,
        clean_losses: Vec::new(),
        clean_prob: 0.0,
        p_value: None,
        points: points?,
    })
}
