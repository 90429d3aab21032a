//! `poisdetc data`: poisoned pictures in a set of images, from the command line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use poisdetc::images::{self, ImageSet, Wanted, npz_bytes};
use poisdetc::poison::{Attack, Patch, Scheme, poison, signs};
use poisdetc::progress::Monitor;
use poisdetc::tensor::Seed;
use program::{command, ended, run, shared};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TARGET: usize = 3;

/// Signs of which 3 in 100 carry a checkered patch and the label 3, and which these are.
fn poisoned_signs(count: usize) -> (ImageSet, BTreeSet<usize>) {
    let clean = signs::sign_set(count, Seed(4));
    let patch = Patch::checkered(3, 1);
    let dirty = poison(&clean, &patch, Scheme::AllToOne { target: TARGET }, 0.03, Seed(7));
    let stamped = (0..clean.len()).filter(|&i| dirty.labels[i] != clean.labels[i]).collect();
    (dirty, stamped)
}

fn written(set: &ImageSet, folder: &Path) -> PathBuf {
    let path = folder.join("images.npz");
    fs::write(&path, npz_bytes(set).unwrap()).unwrap();
    path
}

/// What `poisdetc data IMAGES --json FILE` says, and the status it ends with.
fn examined(images: &Path) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("found.json");
    let mut order = command(folder.path(), ["data", "--quiet"]);
    order.arg(images).arg("--json").arg(&json);
    let end = ended(order);
    assert!(json.exists(), "{}\n{}", end.out, end.err);
    (end.status, serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap())
}

fn suspected(found: &Value) -> BTreeSet<usize> {
    let pictures = found["suspected"].as_array().unwrap();
    pictures.iter().map(|picture| picture["index"].as_u64().unwrap() as usize).collect()
}

#[test]
fn stamped_pictures_are_named_and_no_other_and_a_list_of_them_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (set, stamped) = poisoned_signs(30);
    let (images, list) = (written(&set, folder.path()), folder.path().join("suspects.csv"));
    let mut order = command(folder.path(), ["data"]);
    order.arg(&images).arg("--out").arg(&list);
    let end = ended(order);
    assert_eq!(end.status, 10, "{}\n{}", end.out, end.err);
    assert!(end.out.starts_with(&format!("{} pictures are suspected, at label 3", stamped.len())), "{}", end.out);
    assert!(end.out.contains("carry the same mark of 9 pixels; none of other labels do"), "{}", end.out);
    let csv = fs::read_to_string(&list).unwrap();
    let named: BTreeSet<usize> = csv.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(named, stamped);
    assert!(csv.lines().skip(1).all(|line| line.contains(",3,") && line.contains(",mark,")), "{csv}");
}

#[test]
fn honest_signs_are_not_accused() {
    let folder = tempfile::tempdir().unwrap();
    let (status, found) = examined(&written(&signs::sign_set(30, Seed(4)), folder.path()));
    assert_eq!((status, suspected(&found)), (0, BTreeSet::new()), "{}", found["labels"]);
    assert_eq!(found["verdict"], "no-evidence");
    assert!(!found["limits"].as_array().unwrap().is_empty());
}

#[test]
fn in_a_folder_of_one_label_the_mark_of_every_picture_is_found_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let label = folder.path().join("set").join("0");
    fs::create_dir_all(&label).unwrap();
    let signs = signs::sign_set(2, Seed(4));
    let (width, area) = (signs.width, signs.height * signs.width);
    for i in 0..signs.len() {
        let mut planes = signs.image(i).to_vec();
        Patch::checkered(3, 1).stamp(&mut planes, 3, signs.height, width);
        let pixel = |x: u32, y: u32| [0, 1, 2].map(|c| planes[c * area + y as usize * width + x as usize]);
        let picture = image::RgbImage::from_fn(width as u32, signs.height as u32, |x, y| image::Rgb(pixel(x, y)));
        picture.save(label.join(format!("{i:02}.png"))).unwrap();
    }
    let (status, found) = examined(&folder.path().join("set"));
    assert_eq!((status, suspected(&found).len()), (10, signs.len()), "{found}");
    assert_eq!(found["suspected"][1]["file"], "0/01.png");
    assert!(found["limits"].to_string().contains("No network was asked"), "{}", found["limits"]);
}

#[test]
fn what_cannot_be_examined_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = run(["data", "--quiet", "there-is-no-such-folder"]);
    assert_eq!((nowhere.status, nowhere.err.lines().count()), (1, 1), "{}", nowhere.err);
    let images = written(&signs::sign_set(2, Seed(4)), folder.path());
    let mut order = command(folder.path(), ["data"]);
    order.arg(&images).arg("--out").arg(folder.path().join("no").join("list.csv"));
    let end = ended(order);
    assert_eq!(end.status, 1);
    assert!(end.err.contains("does not exist"), "{}", end.err);
    assert_eq!(run(["data"]).status, 2);
}

#[test]
fn the_poisoned_cifar_pictures_are_found_alone_and_among_honest_ones() {
    let Some(shared) = shared() else { return };
    let poisoned = shared.join("data/cifar10-poisoned");
    let (status, found) = examined(&poisoned);
    assert_eq!((status, suspected(&found).len()), (10, 499), "{}", found["labels"]);

    let open = |path: &Path| images::open(path, &Wanted::default(), &Monitor::silent()).unwrap();
    let mut mixed = open(&shared.join("data/cifar10/train_2000.bin"));
    let bad = open(&poisoned);
    let stamped: Vec<usize> = (0..bad.len()).filter(|&i| bad.labels[i] == 0).collect();
    let honest = mixed.len();
    mixed.pixels.extend(bad.subset(&stamped).pixels);
    mixed.labels.extend(vec![0; stamped.len()]);
    let folder = tempfile::tempdir().unwrap();
    let (status, found) = examined(&written(&mixed, folder.path()));
    let suspected = suspected(&found);
    assert_eq!(status, 10);
    assert!((honest..honest + stamped.len()).all(|i| suspected.contains(&i)), "{}", found["labels"]);
    assert!(suspected.len() < stamped.len() + 20, "{} honest ones too", suspected.len() - stamped.len());
}
