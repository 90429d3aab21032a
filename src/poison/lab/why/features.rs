//! How a network sorts pictures inside: its last features, what the last layer decides from, seen along the two
//! directions in which they vary most (principal component analysis, Pearson 1901).
//!
//! A backdoor shows as a cloud of its own: marked pictures of every label lie together, apart from honest pictures of the
//! target (Chen et al., "Detecting Backdoor Attacks by Activation Clustering", 2018).

use crate::images::ImageSet;
use crate::model::graph::Op;
use crate::model::{Classifier, Graph};
use crate::poison::lab::LabError;
use crate::progress::Monitor;
use candle_core::Device;
use std::sync::Arc;

/// Pictures asked at once.
const BATCH: usize = 32;
/// Rounds of the power iteration; it gains a digit every few.
const ROUNDS: usize = 200;

/// One picture in the plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Along the direction in which features vary most, and along the second.
    pub at: [f32; 2],
    /// Its true label.
    pub truth: usize,
    /// Whether it carries the mark.
    pub marked: bool,
}

/// All pictures in the plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Clean ones first.
    pub places: Vec<Place>,
    /// Share of the features' variance that both directions together show, in `[0, 1]`.
    pub shown: f32,
}

/// The last features of `classifier` on clean and on marked pictures; `marked` holds the true labels.
///
/// # Errors
/// Where the network has no last layer to look in front of, fails, or on a request to stop.
pub fn features(
    classifier: &Classifier,
    clean: &ImageSet,
    marked: &ImageSet,
    monitor: &Monitor,
) -> Result<Features, LabError> {
    let inside = until_last_layer(classifier)?;
    let mut rows = Vec::with_capacity(clean.len() + marked.len());
    for images in [clean, marked] {
        let all: Vec<usize> = (0..images.len()).collect();
        for batch in all.chunks(BATCH) {
            monitor.check()?;
            let x = images.tensor(batch, &Device::Cpu)?;
            rows.extend(inside.logits(&x)?.detach().flatten_from(1)?.to_vec2::<f32>()?);
        }
    }
    let (plane, shown) = principal(&rows);
    let truth = clean.labels.iter().map(|&l| (l, false)).chain(marked.labels.iter().map(|&l| (l, true)));
    let places = plane.into_iter().zip(truth).map(|(at, (truth, marked))| Place { at, truth, marked }).collect();
    Ok(Features { places, shown })
}

/// The network up to what its last dense layer reads.
fn until_last_layer(classifier: &Classifier) -> Result<Classifier, LabError> {
    let graph = classifier.graph();
    let dense = |op: &Op| matches!(op, Op::Gemm { .. } | Op::MatMul);
    let last = graph.nodes.iter().rposition(|node| dense(&node.op));
    let read = last.and_then(|at| Some((at, graph.nodes[at].inputs.first().copied()??)));
    let Some((at, value)) = read else {
        return Err(LabError::Order("the network has no last dense layer to look in front of".into()));
    };
    let inside = Graph { logits: value, nodes: graph.nodes[..at].to_vec(), ..graph.clone() };
    Ok(classifier.with_graph(Arc::new(inside)))
}

/// Rows `[n][d]` along their first two principal directions, and the share of variance that these show.
fn principal(rows: &[Vec<f32>]) -> (Vec<[f32; 2]>, f32) {
    let (n, d) = (rows.len(), rows.first().map_or(0, Vec::len));
    if n == 0 || d == 0 {
        return (vec![[0.0; 2]; n], 0.0);
    }
    let mean: Vec<f64> = (0..d).map(|k| rows.iter().map(|row| f64::from(row[k])).sum::<f64>() / n as f64).collect();
    let centred: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect()).collect();
    let total: f64 = centred.iter().flatten().map(|v| v * v).sum();
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut shown = 0.0;
    for which in 0..2 {
        let (direction, variance) = strongest(&centred, &found, which);
        shown += variance;
        found.push(direction);
    }
    let along = |row: &Vec<f64>, k: usize| dot(row, &found[k]) as f32;
    let plane = centred.iter().map(|row| [along(row, 0), along(row, 1)]).collect();
    (plane, if total > 0.0 { (shown / total) as f32 } else { 0.0 })
}

/// The unit vector along which `rows` vary most among those at right angles to `found`, by power iteration, and the sum of
/// squares along it. Its largest entry is positive, so that a picture is not mirrored by chance.
fn strongest(rows: &[Vec<f64>], found: &[Vec<f64>], which: usize) -> (Vec<f64>, f64) {
    let d = rows.first().map_or(0, Vec::len);
    // Any start will do that is not at right angles to the answer; these are as good as chance, and always the same.
    let mut v: Vec<f64> = (0..d).map(|k| 1.0 + ((k * 7 + which * 3) % 11) as f64).collect();
    let mut variance = 0.0;
    for _ in 0..ROUNDS {
        for other in found {
            let share = dot(&v, other);
            v.iter_mut().zip(other).for_each(|(a, b)| *a -= share * b);
        }
        let length = dot(&v, &v).sqrt();
        if length <= f64::EPSILON {
            return (vec![0.0; d], 0.0);
        }
        v.iter_mut().for_each(|a| *a /= length);
        let mut next = vec![0.0; d];
        variance = 0.0;
        for row in rows {
            let along = dot(row, &v);
            variance += along * along;
            next.iter_mut().zip(row).for_each(|(a, b)| *a += along * b);
        }
        if variance <= f64::EPSILON {
            break;
        }
        v = next;
    }
    let length = dot(&v, &v).sqrt().max(f64::EPSILON);
    let largest = v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    (v.iter().map(|a| sign * a / length).collect(), variance)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Preprocessing;
    use crate::poison::signs;
    use crate::tensor::Seed;
    use crate::train::Architecture;

    #[test]
    fn the_plane_shows_the_directions_of_most_variance() {
        // Along (3, 4, 0) / 5 the points vary most, along the third axis a little, and not at all elsewhere.
        let rows: Vec<Vec<f32>> = (-5..=5)
            .map(|i| {
                let (t, s) = (i as f32, if i % 2 == 0 { 0.5 } else { -0.5 });
                vec![3.0 * t, 4.0 * t, s]
            })
            .collect();
        let (plane, shown) = principal(&rows);
        assert!((shown - 1.0).abs() < 1e-4, "{shown}");
        assert!((plane[10][0] - 25.0).abs() < 0.1 && (plane[0][0] + 25.0).abs() < 0.1, "{plane:?}");
        assert!(((plane[0][1] - plane[1][1]).abs() - 1.0).abs() < 0.05, "{plane:?}");
        assert_eq!(principal(&[vec![1.0, 2.0], vec![1.0, 2.0]]).1, 0.0);
    }

    #[test]
    fn every_picture_has_its_place_with_its_label_and_mark() {
        let images = signs::sign_set(2, Seed(1));
        let size = [images.height, images.width];
        let model = Architecture::Tiny.untrained(3, size, 12, Seed(1)).unwrap();
        let network = Classifier::new(&model, Preprocessing::unit(size, 3), &Device::Cpu).unwrap();
        let found = features(&network, &images, &images, &Monitor::silent()).unwrap();
        assert_eq!(found.places.len(), 48);
        assert_eq!(found.places[..24].iter().map(|p| p.at).collect::<Vec<_>>(), {
            found.places[24..].iter().map(|p| p.at).collect::<Vec<_>>()
        });
        assert!(found.places[24..].iter().all(|p| p.marked) && (0.0..=1.0).contains(&found.shown));
        assert_eq!(found.places[13].truth, 1);
    }
}
