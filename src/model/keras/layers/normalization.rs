//! Normalisation by trained or by fixed statistics.

use super::{base_name, known, single, weights};
use crate::model::graph::{Binary, Op, ValueId};
use crate::model::keras::Fault;
use crate::model::keras::archive::Weight;
use crate::model::keras::builder::{Builder, Feature};
use crate::model::keras::settings::{DataFormat, LayerView};
use crate::model::numbers::check_finite;

/// What the layers add to a variance where their settings do not say.
const EPSILON: f32 = 1e-3;
/// `Normalization` never divides by less.
const LEAST_DEVIATION: f32 = 1e-7;

/// Trained numbers, one a channel, or `absent` for each where the layer has none.
fn trained_or(
    builder: &mut Builder,
    view: &LayerView,
    weight: Option<&Weight>,
    size: usize,
    absent: f32,
) -> Result<ValueId, Fault> {
    match weight {
        Some(weight) => builder.parameter(view, weight, &[size], &[0], None),
        None => builder.constant(&vec![absent; size], &[size]),
    }
}

/// Scale, shift and then whatever else `rest` names; the first two only where the settings have them.
fn scale_shift_and<'a>(view: &LayerView<'a>, rest: &[&str]) -> Result<Vec<Option<&'a Weight>>, Fault> {
    let (scale, shift) = (view.flag("scale", true)?, view.flag("center", true)?);
    let present = [(scale, "gamma"), (shift, "beta")].into_iter().chain(rest.iter().map(|&name| (true, name)));
    let present: Vec<(bool, &str)> = present.collect();
    let names: Vec<&str> = present.iter().filter(|(there, _)| *there).map(|&(_, name)| name).collect();
    let mut found = weights(view, &names)?.into_iter();
    Ok(present.into_iter().map(|(there, _)| if there { found.next() } else { None }).collect())
}

/// The one axis (0 is the batch) a layer works along, from a number or a list of one.
fn only_axis(view: &LayerView, rank: usize) -> Result<usize, Fault> {
    let axes = if view.get("axis").is_some() { view.integers("axis")? } else { vec![-1] };
    let &[axis] = axes.as_slice() else { return Err(view.unsupported("several axes")) };
    let axis = if axis < 0 { axis + rank as i64 + 1 } else { axis };
    match usize::try_from(axis) {
        Ok(axis) if (1..=rank).contains(&axis) => Ok(axis),
        _ => Err(view.broken(format_args!("its axis {axis} is not there"))),
    }
}

/// `BatchNormalization`, with the statistics of the file.
pub(super) fn batch(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let rank = x.shape.len();
    let axis = only_axis(view, rank)?;
    let size = known(view, x.shape[axis - 1], "its number of channels")?;
    let format = match (rank, axis) {
        (1, 1) => None,
        (3, 3) => Some(DataFormat::ChannelsLast),
        (3, 1) => Some(DataFormat::ChannelsFirst),
        _ => return Err(view.unsupported(format_args!("axis {axis} of values with {} axes", rank + 1))),
    };
    let trained = scale_shift_and(view, &["moving_mean", "moving_variance"])?;
    let mut read = vec![match format {
        Some(format) => builder.channels_first(view, x, format)?.0,
        None => x.id,
    }];
    for (weight, absent) in trained.into_iter().zip([1.0, 0.0, 0.0, 1.0]) {
        read.push(trained_or(builder, view, weight, size, absent)?);
    }
    let epsilon = view.number("epsilon")?.unwrap_or(EPSILON);
    let id = builder.node(view, Op::BatchNorm { epsilon }, &read)?;
    Ok(Feature { id, shape: x.shape.clone(), moved: format == Some(DataFormat::ChannelsLast) })
}

/// `LayerNormalization` along the last axis.
pub(super) fn layer(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let rank = x.shape.len();
    let axis = only_axis(view, rank)?;
    if axis != rank {
        return Err(view.unsupported(format_args!("axis {axis}")));
    }
    let size = known(view, x.shape[axis - 1], "the size of its last axis")?;
    let mut read = vec![builder.as_keras(view, x)?];
    for (weight, absent) in scale_shift_and(view, &[])?.into_iter().zip([1.0, 0.0]) {
        read.push(trained_or(builder, view, weight, size, absent)?);
    }
    let epsilon = view.number("epsilon")?.unwrap_or(EPSILON);
    let id = builder.node(view, Op::LayerNorm { axis: -1, epsilon }, &read)?;
    Ok(Feature { id, shape: x.shape.clone(), moved: false })
}

/// `GroupNormalization` along the channels.
pub(super) fn group(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let axis = only_axis(view, x.shape.len())?;
    let format = match (x.shape.len(), axis) {
        (3, 3) => DataFormat::ChannelsLast,
        (3, 1) => DataFormat::ChannelsFirst,
        (rank, axis) => return Err(view.unsupported(format_args!("axis {axis} of values with {} axes", rank + 1))),
    };
    let size = known(view, x.shape[axis - 1], "its number of channels")?;
    // -1: each channel by itself.
    let groups = match view.integers("groups") {
        Ok(groups) if groups == [-1] => size,
        _ => view.count("groups", 1)?,
    };
    if !size.is_multiple_of(groups) {
        return Err(view.broken(format_args!("{size} channels do not split into {groups} groups")));
    }
    let mut read = vec![builder.channels_first(view, x, format)?.0];
    for (weight, absent) in scale_shift_and(view, &[])?.into_iter().zip([1.0, 0.0]) {
        read.push(trained_or(builder, view, weight, size, absent)?);
    }
    let epsilon = view.number("epsilon")?.unwrap_or(EPSILON);
    let id = builder.node(view, Op::GroupNorm { groups, epsilon }, &read)?;
    Ok(Feature { id, shape: x.shape.clone(), moved: format == DataFormat::ChannelsLast })
}

/// `x * factor + offset`, one pair for all or one for each entry of Keras's last axis.
fn scaled(
    builder: &mut Builder,
    view: &LayerView,
    x: &Feature,
    factor: &[f32],
    offset: &[f32],
) -> Result<Feature, Fault> {
    let last = x.shape.last().copied().flatten();
    let mut id = x.id;
    for (op, values, neutral) in [(Binary::Mul, factor, 1.0), (Binary::Add, offset, 0.0)] {
        check_finite(view.name, values)?;
        if values.iter().all(|&v| v == neutral) {
            continue;
        }
        let shape = match values.len() {
            1 => vec![],
            n if Some(n) == last && x.moved => vec![n, 1, 1],
            n if Some(n) == last => vec![n],
            n => return Err(view.broken(format_args!("its {n} factors do not fit what it reads"))),
        };
        let constant = builder.constant(values, &shape)?;
        id = builder.node(view, Op::Binary(op), &[id, constant])?;
    }
    Ok(Feature { id, ..x.clone() })
}

/// `Rescaling`
pub(super) fn rescaling(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let scale = view.numbers("scale")?.unwrap_or(vec![1.0]);
    let offset = view.numbers("offset")?.unwrap_or(vec![0.0]);
    scaled(builder, view, single(view, inputs)?, &scale, &offset)
}

/// `Normalization`: minus the mean, divided by the deviation, both fixed when the model was made.
pub(super) fn statistics(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    if view.flag("invert", false)? {
        return Err(view.unsupported("invert"));
    }
    if view.get("axis").is_some() && only_axis(view, x.shape.len())? != x.shape.len() {
        return Err(view.unsupported("an axis that is not the last"));
    }
    let of = |name: &str| -> Result<Vec<f32>, Fault> {
        if let Some(values) = view.numbers(name)? {
            return Ok(values);
        }
        // Keras 3 numbers them: mean, variance, count.
        let number = if name == "mean" { "0" } else { "1" };
        let weight = view.weights.iter().find(|weight| [name, number].contains(&base_name(&weight.name)));
        weight.map(|weight| weight.values.clone()).ok_or_else(|| view.broken(format_args!("its {name} is missing")))
    };
    let (mean, variance) = (of("mean")?, of("variance")?);
    if mean.len() != variance.len() {
        return Err(view.broken(format_args!("it has {} means and {} variances", mean.len(), variance.len())));
    }
    let factor: Vec<f32> = variance.iter().map(|v| 1.0 / v.sqrt().max(LEAST_DEVIATION)).collect();
    let offset: Vec<f32> = mean.iter().zip(&factor).map(|(m, f)| -m * f).collect();
    scaled(builder, view, x, &factor, &offset)
}
