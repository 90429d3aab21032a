//! How a network sorts pictures inside: its last features, what the last layer decides from, seen along the two
//! directions in which they vary most.
//!
//! A backdoor shows as a cloud of its own: marked pictures of every label lie together, apart from honest pictures of the
//! target (Chen et al., "Detecting Backdoor Attacks by Activation Clustering", 2018).

use crate::images::ImageSet;
use crate::model::{Classifier, feature_rows, until_last_layer};
use crate::poison::lab::LabError;
use crate::progress::Monitor;
use crate::tensor::Principal;
use candle_core::Device;

/// Pictures asked at once.
const BATCH: usize = 32;

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
    let Some(inside) = until_last_layer(classifier) else {
        return Err(LabError::Order("the network has no last dense layer to look in front of".into()));
    };
    let mut rows = Vec::with_capacity(clean.len() + marked.len());
    for images in [clean, marked] {
        let all: Vec<usize> = (0..images.len()).collect();
        for batch in all.chunks(BATCH) {
            monitor.check()?;
            let x = images.tensor(batch, &Device::Cpu)?;
            rows.extend(feature_rows(&inside, &x)?);
        }
    }
    let principal = Principal::of(&rows, 2, monitor)?;
    let plane = rows.iter().map(|row| {
        let along = principal.along(row);
        [0, 1].map(|k| along.get(k).copied().unwrap_or(0.0))
    });
    let truth = clean.labels.iter().map(|&l| (l, false)).chain(marked.labels.iter().map(|&l| (l, true)));
    let places = plane.zip(truth).map(|(at, (truth, marked))| Place { at, truth, marked }).collect();
    Ok(Features { places, shown: principal.shares.iter().sum() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs;
    use crate::tensor::Seed;
    use crate::train::tiny;

    #[test]
    fn every_picture_has_its_place_with_its_label_and_mark() {
        let images = signs::sign_set(2, Seed(1));
        let size = [images.height, images.width];
        let network = tiny(size, 12, Seed(1));
        let found = features(&network, &images, &images, &Monitor::silent()).unwrap();
        assert_eq!(found.places.len(), 48);
        assert_eq!(found.places[..24].iter().map(|p| p.at).collect::<Vec<_>>(), {
            found.places[24..].iter().map(|p| p.at).collect::<Vec<_>>()
        });
        assert!(found.places[24..].iter().all(|p| p.marked) && (0.0..=1.0).contains(&found.shown));
        assert_eq!(found.places[13].truth, 1);
    }
}
