//! Whether a model's answers on images are those of a model that was trained on such images; words for
//! the person where they are not.

use super::ImageSet;
use super::measure::Answers;
use std::collections::BTreeMap;

/// Share of the way from chance to perfect below which no scan makes sense: the worst model of the zoo, at
/// 49 % of ten labels, is at 0.44.
const LEAST_SKILL: f32 = 0.25;
/// Standard errors by which chance must be beaten.
const LEAST_SIGMAS: f32 = 3.0;
/// Share of the images of a label that must get the same answer for the labels to count as reordered.
const CONSISTENT: f32 = 0.6;
/// Images a label needs to tell anything about the order.
const LEAST_IMAGES: usize = 3;
/// Examples of reordered labels that are shown.
const EXAMPLES: usize = 3;

/// Balanced accuracy that a model of `classes` labels must reach on `n` images.
pub(super) fn least_accuracy(classes: usize, n: usize) -> f32 {
    let chance = 1.0 / classes.max(1) as f32;
    let noise = LEAST_SIGMAS * (chance * (1.0 - chance) / n.max(1) as f32).sqrt();
    (chance + noise.max(LEAST_SKILL * (1.0 - chance))).min(1.0)
}

/// A label and the label the model gives most of its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    /// Label of the images.
    label: usize,
    /// The model's answer.
    answer: usize,
}

/// Share of images, label by label, that would be right if the labels were in the order the model's answers
/// suggest; an answer counts for one label only, so that a constant answer is not consistent.
pub(super) fn consistency(answers: &Answers, images: &ImageSet) -> f32 {
    let found = most_frequent(answers, images);
    let mut claimed = BTreeMap::new();
    for (answered, share) in &found {
        let best = claimed.entry(answered.answer).or_insert(0.0_f32);
        *best = best.max(*share);
    }
    claimed.values().sum::<f32>() / found.len().max(1) as f32
}

/// The order of labels the model seems to have, where its answers are consistent but wrong.
pub(super) fn reordered(answers: &Answers, images: &ImageSet) -> Option<Vec<Answered>> {
    let found = most_frequent(answers, images);
    if found.len() < 2 || consistency(answers, images) < CONSISTENT {
        return None;
    }
    let moved: Vec<Answered> =
        found.into_iter().filter(|(a, share)| a.label != a.answer && *share >= CONSISTENT).map(|(a, _)| a).collect();
    (moved.len() >= 2).then_some(moved)
}

fn most_frequent(answers: &Answers, images: &ImageSet) -> Vec<(Answered, f32)> {
    let mut found = Vec::new();
    for (label, list) in images.by_label().iter().enumerate().filter(|(_, list)| list.len() >= LEAST_IMAGES) {
        let mut counts = BTreeMap::new();
        for answer in list.iter().filter_map(|&i| answers.labels[i]) {
            *counts.entry(answer).or_insert(0_usize) += 1;
        }
        if let Some((&answer, &count)) = counts.iter().max_by_key(|&(_, &count)| count) {
            found.push((Answered { label, answer }, count as f32 / list.len() as f32));
        }
    }
    found
}

/// What to tell where the accuracy is below [`least_accuracy`].
pub(super) fn complaint(
    accuracy: f32,
    n: usize,
    classes: usize,
    tried: usize,
    moved: Option<&[Answered]>,
    names: &[String],
) -> String {
    let reached = format!(
        "the model answers only {:.1} % of {n} images rightly with the best of {tried} usual preprocessings (guessing gives {:.1} %)",
        100.0 * accuracy,
        100.0 / classes.max(1) as f32
    );
    let Some(moved) = moved else {
        return format!(
            "{reached}: the images do not belong to this model, their labels are in another order, or its preprocessing is unusual. A scan would be meaningless"
        );
    };
    let examples: Vec<String> = moved
        .iter()
        .take(EXAMPLES)
        .map(|a| format!("images of \"{}\" are answered as label {}", names[a.label], a.answer))
        .collect();
    format!(
        "{reached}, yet its answers are consistent: {}. The model seems right but its labels are in another order. Name the folders by the model's label numbers, or give a list of label names in the model's order",
        examples.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(labels: Vec<usize>, count: usize) -> ImageSet {
        ImageSet {
            pixels: vec![0; labels.len()],
            channels: 1,
            height: 1,
            width: 1,
            labels,
            names: (0..count).map(|i| format!("sign {i}")).collect(),
            skipped: vec![],
            files: vec![],
        }
    }

    #[test]
    fn the_least_accuracy_lies_between_chance_and_the_worst_real_model() {
        for (classes, n) in [(2, 200), (10, 1000), (43, 2000), (1000, 2000)] {
            let least = least_accuracy(classes, n);
            assert!(least > 1.2 / classes as f32 && least < 0.7, "{classes} labels: {least}");
        }
        assert!(least_accuracy(10, 1000) < 0.45);
        assert!(least_accuracy(2, 10) > 0.9, "few images prove little");
    }

    #[test]
    fn a_permutation_is_recognised_and_noise_is_not() {
        let set = images((0..60).map(|i| i % 6).collect(), 6);
        let answered =
            |f: &dyn Fn(usize) -> usize| Answers { labels: (0..60).map(|i| Some(f(i))).collect(), loss: 1.0 };
        let moved = reordered(&answered(&|i| if i < 10 { 0 } else { (i % 6 + 1) % 6 }), &set);
        let moved = moved.unwrap_or_default();
        assert_eq!((moved.len(), moved[0]), (6, Answered { label: 0, answer: 1 }));
        let sentence = complaint(0.02, 60, 6, 9, Some(&moved), &set.names);
        assert!(sentence.contains("\"sign 0\" are answered as label 1") && sentence.contains("2.0 %"), "{sentence}");
        assert_eq!(reordered(&answered(&|i| (i * i * 7 + i / 6) % 6), &set), None, "noise");
        assert_eq!(reordered(&answered(&|_| 3), &set), None, "a constant answer");
        assert_eq!(reordered(&answered(&|i| i % 6), &set), None, "right answers");
    }
}
