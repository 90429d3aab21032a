//! Chains against the same steps one by one, against finite differences, and against themselves with other
//! instructions and other threads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};

use super::{Activation, Conv2d, Instructions, Plan, Pool2d, Step, run};
use crate::tensor::check::gradients_match_differences;
use crate::tensor::{Seed, conv2d, elu, max_pool2d, relu};

fn geometry(stride: [usize; 2], pads: [usize; 4], dilation: [usize; 2], groups: usize) -> Conv2d {
    Conv2d { stride, pads, dilation, groups }
}

fn conv(from: usize, geometry: &Conv2d, weight: usize, activation: Activation) -> Step {
    Step::Conv { from, geometry: geometry.clone(), weight, bias: Some(weight + 1), activation }
}

/// Batch, channels, height, width, output channels, kernel height and width.
type Sizes = [usize; 7];

/// Every way that a convolution takes, at awkward sizes.
fn layers() -> Vec<(Sizes, Conv2d)> {
    let same = geometry([1, 1], [1; 4], [1, 1], 1);
    let half = geometry([2, 2], [1; 4], [1, 1], 1);
    vec![
        ([3, 3, 9, 11, 20, 3, 3], same.clone()),
        ([2, 1, 9, 7, 5, 5, 3], geometry([2, 1], [2, 1, 1, 0], [1, 1], 1)),
        ([3, 16, 12, 9, 32, 3, 3], same.clone()),
        ([2, 40, 8, 8, 70, 3, 3], same.clone()),
        ([2, 17, 7, 10, 16, 3, 3], Conv2d::default()),
        ([5, 32, 4, 4, 130, 3, 3], geometry([1, 1], [2, 1, 0, 1], [1, 1], 1)),
        ([3, 24, 9, 10, 33, 3, 3], half.clone()),
        ([2, 20, 8, 7, 18, 1, 1], geometry([2, 2], [0; 4], [1, 1], 1)),
        ([4, 96, 5, 5, 24, 1, 1], Conv2d::default()),
        ([2, 5, 9, 9, 6, 3, 2], geometry([1, 3], [2, 0, 1, 3], [2, 3], 1)),
        ([2, 12, 6, 7, 18, 3, 3], geometry([1, 1], [1; 4], [1, 1], 3)),
        ([2, 12, 7, 6, 8, 3, 3], geometry([2, 2], [1; 4], [1, 1], 4)),
        ([2, 20, 9, 8, 20, 3, 3], geometry([1, 1], [1; 4], [1, 1], 20)),
        ([2, 33, 8, 9, 33, 5, 3], geometry([2, 2], [2, 1, 2, 1], [1, 1], 33)),
        ([2, 200, 6, 6, 200, 3, 3], half),
    ]
}

fn tensors(sizes: Sizes, g: &Conv2d, seed: u64) -> [Tensor; 3] {
    let [n, c, h, w, o, kh, kw] = sizes;
    let mut random = Seed(seed).random();
    let mut draw = |shape: &[usize]| random.normal_tensor(1.0, shape, &Device::Cpu).unwrap();
    [draw(&[n, c, h, w]), draw(&[o, c / g.groups, kh, kw]), draw(&[o])]
}

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_near(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance * scale, "{what}: number {i} is {g}, not {e}");
    }
}

#[test]
fn convolutions_of_a_chain_are_the_single_ones() {
    for (sizes, g) in layers() {
        let what = format!("{sizes:?} {g:?}");
        let parts = tensors(sizes, &g, 1).map(|t| Var::from_tensor(&t).unwrap());
        let [x, w, b] = &parts;
        let alone = conv2d(x, w, Some(b), &g).unwrap();
        let chained = run(&[conv(0, &g, 0, Activation::None)], x, &[w.as_tensor().clone(), b.as_tensor().clone()]);
        let chained = chained.unwrap();
        assert_eq!(alone.dims(), chained.dims(), "{what}");
        assert_near(&numbers(&chained), &numbers(&alone), 1e-5, &what);
        let weights = Seed(2).random().normal_tensor(1.0, alone.dims(), &Device::Cpu).unwrap();
        let [alone, chained] = [alone, chained].map(|y| (y * &weights).unwrap().sum_all().unwrap().backward().unwrap());
        for (part, name) in parts.iter().zip(["x", "w", "b"]) {
            let [alone, chained] = [&alone, &chained].map(|grads| numbers(grads.get(part).unwrap()));
            assert_near(&chained, &alone, 1e-5, &format!("gradient of {name}, {what}"));
        }
    }
}

/// A network with every kind of layer, its parameters, and its input `[n, 3, 12, 12]`.
fn network(n: usize) -> (Vec<Step>, Vec<Tensor>, Tensor) {
    let same = geometry([1, 1], [1; 4], [1, 1], 1);
    let half = geometry([2, 2], [1; 4], [1, 1], 1);
    let alone = geometry([1, 1], [1; 4], [1, 1], 32);
    let shapes: [[usize; 4]; 6] =
        [[16, 3, 3, 3], [32, 16, 3, 3], [32, 1, 3, 3], [32, 32, 1, 1], [20, 32, 3, 3], [20, 32, 1, 1]];
    let mut random = Seed(5).random();
    let mut parameters = Vec::new();
    for shape in shapes {
        let size = (2.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
        parameters.push(random.normal_tensor(size, &shape[..], &Device::Cpu).unwrap());
        parameters.push(random.normal_tensor(0.1, shape[0], &Device::Cpu).unwrap());
    }
    let overlapping = Pool2d { kernel: [3, 3], stride: [2, 2], pads: [1; 4], ..Pool2d::square(3) };
    let shortcut = Conv2d { pads: [0; 4], ..half.clone() };
    let steps = vec![
        conv(0, &same, 0, Activation::Elu(0.7)),
        conv(1, &same, 2, Activation::LeakyRelu(0.1)),
        conv(2, &alone, 4, Activation::Clip(-0.8, 0.9)),
        conv(3, &Conv2d::default(), 6, Activation::None),
        Step::Add { left: 2, right: 4, activation: Activation::Relu },
        Step::MaxPool { from: 5, geometry: overlapping },
        conv(6, &half, 8, Activation::None),
        conv(6, &shortcut, 10, Activation::None),
        Step::Add { left: 7, right: 8, activation: Activation::None },
        Step::Activate { from: 9, activation: Activation::Elu(1.0) },
        Step::MaxPool { from: 10, geometry: Pool2d::square(2) },
    ];
    let x = random.normal_tensor(1.0, (n, 3, 12, 12), &Device::Cpu).unwrap();
    (steps, parameters, x)
}

/// The same network out of single operations.
fn one_by_one(p: &[Tensor], x: &Tensor) -> Tensor {
    let (steps, ..) = network(1);
    let mut values = vec![x.clone()];
    let act = |y: Tensor, how: Activation| match how {
        Activation::None => y,
        Activation::Relu => relu(&y).unwrap(),
        Activation::LeakyRelu(slope) => {
            y.detach().gt(0.0).unwrap().where_cond(&y, &(&y * f64::from(slope)).unwrap()).unwrap()
        }
        Activation::Elu(alpha) => elu(&y, alpha).unwrap(),
        Activation::Clip(low, high) => y.clamp(low, high).unwrap(),
    };
    for step in steps {
        let value = match step {
            Step::Conv { from, geometry, weight, bias, activation } => {
                act(conv2d(&values[from], &p[weight], bias.map(|b| &p[b]), &geometry).unwrap(), activation)
            }
            Step::MaxPool { from, geometry } => max_pool2d(&values[from], &geometry).unwrap(),
            Step::Add { left, right, activation } => act((&values[left] + &values[right]).unwrap(), activation),
            Step::Activate { from, activation } => act(values[from].clone(), activation),
        };
        values.push(value);
    }
    values.pop().unwrap()
}

#[test]
fn a_network_is_what_its_steps_are_one_by_one() {
    let (steps, parameters, x) = network(3);
    let variables: Vec<Var> = parameters.iter().chain([&x]).map(|t| Var::from_tensor(t).unwrap()).collect();
    let tracked: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let (x, p) = tracked.split_last().unwrap();
    let [chained, single] = [run(&steps, x, p).unwrap(), one_by_one(p, x)];
    assert_near(&numbers(&chained), &numbers(&single), 1e-5, "values");
    let [chained, single] = [chained, single].map(|y| y.sqr().unwrap().sum_all().unwrap().backward().unwrap());
    for (i, variable) in variables.iter().enumerate() {
        let [chained, single] = [&chained, &single].map(|grads| numbers(grads.get(variable).unwrap()));
        assert_near(&chained, &single, 2e-5, &format!("gradient {i}"));
    }
}

#[test]
fn gradients_are_finite_differences() {
    let same = geometry([1, 1], [1; 4], [1, 1], 1);
    let steps = [
        conv(0, &same, 0, Activation::Elu(1.0)),
        Step::Add { left: 1, right: 1, activation: Activation::None },
        Step::Conv {
            from: 2,
            geometry: geometry([1, 1], [1; 4], [1, 1], 2),
            weight: 2,
            bias: None,
            activation: Activation::Elu(0.5),
        },
        conv(3, &geometry([2, 2], [1; 4], [1, 1], 1), 3, Activation::None),
    ];
    let mut random = Seed(8).random();
    let mut draw = |shape: &[usize]| random.normal_tensor(0.7, shape, &Device::Cpu).unwrap();
    let parts =
        [draw(&[2, 2, 4, 5]), draw(&[2, 2, 3, 3]), draw(&[2]), draw(&[2, 1, 3, 3]), draw(&[3, 2, 3, 3]), draw(&[3])];
    gradients_match_differences(&parts, 1e-2, "chain", |p| run(&steps, &p[0], &p[1..]));
}

/// Winograd's way against finite differences: linear, so that the step may be large.
#[test]
fn gradients_of_fewer_products_are_finite_differences() {
    let steps = [conv(0, &geometry([1, 1], [1; 4], [1, 1], 1), 0, Activation::None)];
    let mut random = Seed(9).random();
    let mut draw = |shape: &[usize]| random.normal_tensor(1.0, shape, &Device::Cpu).unwrap();
    let w = draw(&[16, 16, 3, 3]);
    let (x, b) = (draw(&[1, 16, 5, 6]), draw(&[16]));
    gradients_match_differences(&[x, b], 0.5, "winograd", |p| run(&steps, &p[0], &[w.clone(), p[1].clone()]));
}

#[test]
fn all_instructions_give_the_same() {
    let mut chains = vec![network(2)];
    for (sizes, g) in layers() {
        let [x, w, b] = tensors(sizes, &g, 3);
        chains.push((vec![conv(0, &g, 0, Activation::None)], vec![w, b], x));
    }
    for (index, (steps, parameters, x)) in chains.into_iter().enumerate() {
        let plan = Plan::new(&steps, &x, &parameters).unwrap();
        let x = numbers(&x);
        let parameters: Vec<Vec<f32>> = parameters.iter().map(numbers).collect();
        let slices: Vec<&[f32]> = parameters.iter().map(Vec::as_slice).collect();
        let outputs: usize = plan.shapes.last().unwrap().iter().product();
        let grad: Vec<f32> = (0..outputs).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
        let all = |instructions: Instructions| {
            let values = plan.forward(instructions, &x, &slices, true);
            let mut found = vec![None; slices.len()];
            let tracked = vec![true; slices.len()];
            let input = plan.backward(instructions, &values, &grad, &slices, &tracked, true, &mut found);
            let mut all = vec![values.last().unwrap().to_vec(), input.unwrap()];
            all.extend(found.into_iter().map(Option::unwrap));
            all
        };
        let plain = all(Instructions::Plain);
        for instructions in Instructions::all() {
            for (i, (got, expected)) in all(instructions).iter().zip(&plain).enumerate() {
                assert_near(got, expected, 1e-5, &format!("chain {index}, {instructions:?}, result {i}"));
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (steps, parameters, x) = network(19);
            let variables: Vec<Var> = parameters.iter().chain([&x]).map(|t| Var::from_tensor(t).unwrap()).collect();
            let tracked: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
            let (x, p) = tracked.split_last().unwrap();
            let y = run(&steps, x, p).unwrap();
            let grads = y.sqr().unwrap().backward().unwrap();
            let all = variables.iter().map(|v| grads.get(v).unwrap()).chain([&y]);
            all.flat_map(numbers).map(f32::to_bits).collect::<Vec<u32>>()
        })
    };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(7) && one == bits(2));
}

#[test]
fn only_what_is_tracked_gets_a_gradient() {
    let (steps, parameters, x) = network(2);
    let some = Var::from_tensor(&parameters[4]).unwrap();
    let mut mixed = parameters.clone();
    mixed[4] = some.as_tensor().clone();
    let grads = run(&steps, &x, &mixed).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&some).is_some() && grads.get(&parameters[0]).is_none() && grads.get(&x).is_none());
    let x = Var::from_tensor(&x).unwrap();
    let grads = run(&steps, &x, &parameters).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some() && grads.get(&parameters[4]).is_none());
}

#[test]
fn a_maximum_that_comes_twice_gives_to_the_first_and_not_a_number_stays_one() {
    let one = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap().reshape((1, 1, 1, 1)).unwrap();
    let steps = [
        Step::Conv { from: 0, geometry: Conv2d::default(), weight: 0, bias: None, activation: Activation::Relu },
        Step::MaxPool { from: 1, geometry: Pool2d::square(2) },
    ];
    let x = Var::new(&[[[[1.0_f32, 3.0, -1.0, 0.0], [3.0, 3.0, -2.0, 0.0]]]], &Device::Cpu).unwrap();
    let y = run(&steps, &x, std::slice::from_ref(&one)).unwrap();
    assert_eq!(numbers(&y), [3.0, 0.0]);
    assert_eq!(numbers(y.backward().unwrap().get(&x).unwrap()), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let x = Tensor::new(&[[[[1.0_f32, f32::NAN], [2.0, 0.0]]]], &Device::Cpu).unwrap();
    assert!(numbers(&run(&steps, &x, &[one]).unwrap())[0].is_nan());
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let (steps, mut parameters, x) = network(1);
    assert!(run(&steps, &x.narrow(1, 0, 2).unwrap(), &parameters).is_err());
    assert!(run(&steps, &x.flatten_all().unwrap(), &parameters).is_err());
    assert!(run(&[Step::Add { left: 0, right: 3, activation: Activation::None }], &x, &[]).is_err());
    parameters.truncate(7);
    assert!(run(&steps, &x, &parameters).is_err());
}
