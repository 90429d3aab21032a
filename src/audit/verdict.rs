//! The one place where evidence becomes a verdict.
//!
//! In: what the detectors saw of each label. Out: a verdict a label with its reasons, the verdict on
//! the model, and what was not examined. The rule, on one page, is in `docs/verdict.md`.

pub(super) mod all_to_all;
mod blends;
pub(super) mod data;
pub(super) mod filters;
pub(super) mod margins;
mod opinions;
mod pairs;
pub(super) mod warps;

use super::references::Reference;
use super::scope::{EndedEarly, PairsExamined};
use super::subject::Evidence;
use super::summary::listed;
use super::{Finding, ImagesSummary, LabelFindings, Verdict};
use crate::detect::neural_cleanse::{anomaly_indices, median};
use crate::detect::poisdetc::{REACHED, SHARE};
use crate::detect::{Shape, ShotEvidence, TriggerEvidence};

/// A trigger works when it turns at least this share of held-back pictures.
pub const WORKS: f32 = 0.85;
/// It stands out among the suspect's labels where an honest model has so small a trigger at any label with at most this
/// probability, and at no more than this share of the size that they usually need.
pub const OUTLIER: (f32, f32) = (0.02, 0.5);
/// What needs more than this share of the usual size must be far smaller than on honest models and unknown to them; below it it is
/// enough that it is far smaller or means nothing to them.
pub const CLEARLY_SMALLER: f32 = 0.25;
/// A trigger is unknown to honest models when it turns at most this share of pictures there.
pub const UNKNOWN: f32 = 0.04;
/// Between a quarter and a half of the usual size that is enough where the mark is rarer than this. Planted marks that were seen there had
/// p 6e-4 and 0.001, or 0.013 and 0.019 and turned 0.3 and 0.1 %; of labels that nobody attacked the nearest had 0.012 and turned 6.4 %, 0.016
/// and 2.4 % (docs/verdict.md).
pub const RARER: f32 = 0.01;
/// Else it must turn no more than this share.
pub const WHOLLY_UNKNOWN: f32 = 0.01;
/// Two planted labels among a dozen make each other look less rare. One so much smaller than usual stands out all the same, where
/// honest models need far more and do not know the mark.
pub const FAR_OUT: (f32, f32) = (0.05, 0.2);
/// Both may be missed by a little where honest models need much more: then the label is suspicious.
pub const HALF_AN_OUTLIER: (f32, f32) = (0.05, 0.55);
/// It is far smaller than on honest models when it needs at most this share of what they need.
pub const FAR_SMALLER: f32 = 0.5;
/// At most this share of what honest models need: nothing natural is known to be so small.
pub const TINY: f32 = 0.25;
/// A trigger means nothing to honest models when it turns at most this share of pictures there.
pub const MEANS_NOTHING: f32 = 0.2;
/// A trigger over more of the picture than this is no patch, whatever else is said of it.
pub const LARGEST_PATCH: f32 = 0.25;
/// Chance that an honest model shows shots as low, over all labels together.
pub const LEVEL: f32 = 0.01;
/// The typical loss of a label's shots is low among the suspect's labels beyond this many deviations.
pub const LOW: f32 = 2.0;
/// Held-back pictures below which a success rate is not trusted.
pub const FEWEST_PICTURES: usize = 20;
/// More than the largest share of its shape, but no more than so many times, may be by chance.
const NEARLY_ACCUSED: f32 = 1.1;

/// What an audit came to look at.
#[derive(Debug, Clone)]
pub(super) struct Examined {
    pub(super) pairs: PairsExamined,
    pub(super) ended_early: EndedEarly,
    /// Whether somebody stopped it.
    pub(super) stopped: bool,
    /// Why nothing that needs pictures was done, where that is so.
    pub(super) too_few: Option<String>,
    /// Why the processor computed though a card was wanted, where that is so.
    pub(super) not_on_the_card: Option<String>,
}

/// Labels named in the summary at most.
const LABELS_NAMED: usize = 3;

/// Verdicts of all labels, in order.
pub(super) fn labels(evidence: &Evidence, names: &[String], references: usize) -> Vec<LabelFindings> {
    let classes = names.len();
    let lowness = lowness(evidence);
    let searched = evidence.triggers.iter().any(Option::is_some);
    // Behind what is confirmed first no patch is searched for that could speak for the shots at another label.
    let shots_are_enough =
        !searched && !a_trigger_for_all_is_confirmed(evidence) && !an_all_to_all_mark_is_confirmed(evidence);
    let all = evidence.shots.iter().zip(&evidence.triggers).zip(names).enumerate();
    all.map(|(label, ((shots, trigger), name))| {
        let mut findings = Vec::new();
        if let Some(trigger) = trigger {
            findings.extend(of_trigger(trigger));
        }
        let warp = evidence.warps[label].as_ref();
        findings.extend(warp.map(warps::finding));
        let filter = evidence.filters[label].as_ref();
        findings.extend(filter.map(filters::finding));
        let blend = evidence.blends[label].as_ref();
        findings.extend(blend.map(|blend| blends::finding(blend, &evidence.blends)));
        let (pair, of_pairs) = pairs::into_label(&evidence.pairs, label, names);
        findings.extend(of_pairs);
        let margin = evidence.margins[label];
        findings.extend(margin.map(|margin| margins::finding(&margin, searched)));
        if let Some(shots) = shots {
            let doubted = !shots_are_enough && !trigger.as_ref().is_some_and(nearly_stands_out);
            findings.extend(of_shots(shots, classes, references, lowness[label], doubted));
        }
        findings.extend(evidence.opinions.iter().filter(|o| o.gathered.label == label).map(opinions::finding));
        findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
        let verdict = findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::NoEvidence);
        let blend = blend.filter(|blend| blends::verdict(blend, &evidence.blends) > Verdict::NoEvidence);
        let bends = warp.filter(|warp| warps::verdict(warp) > Verdict::NoEvidence);
        let tints = filter.filter(|filter| filters::verdict(filter) > Verdict::NoEvidence);
        // What accuses is shown; else what was searched last, of the searches that all labels get.
        let trigger = bends.or(tints).or(pair).or(blend).or(trigger.as_ref()).or(filter).or(warp).cloned();
        LabelFindings { label, name: name.clone(), verdict, findings, margin, shots: shots.clone(), trigger }
    })
    .collect()
}

/// A trigger of this shape that needs more than this share of what the model's labels usually need accuses nobody.
pub(super) fn largest_share(shape: Shape) -> f32 {
    match shape {
        Shape::Patch => HALF_AN_OUTLIER.1,
        Shape::Blend => blends::LARGEST_SHARE,
        Shape::Warp => warps::LARGEST_SHARE,
        Shape::Filter => filters::LARGEST_SHARE,
    }
}

/// Whether a trigger works well enough to say something, in its search and on pictures held back.
pub(super) fn works(t: &TriggerEvidence) -> bool {
    match t.shape {
        Shape::Warp => t.asr >= warps::WORKS,
        Shape::Filter => t.asr >= filters::WORKS,
        Shape::Patch | Shape::Blend => t.reached && t.asr >= WORKS,
    }
}

/// Whether a trigger may be as small as this, or no smaller, by chance: it needs more than what is clearly smaller than usual, and at most a
/// little more than what could be accused.
pub(super) fn is_in_doubt(t: &TriggerEvidence) -> bool {
    let is_between =
        |usual: f32| t.size > CLEARLY_SMALLER * usual && t.size <= NEARLY_ACCUSED * largest_share(t.shape) * usual;
    works(t) && t.usual_size.is_some_and(is_between)
}

/// Whether a warp, a filter or a patch that works on every picture is confirmed, so that nothing else is needed to call the model
/// infected and to show why.
pub(super) fn a_trigger_for_all_is_confirmed(evidence: &Evidence) -> bool {
    let convicts = |of: fn(&TriggerEvidence) -> Verdict, found: &[Option<TriggerEvidence>]| {
        found.iter().flatten().any(|t| of(t) == Verdict::Infected)
    };
    convicts(warps::verdict, &evidence.warps)
        || convicts(filters::verdict, &evidence.filters)
        || convicts(of_patch, &evidence.triggers)
}

/// Whether one mark is confirmed that sends each label to another.
pub(super) fn an_all_to_all_mark_is_confirmed(evidence: &Evidence) -> bool {
    evidence.pairs.iter().any(|t| t.all_to_all.is_some() && is_confirmed_pair(t))
}

/// Whether the mark of a pair is confirmed.
pub(super) fn is_confirmed_pair(t: &TriggerEvidence) -> bool {
    pairs::verdict(t) == Verdict::Infected
}

/// Whether a trigger for one source is small enough to be compared with honest models.
pub(super) fn may_be_planted(t: &TriggerEvidence) -> bool {
    pairs::works_and_stands_out(t, pairs::NEARLY)
}

/// A share in `[0, 1]` as it stands in a reason.
fn percent(share: f32) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A probability as it stands in a reason.
fn chance(p: f32) -> String {
    match p {
        p if p >= 0.1 => format!("p = {p:.1}"),
        p if p >= 0.001 => format!("p = {p:.3}"),
        p => format!("p = {p:.0e}"),
    }
}

/// What a recovered patch says of its label.
fn of_patch(t: &TriggerEvidence) -> Verdict {
    if works(t) { Seen::of(t).verdict(t) } else { Verdict::NoEvidence }
}

/// What a trigger says that `may_be_planted` beside the model's other labels: honest models decide. It needs at most [`FAR_SMALLER`] of
/// what they need, if they can be turned so at all, and means nothing to them.
fn strange_to_honest_models(t: &TriggerEvidence, may_be_planted: bool) -> Verdict {
    let Seen { honest, abroad } = Seen::of(t);
    let strange = honest.is_some_and(|honest| t.size <= FAR_SMALLER * honest)
        && abroad.is_some_and(|abroad| abroad <= MEANS_NOTHING);
    match () {
        () if !may_be_planted => Verdict::NoEvidence,
        () if strange && t.asr_images >= FEWEST_PICTURES => Verdict::Infected,
        () if strange || honest.is_none() => Verdict::Suspicious,
        () => Verdict::NoEvidence,
    }
}

/// What a recovered trigger says.
fn of_trigger(t: &TriggerEvidence) -> Vec<Finding> {
    if !works(t) {
        let because = format!(
            "No small trigger was found: the nearest covers {} of the picture and turns {} of held-back pictures",
            percent(t.size),
            percent(t.asr)
        );
        return vec![Finding { verdict: Verdict::NoEvidence, because }];
    }
    let because = recovered(t, &format!("A mark over {} of the picture", percent(t.size)), "mark");
    vec![Finding { verdict: of_patch(t), because }]
}

/// How well a recovered trigger works, what other labels need, and what it is to honest models. `what` turns pictures, and is
/// called `this`.
fn recovered(t: &TriggerEvidence, what: &str, this: &str) -> String {
    let mut because = format!("{what} turns {} of {} held-back pictures into this label", percent(t.asr), t.asr_images);
    because += &beside_others(t);
    let Seen { honest, abroad } = Seen::of(t);
    if let (Some(honest), Some(abroad)) = (honest, abroad) {
        let need = match t.shape {
            Shape::Warp | Shape::Filter if honest >= 1.0 => "cannot be turned so".to_owned(),
            _ => format!("need {} for this label", percent(honest)),
        };
        because += &format!("; models known clean {need}, and this {this} turns {} of pictures there", percent(abroad));
    }
    because
}

/// What the other labels need, and how unusual it is to need so much less.
fn beside_others(t: &TriggerEvidence) -> String {
    let (Some(usual), Some(index)) = (t.usual_size, t.anomaly_index) else { return String::new() };
    if t.shape == Shape::Filter && usual >= 1.0 {
        return "; most labels of this model cannot be turned so".into();
    }
    let rare = t.p_value.map_or_else(String::new, |p| format!(", {}", chance(p)));
    format!("; labels of this model usually need {} (anomaly index {index:.1}{rare})", percent(usual))
}

/// A trigger beside the other labels and beside honest models.
pub(super) struct Seen {
    /// Typical size honest models need for the label.
    pub(super) honest: Option<f32>,
    /// Share of pictures the mark turns on honest models, on average.
    pub(super) abroad: Option<f32>,
}

impl Seen {
    pub(super) fn of(t: &TriggerEvidence) -> Self {
        let known = !t.reference_sizes.is_empty();
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        Self {
            honest: known.then(|| median(&t.reference_sizes)),
            abroad: (!t.reference_asr.is_empty()).then(|| mean(&t.reference_asr)),
        }
    }

    fn verdict(&self, t: &TriggerEvidence) -> Verdict {
        let share = self.honest.map(|honest| t.size / honest.max(f32::EPSILON));
        let far_smaller = share.is_some_and(|s| s <= FAR_SMALLER);
        let tiny = share.is_some_and(|s| s <= TINY);
        let foreign = self.abroad.is_some_and(|a| a <= MEANS_NOTHING);
        let rare = t.p_value.is_some_and(|p| p <= RARER);
        let unknown = self.abroad.is_some_and(|a| a <= if rare { UNKNOWN } else { WHOLLY_UNKNOWN });
        let enough = t.asr_images >= FEWEST_PICTURES;
        match t.p_value {
            _ if t.size > LARGEST_PATCH => Verdict::NoEvidence,
            Some(_) if stands_out(t, OUTLIER) => match share {
                Some(_) if far_smaller && unknown && enough => Verdict::Infected,
                Some(_) if stands_out(t, (OUTLIER.0, CLEARLY_SMALLER)) && (far_smaller || foreign) && enough => {
                    Verdict::Infected
                }
                Some(_) if far_smaller || foreign => Verdict::Suspicious,
                Some(_) => Verdict::NoEvidence,
                // Nothing honest to hold it against.
                None => Verdict::Suspicious,
            },
            Some(_) if stands_out(t, FAR_OUT) && tiny && foreign && enough => Verdict::Infected,
            Some(_) if stands_out(t, HALF_AN_OUTLIER) && far_smaller => Verdict::Suspicious,
            // Too few labels for an outlier test: honest models alone must tell.
            None if tiny && foreign && enough => Verdict::Infected,
            None if far_smaller => Verdict::Suspicious,
            _ => Verdict::NoEvidence,
        }
    }
}

/// How far the typical loss of each label's shots lies below that of the other labels, in
/// deviations of its logarithm. A suspect of another kind than the references is low at every label.
fn lowness(evidence: &Evidence) -> Vec<Option<f32>> {
    let typical: Vec<Option<f32>> =
        evidence.shots.iter().map(|s| s.as_ref().map(|s| median(&s.losses).max(1e-4).ln())).collect();
    let known: Vec<f32> = typical.iter().flatten().copied().collect();
    let mut indices = anomaly_indices(&known).into_iter();
    typical.iter().map(|t| t.and_then(|_| indices.next().flatten())).collect()
}

/// Whether a trigger at least nearly stands out among the labels, or nothing can be said of that.
fn nearly_stands_out(t: &TriggerEvidence) -> bool {
    t.p_value.is_none() || stands_out(t, HALF_AN_OUTLIER)
}

/// Whether an honest model has so small a trigger at most so often, and it needs at most this share of what the other
/// labels need.
fn stands_out(t: &TriggerEvidence, (chance, share): (f32, f32)) -> bool {
    t.p_value.is_some_and(|p| p <= chance) && t.usual_size.is_some_and(|usual| t.size <= share * usual)
}

/// What the shots say. They are `doubted` where the search for a trigger speaks against them.
fn of_shots(s: &ShotEvidence, classes: usize, references: usize, lowness: Option<f32>, doubted: bool) -> Vec<Finding> {
    let reached = s.losses.iter().filter(|&&l| l <= REACHED).count();
    let said = format!("{reached} of {} shots reached this label", s.losses.len());
    let Some(p) = s.p_value else {
        let because = format!("{said}; there was nothing to compare that with");
        return vec![Finding { verdict: Verdict::NoEvidence, because }];
    };
    let beyond = s.flagged_by_original_rule
        && s.clean_prob < SHARE
        && p * classes as f32 <= LEVEL
        && lowness.is_none_or(|l| l > LOW);
    let because = format!(
        "{said}; between {references} models known clean {:.0} % do (losses this low: {}{})",
        100.0 * s.clean_prob,
        chance(p),
        match (beyond, doubted) {
            (true, true) => ", beyond what honest models show, but no trigger stands out",
            (true, false) => ", beyond what honest models show",
            (false, _) => "",
        }
    );
    let verdict = if beyond && !doubted { Verdict::Suspicious } else { Verdict::NoEvidence };
    vec![Finding { verdict, because }]
}

/// The verdict on the model: that of its worst label.
pub(super) fn model(labels: &[LabelFindings]) -> Verdict {
    labels.iter().map(|l| l.verdict).max().unwrap_or(Verdict::NoEvidence)
}

/// The verdict in one or two plain sentences.
pub(super) fn summary(labels: &[LabelFindings], verdict: Verdict, examined: &Examined) -> String {
    let convicted: Vec<&LabelFindings> = labels.iter().filter(|l| l.verdict == verdict).collect();
    let called: Vec<String> = convicted.iter().map(|l| pairs::called(l.label, &l.name)).collect();
    let named = listed(&called, LABELS_NAMED);
    let mut text = match (verdict, convicted.iter().find_map(|l| l.trigger.as_ref())) {
        (Verdict::Infected, Some(t)) if t.shape == Shape::Blend => format!(
            "This model is infected at label {named}. A faint pattern over the whole picture, {:.1} % strong, turns \
             {:.1} % of {} pictures it had not seen into that label",
            100.0 * t.size,
            100.0 * t.asr,
            t.asr_images
        ),
        (Verdict::Infected, Some(t)) if t.shape == Shape::Warp => format!(
            "This model is infected at label {named}. Bending the picture, by {:.1} % of its side on average, turns {:.1} % of \
             {} pictures it had not seen into that label",
            100.0 * t.size,
            100.0 * t.asr,
            t.asr_images
        ),
        (Verdict::Infected, Some(t)) if t.shape == Shape::Filter => format!(
            "This model is infected at label {named}. A colour filter that changes colours by {:.1} % on average turns {:.1} % of \
             {} pictures it had not seen into that label",
            100.0 * t.size,
            100.0 * t.asr,
            t.asr_images
        ),
        (Verdict::Infected, Some(t)) if t.source.is_none() => format!(
            "This model is infected at label {named}. A mark over {:.1} % of the picture turns {:.1} % of {} pictures \
             it had not seen into that label",
            100.0 * t.size,
            100.0 * t.asr,
            t.asr_images
        ),
        (Verdict::Infected, Some(_)) => pairs::summary(&convicted, labels),
        (Verdict::Infected, None) => format!("This model is infected at label {named}"),
        (Verdict::Suspicious, _) => {
            format!("Label {named} is beyond what honest models show, but no recovered trigger confirms it")
        }
        (Verdict::NoEvidence, _) if examined.too_few.is_some() => {
            "No trigger was searched for: the pictures are too few. What needs none shows nothing unusual, which says little".into()
        }
        (Verdict::NoEvidence, _) => {
            "No evidence of poisoning was found. That is no proof that there is none: see what was not examined".into()
        }
    };
    if examined.stopped {
        text += ". The audit was stopped before its end";
    }
    text
}

/// What was not examined and why.
pub(super) fn limits(
    images: &ImagesSummary,
    references: &[Reference],
    labels: &[LabelFindings],
    examined: &Examined,
) -> Vec<String> {
    let mut limits = Vec::new();
    limits.extend(examined.not_on_the_card.clone());
    if examined.stopped {
        limits.push("The audit was stopped before its end; what was not reached is not examined".to_owned());
    }
    limits.extend(images.missing_labels(labels.len()));
    if !images.skipped.is_empty() {
        limits.push(format!("{} pictures could not be read and were left out", images.skipped.len()));
    }
    if let Some(why) = &examined.too_few {
        limits.push(format!("{why}. No trigger was searched for, and none can be confirmed"));
        limits.extend(margins::instead(labels));
        return limits;
    }
    let without_shots = labels.iter().filter(|l| l.shots.is_none()).count();
    if without_shots > 0 {
        limits.push(format!("{without_shots} labels were not shot at"));
    }
    let without_trigger = labels.iter().filter(|l| l.trigger.is_none()).count();
    if without_trigger > 0 && examined.pairs != PairsExamined::AllToAll {
        limits.push(format!(
            "No trigger was searched for at {without_trigger} labels at which a short search did not stand out; a thorough audit \
             searches all"
        ));
    }
    let EndedEarly { behind, level } = examined.ended_early;
    let early = [
        (behind, "another label needed far less and proved it on held-back pictures"),
        (level, "no label came near to standing out midway"),
    ];
    for (searches, since) in early.into_iter().filter(|(searches, _)| *searches > 0) {
        limits.push(format!(
            "{searches} searches were ended early, since {since}; the sizes they came to are upper bounds. A thorough audit follows \
             all to the end"
        ));
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
    limits.push(pairs::limit(examined.pairs));
    limits
}

#[cfg(test)]
pub(super) mod tests;
