//! Pixels that are the same in many pictures of one label and hardly ever elsewhere: a patch as an attacker stamps it.
//!
//! In: a set of labelled pictures. Out: for a label, the pixels of the mark that most of its pictures share, and which
//! pictures those are. Needs no network and no honest picture of the label: it also finds a mark that *every* picture of a
//! label carries, where methods that look for a small strange group (see [`super::activation_clustering`]) see one group.
//! Not from a paper. Blind to marks that change with the picture (blends, waves, distortions) and to pictures that were
//! scaled or compressed after they were stamped. Never decides.

mod looks;

use super::DetectError;
use crate::images::ImageSet;
use crate::progress::Monitor;

/// Values this near are the same: what rounding may do to a stamped pixel.
const SAME: u8 = 2;
/// A value is rare where at most this share of other labels' pictures has it there, and of all pixels of the set.
const RARE: f32 = 0.15;
/// Where there are few pictures of other labels, a value is thought as frequent there as in a tenth of so many more.
const THOUGHT_OF: f32 = 20.0;
const THOUGHT: f32 = 0.1;
/// Pictures of a label that must share a value for it to be looked at, in standard deviations of what chance gives …
const STAND_OUT: f32 = 5.0;
/// … and at least so many.
const FEWEST: usize = 5;
/// Values that stand out most are each tried as the beginning of a mark.
const SEEDS: usize = 32;
/// Share of a mark's pictures that have each of its values, and of its values that each of them has.
const AGREE: f32 = 0.9;
/// Rounds in which mark and pictures are fitted to each other.
const ROUNDS: usize = 4;
/// Values that are counted at once: what bounds the memory for counting.
const COUNTED_AT_ONCE: usize = 4096;
/// Bytes have so many values.
const LEVELS: usize = 256;

/// One value of a mark: at byte `at` of a picture `[channels, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pixel {
    at: usize,
    value: u8,
}

/// A mark that pictures of one label share.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedMark {
    /// The label.
    pub label: usize,
    /// Pixels it covers, `(row, column)`, top to bottom; each has its value in at least one channel.
    pub pixels: Vec<(usize, usize)>,
    /// Share of the values just outside the mark that are the same as those beside them in it, in `[0, 1]`, over its
    /// pictures: nearly none around a stamp, most around the common part of bright skies or dark signs.
    pub bleeds: f32,
    /// How much these pictures differ where the mark is not, as a share of how much all pictures of the set do there
    /// (variances): about 1 for pictures of many kinds, near 0 for frames of one thing.
    pub variety: f32,
    /// Indices in the set of the label's pictures that carry it.
    pub pictures: Vec<usize>,
    /// How many pictures of other labels do.
    pub elsewhere: usize,
}

/// The marks that pictures of a label share, in order of labels; of one label those that stand out most come first. Most are
/// natural: a bright sky, frames of one thing. [`FixedMark::bleeds`] and [`FixedMark::variety`] tell.
///
/// # Errors
/// [`DetectError::Stopped`] on a request to stop.
pub fn fixed_marks(images: &ImageSet, monitor: &Monitor) -> Result<Vec<FixedMark>, DetectError> {
    let lists = images.by_label();
    let seeds = seeds(images, &lists, monitor)?;
    let common = common_values(images);
    let mut marks = Vec::new();
    for (label, seeds) in seeds.into_iter().enumerate() {
        let mut known: Vec<Pixel> = Vec::new();
        let mut here: Vec<FixedMark> = Vec::new();
        for seed in seeds {
            monitor.check()?;
            // It would grow into a mark that was found already.
            if known.iter().any(|p| p.at == seed.at && p.value.abs_diff(seed.value) <= SAME) {
                continue;
            }
            if let Some((mark, pixels)) = grown(images, label, &lists[label], seed, &common) {
                known.extend(pixels);
                here.push(mark);
            }
        }
        marks.extend(here);
    }
    Ok(marks)
}

/// Values that more than [`RARE`] of all pixels of the set have.
fn common_values(images: &ImageSet) -> Vec<bool> {
    let mut counts = vec![0_usize; LEVELS];
    images.pixels.iter().for_each(|&b| counts[usize::from(b)] += 1);
    (0..LEVELS).map(|v| near(&counts, v) as f32 > RARE * images.pixels.len() as f32).collect()
}

/// How often `value` or one that is the same was counted.
fn near(counts: &[usize], value: usize) -> usize {
    counts[value.saturating_sub(SAME.into())..=(value + usize::from(SAME)).min(LEVELS - 1)].iter().sum()
}

/// For each label the values that stand out most against the other labels.
fn seeds(images: &ImageSet, lists: &[Vec<usize>], monitor: &Monitor) -> Result<Vec<Vec<Pixel>>, DetectError> {
    let size = images.channels * images.height * images.width;
    let mut found: Vec<Vec<(f32, Pixel)>> = vec![Vec::new(); lists.len()];
    for begin in (0..size).step_by(COUNTED_AT_ONCE) {
        let end = (begin + COUNTED_AT_ONCE).min(size);
        monitor.check()?;
        let everyone: Vec<usize> = (0..images.len()).collect();
        let all = counted(images, &everyone, begin..end, monitor)?;
        for (list, found) in lists.iter().zip(&mut found).filter(|(list, _)| list.len() >= FEWEST) {
            let own = counted(images, list, begin..end, monitor)?;
            for at in begin..end {
                let cell = (at - begin) * LEVELS..(at - begin + 1) * LEVELS;
                found.extend(strangest(&own[cell.clone()], &all[cell], list.len(), images.len(), at));
            }
            found.sort_by(|a, b| b.0.total_cmp(&a.0));
            found.truncate(SEEDS);
        }
    }
    Ok(found.into_iter().map(|list| list.into_iter().map(|(_, pixel)| pixel).collect()).collect())
}

/// How many of the pictures in `list` have each value at each byte of `range`, `[range][256]`.
fn counted(
    images: &ImageSet,
    list: &[usize],
    range: std::ops::Range<usize>,
    monitor: &Monitor,
) -> Result<Vec<usize>, DetectError> {
    let mut counts = vec![0; range.len() * LEVELS];
    for &i in list {
        monitor.check()?;
        for (cell, &value) in counts.chunks_exact_mut(LEVELS).zip(&images.image(i)[range.clone()]) {
            cell[usize::from(value)] += 1;
        }
    }
    Ok(counts)
}

/// The value at `at` that a label's pictures have farthest beyond chance, where there is one that is rare elsewhere; and how
/// far, in standard deviations.
fn strangest(own: &[usize], all: &[usize], n: usize, whole: usize, at: usize) -> Option<(f32, Pixel)> {
    let others = (whole - n) as f32;
    let beyond = |value: usize| {
        let here = near(own, value);
        let elsewhere = (near(all, value) - here) as f32;
        let share = (elsewhere + THOUGHT * THOUGHT_OF) / (others + THOUGHT_OF);
        let expected = share * n as f32;
        let beyond = (here as f32 - expected) / (expected * (1.0 - share)).sqrt().max(0.5);
        (share <= RARE && here >= FEWEST && beyond > STAND_OUT).then_some((beyond, own[value], value))
    };
    // Of neighbours that count each other, the one that pictures really have.
    let found =
        (0..LEVELS).filter(|&v| own[v] > 0).filter_map(beyond).max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.map(|(beyond, _, value)| (beyond, Pixel { at, value: value as u8 }))
}

/// The mark that `seed` is a part of: the pictures that have it, all values that these share, the pictures that have
/// those, and so on.
fn grown(
    images: &ImageSet,
    label: usize,
    list: &[usize],
    seed: Pixel,
    common: &[bool],
) -> Option<(FixedMark, Vec<Pixel>)> {
    let mut mark = vec![seed];
    let mut pictures = carriers(images, list, &mark);
    for _ in 0..ROUNDS {
        if pictures.len() < FEWEST {
            return None;
        }
        mark = shared(images, &pictures, common);
        let now = carriers(images, list, &mark);
        if now == pictures {
            break;
        }
        pictures = now;
    }
    let others: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != label).collect();
    let some: Vec<usize> = others.iter().copied().step_by(others.len().div_ceil(looks::MEASURED).max(1)).collect();
    mark.retain(|p| {
        let same = some.iter().filter(|&&i| has(images.image(i), *p)).count();
        same as f32 <= RARE * some.len() as f32
    });
    let pictures = carriers(images, list, &mark);
    if mark.is_empty() || pictures.len() < FEWEST {
        return None;
    }
    let area = images.height * images.width;
    let mut places: Vec<usize> = mark.iter().map(|p| p.at % area).collect();
    places.sort_unstable();
    places.dedup();
    let found = FixedMark {
        label,
        bleeds: looks::bleeds(images, &mark, &places, &pictures),
        variety: looks::variety(images, &places, &pictures),
        pixels: places.into_iter().map(|at| (at / images.width, at % images.width)).collect(),
        elsewhere: carriers(images, &others, &mark).len(),
        pictures,
    };
    Some((found, mark))
}

fn has(picture: &[u8], pixel: Pixel) -> bool {
    picture[pixel.at].abs_diff(pixel.value) <= SAME
}

/// Those of `list` that have nearly all of `mark`; none have an empty one.
fn carriers(images: &ImageSet, list: &[usize], mark: &[Pixel]) -> Vec<usize> {
    let needed = (AGREE * mark.len() as f32).ceil().max(1.0) as usize;
    // Most pictures miss too many of the first few values already.
    let carries = |i: usize| {
        let mut may_miss = mark.len() as isize - needed as isize;
        mark.iter().all(|p| {
            may_miss -= isize::from(!has(images.image(i), *p));
            may_miss >= 0
        }) && may_miss >= 0
    };
    list.iter().copied().filter(|&i| carries(i)).collect()
}

/// Values that nearly all of `pictures` have and that are not common in the set.
fn shared(images: &ImageSet, pictures: &[usize], common: &[bool]) -> Vec<Pixel> {
    let size = images.channels * images.height * images.width;
    let needed = (AGREE * pictures.len() as f32).ceil() as usize;
    let value = |at: usize| {
        let mut values: Vec<u8> = pictures.iter().map(|&i| images.image(i)[at]).collect();
        values.sort_unstable();
        let pixel = Pixel { at, value: values[values.len() / 2] };
        let same = values.iter().filter(|v| v.abs_diff(pixel.value) <= SAME).count();
        (same >= needed && !common[usize::from(pixel.value)]).then_some(pixel)
    };
    (0..size).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::{Patch, Scheme, poison, signs};
    use crate::tensor::Seed;

    fn found(images: &ImageSet) -> Vec<FixedMark> {
        fixed_marks(images, &Monitor::silent()).unwrap()
    }

    #[test]
    fn a_stamped_patch_is_found_with_its_pictures_even_where_it_is_rare() {
        let clean = signs::sign_set(40, Seed(1));
        let dirty = poison(&clean, &Patch::checkered(3, 1), Scheme::AllToOne { target: 3 }, 0.03, Seed(7));
        let marks = found(&dirty);
        let mark = marks.iter().find(|m| m.label == 3).unwrap();
        let stamped: Vec<usize> = (0..clean.len()).filter(|&i| dirty.labels[i] != clean.labels[i]).collect();
        assert_eq!((&mark.pictures, mark.elsewhere), (&stamped, 0));
        assert!(mark.bleeds < 0.05 && mark.variety > 0.7, "{mark:?}");
        assert!(mark.pixels.contains(&(29, 29)) && mark.pixels.len() >= 9, "{:?}", mark.pixels);
    }

    #[test]
    fn a_mark_that_every_picture_of_the_only_label_carries_is_found() {
        let clean = signs::sign_set(10, Seed(1));
        let dirty = poison(&clean, &Patch::checkered(3, 1), Scheme::AllToOne { target: 3 }, 1.0, Seed(7));
        let only = dirty.subset(&(0..dirty.len()).filter(|&i| dirty.image(i) != clean.image(i)).collect::<Vec<_>>());
        let marks = found(&only);
        assert_eq!((marks[0].pictures.len(), marks[0].pixels.len()), (only.len(), 9), "{marks:?}");
        assert!(marks[0].bleeds < 0.2 && marks[0].variety > 0.9, "{marks:?}");
    }

    #[test]
    fn a_mark_that_all_labels_carry_is_none() {
        let mut signs = signs::sign_set(20, Seed(1));
        let size = signs.channels * signs.height * signs.width;
        let patch = Patch::checkered(4, 0);
        signs.pixels.chunks_exact_mut(size).for_each(|p| crate::poison::Attack::stamp(&patch, p, 3, 32, 32));
        assert!(found(&signs).iter().all(|mark| !mark.pixels.contains(&(30, 30))));
    }
}
