//! Which search of an audit: its direction, its shape, and whether it is the second one with other random numbers. From which numbers
//! it is searched follows from that and the audit's seed alone.

use super::error::AuditError;
use super::subject::Subject;
use crate::detect::neural_cleanse::{Hunt, Search};
use crate::detect::{Direction, Shape};
use crate::tensor::Seed;

/// One search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searched {
    /// Which pictures should become which label.
    pub direction: Direction,
    /// By which kind of trigger.
    pub shape: Shape,
    /// Whether it is the second one, with other random numbers, since the first left doubts.
    pub second: bool,
}

impl Searched {
    /// The first search of its kind.
    pub(super) fn first(direction: Direction, shape: Shape) -> Self {
        Self { direction, shape, second: false }
    }

    /// The second one.
    pub(super) fn second(self) -> Self {
        Self { second: true, ..self }
    }

    /// Its random numbers, so that no search shifts those of another.
    pub(super) fn seed(self, of_audit: Seed) -> Seed {
        let seed = if self.second { of_audit.of("again") } else { of_audit };
        match (self.direction.source, self.shape) {
            (Some(_), _) => seed.of("pairs"),
            (None, Shape::Patch) => seed,
            (None, Shape::Blend) => seed.of("blend"),
            (None, Shape::Warp) => seed.of("warp"),
            (None, Shape::Filter) => seed.of("filter"),
        }
    }

    /// This search on the suspect, not yet begun.
    pub(super) fn hunt<'a>(
        self,
        subject: &'a Subject,
        how: &'a Search,
        of_audit: Seed,
    ) -> Result<Hunt<'a>, AuditError> {
        Ok(Hunt::new(&subject.suspect, &subject.split.search, self.direction, how, self.seed(of_audit))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_searches_draw_the_same_numbers() {
        let directions = [Direction::all_to(1), Direction::pair(0, 1)];
        let shapes = [Shape::Patch, Shape::Blend, Shape::Warp, Shape::Filter];
        let firsts = shapes.map(|shape| Searched::first(directions[0], shape)).into_iter();
        let searches = firsts.chain([Searched::first(directions[1], Shape::Patch)]);
        let seeds = searches.flat_map(|first| [first, first.second()]).map(|searched| searched.seed(Seed(7)).0);
        assert_eq!(seeds.collect::<BTreeSet<u64>>().len(), 10);
    }
}
