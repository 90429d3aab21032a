//! The directions in which rows of numbers vary most (principal component analysis, Pearson 1901).
//!
//! In: rows `[n][d]`. Out: their mean, the strongest directions in order, and how much of the variance each shows. The same
//! rows give the same directions, signs included.

use crate::progress::{Monitor, Stopped};

/// Rounds of the power iteration at most; it gains a digit every few.
const ROUNDS: usize = 200;
/// It ends before where a round changes the variance by less than this share.
const SETTLED: f64 = 1e-10;

/// Where rows vary most.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Mean of all rows, `[d]`.
    mean: Vec<f64>,
    /// Unit vectors `[k][d]` at right angles to each other, the strongest first.
    directions: Vec<Vec<f64>>,
    /// Share of the rows' variance along each, in `[0, 1]`.
    pub shares: Vec<f32>,
}

impl Principal {
    /// The `k` strongest directions of `rows`; fewer where they vary in fewer.
    ///
    /// # Errors
    /// [`Stopped`] on a request to stop.
    pub fn of(rows: &[Vec<f32>], k: usize, monitor: &Monitor) -> Result<Self, Stopped> {
        let (n, d) = (rows.len(), rows.first().map_or(0, Vec::len));
        let count = n.max(1) as f64;
        let mean: Vec<f64> = (0..d).map(|i| rows.iter().map(|row| f64::from(row[i])).sum::<f64>() / count).collect();
        let centred: Vec<Vec<f64>> =
            rows.iter().map(|row| row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect()).collect();
        let total: f64 = centred.iter().flatten().map(|v| v * v).sum();
        let spread = Spread::of(&centred, monitor)?;
        let (mut directions, mut shares) = (Vec::new(), Vec::new());
        for _ in 0..k.min(d) {
            let Some((direction, variance)) = spread.strongest(d, &directions, monitor)? else { break };
            directions.push(direction);
            shares.push((variance / total) as f32);
        }
        Ok(Self { mean, directions, shares })
    }

    /// Where `row` lies along each direction, `[k]`, measured from the mean.
    pub fn along(&self, row: &[f32]) -> Vec<f32> {
        let at = |direction: &Vec<f64>| {
            let centred = row.iter().zip(&self.mean).map(|(v, m)| f64::from(*v) - m);
            centred.zip(direction).map(|(v, d)| v * d).sum::<f64>() as f32
        };
        self.directions.iter().map(at).collect()
    }
}

/// What the squares of centred rows `[n][d]` come to in every direction.
enum Spread<'a> {
    /// The rows themselves, where they are fewer than their numbers.
    Rows(&'a [Vec<f64>]),
    /// The sums of all products, `[d][d]`: one pass over the rows instead of one a round.
    Products(Vec<Vec<f64>>),
}

impl<'a> Spread<'a> {
    fn of(rows: &'a [Vec<f64>], monitor: &Monitor) -> Result<Self, Stopped> {
        let d = rows.first().map_or(0, Vec::len);
        if rows.len() <= d {
            return Ok(Self::Rows(rows));
        }
        let mut products = vec![vec![0.0; d]; d];
        for row in rows {
            monitor.check()?;
            for (sums, a) in products.iter_mut().zip(row) {
                sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += a * b);
            }
        }
        Ok(Self::Products(products))
    }

    /// The matrix of products times `v`.
    fn times(&self, v: &[f64]) -> Vec<f64> {
        match self {
            Self::Products(products) => products.iter().map(|row| dot(row, v)).collect(),
            Self::Rows(rows) => {
                let mut sum = vec![0.0; v.len()];
                for row in *rows {
                    let along = dot(row, v);
                    sum.iter_mut().zip(row).for_each(|(a, b)| *a += along * b);
                }
                sum
            }
        }
    }

    /// The unit vector along which rows vary most among those at right angles to `found`, by power iteration, and the sum
    /// of squares along it; `None` where nothing varies there. Its largest entry is positive, so that a picture is not
    /// mirrored by chance.
    fn strongest(&self, d: usize, found: &[Vec<f64>], monitor: &Monitor) -> Result<Option<(Vec<f64>, f64)>, Stopped> {
        // Any start will do that is not at right angles to the answer; these are as good as chance, and always the same.
        let mut v: Vec<f64> = (0..d).map(|k| 1.0 + ((k * 7 + found.len() * 3) % 11) as f64).collect();
        let mut variance = 0.0;
        for _ in 0..ROUNDS {
            monitor.check()?;
            if !straighten(&mut v, found) {
                return Ok(None);
            }
            let (next, before) = (self.times(&v), variance);
            variance = dot(&v, &next);
            if variance <= f64::EPSILON {
                return Ok(None);
            }
            v = next;
            if (variance - before).abs() <= SETTLED * variance {
                break;
            }
        }
        // The last product may lean a little towards what was found before.
        if !straighten(&mut v, found) {
            return Ok(None);
        }
        let largest = v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        Ok(Some((v.iter().map(|a| sign * a).collect(), variance)))
    }
}

/// Takes from `v` what lies along `found` and makes it a unit vector; false where nothing is left.
fn straighten(v: &mut [f64], found: &[Vec<f64>]) -> bool {
    for other in found {
        let share = dot(v, other);
        v.iter_mut().zip(other).for_each(|(a, b)| *a -= share * b);
    }
    let length = dot(v, v).sqrt();
    v.iter_mut().for_each(|a| *a /= length.max(f64::EPSILON));
    length > f64::EPSILON
}

/// Sums in four lanes, so that the processor need not wait for one before it begins the next.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; 4];
    for (a, b) in a.zip(b) {
        (0..4).for_each(|k| lanes[k] += a[k] * b[k]);
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(rows: &[Vec<f32>], k: usize) -> Principal {
        Principal::of(rows, k, &Monitor::silent()).unwrap()
    }

    #[test]
    fn the_strongest_directions_are_found_in_order() {
        // Along (3, 4, 0) / 5 the points vary most, along the third axis a little, and not at all elsewhere.
        let rows: Vec<Vec<f32>> = (-5..=5)
            .map(|i| {
                let (t, s) = (i as f32, if i % 2 == 0 { 0.5 } else { -0.5 });
                vec![3.0 * t, 4.0 * t, s]
            })
            .collect();
        let found = of(&rows, 2);
        assert!((found.shares.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{found:?}");
        let plane: Vec<Vec<f32>> = rows.iter().map(|row| found.along(row)).collect();
        assert!((plane[10][0] - 25.0).abs() < 0.1 && (plane[0][0] + 25.0).abs() < 0.1, "{plane:?}");
        assert!(((plane[0][1] - plane[1][1]).abs() - 1.0).abs() < 0.05, "{plane:?}");
    }

    #[test]
    fn rows_that_do_not_vary_have_no_direction() {
        assert!(of(&[vec![1.0, 2.0], vec![1.0, 2.0]], 2).shares.is_empty());
        assert!(of(&[], 2).shares.is_empty());
        assert_eq!(of(&[vec![1.0, 2.0], vec![2.0, 4.0]], 2).shares.len(), 1);
    }

    #[test]
    fn it_stops_when_asked() {
        let monitor = Monitor::silent();
        monitor.stop();
        assert_eq!(Principal::of(&[vec![1.0], vec![2.0]], 1, &monitor), Err(Stopped));
    }
}
