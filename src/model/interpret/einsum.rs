//! Sums of products along named axes (Einstein's convention), of one value or of two: as one matrix product.

use super::layers::matmul;
use super::value::{Operands, checked_size};
use candle_core::{Result, Tensor, bail};

/// The axes of each input and of the result, a letter each.
fn terms(equation: &str) -> Result<(Vec<Vec<char>>, Vec<char>)> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    if text.contains('.') {
        bail!("the sum \"{equation}\" leaves axes unnamed, which is not supported")
    }
    let (inputs, result) = match text.split_once("->") {
        Some((inputs, result)) => (inputs.to_owned(), Some(result.chars().collect())),
        None => (text, None),
    };
    let inputs: Vec<Vec<char>> = inputs.split(',').map(|t| t.chars().collect()).collect();
    let all = || inputs.iter().flatten();
    // Without an arrow: what stands once, in the order of the alphabet.
    let result: Vec<char> = result.unwrap_or_else(|| {
        let mut once: Vec<char> = all().copied().filter(|c| all().filter(|d| *d == c).count() == 1).collect();
        once.sort_unstable();
        once
    });
    let repeats = |t: &Vec<char>| (1..t.len()).any(|i| t[..i].contains(&t[i]));
    if !all().all(|c| c.is_alphabetic()) || !result.iter().all(|c| all().any(|d| d == c)) {
        bail!("the sum \"{equation}\" makes no sense")
    }
    if inputs.iter().any(repeats) || repeats(&result) {
        bail!("the sum \"{equation}\" takes a diagonal, which is not supported")
    }
    Ok((inputs, result))
}

/// `x` summed over the axes that are not `wanted`, the rest in that order; `wanted` may name axes it has not.
fn arranged(x: &Tensor, axes: &[char], wanted: &[char]) -> Result<Tensor> {
    let dropped: Vec<usize> = (0..axes.len()).filter(|&i| !wanted.contains(&axes[i])).collect();
    let x = if dropped.is_empty() { x.clone() } else { x.sum(dropped.as_slice())? };
    let left: Vec<char> = axes.iter().copied().filter(|c| wanted.contains(c)).collect();
    let order: Vec<usize> = wanted.iter().filter_map(|c| left.iter().position(|l| l == c)).collect();
    x.permute(order)
}

/// The sum of `equation`, as ONNX and NumPy write it.
pub(super) fn einsum(operands: &Operands, equation: &str) -> Result<Tensor> {
    let (inputs, result) = terms(equation)?;
    let tensors = (0..inputs.len()).map(|i| operands.tensor(i)).collect::<Result<Vec<_>>>()?;
    if operands.values.len() != inputs.len() || tensors.iter().zip(&inputs).any(|(t, axes)| t.rank() != axes.len()) {
        bail!("the sum \"{equation}\" does not fit what it is given")
    }
    let (a, b, axes_a, axes_b) = match (tensors.as_slice(), inputs.as_slice()) {
        ([one], [axes]) => return arranged(one, axes, &result),
        ([a, b], [axes_a, axes_b]) => (a, b, axes_a, axes_b),
        _ => bail!("a sum of {} values is not supported", tensors.len()),
    };
    let size = |c: char| -> Result<usize> {
        let of = |axes: &[char], t: &Tensor| axes.iter().position(|&a| a == c).map(|i| t.dims()[i]);
        match (of(axes_a, a), of(axes_b, b)) {
            (Some(m), Some(n)) if m != n => bail!("axis {c} of \"{equation}\" is {m} here and {n} there"),
            (Some(n), _) | (_, Some(n)) => Ok(n),
            (None, None) => bail!("axis {c} of \"{equation}\" is nowhere"),
        }
    };
    let both = |c: &char| axes_a.contains(c) && axes_b.contains(c);
    let batch: Vec<char> = result.iter().copied().filter(both).collect();
    let left: Vec<char> = result.iter().copied().filter(|c| axes_a.contains(c) && !both(c)).collect();
    let right: Vec<char> = result.iter().copied().filter(|c| axes_b.contains(c) && !both(c)).collect();
    let summed: Vec<char> = axes_a.iter().copied().filter(|c| both(c) && !result.contains(c)).collect();
    let sizes = |axes: &[char]| axes.iter().map(|&c| size(c)).collect::<Result<Vec<usize>>>();
    let count = |axes: &[char]| Ok::<usize, candle_core::Error>(sizes(axes)?.iter().product());
    let shape = sizes(&[batch.as_slice(), &left, &right].concat())?;
    checked_size(&shape)?;
    let (n, rows, inner, columns) = (count(&batch)?, count(&left)?, count(&summed)?, count(&right)?);
    let a = arranged(a, axes_a, &[batch.as_slice(), &left, &summed].concat())?.reshape((n, rows, inner))?;
    let b = arranged(b, axes_b, &[batch.as_slice(), &summed, &right].concat())?.reshape((n, inner, columns))?;
    let made: Vec<char> = [batch, left, right].concat();
    let order: Vec<usize> = result.iter().filter_map(|c| made.iter().position(|m| m == c)).collect();
    matmul(&a, &b)?.reshape(shape)?.permute(order)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::value::Live;
    use super::*;
    use crate::tensor::Seed;
    use crate::tensor::check::gradients_match_differences;
    use candle_core::Device;

    fn run(equation: &str, inputs: &[Tensor]) -> Result<Tensor> {
        let live: Vec<Live> = inputs.iter().cloned().map(Live::Tensor).collect();
        einsum(&Operands { values: live.iter().map(Some).collect(), device: &Device::Cpu }, equation)
    }

    #[test]
    fn sums_of_products_are_what_they_say_with_gradients() {
        let drawn = |shape: &[usize]| Seed(4).of("einsum").random().normal_tensor(1.0, shape, &Device::Cpu).unwrap();
        let (a, b) = (drawn(&[2, 3, 4]), drawn(&[2, 5, 4]));
        let y = run("bik, bjk -> jbi", &[a.clone(), b.clone()]).unwrap().to_vec3::<f32>().unwrap();
        let (x, z) = (a.to_vec3::<f32>().unwrap(), b.to_vec3::<f32>().unwrap());
        let sum: f32 = (0..4).map(|k| x[1][2][k] * z[1][3][k]).sum();
        assert!((y[3][1][2] - sum).abs() < 1e-5);
        gradients_match_differences(&[a.clone(), b.clone()], 1e-2, "einsum", |x| run("bik,bjk->jbi", x));
        gradients_match_differences(&[a.clone(), drawn(&[4])], 1e-2, "einsum", |x| run("bik,k->b", x));
        gradients_match_differences(std::slice::from_ref(&a), 1e-2, "einsum", |x| run("bik->kb", x));
        for bad in ["bik,bjk->q", "bii,bjk->j", "bik,bjk,c->j", "...k,bjk->b", "bi,bjk->j", "bik,bji->jk"] {
            assert!(run(bad, &[a.clone(), b.clone()]).is_err(), "{bad}");
        }
    }
}
