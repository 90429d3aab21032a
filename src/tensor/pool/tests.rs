//! Pooling against a plain loop, against finite differences and on ties.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};

use super::{Pool2d, Sliding, avg_pool2d, elsewhere, max_pool2d, tap_counts};
use crate::tensor::Seed;
use crate::tensor::check::{gradients_match_differences, same_with_gradients};

fn cases() -> Vec<([usize; 4], Pool2d)> {
    let base = Pool2d::square(2);
    let three = Pool2d { kernel: [3, 3], stride: [2, 2], ..base.clone() };
    vec![
        ([2, 2, 4, 6], base.clone()),
        ([1, 2, 5, 7], base.clone()),
        ([1, 2, 5, 7], Pool2d { ceil_mode: true, ..base.clone() }),
        ([1, 2, 7, 6], three.clone()),
        ([1, 2, 7, 6], Pool2d { pads: [1, 1, 1, 1], ..three.clone() }),
        ([1, 2, 6, 6], Pool2d { pads: [0, 0, 1, 1], ..three.clone() }),
        ([1, 2, 6, 6], Pool2d { pads: [1, 1, 1, 1], ceil_mode: true, ..three.clone() }),
        ([1, 2, 6, 5], Pool2d { pads: [1, 0, 0, 1], ceil_mode: true, count_include_pad: true, ..three.clone() }),
        ([1, 2, 6, 5], Pool2d { pads: [1, 1, 1, 1], count_include_pad: true, ..three.clone() }),
        ([1, 2, 7, 8], Pool2d { dilation: [2, 3], stride: [1, 2], ..base.clone() }),
        ([1, 1, 5, 6], Pool2d { kernel: [1, 3], stride: [2, 1], ..base.clone() }),
        ([1, 1, 3, 3], Pool2d { kernel: [1, 1], stride: [2, 2], ceil_mode: true, ..base }),
    ]
}

/// Maximum and average of each window as PyTorch defines them.
fn plain(x: &Tensor, g: &Pool2d) -> (Vec<f64>, Vec<f64>, Vec<usize>) {
    let (n, c, h, w) = x.dims4().unwrap();
    let x = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let size = |i: usize, cells: usize| {
        let room = cells + g.pads[i] + g.pads[i + 2] - g.dilation[i] * (g.kernel[i] - 1) - 1;
        let out = if g.ceil_mode { room.div_ceil(g.stride[i]) } else { room / g.stride[i] } + 1;
        if g.ceil_mode && (out - 1) * g.stride[i] >= cells + g.pads[i] { out - 1 } else { out }
    };
    let (oh, ow) = (size(0, h), size(1, w));
    let (mut max, mut mean) = (Vec::new(), Vec::new());
    for plane in x.chunks(h * w) {
        for (y, z) in (0..oh).flat_map(|y| (0..ow).map(move |z| (y, z))) {
            let (mut most, mut sum, mut count) = (f64::NEG_INFINITY, 0.0, 0);
            for (p, q) in (0..g.kernel[0]).flat_map(|p| (0..g.kernel[1]).map(move |q| (p, q))) {
                let row = (y * g.stride[0] + p * g.dilation[0]) as isize - g.pads[0] as isize;
                let col = (z * g.stride[1] + q * g.dilation[1]) as isize - g.pads[1] as isize;
                if row >= 0 && row < h as isize && col >= 0 && col < w as isize {
                    let value = f64::from(plane[row as usize * w + col as usize]);
                    most = most.max(value);
                    sum += value;
                    count += 1;
                } else if g.count_include_pad && row < (h + g.pads[2]) as isize && col < (w + g.pads[3]) as isize {
                    count += 1;
                }
            }
            max.push(most);
            mean.push(sum / f64::from(count));
        }
    }
    (max, mean, vec![n, c, oh, ow])
}

fn assert_close(got: &Tensor, expected: &[f64], what: &str) {
    let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (&g, e) in got.iter().zip(expected) {
        assert!((f64::from(g) - e).abs() <= 1e-5, "{what}: {g} is not {e}");
    }
}

#[test]
fn forward_is_the_definition() {
    for (dims, g) in cases() {
        let x = Seed(1).random().normal_tensor(1.0, dims.as_slice(), &Device::Cpu).unwrap();
        let (max, mean, dims) = plain(&x, &g);
        let (got_max, got_mean) = (max_pool2d(&x, &g).unwrap(), avg_pool2d(&x, &g).unwrap());
        assert_eq!((got_max.dims(), got_mean.dims()), (dims.as_slice(), dims.as_slice()), "{g:?}");
        assert_close(&got_max, &max, &format!("max {g:?}"));
        assert_close(&got_mean, &mean, &format!("mean {g:?}"));
    }
}

/// `arange(16).view(1, 1, 4, 4)` under a window of 3, step 2, with `ceil_mode`; worked out by hand.
#[test]
fn windows_over_the_edge_are_those_of_pytorch() {
    let x = Tensor::arange(0_f32, 16.0, &Device::Cpu).unwrap().reshape((1, 1, 4, 4)).unwrap();
    let g = Pool2d { kernel: [3, 3], stride: [2, 2], ceil_mode: true, ..Pool2d::square(3) };
    let mean = avg_pool2d(&x, &g).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(mean, [5.0, 6.5, 11.0, 12.5]);
    let max = max_pool2d(&x, &g).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(max, [10.0, 11.0, 14.0, 15.0]);
}

#[test]
fn gradients_are_finite_differences() {
    for (dims, g) in cases() {
        // Numbers far enough apart that no step makes another one the maximum.
        let count: usize = dims.iter().product();
        let mut values: Vec<f32> = (0..count).map(|i| i as f32 * 0.1).collect();
        Seed(2).random().shuffle(&mut values);
        let x = Tensor::from_vec(values, dims.as_slice(), &Device::Cpu).unwrap();
        gradients_match_differences(std::slice::from_ref(&x), 0.03, &format!("max {dims:?} {g:?}"), |p| {
            max_pool2d(&p[0], &g)
        });
        gradients_match_differences(&[x], 0.03, &format!("mean {dims:?} {g:?}"), |p| avg_pool2d(&p[0], &g));
    }
}

#[test]
fn other_devices_get_the_same() {
    for (shape, g) in cases() {
        let x = Seed(8).random().uniform_tensor(-1.0, 1.0, shape.as_slice(), &Device::Cpu).unwrap();
        let window = Sliding::new(&x, &g).unwrap();
        let divisors = [&window.rows, &window.columns].map(|axis| tap_counts(axis, g.count_include_pad));
        let x = [x];
        same_with_gradients(&x, |a| max_pool2d(&a[0], &g), |a| elsewhere::max_pool2d(&a[0], &window));
        same_with_gradients(&x, |a| avg_pool2d(&a[0], &g), |a| elsewhere::avg_pool2d(&a[0], &window, &divisors));
    }
    let equals = Tensor::new(&[[[[1_f32, 1.0], [1.0, 1.0]]]], &Device::Cpu).unwrap();
    let window = Sliding::new(&equals, &Pool2d::square(2)).unwrap();
    let maximum = |a: &[Tensor]| max_pool2d(&a[0], &Pool2d::square(2));
    same_with_gradients(&[equals], maximum, |a| elsewhere::max_pool2d(&a[0], &window));
}

#[test]
fn of_equal_maxima_the_first_gets_the_whole_gradient() {
    let x = Var::new(&[[[[1_f32, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]], &Device::Cpu).unwrap();
    let grads = max_pool2d(&x, &Pool2d::square(2)).unwrap().sum_all().unwrap().backward().unwrap();
    let got = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(got, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let x = Var::zeros((1, 1, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let overlapping = Pool2d { stride: [1, 1], ..Pool2d::square(2) };
    let grads = max_pool2d(&x, &overlapping).unwrap().sum_all().unwrap().backward().unwrap();
    let got = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(got, [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn not_a_number_is_not_lost() {
    let x = Tensor::new(&[[[[1_f32, f32::NAN], [3.0, 2.0]]]], &Device::Cpu).unwrap();
    assert!(max_pool2d(&x, &Pool2d::square(2)).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()[0].is_nan());
}

#[test]
fn takes_a_tensor_that_is_not_contiguous() {
    let x = Seed(3).random().normal_tensor(1.0, (1, 4, 6, 3), &Device::Cpu).unwrap().permute((0, 3, 1, 2)).unwrap();
    let g = Pool2d::square(2);
    let (max, mean, _) = plain(&x, &g);
    assert_close(&max_pool2d(&x, &g).unwrap(), &max, "max");
    assert_close(&avg_pool2d(&x, &g).unwrap(), &mean, "mean");
}

#[test]
fn bad_geometry_is_an_error() {
    let x = Tensor::zeros((1, 1, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    for g in [
        Pool2d::square(4),
        Pool2d::square(0),
        Pool2d { stride: [0, 1], ..Pool2d::square(2) },
        Pool2d { pads: [2, 0, 0, 0], ..Pool2d::square(2) },
        Pool2d { kernel: [1 << 40, 1], pads: [(1 << 40) - 1, 0, 0, 0], ..Pool2d::square(1) },
        Pool2d { dilation: [usize::MAX, 1], ..Pool2d::square(2) },
    ] {
        assert!(max_pool2d(&x, &g).is_err() && avg_pool2d(&x, &g).is_err(), "{g:?}");
    }
    assert!(max_pool2d(&x.squeeze(0).unwrap(), &Pool2d::square(2)).is_err());
}
