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

/// How much of a picture of another label is laid over one that a clean-label attack stamps: its own label stays the right
/// one, but cannot be told from the picture alone, so that the mark is learned (Turner, Tsipras and Madry, "Label-Consistent
/// Backdoor Attacks", 2019, do it with a generator's pictures). Without it the mark is hardly learned: on the sample's signs a
/// square at a rate of a quarter works on 72 and 83 % of pictures with 0.5, on 82 and 84 % with 0.6, on 92 to 99 % with 0.7.
const LAID_OVER: f32 = 0.7;

/// `images` with a share `rate` of them stamped, and labelled as `scheme` says. The stamped ones are drawn by chance, at
/// most all that the scheme is meant for. Where only one label is meant to change, as many pictures of others are stamped and keep
/// their labels, so that the mark alone is not learned. A clean-label attack adds as many pictures of the target instead, made hard
/// to recognise, and leaves all others as they are.
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
    if let Scheme::CleanLabel { .. } = scheme {
        // Each is another picture, whatever is laid over it, so that one may be taken several times.
        let more = sources.iter().copied().cycle().take(count);
        let mut poisoned = images.subset(&(0..images.len()).chain(more).collect::<Vec<_>>());
        for i in images.len()..poisoned.len() {
            if !others.is_empty() {
                lay_over(&mut poisoned, i, images.image(others[random.below(others.len())]));
            }
            stamp_image(&mut poisoned, i, attack);
        }
        return poisoned;
    }
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

fn lay_over(images: &mut ImageSet, i: usize, other: &[u8]) {
    let own = images.pixels[i * other.len()..].iter_mut();
    own.zip(other).for_each(|(own, other)| {
        let mixed = (1.0 - LAID_OVER) * f32::from(*own) + LAID_OVER * f32::from(*other);
        // Between two bytes there are only bytes.
        *own = mixed.round() as u8;
    });
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
    fn a_clean_label_attack_adds_stamped_pictures_of_the_target_that_are_hard_to_recognise() {
        let clean = ImageSet { pixels: (0..400).flat_map(|i| [60 * (i % 4) as u8; 36]).collect(), ..grays(400) };
        let dirty = poison(&clean, &Patch::checkered(2, 1), Scheme::CleanLabel { target: 2 }, 0.2, Seed(4));
        assert_eq!(
            (dirty.len(), &dirty.labels[..400], &dirty.pixels[..400 * 36]),
            (480, &clean.labels[..], &clean.pixels[..])
        );
        for i in 400..480 {
            assert_eq!((dirty.labels[i], dirty.image(i).contains(&255)), (2, true));
            // A part of its own 120, the rest of another label's 0, 60 or 180.
            assert!([36, 78, 162].contains(&dirty.image(i)[0]), "{}", dirty.image(i)[0]);
        }
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
