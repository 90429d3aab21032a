//! What an audit spends its time on: a network forward, forward and backward to the picture, forward and backward to
//! the weights, and sixteen steps of the trigger search. `cargo bench`, or `cargo bench -- forward`.
//! The network is the usual road-sign one, slimmer ([`Architecture::Paired`]); pictures and weights are random.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor, Var};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use poisdetc::detect::Direction;
use poisdetc::detect::neural_cleanse::{Hunt, Search};
use poisdetc::images::ImageSet;
use poisdetc::model::{Classifier, Preprocessing};
use poisdetc::progress::{Monitor, Stepwise};
use poisdetc::tensor::{Seed, cross_entropy};
use poisdetc::train::Architecture;
use std::hint::black_box;

const SIZE: [usize; 2] = [32, 32];
const LABELS: usize = 43;
const BATCH: usize = 32;

fn network() -> Classifier {
    let model = Architecture::Paired.untrained(3, SIZE, LABELS, Seed(1)).unwrap();
    Classifier::new(&model, Preprocessing::unit(SIZE, 3), &Device::Cpu).unwrap()
}

fn pictures() -> ImageSet {
    let mut random = Seed(2).random();
    let n = 4 * LABELS;
    let pixels = random.uniform_tensor(0.0, 255.0, n * 3 * SIZE[0] * SIZE[1], &Device::Cpu).unwrap();
    ImageSet {
        pixels: pixels.to_vec1::<f32>().unwrap().into_iter().map(|v| v as u8).collect(),
        channels: 3,
        height: SIZE[0],
        width: SIZE[1],
        labels: (0..n).map(|i| i % LABELS).collect(),
        names: (0..LABELS).map(|i| i.to_string()).collect(),
        skipped: Vec::new(),
        files: Vec::new(),
    }
}

fn engine(c: &mut Criterion) {
    let (network, pictures) = (network(), pictures());
    let indices: Vec<usize> = (0..BATCH).collect();
    let x = pictures.tensor(&indices, &Device::Cpu).unwrap();
    let labels: Vec<u32> = indices.iter().map(|&i| pictures.labels[i] as u32).collect();
    let labels = Tensor::from_vec(labels, BATCH, &Device::Cpu).unwrap();
    let loss = |network: &Classifier, x: &Tensor| {
        cross_entropy(&network.logits(x).unwrap(), &labels).unwrap().mean_all().unwrap()
    };

    c.bench_function("forward, batch 32", |b| b.iter(|| network.logits(black_box(&x)).unwrap()));
    c.bench_function("backward to the picture, batch 32", |b| {
        let x = Var::from_tensor(&x).unwrap();
        b.iter(|| loss(&network, &x).backward().unwrap());
    });
    c.bench_function("backward to the weights, batch 32", |b| {
        let variables = network
            .parameters()
            .iter()
            .map(|(name, t)| (name.clone(), Var::from_tensor(t).unwrap().as_tensor().clone()));
        let learning = network.with_parameters(variables.collect());
        b.iter(|| loss(&learning, &x).backward().unwrap());
    });
    c.bench_function("trigger search, 16 steps", |b| {
        let how = Search::quick();
        b.iter_batched(
            || Hunt::new(&network, &pictures, Direction::all_to(7), &how, Seed(3)).unwrap(),
            |mut hunt| hunt.advance(16, &Monitor::silent()).unwrap(),
            BatchSize::LargeInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = engine
}
criterion_main!(benches);
