//! The preprocessing of real models is found on real images: the discovered choice reaches the accuracy
//! that was measured with the right one, within one point.
//!
//! Needs the shared zoo; skipped, with a line that says so, where it is not there. The default test takes
//! a few models and an even part of their images; `POISDETC_WHOLE_ZOO=1` takes every model and all images.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::Device;
use poisdetc::images::{self, Wanted};
use poisdetc::model;
use poisdetc::progress::Monitor;
use poisdetc::tensor::Seed;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Manifest {
    models: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    model: PathBuf,
    images: PathBuf,
    clean_accuracy: f32,
}

/// Small networks that together show every preprocessing of the zoo.
const QUICK: [&str; 6] = [
    "ibau_gtsrb_badnets_target8",
    "verazuo_badnet_cifar10_target1",
    "coldchair_badnet_mnist_src4_to7",
    "wxr1998_mnist_clean",
    "akamaster_resnet20_cifar10_clean",
    "adawiyah_traffic_classifier_gtsrb_clean",
];
/// Images of the quick test; at most 1.3 points of standard error at the accuracies of the zoo.
const QUICK_IMAGES: usize = 1_000;

fn zoo() -> Option<PathBuf> {
    let root = std::env::var_os("POISDETC_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let zoo = root.join("zoo");
    if !zoo.join("manifest.json").exists() {
        eprintln!("skipped: the model zoo is not at {}", zoo.display());
        return None;
    }
    Some(zoo)
}

#[test]
fn the_discovered_preprocessing_reaches_the_known_accuracy() {
    let Some(zoo) = zoo() else { return };
    let whole = std::env::var_os("POISDETC_WHOLE_ZOO").is_some();
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(zoo.join("manifest.json")).unwrap()).unwrap();
    let mut missed = Vec::new();
    for entry in manifest.models {
        let name = entry.model.file_stem().unwrap().to_string_lossy().into_owned();
        if !whole && !QUICK.contains(&name.as_str()) {
            continue;
        }
        let model = model::open(&zoo.join(&entry.model)).unwrap();
        let wanted = Wanted { channels: Some(model.input.channels), size: model.input.size, label_names: None };
        let all = images::open(&zoo.join(&entry.images), &wanted, &Monitor::silent()).unwrap();
        let set = if whole { all } else { random_part(&all, QUICK_IMAGES) };
        let start = std::time::Instant::now();
        let found = images::discover(&model, &set, &Device::Cpu, &Monitor::silent()).unwrap();
        let best = &found.candidates[0].preprocessing;
        // Where only a part is used, chance moves both numbers: two standard errors of the part.
        let p = entry.clean_accuracy;
        let slack = 0.01 + if whole { 0.0 } else { 2.0 * (p * (1.0 - p) / found.images as f32).sqrt() };
        println!(
            "{name:42} known {p:.4}  found {:.4} on {:5}  {} {:?}  {:.1} s",
            found.accuracy,
            found.images,
            best.name,
            best.order,
            start.elapsed().as_secs_f32()
        );
        if found.accuracy < p - slack {
            missed.push(format!("{name}: {:.4} instead of {p:.4} with {}", found.accuracy, best.name));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A part of the images in which the shares of the labels are those of the whole.
fn random_part(all: &images::ImageSet, n: usize) -> images::ImageSet {
    let mut indices: Vec<usize> = (0..all.len()).collect();
    Seed(1).of("part").random().shuffle(&mut indices);
    indices.truncate(n);
    all.subset(&indices)
}

#[test]
fn images_of_another_data_set_are_refused_in_words() {
    let Some(zoo) = zoo() else { return };
    let model = model::open(&zoo.join("models/wxr1998_mnist_clean.onnx")).unwrap();
    let wanted = Wanted { channels: Some(model.input.channels), size: model.input.size, label_names: None };
    let open = |path: &str| images::open(&zoo.join("../data").join(path), &wanted, &Monitor::silent()).unwrap();
    let refused = |set: &images::ImageSet| {
        images::discover(&model, set, &Device::Cpu, &Monitor::silent()).unwrap_err().to_string()
    };
    let sentence = refused(&open("cifar10/test_1000.bin"));
    assert!(sentence.contains("A scan would be meaningless"), "{sentence}");
    let sentence = refused(&open("gtsrb/png"));
    assert!(sentence.contains("43 labels") && sentence.contains("only 10"), "{sentence}");
    let mut reordered = open("mnist").sample(500, Seed(1));
    reordered.labels = reordered.labels.iter().map(|&l| (l + 1) % 10).collect();
    let sentence = refused(&reordered);
    assert!(sentence.contains("another order") && sentence.contains("\"1\" are answered as label 0"), "{sentence}");
}
