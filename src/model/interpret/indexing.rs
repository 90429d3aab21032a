//! Operations that pick numbers by place, or put others in their place: each is one choice out of a row of numbers, so
//! the gradient goes where the numbers came from.

use super::shape::places;
use super::value::{Integers, Live, MOST_INTEGERS, Operands, axis_of, checked_size};
use crate::model::graph::Op;
use candle_core::{Result, Tensor, bail};

/// Where each number of a result comes from: places in the row of all numbers of the first input, then (for scatters) of
/// the third, then a zero.
struct Choice {
    from: Vec<usize>,
    shape: Vec<usize>,
}

/// The result of an operation of this module, integers where its numbers are.
pub(super) fn step(op: &Op, x: &Operands) -> Result<Live> {
    let (shape, whole) = match x.get(0)? {
        Live::Tensor(t) => (t.dims().to_vec(), None),
        Live::Integers(v) => (v.shape.clone(), Some(v)),
    };
    let choice = match op {
        Op::GatherElements { axis } => gather_elements(&shape, &x.integers(1)?, *axis)?,
        Op::GatherNd { batch_dims } => gather_nd(&shape, &x.integers(1)?, *batch_dims)?,
        Op::ScatterElements { axis } => scatter_elements(&shape, &x.integers(1)?, *axis)?,
        Op::ScatterNd => scatter_nd(&shape, &x.integers(1)?)?,
        Op::Trilu { upper } => {
            let k = x.optional_integers(1)?.and_then(|k| k.values.first().copied()).unwrap_or(0);
            trilu(&shape, *upper, k)?
        }
        _ => bail!("it picks nothing"),
    };
    let scatters = matches!(op, Op::ScatterElements { .. } | Op::ScatterNd);
    if let (Some(whole), false) = (whole, scatters && matches!(x.get(2)?, Live::Tensor(_))) {
        let mut row = whole.values.clone();
        if scatters {
            row.extend(x.integers(2)?.values);
        }
        row.push(0);
        let values = choice.from.iter().map(|&p| row.get(p).copied().unwrap_or(0)).collect();
        return Ok(Live::Integers(Integers { values, shape: choice.shape }));
    }
    let mut row = vec![x.tensor(0)?.flatten_all()?];
    if scatters {
        row.push(x.tensor(2)?.flatten_all()?);
    }
    row.push(Tensor::zeros(1, candle_core::DType::F32, x.device)?);
    let row = Tensor::cat(&row, 0)?;
    let from: Vec<u32> = choice.from.iter().map(|&p| p as u32).collect();
    if from.iter().any(|&p| p as usize >= row.elem_count()) {
        bail!("there are fewer numbers than places to put them")
    }
    if from.is_empty() {
        bail!("it keeps nothing of a value of shape {shape:?}")
    }
    Ok(Live::Tensor(row.index_select(&Tensor::new(from, x.device)?, 0)?.reshape(choice.shape)?))
}

fn few(n: usize) -> Result<usize> {
    // Places are kept as 32-bit numbers on the host: a picture's worth is fine, a batch of large maps is not.
    if n > 64 * MOST_INTEGERS { bail!("it picks {n} numbers by place, which is too many") } else { Ok(n) }
}

/// Positions along each axis of the number at place `at` of a value of this shape, and back.
fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        index[d] = at % shape[d];
        at /= shape[d];
    }
    index
}

fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (&i, &d)| at * d + i)
}

/// For each of the `indices` of an elementwise gather or scatter: the place in a value of `shape` it means.
fn elements(shape: &[usize], indices: &Integers, axis: i64) -> Result<Vec<usize>> {
    let axis = axis_of(axis, shape.len())?;
    let fits =
        indices.shape.len() == shape.len() && (0..shape.len()).all(|d| d == axis || indices.shape[d] <= shape[d]);
    if !fits {
        bail!("indices of shape {:?} do not fit a value of shape {shape:?}", indices.shape)
    }
    few(indices.values.len())?;
    let along = places(&indices.values, shape[axis])?;
    let place = |(at, &p): (usize, &usize)| {
        let mut index = unravel(at, &indices.shape);
        index[axis] = p;
        ravel(&index, shape)
    };
    Ok(along.iter().enumerate().map(place).collect())
}

fn gather_elements(shape: &[usize], indices: &Integers, axis: i64) -> Result<Choice> {
    Ok(Choice { from: elements(shape, indices, axis)?, shape: indices.shape.clone() })
}

/// The numbers as they are, but for those at `targets`, which come from behind them in their order; the last one counts.
fn replaced(shape: &[usize], targets: impl Iterator<Item = usize>) -> Result<Choice> {
    let size = few(checked_size(shape)?)?;
    let mut from: Vec<usize> = (0..size).collect();
    for (nth, target) in targets.enumerate() {
        from[target] = size + nth;
    }
    Ok(Choice { from, shape: shape.to_vec() })
}

fn scatter_elements(shape: &[usize], indices: &Integers, axis: i64) -> Result<Choice> {
    replaced(shape, elements(shape, indices, axis)?.into_iter())
}

/// The last axis of `indices` as places of blocks: `(first numbers of the blocks, numbers of a block)`, where the first
/// `batch` axes of both are the same.
fn blocks(shape: &[usize], indices: &Integers, batch: usize) -> Result<(Vec<usize>, usize)> {
    let Some((&depth, before)) = indices.shape.split_last() else { bail!("its indices are a single number") };
    if batch + depth > shape.len() || batch > before.len() || depth == 0 || shape[..batch] != before[..batch] {
        bail!("indices of shape {:?} do not fit a value of shape {shape:?}", indices.shape)
    }
    let block: usize = shape[batch + depth..].iter().product();
    let rows: usize = before[batch..].iter().product::<usize>().max(1);
    let start = |(nth, index): (usize, &[i64])| {
        let mut place = nth / rows;
        if batch == 0 {
            place = 0;
        }
        for (d, &i) in index.iter().enumerate() {
            let size = shape[batch + d];
            place = place * size + places(&[i], size)?[0];
        }
        Ok(place * block)
    };
    let starts = indices.values.chunks_exact(depth).enumerate().map(start).collect::<Result<Vec<_>>>()?;
    few(starts.len().saturating_mul(block))?;
    Ok((starts, block))
}

fn gather_nd(shape: &[usize], indices: &Integers, batch: usize) -> Result<Choice> {
    let (starts, block) = blocks(shape, indices, batch)?;
    let depth = indices.shape.last().copied().unwrap_or(0);
    let result = [&indices.shape[..indices.shape.len() - 1], &shape[batch + depth..]].concat();
    Ok(Choice { from: starts.into_iter().flat_map(|s| s..s + block).collect(), shape: result })
}

fn scatter_nd(shape: &[usize], indices: &Integers) -> Result<Choice> {
    let (starts, block) = blocks(shape, indices, 0)?;
    replaced(shape, starts.into_iter().flat_map(|s| s..s + block))
}

/// The numbers on and above (`upper`) or on and below the `k`-th diagonal of each matrix; zero elsewhere.
fn trilu(shape: &[usize], upper: bool, k: i64) -> Result<Choice> {
    let &[.., rows, columns] = shape else { bail!("a value of shape {shape:?} holds no matrices") };
    let size = few(checked_size(shape)?)?;
    let keeps = |at: usize| {
        let (row, column) = ((at / columns % rows) as i64, (at % columns) as i64);
        if upper { column >= row.saturating_add(k) } else { column <= row.saturating_add(k) }
    };
    Ok(Choice { from: (0..size).map(|at| if keeps(at) { at } else { size }).collect(), shape: shape.to_vec() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::{Device, Var};

    fn run(op: &Op, inputs: &[Live]) -> Result<Live> {
        step(op, &Operands { values: inputs.iter().map(Some).collect(), device: &Device::Cpu })
    }

    fn integers(values: &[i64], shape: &[usize]) -> Live {
        Live::Integers(Integers { values: values.to_vec(), shape: shape.to_vec() })
    }

    #[test]
    fn a_scatter_puts_the_last_number_in_place_and_sends_gradients_to_where_numbers_came_from() {
        let x = Var::new(&[[1_f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let new = Var::new(&[10_f32, 20.0, 30.0], &Device::Cpu).unwrap();
        let inputs = [
            Live::Tensor(x.as_tensor().clone()),
            integers(&[0, 1, 1, -1, 0, 1], &[3, 2]),
            Live::Tensor(new.as_tensor().clone()),
        ];
        let Live::Tensor(y) = run(&Op::ScatterNd, &inputs).unwrap() else { panic!() };
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[1.0, 30.0], [3.0, 20.0]]);
        let weights = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let gradients = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec2::<f32>().unwrap(), [[1.0, 0.0], [3.0, 0.0]]);
        assert_eq!(gradients.get(&new).unwrap().to_vec1::<f32>().unwrap(), [0.0, 4.0, 2.0]);
    }

    #[test]
    fn blocks_are_picked_by_place_within_their_batch() {
        let x = integers(&(0..12).collect::<Vec<_>>(), &[2, 3, 2]);
        let pick = |batch_dims, values: &[i64], shape: &[usize]| {
            let Live::Integers(y) = run(&Op::GatherNd { batch_dims }, &[x.clone(), integers(values, shape)]).unwrap()
            else {
                panic!()
            };
            (y.values, y.shape)
        };
        assert_eq!(pick(0, &[1, 2, 0, -1], &[2, 2]), (vec![10, 11, 4, 5], vec![2, 2]));
        assert_eq!(pick(1, &[2, 0], &[2, 1]), (vec![4, 5, 6, 7], vec![2, 2]));
        assert!(run(&Op::GatherNd { batch_dims: 0 }, &[x.clone(), integers(&[9, 9], &[1, 2])]).is_err());
        assert!(run(&Op::GatherNd { batch_dims: 7 }, &[x, integers(&[0, 0], &[1, 2])]).is_err());
    }

    #[test]
    fn triangles_keep_their_diagonal() {
        let x = integers(&[1, 2, 3, 4, 5, 6], &[2, 3]);
        let Live::Integers(y) = run(&Op::Trilu { upper: true }, std::slice::from_ref(&x)).unwrap() else { panic!() };
        assert_eq!(y.values, [1, 2, 3, 0, 5, 6]);
        let Live::Integers(y) = run(&Op::Trilu { upper: false }, &[x, integers(&[-1], &[])]).unwrap() else { panic!() };
        assert_eq!(y.values, [0, 0, 0, 4, 0, 0]);
    }
}
