//! What holds of all repairs, on networks small enough to know the answer.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::tensor::Seed;
use crate::train::tiny;
use candle_core::{Device, Tensor};

const SIZE: [usize; 2] = [12, 12];

fn network() -> Classifier {
    tiny(SIZE, 4, Seed(1))
}

fn no_images() -> Parts {
    let none = ImageSet {
        pixels: Vec::new(),
        channels: 3,
        height: SIZE[0],
        width: SIZE[1],
        labels: Vec::new(),
        names: (0..4).map(|i| i.to_string()).collect(),
        skipped: Vec::new(),
        files: Vec::new(),
    };
    Parts { repair: none.clone(), validation: none.clone(), proof: none }
}

fn marked(share: f32) -> Success {
    Success { label: 0, stamp: Stamp::Mark, share }
}

fn measured(accuracy: f32, asr: Option<f32>) -> Measured {
    Measured { images: 100, accuracy, by_label: Vec::new(), asr: asr.map(marked).into_iter().collect() }
}

#[test]
fn the_aim_is_missed_by_what_is_lost_and_by_what_is_left() {
    let (aim, before) = (Aim::default(), measured(0.9, Some(0.99)));
    assert_eq!(measured(0.89, Some(0.04)).misses(aim, &before), 0.0);
    assert_eq!(measured(0.95, None).misses(aim, &before), 0.0);
    assert!((measured(0.85, Some(0.04)).misses(aim, &before) - 0.03).abs() < 1e-6);
    assert!((measured(0.85, Some(0.15)).misses(aim, &before) - 0.13).abs() < 1e-6);
}

#[test]
fn weights_and_biases_are_trainable_and_each_method_has_a_name_of_its_own() {
    let network = network();
    let names: Vec<String> = trainable(network.graph()).into_iter().collect();
    assert_eq!(names, network.parameters().keys().cloned().collect::<Vec<_>>());
    for (i, one) in methods().iter().enumerate() {
        assert!(method(one.name()).is_some_and(|found| found.price() == one.price()));
        assert!(methods().iter().skip(i + 1).all(|other| other.name() != one.name()));
    }
    assert!(method("prayer").is_none());
}

#[test]
fn without_images_pruning_alone_is_recommended_and_silences_the_loud_channel_only() {
    let recommended = recommended(false, false);
    assert_eq!(recommended.iter().map(|m| m.name()).collect::<Vec<_>>(), ["clp"]);
    let network = network();
    let mut parameters = network.parameters().clone();
    let weight = parameters["conv2.weight"].clone();
    let mut factors = vec![1.0_f32; weight.dim(0).unwrap()];
    factors[5] = 50.0;
    let factors = Tensor::from_vec(factors, (weight.dim(0).unwrap(), 1, 1, 1), &Device::Cpu).unwrap();
    parameters.insert("conv2.weight".into(), weight.broadcast_mul(&factors).unwrap());
    let loud = network.with_parameters(parameters);
    let (parts, silent) = (no_images(), Monitor::silent());
    let problem = Problem::new(&loud, &parts, &[], Aim::default(), Seed(1), &silent).unwrap();
    let done = repair(&problem, &recommended, &|_, _| {}, &silent).unwrap();
    assert_eq!(done.change.parameters.keys().collect::<Vec<_>>(), ["conv2.bias", "conv2.weight"]);
    let kernels = done.change.parameters["conv2.weight"].flatten_from(1).unwrap().abs().unwrap();
    let sums = kernels.sum(1).unwrap().to_vec1::<f32>().unwrap();
    assert!(sums.iter().enumerate().all(|(channel, &sum)| (sum == 0.0) == (channel == 5)), "{sums:?}");
}

#[test]
fn a_method_that_lacks_something_says_what() {
    let (network, parts, silent) = (network(), no_images(), Monitor::silent());
    let problem = Problem::new(&network, &parts, &[], Aim::default(), Seed(1), &silent).unwrap();
    let lacks = |name: &str| repair(&problem, &[method(name).unwrap()], &|_, _| {}, &silent).unwrap_err().to_string();
    assert!(lacks("unlearning").contains("recovered trigger"));
    assert!(lacks("ft-sam").contains("clean images"));
}

/// A method that changes the planted network's last layer to this.
struct Made(&'static str, [[f32; 3]; 3]);

impl Repair for Made {
    fn name(&self) -> &'static str {
        self.0
    }

    fn price(&self) -> &'static str {
        "Nothing"
    }

    fn run(&self, _: &Problem, _: &(dyn Fn(Point) + Sync), _: &Monitor) -> Result<Outcome, RepairError> {
        let last = Tensor::new(&self.1, &Device::Cpu)?;
        Ok(crate::model::Change { parameters: [("last".to_owned(), last)].into(), clamps: Vec::new() }.into())
    }
}

#[test]
fn a_method_that_only_looks_good_on_validation_images_is_followed_by_the_next() {
    let (suspect, mut parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
    // Validation images are all dark: who calls everything dark is right there, and wrong on half of the proof.
    let dark: Vec<usize> = (0..parts.validation.len()).filter(|i| parts.validation.labels[*i] == 0).collect();
    parts.validation = parts.validation.subset(&dark);
    let problem = planted::problem(&suspect, &parts, &triggers);
    let flattering = Made("flattering", [[50.0, 50.0, 50.0], [0.0; 3], [0.0; 3]]);
    let good = Made("good", [[0.0, 10.0, 0.0], [10.0, 0.0, 0.0], [0.0; 3]]);
    let unneeded = Made("unneeded", [[0.0; 3]; 3]);
    let done = repair(&problem, &[&flattering, &good, &unneeded], &|_, _| {}, &Monitor::silent()).unwrap();
    assert_eq!((done.method.as_str(), done.meets_aim, done.attempts.len()), ("good", true, 2));
    let first = &done.attempts[0];
    let accuracy = |measured: &Option<Measured>| measured.as_ref().unwrap().accuracy;
    assert_eq!((accuracy(&first.reached), accuracy(&first.proved)), (1.0, 0.5));
    let alone = repair(&problem, &[&flattering], &|_, _| {}, &Monitor::silent()).unwrap();
    assert!(!alone.meets_aim && alone.method == "flattering");
}
