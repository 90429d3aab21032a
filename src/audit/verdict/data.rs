//! What pictures of a set are suspected, and why. The figures behind the bounds are in docs/datasets.md.

use super::super::Verdict;
use super::super::data::{GroupSeen, TwoGroups};
use super::super::summary::listed;
use super::pairs::called;
use crate::detect::fixed_mark::FixedMark;

/// A mark of fewer pixels may be chance: two strokes of digits end alike.
const FEWEST_PIXELS: usize = 4;
/// A mark over more of the picture than this is no patch but the picture itself, again and again.
const LARGEST_MARK: f32 = 0.25;
/// A stamp ends sharply: at most this share of the values around it are those of its edge.
const BLEEDS: f32 = 0.2;
/// Stamped pictures differ elsewhere at least by this share of what all pictures do.
const VARIETY: f32 = 0.6;
/// For each picture of another label with the mark there are at least so many of this one.
const OWN: usize = 20;

/// A group holds pictures of all kinds where its answers are spread at most so far otherwise than those on all other labels,
/// beyond what chance makes of few pictures …
const OF_ALL_KINDS: f32 = 0.2;
/// … and the rest of the label is of one kind: its answers are spread otherwise at least by so much more.
const OF_ONE_KIND: f32 = 0.4;
/// Groups nearer than this may be one cloud, cut where the answers change: honest labels of CIFAR-10 had up to 4.1.
const APART: f32 = 6.0;
/// With fewer pictures in a group nothing is said of how its answers are spread …
const FEWEST_IN_GROUP: usize = 12;
/// … nor where chance alone spreads the answers of so few pictures over so many labels farther than this: of 13 honest
/// pictures of GTSRB's 43 labels it makes 0.54, of 25 of CIFAR-10's ten 0.19, and both were taken for pictures of all kinds.
const MOST_CHANCE: f32 = 0.15;

/// What the detectors saw of one label.
pub(in super::super) struct LabelEvidence {
    /// Its pictures.
    pub(in super::super) count: usize,
    /// Pixels of one picture.
    pub(in super::super) area: usize,
    pub(in super::super) marks: Vec<FixedMark>,
    pub(in super::super) groups: Option<TwoGroups>,
}

/// What is said of a label.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct Judged {
    /// The mark that its suspected pictures carry.
    pub(in super::super) mark: Option<FixedMark>,
    /// Which group is suspected: whether the smaller one.
    pub(in super::super) group: Option<bool>,
    pub(in super::super) because: Vec<String>,
}

/// Weighs what was seen of one label.
pub(in super::super) fn label(evidence: &LabelEvidence) -> Judged {
    let mut judged = Judged::default();
    let mut marks: Vec<&FixedMark> = evidence.marks.iter().filter(|mark| is_stamp(mark, evidence.area)).collect();
    marks.sort_by_key(|mark| std::cmp::Reverse(mark.pictures.len() * mark.pixels.len()));
    if let Some(mark) = marks.first() {
        judged.because.push(format!(
            "{} of {} pictures carry the same mark of {} pixels; {} of other labels do",
            mark.pictures.len(),
            evidence.count,
            mark.pixels.len(),
            if mark.elsewhere == 0 { "none".into() } else { mark.elsewhere.to_string() },
        ));
        judged.mark = Some((*mark).clone());
    }
    // A mark names its pictures exactly; a group beside it would only add honest ones.
    if let Some(groups) = evidence.groups.as_ref().filter(|_| judged.mark.is_none()) {
        judged.group = suspected(groups);
        if let Some(smaller) = judged.group {
            let (group, rest) = if smaller { (groups.smaller, groups.larger) } else { (groups.larger, groups.smaller) };
            judged.because.push(format!(
                "A network sees {} pictures apart from the other {} (distance {:.1}); to networks that never saw this label they \
                 are pictures of all kinds (spread {:.2} off that of all other labels, beyond chance), the others are not ({:.2})",
                group.pictures,
                rest.pictures,
                groups.separation,
                (group.apart - group.chance).max(0.0),
                (rest.apart - rest.chance).max(0.0)
            ));
        }
    }
    judged
}

/// Whether shared pixels are a stamp rather than a bright sky or frames of one thing.
fn is_stamp(mark: &FixedMark, area: usize) -> bool {
    mark.pixels.len() >= FEWEST_PIXELS
        && mark.pixels.len() as f32 <= LARGEST_MARK * area as f32
        && mark.bleeds <= BLEEDS
        && mark.variety >= VARIETY
        && mark.elsewhere * OWN <= mark.pictures.len()
}

/// Which of two groups holds pictures of all kinds while the other does not; `None` where that holds of neither.
fn suspected(groups: &TwoGroups) -> Option<bool> {
    let of_all_kinds = |group: GroupSeen, rest: GroupSeen| {
        group.pictures >= FEWEST_IN_GROUP
            && group.chance <= MOST_CHANCE
            && group.apart - group.chance <= OF_ALL_KINDS
            && rest.apart - rest.chance >= group.apart - group.chance + OF_ONE_KIND
    };
    if groups.separation < APART {
        return None;
    }
    if of_all_kinds(groups.smaller, groups.larger) {
        return Some(true);
    }
    of_all_kinds(groups.larger, groups.smaller).then_some(false)
}

/// The verdict on the set, and in a sentence or two.
pub(in super::super) fn summary(suspected: usize, labels: &[(usize, String)], stopped: bool) -> (Verdict, String) {
    let (verdict, mut text) = if suspected == 0 {
        let none = "No picture is suspected. That is no proof that none is poisoned: see what was not examined";
        (Verdict::NoEvidence, none.to_owned())
    } else {
        let names: Vec<String> = labels.iter().map(|(label, name)| called(*label, name)).collect();
        let text = format!(
            "{suspected} pictures are suspected, at label {}. Look at them before you take them out",
            listed(&names, 5)
        );
        (Verdict::Suspicious, text)
    };
    if stopped {
        text += ". The work was stopped before its end";
    }
    (verdict, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(pixels: usize) -> FixedMark {
        FixedMark {
            label: 3,
            pixels: (0..pixels).map(|i| (i / 3, i % 3)).collect(),
            bleeds: 0.02,
            variety: 1.0,
            pictures: (0..40).collect(),
            elsewhere: 0,
        }
    }

    fn judged(marks: Vec<FixedMark>, groups: Option<TwoGroups>) -> Judged {
        label(&LabelEvidence { count: 200, area: 1024, marks, groups })
    }

    #[test]
    fn a_sharp_mark_on_pictures_of_all_kinds_is_a_stamp_and_anything_else_is_not() {
        assert_eq!(judged(vec![mark(9)], None).mark, Some(mark(9)));
        for natural in [
            mark(3),
            mark(400),
            FixedMark { bleeds: 0.4, ..mark(9) },
            FixedMark { variety: 0.4, ..mark(9) },
            FixedMark { elsewhere: 3, ..mark(9) },
        ] {
            assert_eq!(judged(vec![natural.clone()], None), Judged::default(), "{natural:?}");
        }
    }

    #[test]
    fn the_group_of_all_kinds_is_suspected_be_it_the_smaller_or_the_larger() {
        let seen = |pictures, apart| GroupSeen { pictures, apart, chance: 0.1 };
        let groups = |smaller, larger| TwoGroups { separation: 6.0, smaller, larger };
        let of = |groups| judged(Vec::new(), Some(groups)).group;
        assert_eq!(of(groups(seen(40, 0.2), seen(160, 0.7))), Some(true));
        assert_eq!(of(groups(seen(80, 0.7), seen(120, 0.2))), Some(false));
        assert_eq!(of(groups(seen(40, 0.7), seen(160, 0.8))), None, "two kinds of one thing");
        assert_eq!(of(groups(seen(40, 0.2), seen(160, 0.3))), None, "a label that is of all kinds by itself");
        assert_eq!(of(groups(seen(5, 0.1), seen(160, 0.7))), None, "too few to tell");
        let unsure = GroupSeen { pictures: 13, apart: 0.72, chance: 0.54 };
        assert_eq!(of(TwoGroups { separation: 6.8, ..groups(unsure, seen(77, 0.81)) }), None, "chance alone may do it");
        let near = TwoGroups { separation: 2.6, ..groups(seen(40, 0.2), seen(160, 0.7)) };
        assert_eq!(of(near), None, "one cloud cut in two");
    }
}
