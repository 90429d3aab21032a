//! Runs model files on request, so that `tests/python/compare_engines.py` can time this engine between others.
//!
//! In: lines on standard input, `FILE BATCH MODE RUNS`, where the mode is `forward`, `picture` (forward and
//! backward to the picture) or `weights`. Out: for each line one with the shortest run in milliseconds, by the
//! clock and by the processor (all threads together).
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor, Var};
use poisdetc::model::{Classifier, Preprocessing, open};
use poisdetc::tensor::{Seed, cross_entropy};
use std::collections::HashMap;
use std::hint::black_box;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

/// Processor time of all threads, in seconds; 0 where the system does not say.
fn processor_time() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 * 1e-9
}

fn network(path: &str) -> Classifier {
    let model = open(Path::new(path)).unwrap();
    let size = model.input.size.unwrap();
    Classifier::new(&model, Preprocessing::unit(size, model.input.channels), &Device::Cpu).unwrap()
}

fn main() {
    poisdetc::tensor::threads::settle();
    let mut networks: HashMap<String, Classifier> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        // `cargo bench -- --test` and the like ask for nothing.
        let &[path, batch, mode, runs] = words.as_slice() else { continue };
        let (batch, runs): (usize, usize) = (batch.parse().unwrap(), runs.parse().unwrap());
        let network = networks.entry(path.to_owned()).or_insert_with(|| network(path));
        let [h, w] = network.preprocessing().size;
        let shape = (batch, network.preprocessing().channels, h, w);
        let pixels = Seed(1).random().uniform_tensor(0.0, 1.0, shape, &Device::Cpu).unwrap();
        let pixels = Var::from_tensor(&pixels).unwrap();
        let labels = Tensor::zeros(batch, candle_core::DType::U32, &Device::Cpu).unwrap();
        let learning = network.with_parameters(
            network
                .parameters()
                .iter()
                .map(|(name, t)| (name.clone(), Var::from_tensor(t).unwrap().as_tensor().clone()))
                .collect(),
        );
        let gradients = |network: &Classifier, x: &Tensor| {
            let loss = cross_entropy(&network.logits(x).unwrap(), &labels).unwrap().mean_all().unwrap();
            black_box(loss.backward().unwrap());
        };
        let mut best = [f64::INFINITY; 2];
        for _ in 0..runs {
            let (clock, processor) = (Instant::now(), processor_time());
            match mode {
                "forward" => drop(black_box(network.logits(&pixels.as_detached_tensor()).unwrap())),
                "picture" => gradients(network, pixels.as_tensor()),
                "weights" => gradients(&learning, &pixels.as_detached_tensor()),
                other => panic!("unknown mode {other}"),
            }
            best[0] = best[0].min(clock.elapsed().as_secs_f64());
            best[1] = best[1].min(processor_time() - processor);
        }
        println!("{} {}", best[0] * 1e3, best[1] * 1e3);
    }
}
