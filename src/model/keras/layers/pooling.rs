//! Pooling.

use super::{single, window};
use crate::model::graph::Op;
use crate::model::keras::Fault;
use crate::model::keras::builder::{Builder, Feature};
use crate::model::keras::settings::LayerView;
use crate::tensor::Pool2d;

/// `MaxPooling2D`
pub(super) fn max(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    pool(builder, view, inputs, Op::MaxPool)
}

/// `AveragePooling2D`: cells beyond the edge do not count.
pub(super) fn average(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    pool(builder, view, inputs, Op::AvgPool)
}

fn pool(builder: &mut Builder, view: &LayerView, inputs: &[Feature], op: fn(Pool2d) -> Op) -> Result<Feature, Fault> {
    let format = view.data_format()?;
    let kernel = view.pair("pool_size", 1)?;
    let stride = view.pair_or("strides", 1, kernel)?;
    let (x, [channels, height, width]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let ([rows, columns], pads) = window::cover_both(view, view.padding()?, [height, width], kernel, stride, [1, 1])?;
    let geometry = Pool2d { kernel, stride, pads, dilation: [1, 1], ceil_mode: false, count_include_pad: false };
    let y = builder.node(view, op(geometry), &[x])?;
    builder.picture(view, y, [channels, rows, columns], format)
}

/// `GlobalAveragePooling2D`
pub(super) fn global_average(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    global(builder, view, inputs, Op::GlobalAvgPool)
}

/// `GlobalMaxPooling2D`
pub(super) fn global_max(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    global(builder, view, inputs, Op::GlobalMaxPool)
}

fn global(builder: &mut Builder, view: &LayerView, inputs: &[Feature], op: Op) -> Result<Feature, Fault> {
    let format = view.data_format()?;
    let (x, [channels, _, _]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let y = builder.node(view, op, &[x])?;
    if view.flag("keepdims", false)? {
        return builder.picture(view, y, [channels, Some(1), Some(1)], format);
    }
    let id = builder.node(view, Op::Flatten { axis: 1 }, &[y])?;
    Ok(Feature { id, shape: vec![channels], moved: false })
}
