//! Activation clustering (Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018):
//! pictures of one label that a network understands in two ways.
//!
//! In: the last features of the pictures of one label, of a network trained on a set that may be poisoned. Out: ways to cut
//! them in two groups, and how far apart these lie. Marked pictures and honest pictures of a label lie apart, since the network knows the ones by
//! the mark. But every label falls into two groups somehow, so that groups alone say nothing: `audit::data` asks what is in
//! them.
//! Otherwise than published: 2-means of the features finds what varies most, which is lighting and pose rather than a faint
//! mark. So features are first brought to the same variance in every direction, and every cut along one direction that
//! cannot be bettered nearby is given, not the one that leaves least variance (the paper goes half of that way with
//! independent components). Never decides.

use super::DetectError;
use crate::progress::Monitor;
use crate::tensor::{Principal, Seed};

/// Directions that are kept of the features (published: 10).
const DIRECTIONS: usize = 20;
/// Directions that vary less than this share of the strongest are noise of rounding.
const FLAT: f32 = 1e-6;
/// Starts along directions drawn by chance, beside one along each that is kept.
const DRAWN: usize = 24;
/// Rounds of one search at most; it ends before where no picture changes its group.
const ROUNDS: usize = 30;
/// A group has at least so many pictures, and at least this share of the label's: fewer are outliers.
const FEWEST: usize = 5;
const LEAST_SHARE: f32 = 0.01;

/// The pictures of one label in two groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Of each picture, in order, whether it is in the smaller group.
    pub smaller: Vec<bool>,
    /// Distance of the groups' centres, in standard deviations within them: a cloud cut through its middle has 2.7.
    pub separation: f32,
}

/// Ways to cut pictures with features `rows` `[n][d]` in two groups along one direction, those farthest apart first; none of
/// pictures that do not differ. One search begins with `guesses` `[n]`, the higher the likelier a picture is strange.
///
/// # Errors
/// [`DetectError::Stopped`] on a request to stop.
pub fn groups(rows: &[Vec<f32>], guesses: &[f32], seed: Seed, monitor: &Monitor) -> Result<Vec<Groups>, DetectError> {
    let points = evened(rows, monitor)?;
    let d = points.first().map_or(0, Vec::len);
    if d == 0 {
        return Ok(Vec::new());
    }
    let mut random = seed.of("activation clustering").random();
    let guessed: Vec<f32> = (0..d).map(|k| points.iter().zip(guesses).map(|(p, g)| p[k] * g).sum()).collect();
    let mut all: Vec<Groups> = Vec::new();
    let starts = (0..d).map(|k| (0..d).map(|i| f32::from(u8::from(i == k))).collect());
    let drawn = (0..DRAWN).map(|_| (0..d).map(|_| random.normal()).collect());
    for along in starts.chain(drawn).chain([guessed]) {
        monitor.check()?;
        if let Some(mut found) = search(&points, along) {
            if 2 * found.smaller.iter().filter(|s| **s).count() > rows.len() {
                found.smaller.iter_mut().for_each(|s| *s = !*s);
            }
            if all.iter().all(|known| known.smaller != found.smaller) {
                all.push(found);
            }
        }
    }
    all.sort_by(|a, b| b.separation.total_cmp(&a.separation));
    Ok(all)
}

/// The rows along their principal directions, with variance 1 along each.
fn evened(rows: &[Vec<f32>], monitor: &Monitor) -> Result<Vec<Vec<f32>>, DetectError> {
    let principal = Principal::of(rows, DIRECTIONS, monitor)?;
    let strongest = principal.shares.first().copied().unwrap_or(0.0);
    let kept = principal.shares.iter().take_while(|share| **share > FLAT * strongest).count();
    let points: Vec<Vec<f32>> = rows.iter().map(|row| principal.along(row)).collect();
    let deviation = |k: usize| (points.iter().map(|p| p[k] * p[k]).sum::<f32>() / rows.len() as f32).sqrt();
    let deviations: Vec<f32> = (0..kept).map(deviation).collect();
    Ok(points.iter().map(|p| p.iter().zip(&deviations).map(|(v, s)| v / s).collect()).collect())
}

/// Cuts along a direction, turns it towards the difference of both centres, which for points of even variance is the
/// direction that tells the groups apart best (Fisher's discriminant), and cuts again.
fn search(points: &[Vec<f32>], mut along: Vec<f32>) -> Option<Groups> {
    let mut before = Vec::new();
    for _ in 0..ROUNDS {
        let places: Vec<f32> = points.iter().map(|p| p.iter().zip(&along).map(|(a, b)| a * b).sum()).collect();
        let above = cut(&places)?;
        along = difference(points, &above);
        if above == before {
            let share = above.iter().filter(|a| **a).count() as f32 / above.len() as f32;
            let square: f32 = along.iter().map(|v| v * v).sum();
            // All variance is 1, and what is not between the groups is within them.
            let within = (1.0 - share * (1.0 - share) * square).max(f32::EPSILON);
            return Some(Groups { smaller: above, separation: (square / within).sqrt() });
        }
        before = above;
    }
    None
}

/// Which places lie above the cut that leaves most variance between both sides (Otsu 1979).
fn cut(places: &[f32]) -> Option<Vec<bool>> {
    let n = places.len();
    let fewest = FEWEST.max((LEAST_SHARE * n as f32) as usize);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let total: f32 = places.iter().sum();
    let (mut sum, mut best) = (0.0, None);
    for (i, &at) in order.iter().enumerate() {
        sum += places[at];
        let (below, above) = (i + 1, n - i - 1);
        if below < fewest || above < fewest {
            continue;
        }
        let apart = sum / below as f32 - (total - sum) / above as f32;
        let between = below as f32 * above as f32 * apart * apart;
        if best.is_none_or(|(most, _)| between > most) {
            best = Some((between, below));
        }
    }
    let (_, below) = best?;
    let mut is_above = vec![false; n];
    order[below..].iter().for_each(|&i| is_above[i] = true);
    Some(is_above)
}

/// Centre of the points above minus that of the others.
fn difference(points: &[Vec<f32>], above: &[bool]) -> Vec<f32> {
    let centre = |wanted: bool| {
        let members: Vec<&Vec<f32>> = points.iter().zip(above).filter(|(_, a)| **a == wanted).map(|(p, _)| p).collect();
        let d = points.first().map_or(0, Vec::len);
        (0..d).map(|k| members.iter().map(|p| p[k]).sum::<f32>() / members.len().max(1) as f32).collect::<Vec<_>>()
    };
    centre(true).iter().zip(centre(false)).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A cloud of points far wider along two axes, and `apart` more that differ along another axis only.
    fn clouds(n: usize, apart: usize, distance: f32) -> Vec<Vec<f32>> {
        let mut random = Seed(3).random();
        let wide = |k: usize| if k < 2 { 20.0 } else { 1.0 };
        let mut point = |at: f32| (0..12).map(|k| wide(k) * random.normal() + if k == 5 { at } else { 0.0 }).collect();
        (0..n + apart).map(|i| point(if i < n { 0.0 } else { distance })).collect()
    }

    #[test]
    fn a_group_that_differs_in_one_faint_direction_is_found() {
        let found = &groups(&clouds(90, 20, 9.0), &[0.0; 110], Seed(1), &Monitor::silent()).unwrap()[0];
        assert_eq!(found.smaller, (0..110).map(|i| i >= 90).collect::<Vec<_>>());
        assert!(found.separation > 7.0, "{}", found.separation);
    }

    #[test]
    fn guesses_that_are_right_more_often_than_not_lead_to_the_group() {
        let mut random = Seed(8).random();
        let guesses: Vec<f32> =
            (0..220).map(|i| f32::from(u8::from(random.chance(if i >= 180 { 0.6 } else { 0.2 })))).collect();
        let rows = clouds(180, 40, 6.0);
        let apart: Vec<bool> = (0..220).map(|i| i >= 180).collect();
        let wrong = |cut: &Groups| cut.smaller.iter().zip(&apart).filter(|(a, b)| a != b).count();
        let cuts = groups(&rows, &guesses, Seed(1), &Monitor::silent()).unwrap();
        assert!(cuts.iter().any(|cut| wrong(cut) <= 2), "{:?}", cuts.iter().map(wrong).min());
    }

    #[test]
    fn one_cloud_cut_in_two_is_not_far_apart() {
        let found = &groups(&clouds(400, 0, 0.0), &[0.0; 400], Seed(1), &Monitor::silent()).unwrap()[0];
        assert!((2.0..5.0).contains(&found.separation), "{}", found.separation);
        let count = found.smaller.iter().filter(|s| **s).count();
        assert!(count >= FEWEST && 2 * count <= 400, "{count}");
    }

    #[test]
    fn points_that_do_not_differ_are_not_cut() {
        assert_eq!(groups(&vec![vec![1.0; 4]; 19], &[0.0; 19], Seed(1), &Monitor::silent()).unwrap(), []);
        assert_eq!(groups(&[], &[], Seed(1), &Monitor::silent()).unwrap(), []);
    }
}
