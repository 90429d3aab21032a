//! Operations on small integer arrays: the shape arithmetic that exporters write into graphs.
//! Everything is computed on the host; nothing here is differentiable.

use super::value::{self, Integers, Live, MOST_INTEGERS, Operands, axes_of, axis_of};
use crate::model::graph::{Binary, Op, Reduction, Unary};
use candle_core::{Result, Tensor, bail};

/// The result of `op` where it is integers; `None` where it is the business of tensors.
pub(super) fn step(op: &Op, x: &Operands) -> Result<Option<Integers>> {
    match op {
        Op::Shape { start, end } => return shape_of(x.get(0)?, *start, *end).map(Some),
        Op::Cast { to_integer: true } => return x.integers(0).map(Some),
        Op::ConstantOfShape { value, integer: true } => {
            let shape = value::dimensions(&x.integers(0)?.values)?;
            let size = few(value::checked_size(&shape)?)?;
            return Ok(Some(Integers { values: vec![*value as i64; size], shape }));
        }
        Op::ArgMax { axis, keep_dims } => return arg_max(&x.tensor(0)?, *axis, *keep_dims).map(Some),
        _ => {}
    }
    let Some(all) = x.all_integers() else { return Ok(None) };
    let Some(&first) = all.first() else { return Ok(None) };
    Ok(Some(match op {
        Op::Binary(function) => binary(*function, first, x)?,
        Op::Unary(Unary::Neg) => map(first, i64::wrapping_neg),
        Op::Unary(Unary::Abs) => map(first, i64::wrapping_abs),
        Op::Unary(Unary::Sign) => map(first, i64::signum),
        Op::Unary(Unary::Floor | Unary::Ceil | Unary::Round) => first.clone(),
        Op::Where => choose(x)?,
        Op::Range => range(x)?,
        Op::CumSum { .. } => {
            // Counts of places: far below where 32-bit numbers leave whole ones out.
            let sums = super::step(
                op,
                &Operands { values: vec![Some(&Live::Tensor(x.tensor(0)?)), x.optional(1)], device: x.device },
            )?;
            match sums.into_iter().next() {
                Some(Live::Tensor(t)) => value::to_integers(&t)?,
                _ => bail!("it gives no sums"),
            }
        }
        Op::Concat { axis } => concat(&all, *axis)?,
        Op::Gather { axis } => gather(first, &x.integers(1)?, *axis)?,
        Op::Slice => slice(x)?,
        Op::Reduce { how, axes, keep_dims, noop_with_empty_axes } => {
            let axes = axes.clone().or(x.optional_integers(1)?.map(|a| a.values)).unwrap_or_default();
            if axes.is_empty() && *noop_with_empty_axes {
                return Ok(Some(first.clone()));
            }
            reduce(*how, first, &axes, *keep_dims)?
        }
        Op::Reshape { .. }
        | Op::Flatten { .. }
        | Op::Squeeze
        | Op::Unsqueeze
        | Op::Expand
        | Op::Tile
        | Op::Transpose { .. } => moved(op, first, x)?,
        _ => return Ok(None),
    }))
}

fn few(n: usize) -> Result<usize> {
    if n > MOST_INTEGERS { bail!("it asks for {n} integers, which is too many") } else { Ok(n) }
}

fn shape_of(x: &Live, start: i64, end: Option<i64>) -> Result<Integers> {
    let dims = match x {
        Live::Tensor(t) => t.dims(),
        Live::Integers(v) => &v.shape,
    };
    let rank = dims.len() as i64;
    let place = |p: i64| (if p < 0 { p.saturating_add(rank) } else { p }).clamp(0, rank) as usize;
    let (start, end) = (place(start), place(end.unwrap_or(rank)));
    Ok(Integers::list(dims.get(start..end).unwrap_or_default().iter().map(|&d| d as i64).collect()))
}

fn arg_max(x: &Tensor, axis: i64, keep_dims: bool) -> Result<Integers> {
    let axis = axis_of(axis, x.rank())?;
    let index = if keep_dims { x.argmax_keepdim(axis)? } else { x.argmax(axis)? };
    few(index.elem_count())?;
    let values = index.flatten_all()?.to_vec1::<u32>()?;
    Ok(Integers { values: values.into_iter().map(i64::from).collect(), shape: index.dims().to_vec() })
}

fn map(x: &Integers, f: impl Fn(i64) -> i64) -> Integers {
    Integers { values: x.values.iter().map(|&v| f(v)).collect(), shape: x.shape.clone() }
}

/// Shape of two arrays combined element by element.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    let shape: Vec<usize> = (0..rank)
        .map(|i| match (dim(a, i), dim(b, i)) {
            (p, q) if p == q => Ok(p),
            (1, q) => Ok(q),
            (p, 1) => Ok(p),
            _ => bail!("shapes {a:?} and {b:?} do not fit each other"),
        })
        .collect::<Result<_>>()?;
    few(value::checked_size(&shape)?)?;
    Ok(shape)
}

/// `x` repeated to `shape`, which [`broadcast`] has found.
fn spread(x: &Integers, shape: &[usize]) -> Vec<i64> {
    let offset = shape.len() - x.shape.len();
    let size: usize = shape.iter().product();
    (0..size)
        .map(|i| {
            let (mut rest, mut place, mut step) = (i, 0, 1);
            for d in (0..shape.len()).rev() {
                let at = rest % shape[d];
                rest /= shape[d];
                if d >= offset {
                    let own = x.shape[d - offset];
                    place += if own == 1 { 0 } else { at * step };
                    step *= own;
                }
            }
            x.values[place]
        })
        .collect()
}

fn binary(function: Binary, a: &Integers, x: &Operands) -> Result<Integers> {
    let b = x.integers(1)?;
    let shape = broadcast(&a.shape, &b.shape)?;
    let pairs = spread(a, &shape).into_iter().zip(spread(&b, &shape));
    let values = pairs
        .map(|(a, b)| {
            Ok(match function {
                Binary::Add => a.wrapping_add(b),
                Binary::Sub => a.wrapping_sub(b),
                Binary::Mul => a.wrapping_mul(b),
                Binary::Div if b == 0 => bail!("it divides by zero"),
                Binary::Div => a.wrapping_div(b),
                Binary::Pow => a.wrapping_pow(u32::try_from(b).unwrap_or(0)),
                Binary::Min => a.min(b),
                Binary::Max => a.max(b),
                Binary::Mod { .. } if b == 0 => bail!("it divides by zero"),
                Binary::Mod { truncated: true } => a.wrapping_rem(b),
                Binary::Mod { truncated: false } => {
                    let left = a.wrapping_rem(b);
                    if left != 0 && (left < 0) != (b < 0) { left.wrapping_add(b) } else { left }
                }
                Binary::Equal => i64::from(a == b),
                Binary::Less => i64::from(a < b),
                Binary::Greater => i64::from(a > b),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Integers { values, shape })
}

fn choose(x: &Operands) -> Result<Integers> {
    let (condition, a, b) = (x.integers(0)?, x.integers(1)?, x.integers(2)?);
    let shape = broadcast(&broadcast(&condition.shape, &a.shape)?, &b.shape)?;
    let (condition, a, b) = (spread(&condition, &shape), spread(&a, &shape), spread(&b, &shape));
    let values = condition.iter().zip(a.iter().zip(&b)).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect();
    Ok(Integers { values, shape })
}

fn range(x: &Operands) -> Result<Integers> {
    let single = |i: usize| match x.integers(i)?.values.as_slice() {
        &[v] => Ok(v),
        other => bail!("a range takes single numbers, not {} of them", other.len()),
    };
    let (start, limit, step) = (single(0)?, single(1)?, single(2)?);
    let (distance, pace) = (i128::from(limit) - i128::from(start), i128::from(step));
    if pace == 0 {
        bail!("a range cannot have steps of zero")
    }
    let count = if (distance > 0) == (pace > 0) { distance.unsigned_abs().div_ceil(pace.unsigned_abs()) } else { 0 };
    let count = few(usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(Integers::list((0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(step))).collect()))
}

fn concat(all: &[&Integers], axis: i64) -> Result<Integers> {
    let axis = axis_of(axis, all[0].shape.len())?;
    let same = |a: &Integers| {
        a.shape.len() == all[0].shape.len() && (0..a.shape.len()).all(|d| d == axis || a.shape[d] == all[0].shape[d])
    };
    if !all.iter().all(|a| same(a)) {
        bail!("the parts to be joined have shapes that do not fit each other")
    }
    let mut shape = all[0].shape.clone();
    shape[axis] = all.iter().map(|a| a.shape[axis]).sum();
    let outer: usize = shape[..axis].iter().product();
    let mut values = Vec::with_capacity(few(value::checked_size(&shape)?)?);
    for row in 0..outer {
        for a in all {
            let run: usize = a.shape[axis..].iter().product();
            values.extend_from_slice(&a.values[row * run..(row + 1) * run]);
        }
    }
    Ok(Integers { values, shape })
}

/// The slices of `x` along `axis` at `places`, in that order.
fn take(x: &Integers, axis: usize, places: &[usize]) -> Result<Vec<i64>> {
    let outer: usize = x.shape[..axis].iter().product();
    let inner: usize = x.shape[axis + 1..].iter().product();
    let mut values = Vec::with_capacity(few(outer.saturating_mul(inner).saturating_mul(places.len()))?);
    for row in 0..outer {
        for &p in places {
            let start = (row * x.shape[axis] + p) * inner;
            values.extend_from_slice(&x.values[start..start + inner]);
        }
    }
    Ok(values)
}

fn gather(x: &Integers, indices: &Integers, axis: i64) -> Result<Integers> {
    let axis = axis_of(axis, x.shape.len())?;
    let values = take(x, axis, &super::shape::places(&indices.values, x.shape[axis])?)?;
    let shape = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
    Ok(Integers { values, shape })
}

fn slice(x: &Operands) -> Result<Integers> {
    let mut out = x.integers(0)?;
    for cut in super::shape::cuts(x, &out.shape)? {
        out.values = take(&out, cut.axis, &cut.places)?;
        out.shape[cut.axis] = cut.places.len();
    }
    Ok(out)
}

fn reduce(how: Reduction, x: &Integers, axes: &[i64], keep_dims: bool) -> Result<Integers> {
    let rank = x.shape.len();
    let axes = if axes.is_empty() { (0..rank).collect() } else { axes_of(axes, rank)? };
    let kept: Vec<usize> = (0..rank).map(|d| if axes.contains(&d) { 1 } else { x.shape[d] }).collect();
    let size: usize = kept.iter().product();
    let mut groups: Vec<Vec<i64>> = vec![Vec::new(); size];
    for (i, &v) in x.values.iter().enumerate() {
        let (mut rest, mut place, mut step) = (i, 0, 1);
        for d in (0..rank).rev() {
            place += if kept[d] == 1 { 0 } else { (rest % x.shape[d]) * step };
            rest /= x.shape[d];
            step *= kept[d];
        }
        groups[place].push(v);
    }
    let values = groups
        .iter()
        .map(|g| {
            Ok(match how {
                Reduction::Sum => g.iter().fold(0_i64, |a, &v| a.wrapping_add(v)),
                Reduction::Prod => g.iter().fold(1_i64, |a, &v| a.wrapping_mul(v)),
                Reduction::Max => g.iter().copied().max().unwrap_or(0),
                Reduction::Min => g.iter().copied().min().unwrap_or(0),
                Reduction::Mean | Reduction::L2 | Reduction::LogSumExp => bail!("this reduction takes no integers"),
            })
        })
        .collect::<Result<_>>()?;
    let shape = if keep_dims { kept } else { (0..rank).filter(|d| !axes.contains(d)).map(|d| x.shape[d]).collect() };
    Ok(Integers { values, shape })
}

/// Operations that only move numbers, through a tensor of their places.
fn moved(op: &Op, first: &Integers, x: &Operands) -> Result<Integers> {
    let places: Vec<u32> = (0..few(first.values.len())? as u32).collect();
    let place = Tensor::from_vec(places, first.shape.as_slice(), &candle_core::Device::Cpu)?;
    let place = match op {
        Op::Reshape { allow_zero } => super::shape::reshape(&place, &x.integers(1)?, *allow_zero)?,
        Op::Flatten { axis } => super::shape::flatten(&place, *axis)?,
        Op::Squeeze => super::shape::squeeze(&place, x.optional_integers(1)?.as_ref())?,
        Op::Unsqueeze => super::shape::unsqueeze(&place, &x.integers(1)?)?,
        Op::Expand => super::shape::expand(&place, &x.integers(1)?)?,
        Op::Tile => super::shape::tile(&place, &x.integers(1)?)?,
        Op::Transpose { permutation } => super::shape::transpose(&place, permutation)?,
        _ => bail!("it takes no integers"),
    };
    few(place.elem_count())?;
    let shape = place.dims().to_vec();
    let values = place.flatten_all()?.to_vec1::<u32>()?.into_iter().map(|p| first.values[p as usize]).collect();
    Ok(Integers { values, shape })
}
