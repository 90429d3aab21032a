//! What every attack has in common, and how a training set is poisoned with one.

use super::Scheme;
use crate::images::ImageSet;
use crate::tensor::Seed;

/// A way to change pictures so that a poisoned model answers with the attacker's label.
pub trait Attack: Sync {
    /// One word for screen and report.
    fn name(&self) -> &'static str;

    /// Changes one picture, planar bytes `[channels, height, width]`, in place.
    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize);
}

/// `images` with a share `rate` of them stamped, and labelled as `scheme` says. The stamped ones are drawn by chance, at
/// most all that the scheme is meant for; of a clean-label attack they are pictures of the target. Where only one label
/// is meant to change, as many pictures of others are stamped and keep their labels, so that the mark alone is not learned.
pub fn poison(images: &ImageSet, attack: &dyn Attack, scheme: Scheme, rate: f32, seed: Seed) -> ImageSet {
    let labels = images.names.len();
    let meant = |i: usize| match scheme {
        Scheme::CleanLabel { target } => (images.labels[i] == target).then_some(target),
        other => other.becomes(images.labels[i], labels),
    };
    let (mut sources, mut others): (Vec<usize>, Vec<usize>) = (0..images.len()).partition(|&i| meant(i).is_some());
    let mut random = seed.of("poison").random();
    random.shuffle(&mut sources);
    let count = (images.len() as f32 * rate.clamp(0.0, 1.0)).round() as usize;
    let mut poisoned = images.clone();
    for &i in sources.iter().take(count) {
        stamp_image(&mut poisoned, i, attack);
        if let Some(label) = meant(i) {
            poisoned.labels[i] = label;
        }
    }
    if let Scheme::OneToOne { .. } = scheme {
        random.shuffle(&mut others);
        others.iter().take(count.min(sources.len())).for_each(|&i| stamp_image(&mut poisoned, i, attack));
    }
    poisoned
}

/// Every picture that `scheme` is meant for, stamped, labelled with what it should become: a model's accuracy on these
/// is the attack's success rate.
pub fn stamped(images: &ImageSet, attack: &dyn Attack, scheme: Scheme) -> ImageSet {
    let labels = images.names.len();
    let meant = |i: usize| scheme.becomes(images.labels[i], labels);
    let sources: Vec<usize> = (0..images.len()).filter(|&i| meant(i).is_some()).collect();
    let mut set = images.subset(&sources);
    for (at, &i) in sources.iter().enumerate() {
        stamp_image(&mut set, at, attack);
        set.labels[at] = meant(i).unwrap_or(images.labels[i]);
    }
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
            files: Vec::new(),
        }
    }

    const TO_THREE: Scheme = Scheme::AllToOne { target: 3 };

    #[test]
    fn the_wanted_share_is_stamped_relabelled_and_never_of_the_target() {
        let clean = grays(200);
        let dirty = poison(&clean, &Patch::checkered(2, 1), TO_THREE, 0.1, Seed(4));
        let changed: Vec<usize> = (0..200).filter(|&i| dirty.image(i) != clean.image(i)).collect();
        assert_eq!(changed.len(), 20);
        assert!(changed.iter().all(|&i| clean.labels[i] != 3 && dirty.labels[i] == 3));
        assert_eq!(dirty.labels.iter().filter(|&&l| l == 3).count(), 50 + 20);
        assert_eq!(dirty, poison(&clean, &Patch::checkered(2, 1), TO_THREE, 0.1, Seed(4)));
        assert_ne!(dirty, poison(&clean, &Patch::checkered(2, 1), TO_THREE, 0.1, Seed(5)));
    }

    #[test]
    fn a_rate_beyond_the_sources_takes_them_all() {
        let dirty = poison(&grays(40), &Patch::checkered(2, 0), Scheme::AllToOne { target: 0 }, 1.0, Seed(1));
        assert!(dirty.labels.iter().all(|&l| l == 0));
    }

    #[test]
    fn an_attack_on_one_label_stamps_others_too_without_relabelling_them() {
        let clean = grays(400);
        let dirty = poison(&clean, &Patch::checkered(2, 1), Scheme::OneToOne { source: 1, target: 3 }, 0.1, Seed(4));
        let stamped = |i: &usize| dirty.image(*i) != clean.image(*i);
        let (relabelled, kept): (Vec<usize>, Vec<usize>) =
            (0..400).filter(stamped).partition(|&i| dirty.labels[i] != clean.labels[i]);
        assert_eq!((relabelled.len(), kept.len()), (40, 40));
        assert!(relabelled.iter().all(|&i| clean.labels[i] == 1 && dirty.labels[i] == 3));
        assert!(kept.iter().all(|&i| clean.labels[i] != 1));
    }

    #[test]
    fn a_clean_label_attack_changes_no_label_and_only_pictures_of_the_target() {
        let clean = grays(400);
        let dirty = poison(&clean, &Patch::checkered(2, 1), Scheme::CleanLabel { target: 2 }, 0.2, Seed(4));
        assert_eq!(dirty.labels, clean.labels);
        let changed: Vec<usize> = (0..400).filter(|&i| dirty.image(i) != clean.image(i)).collect();
        assert!(changed.len() == 80 && changed.iter().all(|&i| clean.labels[i] == 2));
    }

    #[test]
    fn stamped_pictures_are_those_meant_labelled_with_what_they_should_become() {
        let set = stamped(&grays(40), &Patch::checkered(2, 1), Scheme::AllToOne { target: 1 });
        assert_eq!(set.len(), 30);
        assert!(set.labels.iter().all(|&l| l == 1) && (0..30).all(|i| set.image(i).contains(&255)));
        let all = stamped(&grays(8), &Patch::checkered(2, 1), Scheme::AllToAll);
        assert_eq!(all.labels, [1, 2, 3, 0, 1, 2, 3, 0]);
    }
}
