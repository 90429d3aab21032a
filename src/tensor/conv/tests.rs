//! Convolution against a plain loop, against finite differences and against its own adjoint.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};

use super::{Conv2d, conv2d};
use crate::tensor::Seed;
use crate::tensor::check::{gradients_match_differences, inner};

/// Batch, channels, height, width, output channels, kernel height and width.
type Sizes = [usize; 7];

fn geometry(stride: [usize; 2], pads: [usize; 4], dilation: [usize; 2], groups: usize) -> Conv2d {
    Conv2d { stride, pads, dilation, groups }
}

/// Small, odd and awkward.
fn cases() -> Vec<(Sizes, Conv2d)> {
    vec![
        ([2, 3, 6, 5, 4, 3, 3], Conv2d::default()),
        ([2, 3, 6, 5, 4, 3, 3], geometry([1, 1], [1, 1, 1, 1], [1, 1], 1)),
        ([1, 2, 7, 4, 3, 3, 3], geometry([2, 2], [1, 1, 1, 1], [1, 1], 1)),
        ([2, 2, 8, 5, 3, 3, 3], geometry([2, 2], [0, 0, 0, 0], [1, 1], 1)),
        ([1, 2, 6, 7, 3, 3, 3], geometry([2, 2], [0, 0, 1, 1], [1, 1], 1)),
        ([1, 2, 7, 6, 3, 3, 2], geometry([2, 1], [1, 0, 0, 1], [1, 1], 1)),
        ([1, 2, 9, 8, 2, 3, 2], geometry([1, 3], [2, 0, 1, 3], [2, 3], 1)),
        ([1, 4, 5, 6, 6, 3, 3], geometry([1, 1], [1, 1, 1, 1], [1, 1], 2)),
        ([2, 4, 5, 6, 4, 3, 3], geometry([1, 1], [1, 1, 1, 1], [1, 1], 4)),
        ([1, 3, 6, 5, 6, 3, 3], geometry([2, 2], [1, 1, 1, 1], [1, 1], 3)),
        ([1, 4, 7, 6, 4, 5, 5], geometry([2, 2], [2, 1, 1, 2], [1, 1], 4)),
        ([3, 5, 4, 4, 7, 1, 1], Conv2d::default()),
        ([2, 5, 5, 4, 3, 1, 1], geometry([2, 2], [0; 4], [1, 1], 1)),
        ([1, 2, 4, 4, 2, 3, 3], geometry([1, 1], [4, 0, 0, 5], [1, 1], 1)),
        ([1, 1, 3, 3, 1, 3, 3], Conv2d::default()),
    ]
}

fn tensors(sizes: Sizes, g: &Conv2d, seed: u64) -> [Tensor; 3] {
    let [n, c, h, w, o, kh, kw] = sizes;
    let mut random = Seed(seed).random();
    let mut draw = |shape: &[usize]| random.normal_tensor(1.0, shape, &Device::Cpu).unwrap();
    [draw(&[n, c, h, w]), draw(&[o, c / g.groups, kh, kw]), draw(&[o])]
}

/// The definition, in double precision.
fn plain(x: &Tensor, w: &Tensor, b: &Tensor, g: &Conv2d) -> (Vec<f64>, Vec<usize>) {
    let [(n, c, h, wide), (o, cg, kh, kw)] = [x.dims4().unwrap(), w.dims4().unwrap()];
    let [x, w, b] = [x, w, b].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    let oh = (h + g.pads[0] + g.pads[2] - g.dilation[0] * (kh - 1) - 1) / g.stride[0] + 1;
    let ow = (wide + g.pads[1] + g.pads[3] - g.dilation[1] * (kw - 1) - 1) / g.stride[1] + 1;
    let mut out = Vec::new();
    for i in 0..n {
        for k in 0..o {
            for (y, z) in (0..oh).flat_map(|y| (0..ow).map(move |z| (y, z))) {
                let mut sum = f64::from(b[k]);
                for (j, p, q) in (0..cg).flat_map(|j| (0..kh).flat_map(move |p| (0..kw).map(move |q| (j, p, q)))) {
                    let row = (y * g.stride[0] + p * g.dilation[0]).checked_sub(g.pads[0]).filter(|&r| r < h);
                    let col = (z * g.stride[1] + q * g.dilation[1]).checked_sub(g.pads[1]).filter(|&r| r < wide);
                    let (Some(row), Some(col)) = (row, col) else { continue };
                    let channel = k / (o / g.groups) * cg + j;
                    let value = x[((i * c + channel) * h + row) * wide + col];
                    sum += f64::from(value) * f64::from(w[((k * cg + j) * kh + p) * kw + q]);
                }
                out.push(sum);
            }
        }
    }
    (out, vec![n, o, oh, ow])
}

fn assert_close(got: &Tensor, expected: &[f64], what: &str) {
    let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
    for (i, (&g, e)) in got.iter().zip(expected).enumerate() {
        assert!((f64::from(g) - e).abs() <= 1e-5 * scale, "{what}: number {i} is {g}, not {e}");
    }
}

#[test]
fn forward_is_the_definition() {
    for (sizes, g) in cases() {
        let [x, w, b] = tensors(sizes, &g, 1);
        let (expected, dims) = plain(&x, &w, &b, &g);
        let y = conv2d(&x, &w, Some(&b), &g).unwrap();
        assert_eq!(y.dims(), dims, "{sizes:?} {g:?}");
        assert_close(&y, &expected, &format!("{sizes:?} {g:?}"));
        let without = conv2d(&x, &w, None, &g).unwrap().broadcast_add(&b.reshape((1, sizes[4], 1, 1)).unwrap());
        assert_close(&without.unwrap(), &expected, &format!("no bias {sizes:?} {g:?}"));
    }
}

#[test]
fn gradients_are_finite_differences() {
    for (sizes, g) in cases() {
        let parts = tensors(sizes, &g, 2);
        gradients_match_differences(&parts, 1e-2, &format!("{sizes:?} {g:?}"), |p| {
            conv2d(&p[0], &p[1], Some(&p[2]), &g)
        });
    }
}

#[test]
fn the_other_devices_way_is_the_same() {
    for (sizes, g) in cases() {
        let parts = tensors(sizes, &g, 3).map(|t| Var::from_tensor(&t).unwrap());
        let [x, w, b] = &parts;
        let shape = super::ConvShape::new(x.dims(), w.dims(), Some(b.dims()), &g).unwrap();
        let there = super::elsewhere::conv2d(x, w, Some(b), &shape).unwrap();
        let here = conv2d(x, w, Some(b), &g).unwrap();
        let weights = tensors([sizes[0], sizes[4], shape.oh, shape.ow, 1, 1, 1], &Conv2d::default(), 4)[0].clone();
        let numbers = |t: &Tensor| {
            t.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect::<Vec<_>>()
        };
        assert_close(&there, &numbers(&here), &format!("{sizes:?} {g:?}"));
        let [there, here] = [there, here].map(|y| (y * &weights).unwrap().sum_all().unwrap().backward().unwrap());
        for part in &parts {
            assert_close(there.get(part).unwrap(), &numbers(here.get(part).unwrap()), &format!("{sizes:?} {g:?}"));
        }
    }
}

/// Layers of real models, and awkward relatives of them.
fn layers() -> Vec<(Sizes, Conv2d)> {
    let same = geometry([1, 1], [1; 4], [1, 1], 1);
    let half = geometry([2, 2], [1; 4], [1, 1], 1);
    vec![
        ([3, 3, 32, 32, 64, 3, 3], Conv2d::default()),
        ([2, 64, 30, 30, 64, 3, 3], Conv2d::default()),
        ([5, 16, 32, 32, 16, 3, 3], same.clone()),
        ([5, 16, 32, 32, 32, 3, 3], half.clone()),
        ([7, 64, 8, 8, 64, 3, 3], same.clone()),
        ([9, 130, 4, 4, 70, 3, 3], same),
        ([3, 32, 17, 19, 24, 3, 3], half.clone()),
        ([2, 32, 16, 16, 64, 1, 1], Conv2d { pads: [0; 4], ..half.clone() }),
        ([2, 96, 9, 9, 24, 1, 1], Conv2d::default()),
        ([2, 3, 56, 56, 16, 7, 7], geometry([2, 2], [3; 4], [1, 1], 1)),
        ([2, 96, 14, 14, 96, 3, 3], geometry([1, 1], [1; 4], [1, 1], 96)),
        ([2, 96, 14, 15, 96, 5, 5], geometry([2, 2], [2; 4], [1, 1], 96)),
        ([2, 32, 14, 15, 48, 3, 3], geometry([1, 1], [1; 4], [1, 1], 4)),
    ]
}

/// <conv(x), g> = <x, conv_x'(g)> = <w, conv_w'(g)> for sizes real models have.
#[test]
fn gradients_are_adjoint_on_layers_of_real_models() {
    for (sizes, g) in layers() {
        let [x, w, _] = tensors(sizes, &g, 5).map(|t| Var::from_tensor(&t).unwrap());
        let y = conv2d(&x, &w, None, &g).unwrap();
        let weights = Seed(6).random().normal_tensor(1.0, y.dims(), &Device::Cpu).unwrap();
        let value = inner(&y, &weights);
        let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let size = (inner(&y, &y) * inner(&weights, &weights)).sqrt();
        for (part, name) in [(&x, "x"), (&w, "w")] {
            let adjoint = inner(part, grads.get(part).unwrap());
            assert!((value - adjoint).abs() <= 1e-6 * size, "{sizes:?} {g:?} {name}: {value} and {adjoint}");
        }
    }
}

#[test]
fn takes_tensors_that_are_not_contiguous() {
    let g = geometry([1, 1], [1; 4], [1, 1], 1);
    let [x, w, b] = tensors([2, 3, 5, 4, 2, 3, 3], &g, 7);
    let turned = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
    let turned = Var::from_tensor(&turned).unwrap();
    let y = conv2d(&turned.permute((0, 3, 1, 2)).unwrap(), &w, Some(&b), &g).unwrap();
    let expected = plain(&x, &w, &b, &g).0;
    assert_close(&y, &expected, "permuted");
    let straight = Var::from_tensor(&x).unwrap();
    let by_straight = conv2d(&straight, &w, Some(&b), &g).unwrap().sqr().unwrap().backward().unwrap();
    let by_turned = y.sqr().unwrap().backward().unwrap();
    let expected = by_straight.get(&straight).unwrap().permute((0, 2, 3, 1)).unwrap();
    let expected: Vec<f64> =
        expected.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|&v| v.into()).collect();
    assert_close(by_turned.get(&turned).unwrap(), &expected, "gradient of permuted");
}

#[test]
fn no_gradient_where_nothing_is_tracked() {
    let g = Conv2d::default();
    let [x, w, b] = tensors([2, 3, 5, 4, 2, 3, 3], &g, 8);
    let x = Var::from_tensor(&x).unwrap();
    let grads = conv2d(&x, &w, Some(&b), &g).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some());
    assert!(grads.get(&w).is_none() && grads.get(&b).is_none());
}

#[test]
fn bad_shapes_are_errors() {
    let g = Conv2d::default();
    let [x, w, b] = tensors([2, 3, 5, 4, 2, 3, 3], &g, 9);
    assert!(conv2d(&x, &w.narrow(1, 0, 2).unwrap(), None, &g).is_err());
    assert!(conv2d(&x, &w, Some(&b.narrow(0, 0, 1).unwrap()), &g).is_err());
    assert!(conv2d(&x.narrow(2, 0, 2).unwrap(), &w, None, &g).is_err());
    assert!(conv2d(&x, &w, None, &geometry([0, 1], [0; 4], [1, 1], 1)).is_err());
    assert!(conv2d(&x, &w, None, &geometry([1, 1], [0; 4], [1, 1], 0)).is_err());
    assert!(conv2d(&x, &w, None, &geometry([1, 1], [usize::MAX, 0, 1, 0], [1, 1], 1)).is_err());
    assert!(conv2d(&x, &w, None, &geometry([1, 1], [1 << 40, 0, 0, 0], [1, 1], 1)).is_err());
    assert!(conv2d(&x, &w, None, &geometry([1, 1], [0; 4], [usize::MAX, 1], 1)).is_err());
    let double = x.to_dtype(candle_core::DType::F64).unwrap();
    assert!(conv2d(&double, &w.to_dtype(candle_core::DType::F64).unwrap(), None, &g).is_err());
}

/// Each set of instructions that this processor has, in turn, against the matrix product.
#[test]
fn direct_convolution_is_the_same_on_all_instructions() {
    for (sizes, g) in cases().into_iter().chain(layers()) {
        let [x, w, b] = tensors(sizes, &g, 10);
        let shape = super::ConvShape::new(x.dims(), w.dims(), Some(b.dims()), &g).unwrap();
        let [x, w, b] = [x, w, b].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let y = super::im2col::forward(&shape, &x, &w, Some(&b));
        let gradient = super::im2col::input_gradient(&shape, &y, &w);
        for instructions in super::tile::Instructions::all() {
            let what = format!("{instructions:?} {sizes:?} {g:?}");
            assert_near(&super::direct::forward(&shape, instructions, &x, &w, Some(&b)).unwrap(), &y, &what);
            assert_near(&super::direct::input_gradient(&shape, instructions, &y, &w).unwrap(), &gradient, &what);
        }
    }
}

fn assert_near(got: &[f32], expected: &[f32], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= 2e-6 * scale, "{what}: number {i} is {g}, not {e}");
    }
}

/// Large maps go in bands, few images split the channels; neither may change a bit of the result.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let same = geometry([1, 1], [1; 4], [1, 1], 1);
    let run = |threads: usize, sizes: Sizes, g: &Conv2d| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let [x, w, b] = tensors(sizes, g, 11).map(|t| Var::from_tensor(&t).unwrap());
            let y = conv2d(&x, &w, Some(&b), g).unwrap();
            let grads = y.sqr().unwrap().backward().unwrap();
            let mut all = vec![y.clone()];
            all.extend([&x, &w, &b].map(|v| grads.get(v).unwrap().clone()));
            let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits);
            all.iter().flat_map(bits).collect::<Vec<_>>()
        })
    };
    for (sizes, g) in [
        ([1, 40, 70, 61, 24, 3, 3], same.clone()),
        ([1, 16, 113, 90, 9, 3, 3], geometry([2, 2], [1; 4], [1, 1], 1)),
        ([19, 16, 8, 8, 16, 3, 3], same.clone()),
        ([2, 200, 4, 4, 72, 3, 3], same),
    ] {
        let one = run(1, sizes, &g);
        assert!(one == run(2, sizes, &g) && one == run(7, sizes, &g), "{sizes:?} {g:?}");
    }
}

/// One image of several bands and few planes, against the definition by way of the matrix product.
#[test]
fn bands_of_large_images_fit_together() {
    for (sizes, g) in [
        ([1, 64, 90, 70, 10, 3, 3], geometry([1, 1], [1, 0, 2, 1], [1, 1], 1)),
        ([2, 64, 99, 81, 5, 5, 3], geometry([2, 2], [2, 1, 0, 1], [1, 2], 1)),
    ] {
        let [x, w, b] = tensors(sizes, &g, 12);
        let shape = super::ConvShape::new(x.dims(), w.dims(), Some(b.dims()), &g).unwrap();
        let [x, w, b] = [x, w, b].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let y = super::im2col::forward(&shape, &x, &w, Some(&b));
        let best = super::tile::Instructions::best();
        assert_near(&super::direct::forward(&shape, best, &x, &w, Some(&b)).unwrap(), &y, "forward");
        let gradient = super::im2col::input_gradient(&shape, &y, &w);
        assert_near(&super::direct::input_gradient(&shape, best, &y, &w).unwrap(), &gradient, "gradient");
    }
}
