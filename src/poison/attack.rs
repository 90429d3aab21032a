//! What every attack has in common, and how a training set is poisoned with one.

use crate::images::ImageSet;
use crate::tensor::Seed;

/// A way to change pictures so that a poisoned model answers with the attacker's label.
pub trait Attack: Sync {
    /// One word for screen and report.
    fn name(&self) -> &'static str;

    /// Changes one picture, planar bytes `[channels, height, width]`, in place.
    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize);
}

/// `images` with a share `rate` of them stamped and labelled `target`. The stamped ones are drawn from
/// pictures of other labels, evenly by chance; at most all of these. All-to-one, dirty-label.
pub fn poison(images: &ImageSet, attack: &dyn Attack, target: usize, rate: f32, seed: Seed) -> ImageSet {
    let mut sources: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != target).collect();
    seed.of("poison").random().shuffle(&mut sources);
    let count = (images.len() as f32 * rate.clamp(0.0, 1.0)).round() as usize;
    let mut poisoned = images.clone();
    for &i in sources.iter().take(count) {
        stamp_image(&mut poisoned, i, attack);
        poisoned.labels[i] = target;
    }
    poisoned
}

/// Every picture of another label than `target`, stamped, with its true label kept: a model's attack
/// success rate is the share of these that it calls `target`.
pub fn stamped(images: &ImageSet, attack: &dyn Attack, target: usize) -> ImageSet {
    let sources: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != target).collect();
    let mut set = images.subset(&sources);
    (0..set.len()).for_each(|i| stamp_image(&mut set, i, attack));
    set
}

fn stamp_image(images: &mut ImageSet, i: usize, attack: &dyn Attack) {
    let (channels, height, width) = (images.channels, images.height, images.width);
    let size = channels * height * width;
    attack.stamp(&mut images.pixels[i * size..(i + 1) * size], channels, height, width);
}

#[cfg(test)]
mod tests {
    use super::super::Patch;
    use super::*;

    fn grays(n: usize) -> ImageSet {
        ImageSet {
            pixels: vec![9; n * 36],
            channels: 1,
            height: 6,
            width: 6,
            labels: (0..n).map(|i| i % 4).collect(),
            names: (0..4).map(|i| i.to_string()).collect(),
            skipped: Vec::new(),
        }
    }

    #[test]
    fn the_wanted_share_is_stamped_relabelled_and_never_of_the_target() {
        let clean = grays(200);
        let dirty = poison(&clean, &Patch::checkered(2, 1), 3, 0.1, Seed(4));
        let changed: Vec<usize> = (0..200).filter(|&i| dirty.image(i) != clean.image(i)).collect();
        assert_eq!(changed.len(), 20);
        assert!(changed.iter().all(|&i| clean.labels[i] != 3 && dirty.labels[i] == 3));
        assert_eq!(dirty.labels.iter().filter(|&&l| l == 3).count(), 50 + 20);
        assert_eq!(dirty, poison(&clean, &Patch::checkered(2, 1), 3, 0.1, Seed(4)));
        assert_ne!(dirty, poison(&clean, &Patch::checkered(2, 1), 3, 0.1, Seed(5)));
    }

    #[test]
    fn a_rate_beyond_the_sources_takes_them_all() {
        let dirty = poison(&grays(40), &Patch::checkered(2, 0), 0, 1.0, Seed(1));
        assert!(dirty.labels.iter().all(|&l| l == 0));
    }

    #[test]
    fn stamped_pictures_keep_their_true_labels() {
        let set = stamped(&grays(40), &Patch::checkered(2, 1), 1);
        assert_eq!(set.len(), 30);
        assert!(set.labels.iter().all(|&l| l != 1) && (0..30).all(|i| set.image(i).contains(&255)));
    }
}
