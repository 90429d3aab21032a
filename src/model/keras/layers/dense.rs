//! Fully connected layers. Keras keeps their kernels as `[in, out]`, and so do we.

use super::{activation, exactly, known, single};
use crate::model::graph::{Binary, Op};
use crate::model::keras::Fault;
use crate::model::keras::builder::{Builder, Feature};
use crate::model::keras::settings::LayerView;

/// `Dense`: along the last axis of whatever comes in.
pub(super) fn dense(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let units = view.count("units", 1)?;
    let Some((last, before)) = x.shape.split_last() else { return Err(view.broken("it reads a single number")) };
    let width = known(view, *last, "how many values it reads")?;
    let (kernel, bias) = if view.flag("use_bias", true)? {
        let [kernel, bias] = exactly(view, ["kernel", "bias"])?;
        (kernel, Some(bias))
    } else {
        let [kernel] = exactly(view, ["kernel"])?;
        (kernel, None)
    };
    let kernel = builder.parameter(view, kernel, &[width, units], &[0, 1], None)?;
    let bias = bias.map(|bias| builder.parameter(view, bias, &[units], &[0], None)).transpose()?;
    let input = builder.as_keras(view, x)?;
    let id = if before.is_empty() {
        let inputs: Vec<_> = [input, kernel].into_iter().chain(bias).collect();
        builder.node(view, Op::Gemm { alpha: 1.0, beta: 1.0, transpose_a: false, transpose_b: false }, &inputs)?
    } else {
        let product = builder.node(view, Op::MatMul, &[input, kernel])?;
        bias.map_or(Ok(product), |bias| builder.node(view, Op::Binary(Binary::Add), &[product, bias]))?
    };
    let shape: Vec<_> = before.iter().copied().chain([Some(units)]).collect();
    builder.bounded(view, &shape)?;
    activation::applied(builder, view, Feature { id, shape, moved: false })
}
