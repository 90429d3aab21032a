//! Every repair on every infected all-to-one model of `../shared/zoo`, judged with the attacker's own trigger, which
//! the repair never sees. Prints the rows of the table in docs/repairs.md.
//!
//! ```text
//! POISDETC_MODELS=nad,badnets POISDETC_METHODS=unlearning cargo test --test zoo_repairs -- --ignored --nocapture
//! ```
//!
//! `POISDETC_METHODS=auto` tries the recommended ones in order, as `poisdetc repair` does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor};
use poisdetc::detect::neural_cleanse::{Hunt, Search};
use poisdetc::detect::{Direction, Trigger};
use poisdetc::images::{self, ImageSet, Wanted};
use poisdetc::model::{self, Classifier};
use poisdetc::progress::{Monitor, Stepwise};
use poisdetc::repair::{Aim, Parts, Problem, measure, methods, recommended, repair};
use poisdetc::tensor::{Seed, answers};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// As an audit's settings have them by default.
const HELD_OUT: f32 = 0.4;

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/zoo")
}

fn wanted(variable: &str, name: &str) -> bool {
    std::env::var(variable).map_or(true, |list| list.split(',').any(|part| name.contains(part)))
}

/// The attacker's trigger as the manifest gives it: overwritten where it is opaque, or added.
struct TrueTrigger {
    added: bool,
    /// `[1, c, h, w]` each, in `[0, 1]`.
    pattern: Tensor,
    opaque: Tensor,
}

impl TrueTrigger {
    fn read(entry: &Value, channels: usize) -> Self {
        let file = entry["file"].as_str().unwrap();
        let picture = image::open(zoo().join(file)).unwrap().to_rgba8();
        let (w, h) = picture.dimensions();
        let plane = |c: usize| picture.pixels().map(move |p| f32::from(p.0[c]) / 255.0).collect::<Vec<_>>();
        let colours: Vec<f32> = (0..channels).flat_map(plane).collect();
        let opaque = plane(3).iter().map(|&a| if a > 0.0 { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
        let (h, w) = (h as usize, w as usize);
        Self {
            added: file.ends_with("additive.png"),
            pattern: Tensor::from_vec(colours, (1, channels, h, w), &Device::Cpu).unwrap(),
            opaque: Tensor::from_vec(opaque, (1, 1, h, w), &Device::Cpu).unwrap(),
        }
    }

    fn on(&self, x: &Tensor) -> Tensor {
        if self.added {
            return x.broadcast_add(&self.pattern).unwrap().clamp(0f32, 1f32).unwrap();
        }
        let under = self.opaque.affine(-1.0, 1.0).unwrap();
        x.broadcast_mul(&under).unwrap().broadcast_add(&self.pattern.broadcast_mul(&self.opaque).unwrap()).unwrap()
    }

    /// Share of the pictures of other labels that become `target`.
    fn success(&self, model: &Classifier, images: &ImageSet, target: usize) -> f32 {
        taken_for(target, model, images, |x| self.on(&x))
    }
}

/// Share of the pictures of other labels that `model` takes for `target`, each shown as `shown` makes it.
fn taken_for(target: usize, model: &Classifier, images: &ImageSet, shown: impl Fn(Tensor) -> Tensor) -> f32 {
    let others: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] != target).collect();
    let hits: usize = others
        .chunks(64)
        .map(|some| {
            let x = shown(images.tensor(some, &Device::Cpu).unwrap());
            answers(&model.logits(&x).unwrap()).unwrap().into_iter().filter(|&a| a == target).count()
        })
        .sum();
    hits as f32 / others.len() as f32
}

fn recovered(suspect: &Classifier, searched: &ImageSet, target: usize, seed: Seed) -> Trigger {
    let how = Search::quick();
    let mut hunt = Hunt::new(suspect, searched, Direction::all_to(target), &how, seed).unwrap();
    hunt.advance(how.steps, &Monitor::silent()).unwrap();
    hunt.trigger().unwrap()
}

#[test]
#[ignore = "minutes a model; wants ../shared/zoo"]
fn every_repair_on_every_infected_model() {
    let Ok(text) = std::fs::read_to_string(zoo().join("manifest.json")) else {
        println!("skipped: there is no ../shared/zoo");
        return;
    };
    let manifest: Value = serde_json::from_str(&text).unwrap();
    println!(
        "| model | method | ACC before | after | recovered ASR before | after | true ASR before | after | no trigger before | after | s |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for entry in manifest["models"].as_array().unwrap() {
        let path = zoo().join(entry["model"].as_str().unwrap());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if entry["truth"] != "backdoored all-to-one" || !wanted("POISDETC_MODELS", &name) {
            continue;
        }
        let target = entry["target_labels"][0].as_u64().unwrap() as usize;
        let silent = Monitor::silent();
        let seed = std::env::var("POISDETC_SEED").map_or(Seed::default(), |text| Seed(text.parse().unwrap()));
        let model = model::open(&path).unwrap();
        let wants = Wanted { channels: Some(model.input.channels), size: model.input.size, label_names: None };
        let set = images::open(&zoo().join(entry["images"].as_str().unwrap()), &wants, &silent).unwrap();
        let found = images::discover(&model, &set, &Device::Cpu, &silent).unwrap();
        let preprocessing = found.candidates[0].preprocessing.clone();
        let set = set.resized(preprocessing.size);
        let suspect = Classifier::new(&model, preprocessing, &Device::Cpu).unwrap();
        let split = set.split(HELD_OUT, seed);
        let parts = Parts::of(&split.search, &split.held_out, seed);
        let truth = TrueTrigger::read(&entry["triggers"][0], model.input.channels);
        let proof = parts.proof.sample(2000, seed);
        let triggers = [recovered(&suspect, &split.search, target, seed)];
        let aim = Aim::default();
        let problem = Problem::new(&suspect, &parts, &triggers, aim, seed, &silent).unwrap();
        let natural = |model: &Classifier| taken_for(target, model, &proof, |x| x);
        let true_before = truth.success(&suspect, &proof, target);
        let each = methods().into_iter().filter(|m| wanted("POISDETC_METHODS", m.name())).map(|m| vec![m]);
        let auto = std::env::var("POISDETC_METHODS").is_ok_and(|list| list.split(',').any(|part| part == "auto"));
        for tried in each.chain(auto.then(|| recommended(true, true))) {
            let start = Instant::now();
            let curve = |_: &str, p: poisdetc::repair::Point| {
                if std::env::var_os("POISDETC_CURVE").is_some() {
                    println!("    {:.2} acc {:.3} asr {:.3}", p.done, p.accuracy, p.asr.unwrap_or(-1.0));
                }
            };
            let done = repair(&problem, &tried, &curve, &silent).unwrap();
            let repaired = done.change.apply(&suspect).unwrap();
            if std::env::var_os("POISDETC_CURVE").is_some() {
                for (i, choice) in done.choices.iter().flat_map(|c| c.list.iter().enumerate()) {
                    let model = choice.change(&suspect).unwrap().apply(&suspect).unwrap();
                    let (here, there) =
                        (&choice.measured, measure(&model, &proof, &problem.measured_with, &silent).unwrap());
                    println!(
                        "    {} {}: validation {:.3} {:.3}, proof {:.3} {:.3}, true {:.3}",
                        if done.choices.as_ref().unwrap().chosen == i { "*" } else { " " },
                        choice.what,
                        here.accuracy,
                        here.worst_asr().unwrap(),
                        there.accuracy,
                        there.worst_asr().unwrap(),
                        truth.success(&model, &proof, target)
                    );
                }
            }
            let percent = |v: f32| format!("{:.1} %", 100.0 * v);
            println!(
                "| {name} | {}{} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} |",
                if tried.len() > 1 { "auto: " } else { "" },
                done.method,
                percent(done.before.accuracy),
                percent(done.after.accuracy),
                percent(done.before.worst_asr().unwrap()),
                percent(done.after.worst_asr().unwrap()),
                percent(true_before),
                percent(truth.success(&repaired, &proof, target)),
                percent(natural(&suspect)),
                percent(natural(&repaired)),
                start.elapsed().as_secs_f32()
            );
        }
    }
}
