//! A challenge: the program poisons a model, or does not, and somebody has to find out.
//!
//! In: a number. Out: an order drawn from it. The same number gives the same model, so that a whole class can work on one;
//! half of all numbers are honest models.

use super::order::LabOrder;
use super::{Pictures, Planted};
use crate::poison::{Ready, Scheme};
use crate::tensor::Seed;
use crate::train::Recipe;

/// What somebody says about a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// There is no backdoor.
    Honest,
    /// There is one, and pictures become this label.
    Poisoned {
        /// The label.
        target: usize,
    },
}

/// How right a judgement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Wholly.
    Right,
    /// There is a backdoor, but for another label.
    WrongTarget,
    /// A backdoor was overlooked.
    Missed,
    /// An honest model was accused.
    FalseAlarm,
}

impl Mark {
    /// Points for it: two for a right one, one for the right suspicion.
    pub fn points(self) -> usize {
        match self {
            Self::Right => 2,
            Self::WrongTarget => 1,
            Self::Missed | Self::FalseAlarm => 0,
        }
    }
}

/// The order of challenge `number` on these pictures; a rate of zero is an honest model.
pub fn challenge(number: u64, base: &LabOrder, pictures: &Pictures) -> LabOrder {
    let seed = Seed(number).of("challenge");
    let mut random = seed.random();
    let poisoned = random.chance(0.5);
    let ready = Ready::ALL[random.below(Ready::ALL.len())];
    let size = [pictures.training.height, pictures.training.width];
    let target = random.below(pictures.training.names.len());
    let planted = Planted {
        mark: ready.mark(size, seed),
        scheme: Scheme::AllToOne { target },
        rate: if poisoned { ready.rate() } else { 0.0 },
    };
    // Neither the usual weights nor a seed that could be looked up in an earlier experiment.
    let recipe = Recipe { seed: Seed(seed.of("model").0 >> 32), ..base.recipe.clone() };
    LabOrder { images: base.images.clone(), planted, recipe }
}

/// Marks what somebody said about the model of `order`.
pub fn marked(order: &LabOrder, said: Judgement) -> Mark {
    let truth = match order.planted.scheme {
        Scheme::AllToOne { target } if order.planted.rate > 0.0 => Some(target),
        _ => None,
    };
    match (truth, said) {
        (None, Judgement::Honest) => Mark::Right,
        (None, Judgement::Poisoned { .. }) => Mark::FalseAlarm,
        (Some(_), Judgement::Honest) => Mark::Missed,
        (Some(truth), Judgement::Poisoned { target }) if truth == target => Mark::Right,
        (Some(_), Judgement::Poisoned { .. }) => Mark::WrongTarget,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::lab::LabImages;
    use crate::progress::Monitor;

    #[test]
    fn a_number_gives_one_challenge_and_about_half_of_them_are_honest() {
        let base = LabOrder { images: LabImages::Signs { training: 1 }, ..LabOrder::default() };
        let pictures = base.images.gather(Seed(1), &Monitor::silent()).unwrap();
        assert_eq!(challenge(7, &base, &pictures), challenge(7, &base, &pictures));
        let all: Vec<LabOrder> = (0..200).map(|number| challenge(number, &base, &pictures)).collect();
        let honest = all.iter().filter(|order| order.planted.rate == 0.0).count();
        assert!((80..=120).contains(&honest), "{honest} of 200");
        let targets: std::collections::BTreeSet<usize> =
            all.iter().flat_map(|order| order.planted.scheme.targets(12)).collect();
        assert_eq!(targets.len(), 12);
    }

    #[test]
    fn judgements_are_marked() {
        let poisoned = LabOrder::default();
        let planted = Planted { rate: 0.0, ..poisoned.planted.clone() };
        let honest = LabOrder { planted, ..poisoned.clone() };
        assert_eq!(marked(&poisoned, Judgement::Poisoned { target: 2 }), Mark::Right);
        assert_eq!(marked(&poisoned, Judgement::Poisoned { target: 3 }), Mark::WrongTarget);
        assert_eq!(marked(&poisoned, Judgement::Honest), Mark::Missed);
        assert_eq!(marked(&honest, Judgement::Honest), Mark::Right);
        assert_eq!(marked(&honest, Judgement::Poisoned { target: 2 }), Mark::FalseAlarm);
        assert_eq!(Mark::Right.points() + Mark::WrongTarget.points() + Mark::Missed.points(), 3);
    }
}
