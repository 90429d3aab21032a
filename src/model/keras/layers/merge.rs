//! Layers that bring several values together.

use super::activation::stored_axis;
use crate::model::graph::{Binary, Op, ValueId};
use crate::model::keras::Fault;
use crate::model::keras::builder::{Builder, Feature, shown};
use crate::model::keras::settings::{DataFormat, LayerView};

/// Values to be merged, all stored in the same order.
fn aligned(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<(Vec<ValueId>, bool), Fault> {
    let [first, _, ..] = inputs else {
        return Err(view.broken(format_args!("it merges {} values instead of at least two", inputs.len())));
    };
    if inputs.iter().any(|x| x.shape.len() != first.shape.len()) {
        return Err(view.broken("it merges values with different numbers of axes"));
    }
    let moved = inputs.iter().any(|x| x.moved);
    let mut ids = Vec::with_capacity(inputs.len());
    for x in inputs {
        ids.push(if moved { builder.channels_first(view, x, DataFormat::ChannelsLast)?.0 } else { x.id });
    }
    Ok((ids, moved))
}

/// The shape of values combined element by element: 1 stretches.
fn broadcast(view: &LayerView, inputs: &[Feature]) -> Result<Vec<Option<usize>>, Fault> {
    let mut shape = inputs.first().map(|x| x.shape.clone()).unwrap_or_default();
    for x in inputs.iter().skip(1) {
        for (size, &other) in shape.iter_mut().zip(&x.shape) {
            *size = match (*size, other) {
                (Some(1), other) => other,
                (size, Some(1)) => size,
                (Some(a), Some(b)) if a != b => {
                    let shapes: Vec<String> = inputs.iter().map(|x| shown(&x.shape)).collect();
                    return Err(view.broken(format_args!("values of the shapes {} do not fit", shapes.join(" and "))));
                }
                (size, other) => size.or(other),
            };
        }
    }
    Ok(shape)
}

fn combine(builder: &mut Builder, view: &LayerView, inputs: &[Feature], how: Binary) -> Result<Feature, Fault> {
    let (ids, moved) = aligned(builder, view, inputs)?;
    let shape = broadcast(view, inputs)?;
    builder.bounded(view, &shape)?;
    let mut ids = ids.into_iter();
    let Some(mut id) = ids.next() else { return Err(view.broken("it reads nothing")) };
    for other in ids {
        id = builder.node(view, Op::Binary(how), &[id, other])?;
    }
    Ok(Feature { id, shape, moved })
}

/// `Add`
pub(super) fn add(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    combine(builder, view, inputs, Binary::Add)
}

/// `Subtract`: the second from the first.
pub(super) fn subtract(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    if inputs.len() != 2 {
        return Err(view.broken(format_args!("it reads {} values instead of two", inputs.len())));
    }
    combine(builder, view, inputs, Binary::Sub)
}

/// `Multiply`
pub(super) fn multiply(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    combine(builder, view, inputs, Binary::Mul)
}

/// `Maximum`
pub(super) fn maximum(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    combine(builder, view, inputs, Binary::Max)
}

/// `Minimum`
pub(super) fn minimum(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    combine(builder, view, inputs, Binary::Min)
}

/// `Average`
pub(super) fn average(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let sum = combine(builder, view, inputs, Binary::Add)?;
    let share = builder.constant(&[1.0 / inputs.len() as f32], &[])?;
    Ok(Feature { id: builder.node(view, Op::Binary(Binary::Mul), &[sum.id, share])?, ..sum })
}

/// `Concatenate`
pub(super) fn concatenate(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let axis = match view.get("axis") {
        None => -1,
        Some(_) => match view.integers("axis")?.as_slice() {
            &[axis] => axis,
            _ => return Err(view.unsupported("several axes")),
        },
    };
    let (ids, moved) = aligned(builder, view, inputs)?;
    let Some(first) = inputs.first() else { return Err(view.broken("it reads nothing")) };
    let plain = Feature { moved: false, ..first.clone() };
    let keras_axis = stored_axis(view, &plain, axis)? - 1;
    let axis = stored_axis(view, &Feature { moved, ..plain }, axis)?;
    let mut shape = first.shape.clone();
    shape[keras_axis] =
        inputs.iter().map(|x| x.shape[keras_axis]).try_fold(0, |sum: usize, n| Some(sum.saturating_add(n?)));
    for x in inputs {
        let fits = |i: usize| i == keras_axis || x.shape[i].is_none() || shape[i].is_none() || x.shape[i] == shape[i];
        if !(0..shape.len()).all(fits) {
            return Err(view.broken(format_args!("{} does not fit beside {}", shown(&x.shape), shown(&first.shape))));
        }
    }
    builder.bounded(view, &shape)?;
    let id = builder.node(view, Op::Concat { axis: axis as i64 }, &ids)?;
    Ok(Feature { id, shape, moved })
}
