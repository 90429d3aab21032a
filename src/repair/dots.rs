//! A rectangle of dots that are each 0 or 1: attackers paint grids, chequers and rows of odd pixels. In: a size. Out: [`Dots`],
//! and ones a little different, so that a search can go from dots that work somewhat to dots that work.

use crate::tensor::Random;

/// Share of the changes that draw all dots anew.
const REDRAWN: f32 = 0.2;
/// Dots that another change turns over at most.
const TURNED: usize = 3;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dots {
    /// 1: all channels alike, black and white; otherwise every channel has dots of its own.
    planes: usize,
    /// Rows and columns.
    sides: [usize; 2],
    /// Plane by plane, row by row.
    lit: Vec<bool>,
}

impl Dots {
    /// Black and white or coloured dots by chance, for a picture of so many channels.
    pub fn random(channels: usize, sides: [usize; 2], random: &mut Random) -> Self {
        let planes = if random.chance(0.5) { channels } else { 1 };
        Self::of(planes, sides, |_, _, _| random.chance(0.5))
    }

    /// Dots given by plane, row and column.
    pub fn of(planes: usize, sides: [usize; 2], mut lit: impl FnMut(usize, usize, usize) -> bool) -> Self {
        let mut all = Vec::with_capacity(planes * sides[0] * sides[1]);
        for plane in 0..planes {
            for row in 0..sides[0] {
                all.extend((0..sides[1]).map(|column| lit(plane, row, column)));
            }
        }
        Self { planes, sides, lit: all }
    }

    /// What is painted in a channel at a row and column of the rectangle.
    pub fn value(&self, channel: usize, row: usize, column: usize) -> f32 {
        f32::from(u8::from(self.is_lit(channel, row, column)))
    }

    fn is_lit(&self, channel: usize, row: usize, column: usize) -> bool {
        let [h, w] = self.sides;
        self.lit[(channel.min(self.planes - 1) * h + row) * w + column]
    }

    /// A few dots turned over, or all drawn anew.
    pub fn changed(&self, random: &mut Random) -> Self {
        let mut dots = self.clone();
        if random.chance(REDRAWN) {
            dots.lit.fill_with(|| random.chance(0.5));
            return dots;
        }
        for _ in 0..=random.below(TURNED) {
            let at = random.below(dots.lit.len());
            dots.lit[at] = !dots.lit[at];
        }
        dots
    }

    /// The rectangle of `sides` that begins `by` rows and columns after this one: where both are the dots stay,
    /// elsewhere they are new.
    pub fn reaching(&self, by: [isize; 2], sides: [usize; 2], random: &mut Random) -> Self {
        let old = |at: usize, axis: usize| at.checked_add_signed(by[axis]).filter(|at| *at < self.sides[axis]);
        Self::of(self.planes, sides, |plane, row, column| match (old(row, 0), old(column, 1)) {
            (Some(row), Some(column)) => self.is_lit(plane, row, column),
            _ => random.chance(0.5),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Seed;

    #[test]
    fn black_and_white_dots_are_alike_in_all_channels_and_coloured_ones_are_not() {
        let mut random = Seed(9).random();
        let (mut alike, mut coloured) = (0, 0);
        for _ in 0..40 {
            let dots = Dots::random(3, [5, 5], &mut random);
            let plane = |c: usize| -> Vec<f32> { (0..25).map(|i| dots.value(c, i / 5, i % 5)).collect() };
            if plane(0) == plane(1) && plane(1) == plane(2) { alike += 1 } else { coloured += 1 }
        }
        assert!(alike > 8 && coloured > 8, "{alike} {coloured}");
    }

    #[test]
    fn most_changes_turn_few_dots_over() {
        let mut random = Seed(3).random();
        let dots = Dots::random(3, [8, 8], &mut random);
        let turned: Vec<usize> = (0..200)
            .map(|_| dots.changed(&mut random).lit.iter().zip(&dots.lit).filter(|(a, b)| a != b).count())
            .collect();
        let few = turned.iter().filter(|n| **n <= TURNED).count();
        assert!((120..200).contains(&few), "{few}");
        assert!(turned.iter().any(|n| *n > 10));
    }

    #[test]
    fn dots_stay_where_the_rectangle_still_is() {
        let mut random = Seed(3).random();
        let dots = Dots::random(3, [4, 6], &mut random);
        let wider = dots.reaching([-1, 0], [5, 7], &mut random);
        let smaller = dots.reaching([1, 2], [3, 4], &mut random);
        for channel in 0..3 {
            for (row, column) in (0..4).flat_map(|r| (0..6).map(move |c| (r, c))) {
                let own = dots.value(channel, row, column);
                assert_eq!(wider.value(channel, row + 1, column), own);
                if row >= 1 && column >= 2 {
                    assert_eq!(smaller.value(channel, row - 1, column - 2), own);
                }
            }
        }
    }
}
