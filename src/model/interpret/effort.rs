//! What runs cost, so that a file that asks for endless work is told from a large network before it is done.

use super::value::{Live, Operands};
use crate::model::graph::Op;
use candle_core::{Result, bail};

/// The most numbers that may be held at a time while a graph is tried out, for every number of its pictures: VGG-16, a greedy
/// network, holds 43. Whatever the pictures, 256 MiB of `f32` at least and 1 GiB at most; and twice what the file itself holds,
/// since quantised weights are computed before they are used.
const HELD_PER_NUMBER: usize = 256;
const HELD: std::ops::RangeInclusive<usize> = 1 << 26..=1 << 28;
/// The same for products, all runs together: a wide network for small pictures takes two million in a run, and is run once for every
/// window whose padding has to be found. Some seconds at least, minutes at most.
const PRODUCTS_PER_NUMBER: f64 = (1_u64 << 23) as f64;
const PRODUCTS: std::ops::RangeInclusive<f64> = (1_u64 << 38) as f64..=(1_u64 << 42) as f64;

/// What runs have cost so far, and what they may cost.
#[derive(Debug, Clone)]
pub(in crate::model) struct Effort {
    /// Numbers that all steps together have computed.
    pub numbers: usize,
    /// Products in convolutions, matrix products and pools.
    products: f64,
    /// Numbers that later steps still read.
    held: usize,
    /// Whether the graph may be hostile.
    stranger: bool,
    most_numbers: usize,
    most_products: f64,
    most_held: usize,
}

impl Effort {
    /// Whatever it takes: the graph is known to be honest.
    pub fn unlimited() -> Self {
        Self {
            numbers: 0,
            products: 0.0,
            held: 0,
            stranger: false,
            most_numbers: usize::MAX,
            most_products: f64::INFINITY,
            most_held: usize::MAX,
        }
    }

    /// For the first runs of a graph, on a few pictures: well beyond the largest published networks.
    pub fn of_a_stranger() -> Self {
        Self { stranger: true, most_numbers: 1 << 32, ..Self::unlimited() }
    }

    /// Another run begins, of a graph that holds `stored` numbers itself, for pictures of so many `numbers`: nothing is held.
    pub(super) fn begin(&mut self, numbers: usize, stored: usize) {
        self.held = 0;
        if self.stranger {
            let of_pictures = numbers.saturating_mul(HELD_PER_NUMBER).clamp(*HELD.start(), *HELD.end());
            self.most_held = of_pictures.saturating_add(stored.saturating_mul(2));
            self.most_products = (numbers as f64 * PRODUCTS_PER_NUMBER).clamp(*PRODUCTS.start(), *PRODUCTS.end());
        }
    }

    /// Counts a step before it is done.
    pub(super) fn before(&mut self, op: &Op, x: &Operands) -> Result<()> {
        self.products += products(op, x);
        if self.products > self.most_products {
            bail!("it asks for more work than any classifier of such pictures needs")
        }
        Ok(())
    }

    /// Counts the result of a step.
    pub(super) fn after(&mut self, output: &Live) -> Result<()> {
        let numbers = size(output);
        self.numbers = self.numbers.saturating_add(numbers);
        self.held = self.held.saturating_add(numbers);
        if self.numbers > self.most_numbers {
            bail!("it asks for more numbers than any image classifier needs")
        }
        if self.held > self.most_held {
            bail!("it asks for more memory than any classifier of such pictures needs")
        }
        Ok(())
    }

    /// A value that no later step reads.
    pub(super) fn dropped(&mut self, value: &Live) {
        self.held = self.held.saturating_sub(size(value));
    }
}

fn size(value: &Live) -> usize {
    match value {
        Live::Tensor(t) => t.elem_count(),
        Live::Integers(v) => v.values.len(),
    }
}

/// About how many products a step takes, never far too few.
fn products(op: &Op, x: &Operands) -> f64 {
    let shape = |i: usize| match x.optional(i) {
        Some(Live::Tensor(t)) => t.dims().to_vec(),
        Some(Live::Integers(v)) => v.shape.clone(),
        None => Vec::new(),
    };
    let product = |dims: &[usize]| dims.iter().map(|&d| d as f64).product::<f64>();
    let (a, b) = (shape(0), shape(1));
    // Positions of a window along both axes of a picture.
    let positions = |pads: &[usize; 4], stride: &[usize; 2]| {
        let along = |axis: usize| {
            let size = a.get(axis + 2).copied().unwrap_or(1) as f64;
            ((size + (pads[axis] + pads[axis + 2]) as f64) / stride[axis].max(1) as f64).ceil()
        };
        along(0) * along(1)
    };
    match op {
        Op::Conv(g) => a.first().map_or(0.0, |&n| n as f64) * product(&b) * positions(&g.pads, &g.stride),
        Op::ConvTranspose { geometry, .. } => {
            let cells = product(&a[a.len().min(2)..]);
            let spread = (geometry.stride[0] * geometry.stride[1]) as f64;
            a.first().map_or(0.0, |&n| n as f64) * product(&b) * cells * spread
        }
        Op::MatMul | Op::Gemm { .. } => product(&a) * b.iter().map(|&d| d as f64).fold(1.0, f64::max) * batches(&b),
        Op::MaxPool(g) | Op::AvgPool(g) => {
            let channels = product(&a[..a.len().min(2)]);
            channels * positions(&g.pads, &g.stride) * (g.kernel[0] * g.kernel[1]) as f64
        }
        Op::LocalResponseNorm { size, .. } => product(&a) * *size as f64,
        _ => 0.0,
    }
}

/// How many matrices lie in a value.
fn batches(shape: &[usize]) -> f64 {
    shape[..shape.len().saturating_sub(2)].iter().map(|&d| d as f64).product()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Conv2d;
    use candle_core::{DType, Device, Tensor};

    fn zeros(shape: &[usize]) -> Live {
        Live::Tensor(Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap())
    }

    #[test]
    fn work_and_memory_are_counted_and_end_somewhere() {
        let (x, w) = (zeros(&[2, 3, 8, 8]), zeros(&[4, 3, 3, 3]));
        let operands = Operands { values: vec![Some(&x), Some(&w)], device: &Device::Cpu };
        let conv = Op::Conv(Conv2d { pads: [1; 4], ..Conv2d::default() });
        assert_eq!(products(&conv, &operands), (2 * 4 * 3 * 9 * 100) as f64);
        let mut effort = Effort { most_products: 1e5, ..Effort::unlimited() };
        let done = (0..100).take_while(|_| effort.before(&conv, &operands).is_ok()).count();
        assert_eq!(done, 4);
        let mut effort = Effort { most_numbers: 1000, ..Effort::unlimited() };
        assert!(effort.after(&x).is_ok() && effort.after(&x).is_ok() && effort.after(&x).is_err());
        for (pictures, stored, held) in
            [(3 * 16 * 16, 0, 1 << 26), (3 * 512 * 512, 0, 3 << 26), (9_000_000, 0, 1 << 28), (768, 1 << 26, 3 << 26)]
        {
            let quarter = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap().broadcast_as(held / 4).unwrap();
            let quarter = Live::Tensor(quarter);
            let mut effort = Effort { most_numbers: usize::MAX, ..Effort::of_a_stranger() };
            effort.begin(pictures, stored);
            assert!((0..4).all(|_| effort.after(&quarter).is_ok()), "{pictures}");
            effort.dropped(&quarter);
            assert!(effort.after(&quarter).is_ok() && effort.after(&quarter).is_err(), "{pictures}");
        }
    }
}
