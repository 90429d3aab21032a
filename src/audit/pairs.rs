//! The pair phase: marks that turn the pictures of one label only into another one (source-specific attacks), or each
//! label into one of its own (all-to-all).
//!
//! In: a suspect for which no mark for every picture was confirmed. Out: the pairs of labels worth following, with
//! their triggers. A short search for every pair tells which lie below what their source and target make expected
//! ([`pairs::deviations`]); those are followed beside some ordinary pairs, which show what pairs of this model
//! usually need. What is far smaller is searched for on honest models and in the other direction too.

use super::case::Case;
use super::error::AuditError;
use super::following::Following;
use super::hunting::{Steps, TRIED_ON, abroad, farness, followed, meant_for, size_of, tried};
use super::scope::PairsExamined;
use super::searched::Searched;
use super::subject::{Evidence, Subject};
use super::verdict::{
    a_trigger_for_all_is_confirmed, an_all_to_all_mark_is_confirmed, is_confirmed_pair, may_be_planted,
};
use super::workers::{cores, each};
use super::{Event, Phase, Settings};
use crate::detect::neural_cleanse::{Hunt, Search, attack_success, median};
use crate::detect::pairs::deviations;
use crate::detect::{Direction, Shape, Trigger, TriggerEvidence};
use crate::images::ImageSet;

/// Of a model of more labels a quick audit does not search pairs: their number grows with the square.
const QUICK_LABELS: usize = 16;
/// More pairs than this are not searched by a thorough audit either.
const MOST_PAIRS: usize = 2000;
/// A source needs so many pictures for the search, or nothing is learned of it.
const FEWEST_PICTURES: usize = 8;

/// Share of pictures that a mark must turn in its search: the attacker's own turn 90 to 100 %, and what turns all of a few dozen
/// is a larger one that was never planted.
const WORKS: f32 = 0.95;

/// What is further from the ordinary than this share of it when the second heat ends is not followed: by then planted pairs come to
/// 0.07 to 0.45 of what ordinary pairs do.
const MIDWAY: f32 = 0.6;

/// Some pairs, taken as far.
#[derive(Clone, Copy)]
struct Heat {
    pairs: usize,
    steps: usize,
}

/// How hard it is searched.
struct Effort {
    search: Search,
    /// Steps of the short search of every pair.
    scouting: usize,
    /// So many pairs at a time are taken to so many steps: first those that lie farthest below what is expected and those with the
    /// smallest marks, in turns, then those that are strangest to an honest model and those with the smallest marks by then.
    heats: [Heat; 2],
    /// Of the last ones, those that are followed to the end, chosen in the same way.
    candidates: usize,
    /// Ordinary pairs followed beside them.
    controls: usize,
}

impl Effort {
    fn of(thorough: bool) -> Self {
        if thorough {
            let search = Search { batch: 16, light: 0, steps: 400, success: WORKS, ..Search::quick() };
            let heats = [Heat { pairs: 36, steps: 80 }, Heat { pairs: 16, steps: 160 }];
            Self { search, scouting: 40, heats, candidates: 8, controls: 9 }
        } else {
            let search = Search { batch: 12, light: 24, steps: 160, success: WORKS, ..Search::quick() };
            let heats = [Heat { pairs: 14, steps: 48 }, Heat { pairs: 8, steps: 80 }];
            Self { search, scouting: 24, heats, candidates: 4, controls: 5 }
        }
    }
}

/// Searches pairs where that can tell something, and completes the evidence with them.
pub(super) fn search(case: Case<'_>, evidence: &mut Evidence) -> Result<(), AuditError> {
    let Case { settings, subject, pace, events, .. } = case;
    if an_all_to_all_mark_is_confirmed(evidence) {
        return Ok(());
    }
    // A mark for one source label can look like a pattern for all: where that is confirmed, pairs tell which it is.
    if a_trigger_for_all_is_confirmed(evidence) {
        evidence.pairs_examined = PairsExamined::NotNeeded;
        return Ok(());
    }
    let directions = directions(subject);
    if directions.is_empty() {
        evidence.pairs_examined = PairsExamined::TooFewPictures { fewest: FEWEST_PICTURES };
        return Ok(());
    }
    let too_many = directions.len() > MOST_PAIRS || (!settings.thorough && subject.suspect.classes() > QUICK_LABELS);
    if too_many {
        evidence.pairs_examined = PairsExamined::TooMany { pairs: directions.len(), thorough: settings.thorough };
        return Ok(());
    }
    let effort = Effort { search: how(settings, subject), ..Effort::of(settings.thorough) };
    let followed_at_most = effort.candidates + effort.controls;
    let heats: usize = effort.heats.iter().map(|heat| heat.pairs * heat.steps).sum();
    let total = directions.len() * effort.scouting + heats + followed_at_most * effort.search.steps;
    let chase = Chase {
        case,
        effort: &effort,
        held_out: subject.split.held_out.sample(TRIED_ON, settings.seed),
        steps: Steps::new(pace, Phase::Pairs, total),
    };
    let pairs = directions.len();
    let found = chase.run(&directions)?;
    for pair in &found {
        events(Event::Trigger(pair.clone()));
    }
    evidence.pairs.extend(found);
    evidence.pairs_examined = PairsExamined::All { pairs };
    Ok(())
}

/// Every pair of labels whose source has enough pictures.
fn directions(subject: &Subject) -> Vec<Direction> {
    let counts: Vec<usize> = subject.split.search.by_label().iter().map(Vec::len).collect();
    let classes = subject.suspect.classes();
    let sources = (0..classes).filter(|&s| counts.get(s).is_some_and(|&n| n >= FEWEST_PICTURES));
    sources.flat_map(|s| (0..classes).filter(move |&t| t != s).map(move |t| Direction::pair(s, t))).collect()
}

/// A pair after its short search, or some way on.
struct Scouted<'a> {
    hunt: Hunt<'a>,
    /// How large its mark is by then ([`farness`]).
    far: f32,
    /// Deviations below what is expected.
    below: f32,
    /// How many times as far an honest model is after as many steps, where that was asked.
    strange: Option<f32>,
}

impl Scouted<'_> {
    /// Without an honest model, what the short search told.
    fn strangeness(&self) -> f32 {
        self.strange.unwrap_or(self.below)
    }
}

/// A pair searched to the end.
struct Found {
    trigger: Trigger,
    evidence: TriggerEvidence,
}

struct Chase<'a> {
    case: Case<'a>,
    effort: &'a Effort,
    held_out: ImageSet,
    steps: Steps<'a>,
}

impl<'a> Chase<'a> {
    /// The pairs that could be planted, with all that is known of them.
    fn run(&self, directions: &[Direction]) -> Result<Vec<TriggerEvidence>, AuditError> {
        let mut waiting = self.scouted(directions)?;
        let mut controls = self.ordinary(&mut waiting)?;
        // How large a mark ordinary pairs need when the second heat ends, and in the end, where that is asked.
        let (midway, mut usual) = (median(&controls.iter().map(|pair| pair.far).collect::<Vec<_>>()), None);
        let mut all = Vec::new();
        while !waiting.is_empty() {
            let [first, second] = self.effort.heats;
            let mut running = in_turns(&mut waiting, first.pairs, |pair| pair.below);
            running = self.held_against(first, self.taken_on(first, running)?)?;
            let mut left = in_turns(&mut running, second.pairs, Scouted::strangeness);
            waiting.append(&mut running);
            left = self.taken_on(second, left)?;
            let near = left.iter().filter(|pair| pair.far <= MIDWAY * midway).count();
            running = in_turns(&mut left, near.min(self.effort.candidates), Scouted::strangeness);
            waiting.append(&mut left);
            let mut found = self.followed(running)?;
            // Ordinary marks shrink further: what is not small beside them midway is not in the end.
            may_be_planted_beside(midway, &mut found);
            if !found.is_empty() {
                let usual = match usual {
                    Some(known) => known,
                    None => *usual.insert(self.usual_size(std::mem::take(&mut controls))?),
                };
                may_be_planted_beside(usual, &mut found);
                found = self.again(found)?;
                may_be_planted_beside(usual, &mut found);
            }
            let known = self.compared(found)?;
            // Behind a pair that is confirmed there may be more, as in an all-to-all attack.
            let go_on = known.iter().any(is_confirmed_pair);
            all.extend(known);
            if !go_on {
                break;
            }
        }
        // Those that were left halfway are not gone on with.
        waiting
            .iter()
            .chain(&controls)
            .for_each(|pair| self.case.subject.journal.checkpoint(&key(pair.hunt.direction())).finished());
        Ok(all)
    }

    fn hunt(&self, direction: Direction) -> Result<Hunt<'a>, AuditError> {
        search_of(direction).hunt(self.case.subject, &self.effort.search, self.case.settings.seed)
    }

    /// A short search for every pair, and how unusual what it came to is.
    fn scouted(&self, directions: &[Direction]) -> Result<Vec<Scouted<'a>>, AuditError> {
        let (done, failure) = each(directions, cores(), |&direction| {
            let mut hunt = self.hunt(direction)?;
            // As of one label: a hunt whose short search is kept stays at its beginning.
            let (journal, key) = (&self.case.subject.journal, key(direction));
            let far = journal.once(&format!("{key}-short"), || {
                Following::new(&mut hunt, journal.checkpoint(&key), &|_| (), self.case.monitor)?
                    .briefly(self.effort.scouting)?;
                Ok(farness(&hunt))
            })?;
            self.steps.add(self.effort.scouting, "A short search from each label to each other");
            Ok::<_, AuditError>(((direction, far), hunt))
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let (sizes, hunts): (Vec<_>, Vec<_>) = done.into_iter().flatten().unzip();
        let below = deviations(&sizes);
        let pairs = hunts.into_iter().zip(sizes).zip(below);
        Ok(pairs
            .map(|((hunt, (_, far)), below)| Scouted { hunt, far, below: below.unwrap_or(0.0), strange: None })
            .collect())
    }

    /// Ordinary pairs of this model, to the end of the second heat: those nearest to what is expected of them, taken from `waiting`.
    fn ordinary(&self, waiting: &mut Vec<Scouted<'a>>) -> Result<Vec<Scouted<'a>>, AuditError> {
        let unusual = |s: &Scouted<'_>| s.below.abs();
        let mut order: Vec<usize> = (0..waiting.len()).collect();
        order.sort_by(|&a, &b| unusual(&waiting[a]).total_cmp(&unusual(&waiting[b])));
        // Of a few pairs most must stay to be looked at.
        order.truncate(self.effort.controls.min(waiting.len() / 3));
        // From the back, so that what is still to be taken keeps its place.
        order.sort_unstable_by(|a, b| b.cmp(a));
        self.taken_on(self.effort.heats[1], order.into_iter().map(|i| waiting.remove(i)).collect())
    }

    /// How large a mark these ordinary pairs need in the end.
    fn usual_size(&self, controls: Vec<Scouted<'a>>) -> Result<f32, AuditError> {
        let sizes: Vec<f32> = self.followed(controls)?.iter().map(|one| size_of(&one.trigger)).collect();
        Ok(median(&sizes))
    }

    /// These pairs taken further: a planted pair can lie behind a dozen others after the short search, in which masks have hardly
    /// begun to shrink.
    fn taken_on(&self, heat: Heat, pairs: Vec<Scouted<'a>>) -> Result<Vec<Scouted<'a>>, AuditError> {
        let (done, failure) = each(pairs, cores(), |Scouted { mut hunt, below, strange, .. }| {
            let told = |n| self.steps.add(n, "Searching marks for single pairs of labels");
            let (journal, key) = (&self.case.subject.journal, key(hunt.direction()));
            // As above: a hunt that is known to have come so far stays where it is, and goes on from where it was kept.
            let far = journal.once(&format!("{key}-to-{}", heat.steps), || {
                Following::new(&mut hunt, journal.checkpoint(&key), &told, self.case.monitor)?.until(heat.steps)?;
                Ok(farness(&hunt))
            })?;
            Ok::<_, AuditError>(Scouted { hunt, far, below, strange })
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }

    /// The same searches on the first honest model, whose labels look alike where those of the suspect do: natural pairs are near
    /// on both.
    fn held_against(&self, heat: Heat, pairs: Vec<Scouted<'a>>) -> Result<Vec<Scouted<'a>>, AuditError> {
        let Some(honest) = self.case.known_clean.first() else { return Ok(pairs) };
        let (done, failure) = each(pairs, cores(), |pair| {
            if pair.strange.is_some() {
                return Ok(pair);
            }
            let (direction, images) = (pair.hunt.direction(), &self.case.subject.split.search);
            let (journal, key) = (&self.case.subject.journal, format!("{}-honest", key(direction)));
            let there = journal.once(&format!("{key}-to-{}", heat.steps), || {
                let (search, seed) = (&self.effort.search, search_of(direction).seed(self.case.settings.seed));
                let mut hunt = Hunt::new(&honest.classifier, images, direction, search, seed)?;
                Following::new(&mut hunt, journal.checkpoint(&key), &|_| (), self.case.monitor)?.briefly(heat.steps)?;
                journal.checkpoint(&key).finished();
                Ok(farness(&hunt))
            })?;
            Ok::<_, AuditError>(Scouted { strange: Some(there / pair.far.max(f32::EPSILON)), ..pair })
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }

    /// The searches of these pairs to their end, and how well their triggers work on pictures held back.
    fn followed(&self, pairs: Vec<Scouted<'a>>) -> Result<Vec<Found>, AuditError> {
        let told = |n| self.steps.add(n, "Searching marks for single pairs of labels");
        let (done, failure) = each(pairs, cores(), |Scouted { hunt, below, .. }| {
            let key = key(hunt.direction());
            self.found((&key, hunt), Some(below), &told)
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }

    fn found(
        &self,
        (key, hunt): (&str, Hunt<'a>),
        below: Option<f32>,
        told: &dyn Fn(usize),
    ) -> Result<Found, AuditError> {
        let (journal, device) = (&self.case.subject.journal, &self.case.subject.device);
        let trigger = followed((journal, key), hunt, device, told, self.case.monitor)?;
        let batch = self.effort.search.batch;
        let evidence = tried(&trigger, &self.case.subject.suspect, &self.held_out, batch, self.case.monitor)?;
        Ok(Found { trigger, evidence: TriggerEvidence { anomaly_index: below, ..evidence } })
    }

    /// The same searches with other random numbers: of a hundred pairs some are small by chance.
    fn again(&self, found: Vec<Found>) -> Result<Vec<Found>, AuditError> {
        let (done, failure) = each(found, cores(), |Found { trigger, evidence }| {
            let direction = trigger.direction();
            let hunt =
                search_of(direction).second().hunt(self.case.subject, &self.effort.search, self.case.settings.seed)?;
            let mut found =
                self.found((&format!("{}-again", key(direction)), hunt), evidence.anomaly_index, &|_| ())?;
            found.evidence.second_search = true;
            Ok::<_, AuditError>(found)
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }

    /// The way back, other labels, and honest models, for pairs that stand out.
    fn compared(&self, planted: Vec<Found>) -> Result<Vec<TriggerEvidence>, AuditError> {
        let (suspect, batch) = (&self.case.subject.suspect, self.effort.search.batch);
        let quiet = |_| ();
        let (done, failure) = each(planted, cores(), |Found { trigger, mut evidence }| {
            let back = self.hunt(trigger.direction().reversed())?;
            let (journal, device) = (&self.case.subject.journal, &self.case.subject.device);
            let key = key(trigger.direction());
            let back = followed((journal, &format!("{key}-back")), back, device, &quiet, self.case.monitor)?;
            evidence.reverse_size = Some(size_of(&back));
            let (asr, _) = attack_success(
                suspect,
                &self.held_out,
                &meant_for(Direction::all_to(trigger.label), &trigger),
                batch,
                self.case.monitor,
            )?;
            evidence.elsewhere = Some(asr);
            for (r, reference) in self.case.known_clean.iter().enumerate() {
                let model = &reference.classifier;
                let (search, seed) = (&self.case.subject.split.search, self.case.settings.seed.of("reference").nth(r));
                let hunt = Hunt::new(model, search, trigger.direction(), &self.effort.search, seed)?;
                let key = format!("{key}-abroad-{r}");
                let there = (model, &self.held_out);
                let (size, asr) = abroad((journal, &key), hunt, &trigger, there, batch, &quiet, self.case.monitor)?;
                evidence.reference_sizes.push(size);
                evidence.reference_asr.push(asr);
            }
            Ok::<_, AuditError>(evidence)
        });
        failure.map_or_else(|| Ok(done.into_iter().flatten().collect()), Err)
    }
}

/// `count` of `waiting`: the most striking one and the one with the smallest mark, in turns. A label that becomes anything easily
/// hides a planted pair from what strikes, and one that nothing does from the smallest.
fn in_turns<'a>(
    waiting: &mut Vec<Scouted<'a>>,
    count: usize,
    striking: impl Fn(&Scouted<'a>) -> f32,
) -> Vec<Scouted<'a>> {
    let mut taken = Vec::new();
    while taken.len() < count && !waiting.is_empty() {
        let order = |a: &Scouted<'a>, b: &Scouted<'a>| match taken.len() % 2 {
            0 => striking(b).total_cmp(&striking(a)),
            _ => a.far.total_cmp(&b.far),
        };
        let next = (0..waiting.len()).min_by(|&a, &b| order(&waiting[a], &waiting[b])).unwrap_or(0);
        taken.push(waiting.remove(next));
    }
    taken
}

/// Keeps those that may be planted where ordinary pairs need a mark of this size.
fn may_be_planted_beside(usual: f32, found: &mut Vec<Found>) {
    found.iter_mut().for_each(|one| one.evidence.usual_size = Some(usual));
    found.retain(|one| may_be_planted(&one.evidence));
}

/// What the pieces of a pair are called in the journal.
fn key(direction: Direction) -> String {
    let source = direction.source.map_or_else(String::new, |source| source.to_string());
    format!("pair-{source}-{}", direction.target)
}

/// The first search for the mark of one pair.
fn search_of(direction: Direction) -> Searched {
    Searched::first(direction, Shape::Patch)
}

/// How long and how hard it is searched on the suspect.
pub(super) fn how(settings: &Settings, subject: &Subject) -> Search {
    subject.within_memory(Effort::of(settings.thorough).search, settings)
}
