//! The one place where evidence becomes a verdict.
//!
//! In: what the detectors saw of each label. Out: a verdict a label with its reasons, the verdict on
//! the model, and what was not examined. The rule, on one page, is in `docs/verdict.md`.

use super::references::Reference;
use super::run::Evidence;
use super::{Finding, ImagesSummary, LabelFindings, Verdict};
use crate::detect::neural_cleanse::median;
use crate::detect::{ShotEvidence, TriggerEvidence};

/// A trigger works when it turns at least this share of held-back pictures.
pub const WORKS: f32 = 0.85;
/// It is far smaller than on honest models when it needs at most this share of what they need.
pub const FAR_SMALLER: f32 = 0.5;
/// It is an outlier among the labels beyond this many deviations (Neural Cleanse: 2).
pub const OUTLIER: f32 = 2.0;
/// A trigger over more of the picture than this is no patch, whatever else is said of it.
pub const LARGEST_PATCH: f32 = 0.25;
/// Chance that an honest model shows shots as low, over all labels together.
pub const LEVEL: f32 = 0.01;
/// Held-back pictures below which a success rate is not trusted.
pub const FEWEST_PICTURES: usize = 20;
/// A label counts as confirmed with fewer reasons when its trigger is smaller than this beside
/// honest models.
pub const TINY: f32 = 0.25;

/// Verdicts of all labels, in order.
pub(super) fn labels(evidence: &Evidence, names: &[String], references: usize) -> Vec<LabelFindings> {
    let classes = names.len();
    let all = evidence.shots.iter().zip(&evidence.triggers).zip(names).enumerate();
    all.map(|(label, ((shots, trigger), name))| {
        let mut findings = Vec::new();
        if let Some(trigger) = trigger {
            findings.extend(of_trigger(trigger));
        }
        if let Some(shots) = shots {
            findings.extend(of_shots(shots, classes, references));
        }
        findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
        let verdict = findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::NoEvidence);
        LabelFindings { label, name: name.clone(), verdict, findings, shots: shots.clone(), trigger: trigger.clone() }
    })
    .collect()
}

/// What a recovered trigger says.
fn of_trigger(t: &TriggerEvidence) -> Vec<Finding> {
    let percent = |v: f32| format!("{:.1} %", 100.0 * v);
    if !t.reached || t.asr < WORKS {
        let because = format!(
            "No small trigger was found: the nearest covers {} of the picture and turns {} of held-back pictures",
            percent(t.size),
            percent(t.asr)
        );
        return vec![Finding { verdict: Verdict::NoEvidence, because }];
    }
    let usual = (!t.reference_sizes.is_empty()).then(|| median(&t.reference_sizes));
    let share = usual.map(|u| t.size / u.max(f32::EPSILON));
    let outlier = t.anomaly_index.is_some_and(|i| i > OUTLIER);
    let far_smaller = share.is_some_and(|s| s <= FAR_SMALLER);
    let tiny = share.is_some_and(|s| s <= TINY);
    let enough = t.asr_images >= FEWEST_PICTURES;
    let verdict = match (far_smaller, outlier) {
        _ if t.size > LARGEST_PATCH => Verdict::NoEvidence,
        (true, true) if enough => Verdict::Infected,
        (true, _) if tiny && enough => Verdict::Infected,
        (true, _) => Verdict::Suspicious,
        (false, true) if share.is_none() => Verdict::Suspicious,
        _ => Verdict::NoEvidence,
    };
    let mut because = format!(
        "A mark over {} of the picture turns {} of {} held-back pictures into this label",
        percent(t.size),
        percent(t.asr),
        t.asr_images
    );
    if let Some(usual) = usual {
        because += &format!("; models known clean need {}", percent(usual));
    }
    if let Some(index) = t.anomaly_index {
        because += &format!("; anomaly index among the labels {index:.1}");
    }
    vec![Finding { verdict, because }]
}

/// What the shots say.
fn of_shots(s: &ShotEvidence, classes: usize, references: usize) -> Vec<Finding> {
    let reached = s.losses.iter().filter(|&&l| l <= crate::detect::poisdetc::REACHED).count();
    let said = format!("{reached} of {} shots reached this label", s.losses.len());
    let Some(p) = s.p_value else {
        let because = format!("{said}; there was nothing to compare that with");
        return vec![Finding { verdict: Verdict::NoEvidence, because }];
    };
    let beyond = s.flagged_by_original_rule && p * classes as f32 <= LEVEL;
    let because = format!(
        "{said}; between {references} models known clean {:.0} % do (p = {p:.2e}{})",
        100.0 * s.clean_prob,
        if beyond { ", beyond what honest models show" } else { "" }
    );
    let verdict = if beyond { Verdict::Suspicious } else { Verdict::NoEvidence };
    vec![Finding { verdict, because }]
}

/// The verdict on the model: that of its worst label.
pub(super) fn model(labels: &[LabelFindings]) -> Verdict {
    labels.iter().map(|l| l.verdict).max().unwrap_or(Verdict::NoEvidence)
}

/// The verdict in one or two plain sentences.
pub(super) fn summary(labels: &[LabelFindings], verdict: Verdict, stopped: bool) -> String {
    let named = |v: Verdict| {
        let names: Vec<String> =
            labels.iter().filter(|l| l.verdict == v).map(|l| format!("{} \"{}\"", l.label, l.name)).collect();
        match names.len() {
            0..=3 => names.join(", "),
            n => format!("{} and {} more", names[..3].join(", "), n - 3),
        }
    };
    let worst = labels.iter().filter(|l| l.verdict == verdict).filter_map(|l| l.trigger.as_ref()).next();
    let mut text = match (verdict, worst) {
        (Verdict::Infected, Some(t)) => format!(
            "This model is infected at label {}. A mark over {:.1} % of the picture turns {:.1} % of {} pictures \
             it had not seen into that label",
            named(Verdict::Infected),
            100.0 * t.size,
            100.0 * t.asr,
            t.asr_images
        ),
        (Verdict::Infected, None) => format!("This model is infected at label {}", named(Verdict::Infected)),
        (Verdict::Suspicious, _) => format!(
            "Label {} is beyond what honest models show, but no recovered trigger confirms it",
            named(Verdict::Suspicious)
        ),
        (Verdict::NoEvidence, _) => {
            "No evidence of poisoning was found. That is no proof that there is none: see what was not examined".into()
        }
    };
    if stopped {
        text += ". The audit was stopped before its end";
    }
    text
}

/// What was not examined and why.
pub(super) fn limits(
    images: &ImagesSummary,
    references: &[Reference],
    labels: &[LabelFindings],
    stopped: bool,
) -> Vec<String> {
    let mut limits = Vec::new();
    if stopped {
        limits.push("The audit was stopped before its end; what was not reached is not examined".to_owned());
    }
    let without_shots = labels.iter().filter(|l| l.shots.is_none()).count();
    if without_shots > 0 {
        limits.push(format!("{without_shots} labels were not shot at"));
    }
    let without_trigger = labels.iter().filter(|l| l.trigger.is_none()).count();
    if without_trigger > 0 {
        limits.push(format!(
            "No trigger was searched for at {without_trigger} labels whose shots did not stand out; a thorough audit \
             searches all"
        ));
    }
    let empty = labels.iter().filter(|l| images.per_label.get(l.label).is_none_or(|&n| n == 0)).count();
    if empty > 0 {
        limits.push(format!("{empty} labels have no clean image, so nothing is known of how the model treats them"));
    }
    if !images.skipped.is_empty() {
        limits.push(format!("{} pictures could not be read and were left out", images.skipped.len()));
    }
    if images.held_out < 100 {
        limits.push(format!(
            "Only {} pictures were held back to confirm triggers; with fewer than 100 the success rates are rough",
            images.held_out
        ));
    }
    for reference in references.iter().filter(|r| r.summary.path.is_none() && r.summary.accuracy < 0.7) {
        limits.push(format!(
            "A reference model trained on your images reaches only {:.0} %; more clean images make the comparison \
             stronger",
            100.0 * reference.summary.accuracy
        ));
    }
    limits.push(
        "Searched for were patches that work on every picture. Blended or warped triggers, triggers for one source \
         label, and all-to-all attacks can escape"
            .into(),
    );
    limits
}
