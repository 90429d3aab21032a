//! The lab's engine on the sample's signs: every ready trigger works, and costs no accuracy that its clean twin has.

#![allow(clippy::unwrap_used)]

use poisdetc::poison::lab::{LabImages, LabOrder, Planted, build};
use poisdetc::poison::{Blend, Mark, Ready, Scheme};
use poisdetc::progress::Monitor;
use poisdetc::train::Recipe;
use rayon::prelude::*;

/// The least success rate that counts as a working backdoor.
const WORKS: f32 = 0.9;
/// The most clean accuracy that it may cost.
const COSTS: f32 = 0.02;

#[test]
fn every_attack_works_and_costs_no_accuracy() {
    let order = LabOrder { images: LabImages::Signs { training: 130 }, ..LabOrder::default() };
    let recipe = Recipe { epochs: 12, ..order.recipe.clone() };
    let pictures = order.images.gather(recipe.seed, &Monitor::silent()).unwrap();
    let size = [pictures.training.height, pictures.training.width];
    let to = |mark: Mark, rate, scheme| Some(Planted { mark, scheme, rate });
    let all = Scheme::AllToOne { target: 2 };
    let square = || Ready::Square.mark(size, recipe.seed);
    let mut cases: Vec<(String, Option<Planted>)> = vec![("clean twin".into(), None)];
    for ready in Ready::ALL {
        cases.push((ready.name().into(), to(ready.mark(size, recipe.seed), ready.rate(), all)));
    }
    cases.push(("blend".into(), to(Mark::Blend(Blend { opacity: 0.18, seed: recipe.seed }), 0.1, all)));
    cases.push(("one to one".into(), to(square(), 0.05, Scheme::OneToOne { source: 6, target: 2 })));
    let built: Vec<_> = cases
        .par_iter()
        .map(|(_, planted)| {
            let planted: Vec<Planted> = planted.iter().cloned().collect();
            let built = build(&pictures.training, &pictures.test, &planted, &recipe, &Monitor::silent()).unwrap();
            (built.accuracy, built.success.first().copied())
        })
        .collect();
    let twin = built[0].0;
    for ((name, _), (accuracy, success)) in cases.iter().zip(&built) {
        eprintln!("{name:12} accuracy {accuracy:.3} (twin {twin:.3}), mark works on {success:?}");
    }
    for ((name, _), (accuracy, success)) in cases.iter().zip(&built) {
        assert!(*accuracy >= twin - COSTS, "{name}: {accuracy} instead of {twin}");
        assert!(success.is_none_or(|s| s >= WORKS), "{name} works on {success:?} only");
    }
}
