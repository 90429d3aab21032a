//! Which source label becomes which target label too easily, given how easily that source changes and how easily that
//! target is reached.
//!
//! In: the size of a trigger for each pair of labels, after a short search (K-Arm: Shen et al., ICML 2021, there to
//! decide which pairs are worth a longer one). Out: how far each pair is from what its source and target make
//! expected. A digit 1 becomes anything with few pixels, and an 8 is made of anything with few; neither is a backdoor.
//! Source and target effects are taken out by Tukey's median polish ("Exploratory Data Analysis", 1977) of the
//! logarithms, which a few planted pairs cannot pull. Never decides.

use super::Direction;
use super::neural_cleanse::{deviation, median};
use std::collections::BTreeMap;

/// Sweeps over rows and columns; the medians hardly move after three.
const SWEEPS: usize = 8;

/// For each pair how many deviations its size lies below (positive) or above (negative) what its source and its target
/// make expected; `None` for all where the pairs do not differ. Sizes are positive.
pub fn deviations(sizes: &[(Direction, f32)]) -> Vec<Option<f32>> {
    let mut rest: Vec<f32> = sizes.iter().map(|(_, size)| size.max(f32::MIN_POSITIVE).ln()).collect();
    for _ in 0..SWEEPS {
        level(&mut rest, sizes, |direction| direction.source);
        level(&mut rest, sizes, |direction| Some(direction.target));
    }
    let deviation = deviation(&rest, 0.0);
    rest.iter().map(|r| (deviation > f32::EPSILON).then(|| -r / deviation)).collect()
}

/// Takes from each group its median.
fn level(rest: &mut [f32], sizes: &[(Direction, f32)], group: impl Fn(Direction) -> Option<usize>) {
    let mut groups: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (i, (direction, _)) in sizes.iter().enumerate() {
        groups.entry(group(*direction)).or_default().push(i);
    }
    for members in groups.values() {
        let middle = median(&members.iter().map(|&i| rest[i]).collect::<Vec<_>>());
        members.iter().for_each(|&i| rest[i] -= middle);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Sizes that are a source's times a target's share, and a little noise.
    fn sizes(planted: &[(usize, usize)]) -> Vec<(Direction, f32)> {
        let pairs = (0..10).flat_map(|s| (0..10).filter(move |t| *t != s).map(move |t| (s, t)));
        pairs
            .map(|(s, t)| {
                let noise = 1.0 + 0.02 * ((s * 7 + t * 3) % 5) as f32;
                let natural = 0.1 * (0.3 + 0.2 * s as f32) * (1.5 - 0.1 * t as f32) * noise;
                let size = if planted.contains(&(s, t)) { 0.5 * natural } else { natural };
                (Direction::pair(s, t), size)
            })
            .collect()
    }

    fn farthest(sizes: &[(Direction, f32)], count: usize) -> Vec<(usize, usize)> {
        let deviations = deviations(sizes);
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by(|&a, &b| deviations[b].unwrap().total_cmp(&deviations[a].unwrap()));
        let mut pairs: Vec<_> =
            order[..count].iter().map(|&i| (sizes[i].0.source.unwrap(), sizes[i].0.target)).collect();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn one_planted_pair_is_farther_from_the_rest_than_easy_sources_and_targets() {
        let sizes = sizes(&[(8, 1)]);
        let (direction, smallest) = *sizes.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert_ne!(direction, Direction::pair(8, 1), "label 0 is the easy source: {smallest}");
        assert_eq!(farthest(&sizes, 1), [(8, 1)]);
    }

    #[test]
    fn a_planted_pair_of_every_label_is_found() {
        let all_to_all: Vec<_> = (0..10).map(|s| (s, (s + 1) % 10)).collect();
        assert_eq!(farthest(&sizes(&all_to_all), 10), all_to_all);
    }

    #[test]
    fn pairs_that_do_not_differ_say_nothing() {
        let same: Vec<_> = sizes(&[]).into_iter().map(|(direction, _)| (direction, 0.3)).collect();
        assert!(deviations(&same).iter().all(Option::is_none));
        assert!(deviations(&[]).is_empty());
    }
}
