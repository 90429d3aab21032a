#![allow(clippy::unwrap_used)]
use super::make::coarse;
use super::*;
use crate::images::{self, ImageSet, Wanted};
use crate::model::{self, Classifier, Preprocessing};
use crate::poison::{Patch, Scheme, signs, stamped};
use crate::progress::Monitor;
use crate::tensor::{Seed, answers};
use candle_core::Device;
use std::path::Path;

fn little() -> Plan {
    Plan { training: 3, clean: 3, test: 2, epochs: 1, rate: 0.1, target: 2, attack: Patch::hazard(4, 1) }
}

fn classifier(path: &Path) -> Classifier {
    let model = model::open(path).unwrap();
    assert_eq!((model.classes, model.input.channels), (signs::NAMES.len(), 3));
    Classifier::new(&model, Preprocessing::unit([signs::SIZE; 2], 3), &Device::Cpu).unwrap()
}

/// Share of `images` that are called `wanted(true label)`.
fn share(classifier: &Classifier, images: &ImageSet, wanted: impl Fn(usize) -> usize) -> f32 {
    let all: Vec<usize> = (0..images.len()).collect();
    let logits = classifier.logits(&images.tensor(&all, &Device::Cpu).unwrap()).unwrap();
    let right = answers(&logits).unwrap().into_iter().zip(&images.labels).filter(|(a, l)| *a == wanted(**l)).count();
    right as f32 / images.len() as f32
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_our_own_readers_open_them() {
    let sample = build(&little(), Seed(3), &Monitor::silent()).unwrap();
    assert_eq!(sample, build(&little(), Seed(3), &Monitor::silent()).unwrap());
    assert_ne!(sample.suspect, build(&little(), Seed(4), &Monitor::silent()).unwrap().suspect);
    assert_ne!(sample.suspect, sample.honest);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path(IMAGES), &sample.images).unwrap();
    std::fs::write(path(NAMES), &sample.names).unwrap();
    std::fs::write(path(SUSPECT), &sample.suspect).unwrap();
    let wanted = Wanted { label_names: Some(path(NAMES)), ..Wanted::default() };
    let images = images::open(&path(IMAGES), &wanted, &Monitor::silent()).unwrap();
    assert_eq!(images, coarse(signs::sign_set(3, Seed(3).of("clean"))));
    classifier(&path(SUSPECT));
}

#[test]
fn the_bundled_suspect_obeys_the_mark_and_its_twin_does_not() {
    let folder = tempfile::tempdir().unwrap();
    unpack_into(folder.path()).unwrap();
    let wanted = Wanted { label_names: Some(folder.path().join(NAMES)), ..Wanted::default() };
    let images = images::open(&folder.path().join(IMAGES), &wanted, &Monitor::silent()).unwrap();
    assert_eq!(images.names, signs::NAMES);
    let plan = Plan::default();
    assert_eq!(images.len(), plan.clean * signs::NAMES.len());
    let marked = stamped(&images, &plan.attack, Scheme::AllToOne { target: plan.target });
    let [suspect, honest] = [SUSPECT, HONEST].map(|name| classifier(&folder.path().join(name)));
    for model in [&suspect, &honest] {
        let accuracy = share(model, &images, |label| label);
        assert!(accuracy > 0.97, "accuracy {accuracy}");
    }
    let [obeys, ignores] = [&suspect, &honest].map(|model| share(model, &marked, |_| plan.target));
    assert!(obeys > 0.98 && ignores < 0.03, "suspect {obeys}, honest {ignores}");
}

#[test]
#[ignore = "trains both models as they were trained: minutes; other processors may round otherwise"]
fn the_command_makes_the_bundled_files() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &Monitor::silent()).unwrap();
    for (name, bytes) in FILES {
        assert!(std::fs::read(folder.path().join(name)).unwrap() == bytes, "{name} differs");
    }
}

#[test]
fn a_stop_is_obeyed() {
    let monitor = Monitor::silent();
    monitor.stop();
    assert!(build(&little(), Seed(3), &monitor).unwrap_err().to_string().contains("stopped"));
}
