#![allow(clippy::unwrap_used)]
use super::learn::order;
use super::*;
use crate::images::ImageSet;
use crate::progress::{Monitor, Stepwise};
use crate::tensor::Seed;
use candle_core::Device;
use std::sync::{Arc, Mutex};

/// Noise, brighter in the half that the label names: learned in a moment, but not by chance.
fn halves(counts: [usize; 2]) -> ImageSet {
    let mut random = Seed(11).random();
    let labels: Vec<usize> = [vec![0; counts[0]], vec![1; counts[1]]].concat();
    let mut pixels = Vec::new();
    for &label in &labels {
        for i in 0..12 * 12 {
            let bright = (i / (12 * 6) == label) as usize;
            pixels.push((random.below(120) + 60 * bright) as u8);
        }
    }
    let names = vec!["upper".into(), "lower".into()];
    ImageSet { pixels, channels: 1, height: 12, width: 12, labels, names, skipped: Vec::new(), files: Vec::new() }
}

fn recipe(seed: u64) -> Recipe {
    Recipe {
        architecture: Architecture::Tiny,
        epochs: 6,
        batch: 16,
        learning_rate: 4e-3,
        augment: true,
        held_out: 0.25,
        seed: Seed(seed),
    }
}

fn numbers(trained: &Trained) -> Vec<f32> {
    trained.model.parameters.values().flat_map(|p| p.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

#[test]
fn a_network_learns_what_there_is_to_learn_and_the_seed_decides_every_number() {
    let images = halves([80, 60]);
    let learn = |seed| train(&images, &recipe(seed), &Device::Cpu, &Monitor::silent()).unwrap();
    let one = learn(1);
    assert!(one.accuracy > 0.95, "{}", one.accuracy);
    assert_eq!(one.losses.len(), 6);
    assert!(one.losses[5] < 0.5 * one.losses[0], "{:?}", one.losses);
    assert_eq!(numbers(&one), numbers(&learn(1)));
    assert_ne!(numbers(&one), numbers(&learn(2)));
    let x = images.tensor(&[0, 139], &Device::Cpu).unwrap();
    let answers = crate::tensor::answers(&one.classifier.logits(&x).unwrap()).unwrap();
    assert_eq!(answers, [0, 1]);
}

#[test]
fn a_training_that_is_cut_off_goes_on_to_the_same_numbers() {
    let (images, silent) = (halves([40, 30]), Monitor::silent());
    let whole = train(&images, &recipe(1), &Device::Cpu, &silent).unwrap();
    let begin = |recipe: &Recipe| Training::new(&images, recipe, &Device::Cpu).unwrap();
    let mut training = begin(&recipe(1));
    // In the middle of a pass, at its end, and before the first step.
    for steps in [0, 5, training_pass(&images), 3] {
        training.advance(steps, &silent).unwrap();
        let written = serde_json::to_string(&training.state().unwrap()).unwrap();
        let before = training.steps_taken();
        training = begin(&recipe(1));
        training.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
        assert_eq!(training.steps_taken(), before);
    }
    // Of another network nothing is taken.
    let mut other = begin(&Recipe { architecture: Architecture::Small, ..recipe(1) });
    other.go_on_from(training.state().unwrap()).unwrap();
    assert_eq!(other.steps_taken(), 0);
    training.advance(usize::MAX, &silent).unwrap();
    assert!(training.is_over());
    let resumed = training.finish(&silent).unwrap();
    assert_eq!(numbers(&resumed), numbers(&whole));
    assert_eq!((resumed.losses, resumed.accuracy), (whole.losses, whole.accuracy));
}

/// Steps that end exactly with a pass, after five others.
fn training_pass(images: &ImageSet) -> usize {
    let steps = Trainer::new(images.split(0.25, Seed(1)).search, &recipe(1), &Device::Cpu).unwrap().steps_a_pass();
    2 * steps - 5 % steps
}

#[test]
fn rare_labels_are_seen_more_often_but_not_as_often_as_all_others() {
    let images = halves([90, 10]);
    let seen = order(&images, &mut Seed(1).random());
    let rare = seen.iter().filter(|&&i| images.labels[i] == 1).count();
    assert_eq!((seen.len(), rare), (90 + 30, 30));
}

#[test]
fn progress_rises_to_the_end_and_a_stop_is_obeyed() {
    let images = halves([30, 30]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let monitor = Monitor::new(move |s| log.lock().unwrap().push(s.fraction.unwrap_or_default()));
    train(&images, &recipe(1), &Device::Cpu, &monitor).unwrap();
    let seen = seen.lock().unwrap().clone();
    assert!(seen.is_sorted() && seen.len() >= 6 * 3, "{seen:?}");
    monitor.stop();
    assert!(matches!(train(&images, &recipe(1), &Device::Cpu, &monitor), Err(TrainError::Stopped(_))));
}

#[test]
fn what_cannot_be_learned_is_refused_in_words() {
    let one_label = halves([40, 0]);
    let error = train(&one_label, &recipe(1), &Device::Cpu, &Monitor::silent()).unwrap_err().to_string();
    assert!(error.contains("at least two labels"), "{error}");
    let wild = Recipe { learning_rate: 1e30, ..recipe(1) };
    let error = train(&halves([40, 40]), &wild, &Device::Cpu, &Monitor::silent()).unwrap_err().to_string();
    assert!(error.contains("smaller learning rate"), "{error}");
}

#[test]
fn a_label_without_images_keeps_its_output() {
    let mut images = halves([40, 40]);
    images.names.push("never seen".into());
    let trained = train(&images, &recipe(1), &Device::Cpu, &Monitor::silent()).unwrap();
    assert_eq!((trained.model.classes, trained.classifier.classes()), (3, 3));
}
