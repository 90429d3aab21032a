//! The search, with models made here whose preprocessing is known.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::model::{ChannelOrder, InputLayout, ModelError};
use std::sync::atomic::{AtomicUsize, Ordering};

const CLASSES: usize = 8;

/// Colour of a label: a corner of a cube that is not symmetric in the channels.
fn colour(label: usize, channel: usize) -> f32 {
    let corner = [0.25, 0.3, 0.2][channel];
    corner + 0.4 * (label >> channel & 1) as f32
}

/// Noisy pictures of one colour a label.
fn images(n: usize, side: usize) -> ImageSet {
    let mut random = Seed(5).random();
    let mut pixels = Vec::new();
    for i in 0..n {
        for c in 0..3 {
            let shade = random.uniform(-0.17, 0.17);
            let value = ((colour(i % CLASSES, c) + shade) * 255.0).round() as u8;
            pixels.extend(std::iter::repeat_n(value, side * side));
        }
    }
    ImageSet {
        pixels,
        channels: 3,
        height: side,
        width: side,
        labels: (0..n).map(|i| i % CLASSES).collect(),
        names: (0..CLASSES).map(|i| format!("sign {i}")).collect(),
        skipped: vec![],
        files: vec![],
    }
}

/// First pixel of an image as a preprocessing hands it to the graph.
fn seen(p: &Preprocessing, images: &ImageSet, i: usize) -> [f32; 3] {
    let area = images.height * images.width;
    let rgb: [f32; 3] =
        std::array::from_fn(|c| (f32::from(images.image(i)[c * area]) / 255.0 * p.scale - p.mean[c]) / p.std[c]);
    if p.order == ChannelOrder::Bgr { [rgb[2], rgb[1], rgb[0]] } else { rgb }
}

/// The answers of a nearest-colour classifier that was trained behind `truth`.
fn nearest(truth: &Preprocessing, p: &Preprocessing, images: &ImageSet) -> Answers {
    let prototypes: Vec<[f32; 3]> = (0..CLASSES)
        .map(|label| {
            let pixels = (0..3).map(|c| (colour(label, c) * 255.0) as u8).collect();
            let one = ImageSet { pixels, height: 1, width: 1, labels: vec![0], ..images.clone() };
            seen(truth, &one, 0)
        })
        .collect();
    let mut loss = 0.0;
    let labels = (0..images.len())
        .map(|i| {
            let x = seen(p, images, i);
            let far: Vec<f32> = prototypes
                .iter()
                .map(|q| x.iter().zip(q).zip(&truth.std).map(|((a, b), s)| ((a - b) * s / truth.scale).powi(2)).sum())
                .collect();
            let answer = (0..CLASSES).min_by(|&a, &b| far[a].total_cmp(&far[b]));
            loss += far[images.labels[i]];
            answer
        })
        .collect();
    Answers { labels, loss: loss / images.len() as f32 }
}

fn spec(size: Option<[usize; 2]>) -> InputSpec {
    InputSpec { layout: InputLayout::Nchw, channels: 3, size, fixed_batch: None }
}

fn search(size: Option<[usize; 2]>, set: &ImageSet, ask: &Ask<'_>) -> Result<Discovery, ImageError> {
    Search { input: &spec(size), classes: CLASSES, ask, monitor: &Monitor::silent() }.run(set)
}

#[test]
fn every_usual_preprocessing_is_found_in_both_orders() {
    let set = images(600, 2);
    let list = usual([2, 2], 3, &set);
    for truth in list.iter().flat_map(|p| [p.clone(), other_order(p)]) {
        let found = search(Some([2, 2]), &set, &|p, s, _| Ok(nearest(&truth, p, s))).unwrap();
        let best = &found.candidates[0].preprocessing;
        let (reached, possible) = (found.accuracy, nearest(&truth, &truth, &set).accuracy(&set));
        assert!(
            reached >= possible - 0.01,
            "{} {:?}: {reached} with {} {:?}",
            truth.name,
            truth.order,
            best.name,
            best.order
        );
        assert_eq!((best.order, found.images), (truth.order, 600), "{}", truth.name);
    }
}

#[test]
fn the_simplest_is_chosen_where_nothing_tells_candidates_apart() {
    let set = images(200, 2);
    let found = search(Some([2, 2]), &set, &|_, s, _| {
        Ok(Answers { labels: s.labels.iter().map(|&l| Some(l)).collect(), loss: 0.1 })
    })
    .unwrap();
    assert_eq!(found.candidates[0].preprocessing, Preprocessing::unit([2, 2], 3));
    let distinct: std::collections::BTreeSet<String> =
        found.candidates.iter().map(|c| format!("{:?}", c.preprocessing)).collect();
    assert_eq!(distinct.len(), found.candidates.len(), "each is listed once");
}

#[test]
fn the_size_is_found_where_the_model_takes_any() {
    let set = images(300, 8);
    let truth = Preprocessing::unit([64, 64], 3);
    let asked = AtomicUsize::new(0);
    let found = search(None, &set, &|p, s, _| {
        assert_eq!([s.height, s.width], p.size, "the images come at the size of the candidate");
        asked.fetch_add(1, Ordering::Relaxed);
        match p.size {
            [64, 64] => Ok(nearest(&truth, p, s)),
            [96, 96] => Ok(Answers { labels: vec![Some(0); s.len()], loss: 9.0 }),
            _ => Err(ImageError::Model(ModelError::NotAClassifier("this size does not fit".into()))),
        }
    })
    .unwrap();
    assert_eq!(found.candidates[0].preprocessing, truth);
    assert!(asked.into_inner() < 60);
}

#[test]
fn a_model_that_fails_on_every_size_says_why() {
    let error = search(None, &images(50, 8), &|_, _, _| {
        Err(ImageError::Model(ModelError::NotAClassifier("no size fits".into())))
    })
    .unwrap_err();
    assert!(error.to_string().contains("no size fits"), "{error}");
}

#[test]
fn images_of_another_model_are_refused_with_both_counts() {
    let mut set = images(50, 2);
    set.names.extend(["one".into(), "two".into()]);
    let sentence =
        search(Some([2, 2]), &set, &|_, _, _| unreachable!("the model must not be asked")).unwrap_err().to_string();
    assert!(sentence.contains("10 labels") && sentence.contains("only 8"), "{sentence}");
    let none = set.subset(&[]);
    assert!(search(Some([2, 2]), &none, &|_, _, _| unreachable!()).unwrap_err().to_string().contains("no images"));
}

#[test]
fn an_accuracy_of_chance_is_refused() {
    let set = images(400, 2);
    for answer in [None, Some(3)] {
        let error = search(Some([2, 2]), &set, &|_, s, _| Ok(Answers { labels: vec![answer; s.len()], loss: 5.0 }));
        let sentence = error.unwrap_err().to_string();
        assert!(
            sentence.contains("A scan would be meaningless") && sentence.contains("guessing gives 12.5 %"),
            "{sentence}"
        );
    }
}

#[test]
fn labels_in_another_order_are_told() {
    let mut set = images(400, 2);
    set.labels = set.labels.iter().map(|&l| (l + 3) % CLASSES).collect();
    let truth = Preprocessing::unit([2, 2], 3);
    let sentence = search(Some([2, 2]), &set, &|p, s, _| Ok(nearest(&truth, p, s))).unwrap_err().to_string();
    assert!(
        sentence.contains("\"sign 0\" are answered as label 5") && sentence.contains("another order"),
        "{sentence}"
    );
}

#[test]
fn the_search_stops_when_asked() {
    let monitor = Monitor::silent();
    let asked = AtomicUsize::new(0);
    let set = images(400, 2);
    let truth = Preprocessing::unit([2, 2], 3);
    let ask: &Ask<'_> = &|p, s, m| {
        m.check()?;
        if asked.fetch_add(1, Ordering::Relaxed) == 4 {
            m.stop();
        }
        Ok(nearest(&truth, p, s))
    };
    let result = Search { input: &spec(Some([2, 2])), classes: CLASSES, ask, monitor: &monitor }.run(&set);
    assert!(matches!(result, Err(ImageError::Stopped(_))), "{result:?}");
    assert_eq!(asked.into_inner(), 5);
}

#[test]
fn many_images_keep_the_shares_of_their_labels_in_the_final_measurement() {
    let mut set = images(3_000, 2);
    set.labels = (0..3_000).map(|i| usize::from(i % 10 == 0)).collect();
    let chosen = final_images(&set, [4_000, 4_000]);
    assert_eq!(chosen.len(), FINAL_IMAGES);
    let rare = chosen.labels.iter().filter(|&&l| l == 1).count();
    assert!((180..=220).contains(&rare), "{rare}");
}
