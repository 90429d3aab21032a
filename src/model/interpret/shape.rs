//! Operations that move, join, cut or combine along axes.

use super::value::{Integers, Live, Operands, axes_of, axis_of, checked_growth, checked_size, dimensions};
use crate::model::graph::PadMode;
use candle_core::{Result, Tensor, bail};

/// Indices that may count from the end, each within `size`.
pub(super) fn places(indices: &[i64], size: usize) -> Result<Vec<usize>> {
    let place = |&i: &i64| match usize::try_from(if i < 0 { i.saturating_add(size as i64) } else { i }) {
        Ok(p) if p < size => Ok(p),
        _ => bail!("index {i} is outside a dimension of size {size}"),
    };
    indices.iter().map(place).collect()
}

/// The slices of `x` along `axis` at `places`, in that order.
pub(super) fn select(x: &Tensor, axis: usize, places: &[usize]) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    shape[axis] = places.len();
    checked_size(&shape)?;
    let consecutive = places.windows(2).all(|p| p[0] + 1 == p[1]);
    if let (true, Some(&first)) = (consecutive, places.first()) {
        return x.narrow(axis, first, places.len());
    }
    let indices: Vec<u32> = places.iter().map(|&p| p as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(indices, x.device())?, axis)
}

pub(super) fn reshape(x: &Tensor, shape: &Integers, allow_zero: bool) -> Result<Tensor> {
    let mut dims = Vec::with_capacity(shape.values.len());
    let mut open = None;
    for (i, &d) in shape.values.iter().enumerate() {
        dims.push(match d {
            0 if !allow_zero => match x.dims().get(i) {
                Some(&kept) => kept,
                None => bail!("dimension {i} is to be kept, but shape {:?} has none there", x.dims()),
            },
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            d => match usize::try_from(d) {
                Ok(d) => d,
                Err(_) => bail!("{:?} is not a shape", shape.values),
            },
        });
    }
    let known = checked_size(&dims)?;
    if let Some(i) = open {
        if known == 0 || !x.elem_count().is_multiple_of(known) {
            bail!("a value of shape {:?} cannot be given the shape {:?}", x.dims(), shape.values)
        }
        dims[i] = x.elem_count() / known;
    }
    if dims.iter().product::<usize>() != x.elem_count() {
        bail!("a value of shape {:?} cannot be given the shape {:?}", x.dims(), shape.values)
    }
    x.reshape(dims)
}

pub(super) fn flatten(x: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = if axis == x.rank() as i64 { x.rank() } else { axis_of(axis, x.rank().max(1))? };
    let rows: usize = x.dims()[..axis].iter().product();
    x.reshape((rows, x.elem_count() / rows.max(1)))
}

pub(super) fn transpose(x: &Tensor, permutation: &[usize]) -> Result<Tensor> {
    let order: Vec<usize> = if permutation.is_empty() { (0..x.rank()).rev().collect() } else { permutation.to_vec() };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.rank()) {
        bail!("{order:?} is not an order of {} dimensions", x.rank())
    }
    x.permute(order)
}

pub(super) fn concat(x: &Operands, axis: i64) -> Result<Tensor> {
    let parts: Vec<Tensor> = (0..x.values.len()).map(|i| x.tensor(i)).collect::<Result<_>>()?;
    let Some(first) = parts.first() else { bail!("there is nothing to join") };
    checked_size(&[parts.len(), first.elem_count()])?;
    Tensor::cat(&parts, axis_of(axis, first.rank())?)
}

pub(super) fn split(x: &Operands, axis: i64, sizes: Option<&[usize]>, parts: usize) -> Result<Vec<Live>> {
    let t = x.tensor(0)?;
    let axis = axis_of(axis, t.rank())?;
    let size = t.dim(axis)?;
    let sizes: Vec<usize> = match (sizes, x.optional_integers(1)?) {
        (Some(sizes), _) => sizes.to_vec(),
        (None, Some(sizes)) => {
            // Parts of one axis: their sum is asked below, their product means nothing.
            let parts = sizes.values.iter().map(|&s| usize::try_from(s)).collect::<std::result::Result<_, _>>();
            match parts {
                Ok(parts) => parts,
                Err(_) => bail!("parts of {:?} make no sense", sizes.values),
            }
        }
        (None, None) => {
            let each = size.div_ceil(parts.max(1));
            (0..parts).map(|i| each.min(size.saturating_sub(i * each))).collect()
        }
    };
    if sizes.iter().try_fold(0_usize, |n, &s| n.checked_add(s)) != Some(size) {
        bail!("parts of {sizes:?} do not make up a dimension of size {size}")
    }
    let integers = matches!(x.get(0)?, Live::Integers(_));
    let mut start = 0;
    sizes
        .iter()
        .map(|&s| {
            let part = t.narrow(axis, start, s)?;
            start += s;
            Ok(if integers { Live::Integers(super::value::to_integers(&part)?) } else { Live::Tensor(part) })
        })
        .collect()
}

/// What a slice keeps of one axis.
pub(super) struct Cut {
    pub axis: usize,
    pub places: Vec<usize>,
}

/// The cuts that `starts, ends [, axes [, steps]]` ask of a value of shape `shape`.
pub(super) fn cuts(x: &Operands, shape: &[usize]) -> Result<Vec<Cut>> {
    let (starts, ends) = (x.integers(1)?.values, x.integers(2)?.values);
    let axes = x.optional_integers(3)?.map_or_else(|| (0..starts.len() as i64).collect(), |a| a.values);
    let steps = x.optional_integers(4)?.map_or_else(|| vec![1; starts.len()], |s| s.values);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        bail!("starts, ends, axes and steps of a slice differ in number")
    }
    let cut = |i: usize| {
        let axis = axis_of(axes[i], shape.len())?;
        let (size, step) = (shape[axis] as i64, steps[i]);
        if step == 0 {
            bail!("a slice cannot have steps of zero")
        }
        let place = |p: i64| if p < 0 { p.saturating_add(size) } else { p };
        let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = place(starts[i]).clamp(low.max(0), high.max(0));
        // For steps backwards an end before the first place means "down to the first".
        let end = if step < 0 && ends[i] < -size { -1 } else { place(ends[i]).clamp(low, high) };
        let mut places = Vec::new();
        let mut at = start;
        while (step > 0 && at < end) || (step < 0 && at > end && at < size) {
            places.push(at as usize);
            at = at.saturating_add(step);
        }
        Ok(Cut { axis, places })
    };
    (0..starts.len()).map(cut).collect()
}

pub(super) fn slice(x: &Operands) -> Result<Tensor> {
    let mut t = x.tensor(0)?;
    for Cut { axis, places } in cuts(x, t.dims())? {
        if places.len() == t.dim(axis)? && places.first() == Some(&0) {
            continue;
        }
        if places.is_empty() {
            bail!("a slice keeps nothing of a value of shape {:?}", t.dims())
        }
        t = select(&t, axis, &places)?;
    }
    Ok(t)
}

/// `before` and `after` cells of `fill` along one axis; negative counts cut cells off.
pub(super) fn pad_axis(x: &Tensor, axis: usize, before: i64, after: i64, fill: f32) -> Result<Tensor> {
    let size = x.dim(axis)?;
    let (cut, cut_after) = (before.min(0).unsigned_abs() as usize, after.min(0).unsigned_abs() as usize);
    let kept = size.checked_sub(cut).and_then(|s| s.checked_sub(cut_after)).filter(|&s| s > 0);
    let Some(kept) = kept else { bail!("{before} and {after} cells cannot be cut off a dimension of size {size}") };
    let (before, after) = (before.max(0) as usize, after.max(0) as usize);
    let mut shape = x.dims().to_vec();
    shape[axis] = kept.saturating_add(before).saturating_add(after);
    checked_growth(x.elem_count(), &shape)?;
    let x = if kept == size { x.clone() } else { x.narrow(axis, cut, kept)? };
    let block = |n: usize| {
        let mut shape = x.dims().to_vec();
        shape[axis] = n;
        Tensor::full(fill, shape, x.device())?.to_dtype(x.dtype())
    };
    Ok(match (before, after) {
        (0, 0) => x,
        (before, 0) => Tensor::cat(&[&block(before)?, &x], axis)?,
        (0, after) => Tensor::cat(&[&x, &block(after)?], axis)?,
        (before, after) => Tensor::cat(&[&block(before)?, &x, &block(after)?], axis)?,
    })
}

pub(super) fn pad(x: &Operands, mode: PadMode) -> Result<Tensor> {
    let mut t = x.tensor(0)?;
    let pads = x.integers(1)?.values;
    let axes = match x.optional_integers(3)? {
        Some(axes) => axes.values.iter().map(|&a| axis_of(a, t.rank())).collect::<Result<_>>()?,
        None => (0..t.rank()).collect::<Vec<_>>(),
    };
    if pads.len() != 2 * axes.len() {
        bail!("{} pads are given for {} dimensions", pads.len(), axes.len())
    }
    for (i, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[i], pads[i + axes.len()]);
        if (before, after) == (0, 0) {
            continue;
        }
        t = match mode {
            PadMode::Constant(fill) => {
                let fill = x.number(2)?.map_or(fill, |v| v as f32);
                pad_axis(&t, axis, before, after, fill)?
            }
            PadMode::Reflect | PadMode::Edge => {
                let size = t.dim(axis)? as i64;
                let reach = if mode == PadMode::Reflect { size - 1 } else { i64::from(i32::MAX) };
                if before > reach || after > reach || size.saturating_add(before).saturating_add(after) < 1 || size < 1
                {
                    bail!("{before} and {after} cells cannot be added to a dimension of size {size} in this mode")
                }
                checked_growth(t.elem_count(), &[(size + before + after) as usize, t.elem_count() / size as usize])?;
                let place = |p: i64| match mode {
                    PadMode::Reflect if p < 0 => -p,
                    PadMode::Reflect if p >= size => 2 * (size - 1) - p,
                    _ => p.clamp(0, size - 1),
                };
                let places: Vec<usize> = (-before..size + after).map(|p| place(p) as usize).collect();
                select(&t, axis, &places)?
            }
        };
    }
    Ok(t)
}

pub(super) fn squeeze(x: &Tensor, axes: Option<&Integers>) -> Result<Tensor> {
    let axes = match axes {
        Some(axes) => axes_of(&axes.values, x.rank())?,
        None => (0..x.rank()).filter(|&d| x.dims()[d] == 1).collect(),
    };
    let mut dims = x.dims().to_vec();
    for &axis in axes.iter().rev() {
        if dims.remove(axis) != 1 {
            bail!("dimension {axis} of shape {:?} is not 1", x.dims())
        }
    }
    x.reshape(dims)
}

pub(super) fn unsqueeze(x: &Tensor, axes: &Integers) -> Result<Tensor> {
    let axes = axes_of(&axes.values, x.rank() + axes.values.len())?;
    let mut dims = x.dims().to_vec();
    for axis in axes {
        if axis > dims.len() {
            bail!("a dimension cannot be put at {axis} of shape {:?}", x.dims())
        }
        dims.insert(axis, 1);
    }
    x.reshape(dims)
}

pub(super) fn expand(x: &Tensor, shape: &Integers) -> Result<Tensor> {
    let shape = candle_core::Shape::from(dimensions(&shape.values)?);
    let shape = x.shape().broadcast_shape_binary_op(&shape, "expand")?;
    checked_size(shape.dims())?;
    x.broadcast_as(shape)
}

pub(super) fn tile(x: &Tensor, repeats: &Integers) -> Result<Tensor> {
    let repeats = dimensions(&repeats.values)?;
    if repeats.len() != x.rank() {
        bail!("{} repeats are given for {} dimensions", repeats.len(), x.rank())
    }
    let shape: Vec<usize> = x.dims().iter().zip(&repeats).map(|(&d, &r)| d.saturating_mul(r)).collect();
    if checked_growth(x.elem_count(), &shape)? == 0 {
        bail!("a value is repeated no times")
    }
    x.repeat(repeats)
}

pub(super) fn gather(x: &Tensor, indices: &Integers, axis: i64) -> Result<Tensor> {
    let axis = axis_of(axis, x.rank())?;
    let picked = select(x, axis, &places(&indices.values, x.dim(axis)?)?)?;
    let shape = [&x.dims()[..axis], &indices.shape, &x.dims()[axis + 1..]].concat();
    picked.reshape(shape)
}

/// `x` where the condition holds, `y` elsewhere.
pub(super) fn choose(x: &Operands) -> Result<Tensor> {
    let (condition, a, b) = (x.tensor(0)?, x.tensor(1)?, x.tensor(2)?);
    let shape = condition.shape().broadcast_shape_binary_op(a.shape(), "where")?;
    let shape = shape.broadcast_shape_binary_op(b.shape(), "where")?;
    checked_size(shape.dims())?;
    let condition = condition.detach().ne(0.0)?.broadcast_as(&shape)?.contiguous()?;
    condition.where_cond(&a.broadcast_as(&shape)?.contiguous()?, &b.broadcast_as(&shape)?.contiguous()?)
}

pub(super) fn depth_to_space(x: &Tensor, block: usize, column_row_depth: bool) -> Result<Tensor> {
    let &[n, c, h, w] = x.dims() else { bail!("it takes pictures, but was given shape {:?}", x.dims()) };
    let square = block.checked_mul(block).filter(|&s| s > 0 && c.is_multiple_of(s));
    let Some(square) = square else { bail!("{c} channels cannot be spread over blocks of {block} by {block} cells") };
    let depth = c / square;
    let (shape, order) = if column_row_depth {
        ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3])
    } else {
        ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2])
    };
    x.reshape(shape.as_slice())?.permute(order)?.reshape((n, depth, h * block, w * block))
}

pub(super) fn space_to_depth(x: &Tensor, block: usize) -> Result<Tensor> {
    let &[n, c, h, w] = x.dims() else { bail!("it takes pictures, but was given shape {:?}", x.dims()) };
    if block == 0 || !h.is_multiple_of(block) || !w.is_multiple_of(block) {
        bail!("a picture of {h}x{w} cells has no whole blocks of {block} by {block}")
    }
    let (rows, columns) = (h / block, w / block);
    let blocks = x.reshape((n, c, rows, block, columns * block))?.reshape(vec![n, c, rows, block, columns, block])?;
    blocks.permute([0, 3, 5, 1, 2, 4])?.reshape((n, c * block * block, rows, columns))
}

/// Weighted mix of two selections along an axis: `x[low] * (1 - share) + x[high] * share`.
pub(super) fn mix(x: &Tensor, axis: usize, low: &[usize], high: &[usize], share: &[f32]) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[axis] = share.len();
    let share = Tensor::from_slice(share, shape, x.device())?;
    let (a, b) = (select(x, axis, low)?, select(x, axis, high)?);
    let difference = b.sub(&a)?;
    a.add(&difference.broadcast_mul(&share)?)
}
