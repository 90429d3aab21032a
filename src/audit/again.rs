//! The triggers of an audit once more: the same search, images and seed give the same trigger, so that an audit need not carry its tensors
//! and a repair works with the trigger that was told.

use super::error::AuditError;
use super::hunting::{followed, meant_for};
use super::searched::Searched;
use super::subject::Subject;
use super::workers::{cores, each};
use super::{Journal, Settings, all_to_all, pairs, triggers};
use crate::detect::neural_cleanse::Search;
use crate::detect::{Direction, Trigger};
use crate::progress::Monitor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a trigger that was told comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A search of its own.
    Alone(Searched),
    /// The one mark that sends each label to another one: what it does here.
    AllToAll(Direction),
}

impl Origin {
    fn alone(self) -> Option<Searched> {
        match self {
            Self::Alone(searched) => Some(searched),
            Self::AllToAll(_) => None,
        }
    }
}

/// How long and how hard it was searched on the suspect.
fn how(searched: &Searched, settings: &Settings, subject: &Subject) -> Search {
    match searched.direction.source {
        Some(_) => pairs::how(settings, subject),
        None => triggers::how(searched.shape, settings, subject),
    }
}

/// The triggers that an audit with these settings told. `told` gets the share that is done.
pub(super) fn again(
    settings: &Settings,
    subject: &Subject,
    origins: &[Origin],
    told: &(dyn Fn(f32) + Sync),
    monitor: &Monitor,
) -> Result<Vec<Trigger>, AuditError> {
    let searches: Vec<_> = origins.iter().filter_map(|origin| origin.alone()).collect();
    let efforts: Vec<_> = searches.iter().map(|one| how(one, settings, subject)).collect();
    let mark_of_all = (searches.len() < origins.len()).then(|| all_to_all::how(settings, subject));
    let total = efforts.iter().chain(&mark_of_all).map(|how| how.steps).sum::<usize>().max(1);
    let done = AtomicUsize::new(0);
    let moved = |n| told((done.fetch_add(n, Ordering::Relaxed) + n) as f32 / total as f32);
    let mark_of_all = mark_of_all.map(|how| all_to_all::again(settings, subject, &how, &moved, monitor)).transpose()?;
    let (found, failure) = each(searches.iter().zip(&efforts), cores(), |(searched, how)| {
        followed((&Journal::none(), ""), searched.hunt(subject, how, settings.seed)?, &subject.device, &moved, monitor)
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let mut found = found.into_iter().flatten();
    let told = origins.iter().filter_map(|origin| match origin {
        Origin::Alone(_) => found.next(),
        Origin::AllToAll(of) => mark_of_all.as_ref().map(|mark| meant_for(*of, mark)),
    });
    Ok(told.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::Phase;
    use crate::audit::case::Case;
    use crate::audit::hunting::Steps;
    use crate::audit::pace::Pace;
    use crate::audit::race::Race;
    use crate::audit::verdict::tests::trigger;
    use crate::detect::{Shape, TriggerEvidence};
    use crate::poison::signs::sign_set;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;
    use std::collections::BTreeMap;

    fn subject() -> Subject {
        let images = sign_set(4, Seed(1));
        let suspect = tiny([images.height, images.width], images.names.len(), Seed(1));
        let split = images.split(0.25, Seed(1));
        let (device, journal) = (Device::Cpu, Journal::none());
        Subject { suspect, split, device, bytes_a_picture: 1, too_few_pictures: None, journal }
    }

    #[test]
    fn a_repair_gets_the_trigger_that_the_second_search_told() {
        let (subject, settings) = (subject(), Settings::default());
        let (monitor, quiet) = (Monitor::silent(), |_| ());
        let first = Searched::first(Direction::all_to(1), Shape::Filter);
        let found = |searched: Searched| {
            again(&settings, &subject, &[Origin::Alone(searched)], &|_| (), &monitor).unwrap().remove(0)
        };
        let (how, pace) = (how(&first, &settings, &subject), Pace::new(Vec::new(), &quiet));
        let (settings, subject) = (&settings, &subject);
        let race = Race {
            case: Case { settings, subject, known_clean: &[], pace: &pace, monitor: &monitor, events: &quiet },
            held_out: &subject.split.held_out,
            key: "filter",
            how: &how,
            steps: &Steps::new(&pace, Phase::Filters, 1),
            stage: "",
            midway: None,
        };
        // Not by far smaller than usual.
        let doubtful = TriggerEvidence { shape: first.shape, ..trigger(0.02, Some(0.01), None) };
        let mut searched = [(found(first), doubtful)];
        race.again(&mut searched, &mut BTreeMap::new()).unwrap();
        let [(_, told)] = searched;
        assert!(told.second_search);
        assert_eq!(told.pattern, found(first.second()).pattern_picture().unwrap());
        assert_ne!(told.pattern, found(first).pattern_picture().unwrap());
    }

    #[test]
    fn one_mark_for_all_labels_is_searched_once_and_each_trigger_stays_in_its_place() {
        let (subject, settings) = (subject(), Settings::default());
        let wanted = [Direction::pair(0, 1), Direction::all_to(2), Direction::pair(1, 0)];
        let alone = Searched::first(wanted[1], Shape::Filter);
        let origins = [Origin::AllToAll(wanted[0]), Origin::Alone(alone), Origin::AllToAll(wanted[2])];
        let found = again(&settings, &subject, &origins, &|_| (), &Monitor::silent()).unwrap();
        assert_eq!([0, 1, 2].map(|i| found[i].direction()), wanted);
        assert_eq!([0, 1, 2].map(|i| found[i].shape), [Shape::Patch, Shape::Filter, Shape::Patch]);
        let mask = |i: usize| found[i].mask_picture().unwrap();
        assert_eq!(mask(0), mask(2));
        assert_ne!(mask(0), mask(1));
    }
}
