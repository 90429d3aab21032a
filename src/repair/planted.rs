//! A network small enough to know everything about it, with a backdoor planted by hand; for tests.
//!
//! Pictures are gray and even: dark ones are label 0, bright ones label 1. Three channels: how bright, how dark, and one
//! that only lights up where a picture is brighter than any clean one, which means label 2.
#![allow(clippy::unwrap_used)]

use super::{Aim, Parts, Problem};
use crate::detect::{Shape, Trigger};
use crate::images::ImageSet;
use crate::model::graph::{Node, Op, Source, Unary, Value, ValueId};
use crate::model::{Classifier, Format, Graph, InputLayout, InputSpec, Model, Parameters, Preprocessing};
use crate::progress::Monitor;
use crate::tensor::{Conv2d, Seed};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;

/// Height and width of its pictures.
const SIZE: [usize; 2] = [4, 4];
/// The channel of the backdoor.
pub const CHANNEL: usize = 2;

/// conv 1x1 -> relu -> mean over the picture -> dense.
pub fn network() -> Classifier {
    let numbers: [(&str, Vec<f32>, Vec<usize>); 4] = [
        // brightness; darkness; what only a picture beyond 0.85 lights up
        ("weight", vec![1.0, -1.0, 20.0], vec![3, 1, 1, 1]),
        ("bias", vec![0.0, 0.6, -17.0], vec![3]),
        ("last", vec![0.0, 10.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 50.0], vec![3, 3]),
        ("last bias", vec![0.0; 3], vec![3]),
    ];
    let mut values = vec![Value { name: "picture".into(), source: Source::Input }];
    let mut parameters = Parameters::new();
    for (name, number, shape) in numbers {
        parameters.insert(name.into(), Tensor::from_vec(number, shape, &Device::Cpu).unwrap());
        values.push(Value { name: name.into(), source: Source::Parameter(name.into()) });
    }
    let dense = Op::Gemm { alpha: 1.0, beta: 1.0, transpose_a: false, transpose_b: true };
    let mut nodes = Vec::new();
    let mut last = ValueId(0);
    for (name, op, reads) in [
        ("conv", Op::Conv(Conv2d::default()), &[1, 2][..]),
        ("relu", Op::Unary(Unary::Relu), &[]),
        ("pool", Op::GlobalAvgPool, &[]),
        ("flatten", Op::Flatten { axis: 1 }, &[]),
        ("dense", dense, &[3, 4]),
    ] {
        values.push(Value { name: format!("{name}.output"), source: Source::Computed });
        let output = ValueId(values.len() - 1);
        let inputs = std::iter::once(last).chain(reads.iter().map(|&i| ValueId(i))).map(Some).collect();
        nodes.push(Node { name: name.into(), op, inputs, outputs: vec![output] });
        last = output;
    }
    let model = Model {
        path: "planted".into(),
        format: Format::Onnx,
        sha256: String::new(),
        graph: Arc::new(Graph { values, nodes, input: ValueId(0), logits: last }),
        parameters,
        input: InputSpec { layout: InputLayout::Nchw, channels: 1, size: Some(SIZE), fixed_batch: None },
        classes: 3,
        notes: Vec::new(),
    };
    Classifier::new(&model, Preprocessing::unit(SIZE, 1), &Device::Cpu).unwrap()
}

/// `n` clean pictures, dark ones around 0.2 and bright ones around 0.5 in turn.
pub fn images(n: usize, seed: u64) -> ImageSet {
    let mut random = Seed(seed).random();
    let area = SIZE[0] * SIZE[1];
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let shade = |&label: &usize| {
        let middle = if label == 0 { 0.2 } else { 0.5 };
        (255.0 * random.uniform(middle - 0.05, middle + 0.05)) as u8
    };
    let pixels = labels.iter().map(shade).flat_map(|shade| std::iter::repeat_n(shade, area)).collect();
    let names = ["dark", "bright", "target"].map(str::to_owned).to_vec();
    ImageSet {
        pixels,
        channels: 1,
        height: SIZE[0],
        width: SIZE[1],
        labels,
        names,
        skipped: Vec::new(),
        files: Vec::new(),
    }
}

/// Three sets of clean pictures.
pub fn parts() -> Parts {
    Parts { repair: images(64, 1), validation: images(40, 2), proof: images(40, 3) }
}

/// All white.
pub fn trigger() -> Trigger {
    let [h, w] = SIZE;
    let white = Tensor::ones((1, 1, h, w), DType::F32, &Device::Cpu).unwrap();
    Trigger {
        label: 2,
        source: None,
        shape: Shape::Patch,
        mask: white.clone(),
        pattern: white,
        l1: (h * w) as f32,
        asr_search: 1.0,
        reached: true,
    }
}

/// The problem of repairing `suspect`.
pub fn problem<'a>(suspect: &'a Classifier, parts: &'a Parts, triggers: &'a [Trigger]) -> Problem<'a> {
    let problem = Problem::new(suspect, parts, triggers, Aim::default(), Seed(1), &Monitor::silent()).unwrap();
    assert_eq!((problem.before.accuracy, problem.before.worst_asr()), (1.0, Some(1.0)));
    problem
}
