//! The trigger phases: the smallest warp, then the smallest filter, the smallest patch and the faintest blend, each where none before is
//! confirmed, towards every label that stands out, how well it works on images held back, and how large it would have to be on models known clean.

use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::hunting::{Steps, TRIED_ON, abroad, farness, ranked_size};
use super::race::{Midway, Outcome, Race};
use super::scope::looked_at_closely;
use super::searched::Searched;
use super::subject::{Evidence, Subject};
use super::verdict::margins::stands_out;
use super::verdict::{a_trigger_for_all_is_confirmed, an_all_to_all_mark_is_confirmed, filters, largest_share, warps};
use super::workers::{cores, each};
use super::{Event, Phase, Settings};
use crate::detect::neural_cleanse::{Hunt, Search, median};
use crate::detect::{Direction, MarginEvidence, Shape, Spread, Trigger, TriggerEvidence, outliers};
use std::collections::BTreeMap;

/// Labels whose size is compared with models known clean at most: the smallest triggers.
const COMPARED: usize = 4;
/// Of patches, the first of these always are, to show what is usual there; the others only where an honest model has so small
/// a one at most so often. The rule for blends needs all.
const SMALLEST: usize = 2;
const NEAR: f32 = 0.5;

/// Share of pictures that a warp must turn in its search: the attacker's own turn fewer than patches do.
const WARPED: f32 = 0.95;

/// At its end a patch for a label that needs at most this share of what is usual is far ahead: honest labels have been seen at
/// 0.42 (docs/verdict.md). Of other shapes none is ever so much smaller than another that the rest could be left.
const FAR_AHEAD: f32 = 0.25;

/// The same of filters: they are a dozen numbers, which soon are what they will be.
const FILTERED: f32 = 0.95;

/// Warps that do not work yet still grow: at the end so many times as much is usual as midway, at most.
const WARPS_GROW: f32 = 1.75;

/// What is told of a search, and how it differs by the shape of the trigger.
struct Kind {
    phase: Phase,
    /// What its pieces are called in the journal.
    key: &'static str,
    /// Steps of the short search that chooses the labels of a larger model.
    scouting: usize,
    short: &'static str,
    whole: &'static str,
    abroad: &'static str,
    /// How far the sizes of honest models' labels are spread.
    honest: Spread,
    midway: Midway,
}

impl Kind {
    fn of(shape: Shape) -> Self {
        match shape {
            Shape::Patch => Self {
                phase: Phase::Triggers,
                key: "patch",
                scouting: 28,
                short: "A short search at every label",
                whole: "Searching the smallest trigger of each label",
                abroad: "The same search on models known clean",
                honest: Spread::PATCH,
                midway: Midway { steps: 80, may_win: 0.6, accused: largest_share(shape), far_ahead: FAR_AHEAD },
            },
            Shape::Warp => Self {
                phase: Phase::Warps,
                key: "warp",
                scouting: 40,
                short: "A short search for a warp towards every label",
                whole: "Searching the smallest warp towards each label",
                abroad: "The same search for warps on models known clean",
                honest: Spread::WARP,
                midway: Midway { steps: 64, may_win: 0.7, accused: WARPS_GROW * largest_share(shape), far_ahead: 0.0 },
            },
            Shape::Filter => Self {
                phase: Phase::Filters,
                key: "filter",
                scouting: 24,
                short: "A short search for a colour filter towards every label",
                whole: "Searching the weakest colour filter towards each label",
                abroad: "The same search for filters on models known clean",
                honest: Spread::FILTER,
                midway: Midway { steps: 48, may_win: 0.5, accused: largest_share(shape), far_ahead: 0.0 },
            },
            Shape::Blend => Self {
                phase: Phase::Blends,
                key: "added",
                scouting: 32,
                short: "A short search for a faint pattern at every label",
                whole: "Searching the faintest pattern of each label",
                abroad: "The same search for patterns on models known clean",
                honest: Spread::BLEND,
                midway: Midway { steps: 96, may_win: 0.8, accused: largest_share(shape), far_ahead: 0.0 },
            },
        }
    }
}

/// Searches triggers of one shape and completes the evidence with them. Where one is confirmed the next shape is not searched:
/// one trigger is enough for a verdict, a patch is found by the search for blends as well, and a model with a warp has patches for
/// other labels that look planted.
pub(super) fn search(shape: Shape, case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, known_clean, pace, monitor, events } = case;
    let kind = Kind::of(shape);
    if a_trigger_for_all_is_confirmed(evidence) || an_all_to_all_mark_is_confirmed(evidence) {
        return Ok(());
    }
    let how = how(shape, settings, subject);
    let classes = subject.suspect.classes();
    let wanted = looked_at_closely(classes, settings.thorough);
    let compared = COMPARED.min(wanted) * known_clean.len();
    let scouting = if wanted < classes { kind.scouting } else { 0 };
    let total = worth_scouting(classes, wanted) * scouting + wanted * (how.steps - scouting) + compared * how.steps;
    let steps = Steps::new(pace, kind.phase, total);

    let searched = |label| Searched::first(Direction::all_to(label), shape);
    let begun: Result<Vec<_>, _> =
        (0..classes).map(|label| searched(label).hunt(subject, &how, settings.seed)).collect();
    let hunts = match begun? {
        all if wanted == classes => all,
        all => scouted(all, wanted, &evidence.margins, &kind, case, &steps)?,
    };
    let held_out = subject.split.held_out.sample(TRIED_ON, settings.seed);
    let race = Race {
        case,
        held_out: &held_out,
        key: kind.key,
        how: &how,
        steps: &steps,
        stage: kind.whole,
        midway: (!settings.thorough).then_some(kind.midway),
    };
    let Outcome { mut found, ended_early, mut sizes, failure } = race.run(hunts);
    evidence.ended_early += ended_early;
    find_outliers(&mut found, &sizes, kind.honest);
    let mut failure = failure;
    if ended_early.level == 0 && failure.is_none() {
        failure = race.again(&mut found, &mut sizes).err();
        find_outliers(&mut found, &sizes, kind.honest);
    }
    // The smallest first: those are the ones that must be compared.
    found.sort_by(|a, b| a.1.size.total_cmp(&b.1.size));
    for (_, trigger) in &found {
        events(Event::Trigger(trigger.clone()));
    }
    let near = |(_, e): &&(Trigger, TriggerEvidence)| match shape {
        Shape::Warp => warps::may_be_planted(e),
        Shape::Filter => filters::may_be_planted(e),
        Shape::Patch => e.p_value.is_none_or(|p| p <= NEAR),
        Shape::Blend => true,
    };
    let always = if shape.has_mask() { SMALLEST } else { 0 };
    let compared = match ended_early.level {
        0 => found.iter().take(COMPARED).filter(near).count().max(always).min(found.len()),
        // None of them can be accused, whatever honest models need.
        _ => 0,
    };
    let comparisons: Vec<(usize, usize)> =
        (0..compared).flat_map(|i| (0..known_clean.len()).map(move |r| (i, r))).collect();
    let failure = failure.or_else(|| {
        let (seen, failure) = each(&comparisons, cores(), |&(i, r)| {
            let (label, model) = (found[i].1.label, &known_clean[r].classifier);
            let seed = searched(label).seed(settings.seed).of("reference").nth(r);
            let hunt = Hunt::new(model, &subject.split.search, Direction::all_to(label), &how, seed)?;
            let key = format!("{}-{label}-abroad-{r}", kind.key);
            let told = |n| steps.add(n, kind.abroad);
            abroad((&subject.journal, &key), hunt, &found[i].0, (model, &held_out), how.batch, &told, monitor)
        });
        for ((i, _), (size, asr)) in comparisons.iter().zip(seen).filter_map(|(at, seen)| Some((at, seen?))) {
            found[*i].1.reference_sizes.push(size);
            found[*i].1.reference_asr.push(asr);
        }
        failure
    });
    for (_, trigger) in found {
        events(Event::Trigger(trigger.clone()));
        let label = trigger.label;
        let place = match shape {
            Shape::Patch => &mut evidence.triggers,
            Shape::Blend => &mut evidence.blends,
            Shape::Warp => &mut evidence.warps,
            Shape::Filter => &mut evidence.filters,
        };
        place[label] = Some(trigger);
    }
    failure.map_or(Ok(()), Err)
}

/// How long and how hard it is searched on the suspect.
pub(super) fn how(shape: Shape, settings: &Settings, subject: &Subject) -> Search {
    let how = match (shape, settings.thorough) {
        (Shape::Patch, false) => Search::quick(),
        // A pattern over everything settles sooner than a mask that has to find its place.
        (Shape::Blend, false) => Search { shape, batch: 24, light: 40, steps: 160, ..Search::quick() },
        (Shape::Warp, false) => Search { shape, batch: 24, light: 40, steps: 160, success: WARPED, ..Search::quick() },
        (Shape::Filter, false) => {
            Search { shape, batch: 16, light: 24, steps: 96, success: FILTERED, ..Search::quick() }
        }
        (Shape::Filter, true) => Search { shape, success: FILTERED, ..Search::thorough() },
        (Shape::Warp, true) => Search { shape, success: WARPED, ..Search::thorough() },
        (_, true) => Search { shape, ..Search::thorough() },
    };
    subject.within_memory(how, settings)
}

/// Labels of `classes` that get a short search where `wanted` get a whole one: those with the largest margins. The infected
/// label had the largest of all 43 in the three models of the zoo.
fn worth_scouting(classes: usize, wanted: usize) -> usize {
    classes.min((2 * wanted).max(classes / 4))
}

/// The searches worth going on with, in the order of their labels: those whose margin stands out, then those that got
/// furthest in some steps.
/// The shots do not choose them: where suspect and references are networks of different kinds all labels
/// look alike to them, and the infected one can be left out.
fn scouted<'a>(
    mut hunts: Vec<Hunt<'a>>,
    wanted: usize,
    margins: &[Option<MarginEvidence>],
    kind: &Kind,
    case: Case<'_>,
    steps: &Steps<'_>,
) -> Result<Vec<Hunt<'a>>, AuditError> {
    let Case { subject, monitor, .. } = case;
    // A label without a margin may have any.
    let margin = |hunt: &Hunt<'_>| margins[hunt.direction().target].map_or(f32::INFINITY, |m| m.margin);
    hunts.sort_by(|a, b| margin(b).total_cmp(&margin(a)));
    hunts.truncate(worth_scouting(hunts.len(), wanted));
    let key = |hunt: &Hunt<'_>| format!("{}-{}", kind.key, hunt.direction().target);
    let (done, failure) = each(hunts, cores(), |mut hunt| {
        // A hunt whose short search is kept stays at its beginning: what goes on with it takes these steps again.
        let (journal, key) = (&subject.journal, key(&hunt));
        let far = journal.once(&format!("{key}-short"), || {
            Following::new(&mut hunt, journal.checkpoint(&key), &|_| (), monitor)?.briefly(kind.scouting)?;
            Ok(farness(&hunt))
        })?;
        steps.add(kind.scouting, kind.short);
        Ok::<_, AuditError>((far, hunt))
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let mut hunts: Vec<(f32, Hunt<'a>)> = done.into_iter().flatten().collect();
    let later = |hunt: &Hunt<'_>| !margins[hunt.direction().target].is_some_and(|m| stands_out(&m));
    hunts.sort_by(|a, b| later(&a.1).cmp(&later(&b.1)).then(a.0.total_cmp(&b.0)));
    let left = hunts.split_off(wanted.min(hunts.len()));
    left.iter().for_each(|(_, hunt)| subject.journal.checkpoint(&key(hunt)).finished());
    hunts.sort_unstable_by_key(|(_, hunt)| hunt.direction());
    Ok(hunts.into_iter().map(|(_, hunt)| hunt).collect())
}

/// The outlier test among the labels that were searched, on the logarithms of the sizes: sizes are positive and skewed,
/// and their median over their deviation would bound how far below it any size can lie. A search that never succeeded
/// counts as a trigger over the whole picture. Any of them could have been the smallest; where they are those of many labels
/// that came nearest, their median is lower than that of all, which errs on the careful side. Where not all were followed
/// to the end, `estimated` are compared.
fn find_outliers(found: &mut [(Trigger, TriggerEvidence)], estimated: &BTreeMap<usize, f32>, honest: Spread) {
    let size = |t: &Trigger| estimated.get(&t.label).copied().unwrap_or_else(|| ranked_size(t));
    let sizes: Vec<f32> = found.iter().map(|(t, _)| size(t)).collect();
    let logarithms: Vec<f32> = sizes.iter().map(|s| s.max(f32::MIN_POSITIVE).ln()).collect();
    let usual = median(&sizes);
    for ((_, evidence), outlier) in found.iter_mut().zip(outliers(&logarithms, honest)) {
        evidence.anomaly_index = outlier.map(|o| o.index);
        evidence.p_value = outlier.map(|o| o.p_of_any(sizes.len()));
        evidence.usual_size = outlier.map(|_| usual);
    }
}
