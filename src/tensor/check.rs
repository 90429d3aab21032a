//! Gradient checks for tests: backward against finite differences, in double precision where it counts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Result, Tensor, Var};

use super::Seed;

/// The inner product of two tensors of one shape.
pub(crate) fn inner(a: &Tensor, b: &Tensor) -> f64 {
    let [a, b] = [a, b].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Asserts that two ways to compute the same have the same values, and the same gradients of a random projection.
pub(crate) fn same_with_gradients(
    arguments: &[Tensor],
    one: impl Fn(&[Tensor]) -> Result<Tensor>,
    other: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let all = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let variables: Vec<Var> = arguments.iter().map(|a| Var::from_tensor(a).unwrap()).collect();
        let tracked: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
        let y = f(&tracked).unwrap();
        let projection = Seed(11).random().normal_tensor(1.0, y.dims(), &Device::Cpu).unwrap();
        let gradients = (&y * &projection).unwrap().sum_all().unwrap().backward().unwrap();
        let of = |v: &Var| numbers(gradients.get(v).unwrap());
        std::iter::once(numbers(&y)).chain(variables.iter().map(of)).collect::<Vec<_>>()
    };
    for (which, (a, b)) in all(&one).iter().zip(&all(&other)).enumerate() {
        assert_eq!(a.len(), b.len());
        let scale = a.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() <= 1e-5 * scale, "{which} (0: value, else gradient) at {i}: {a} and {b}");
        }
    }
}

/// Asserts that the gradients of a random projection of `f(arguments)` with respect to every number of
/// every argument are central differences of step `step`. `f` must be smooth within the step.
pub(crate) fn gradients_match_differences(
    arguments: &[Tensor],
    step: f32,
    what: &str,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let variables: Vec<Var> = arguments.iter().map(|a| Var::from_tensor(a).unwrap()).collect();
    let tracked: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked).unwrap();
    let projection = Seed(11).random().normal_tensor(1.0, y.dims(), &Device::Cpu).unwrap();
    let grads = (&y * &projection).unwrap().sum_all().unwrap().backward().unwrap();
    for (which, argument) in arguments.iter().enumerate() {
        let got = grads.get(&variables[which]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let values = argument.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let scale = got.iter().fold(1e-3_f64, |m, v| m.max(f64::from(v.abs())));
        for i in 0..values.len() {
            let at = |moved: f32| {
                let mut values = values.clone();
                values[i] = moved;
                let mut arguments = arguments.to_vec();
                arguments[which] = Tensor::from_vec(values, argument.dims(), &Device::Cpu).unwrap();
                inner(&f(&arguments).unwrap(), &projection)
            };
            let (high, low) = (values[i] + step, values[i] - step);
            let difference = (at(high) - at(low)) / f64::from(high - low);
            let error = (difference - f64::from(got[i])).abs();
            assert!(error <= 1e-3 * scale, "{what}: argument {which}, number {i}: {} is not {difference}", got[i]);
        }
    }
}
