//! Activations, as layers of their own and as the last step of others.

use super::{exactly, known, single, translation};
use crate::model::graph::{Op, Unary};
use crate::model::keras::Fault;
use crate::model::keras::builder::{Builder, Feature};
use crate::model::keras::settings::LayerView;
use serde_json::Value;

/// SELU's constants (Klambauer et al. 2017, <https://arxiv.org/abs/1706.02515>).
const SELU: Unary = Unary::Selu { alpha: 1.673_263_2, gamma: 1.050_701 };
/// The slope of the function `leaky_relu` where none is given.
const LEAKY_SLOPE: f32 = 0.2;
/// The slope of the layer `LeakyReLU` where none is given.
const LEAKY_LAYER_SLOPE: f32 = 0.3;

/// What an activation's name stands for.
enum Named {
    Nothing,
    Function(Unary),
    Softmax,
    LogSoftmax,
}

fn named(name: &str, keras3: bool) -> Option<Named> {
    Some(Named::Function(match name {
        "linear" => return Some(Named::Nothing),
        "softmax" => return Some(Named::Softmax),
        "log_softmax" => return Some(Named::LogSoftmax),
        "relu" => Unary::Relu,
        "relu6" => Unary::Clip { min: 0.0, max: 6.0 },
        "leaky_relu" => Unary::LeakyRelu(LEAKY_SLOPE),
        "elu" => Unary::Elu(1.0),
        "selu" => SELU,
        "celu" => Unary::Celu(1.0),
        "sigmoid" => Unary::Sigmoid,
        // Keras 3 took over PyTorch's slope.
        "hard_sigmoid" if keras3 => Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
        "hard_sigmoid" => Unary::HardSigmoid { alpha: 0.2, beta: 0.5 },
        "hard_swish" | "hard_silu" => Unary::HardSwish,
        "swish" | "silu" => Unary::Silu,
        "gelu" => Unary::Gelu { tanh: false },
        "mish" => Unary::Mish,
        "tanh" => Unary::Tanh,
        "softplus" => Unary::Softplus,
        "softsign" => Unary::Softsign,
        "exponential" => Unary::Exp,
        _ => return None,
    }))
}

/// The name of an activation, be it a word or a description of a function.
fn name_of(value: &Value) -> Option<&str> {
    let described = || value.get("config").or_else(|| value.get("class_name")).and_then(Value::as_str);
    value.as_str().or_else(described)
}

/// Whether the activation of a layer can be translated; otherwise what it is called.
pub(in crate::model::keras) fn known_activation(value: &Value) -> Result<(), String> {
    let layer =
        value.get("class_name").and_then(Value::as_str).filter(|_| value.get("config").is_some_and(Value::is_object));
    match (name_of(value), layer) {
        (_, Some(class)) if translation(class).is_some() => Ok(()),
        (_, Some(class)) => Err(class.to_owned()),
        (Some(name), None) if named(name, false).is_some() => Ok(()),
        (Some(name), None) => Err(name.to_owned()),
        (None, None) => Err("a function of its own".to_owned()),
    }
}

/// The last step of a layer that names an activation.
pub(super) fn applied(builder: &mut Builder, view: &LayerView, x: Feature) -> Result<Feature, Fault> {
    let Some(value) = view.get("activation") else { return Ok(x) };
    if let Some(settings) = value.get("config").and_then(Value::as_object) {
        let class = value.get("class_name").and_then(Value::as_str).unwrap_or_default();
        let translate = translation(class).ok_or_else(|| view.unsupported(format_args!("activation \"{class}\"")))?;
        let inner = LayerView { class, name: view.name, settings, weights: Vec::new(), keras3: view.keras3 };
        return translate(builder, &inner, &[x]);
    }
    let name = name_of(value).unwrap_or_default();
    match named(name, view.keras3) {
        Some(Named::Nothing) => Ok(x),
        Some(Named::Function(function)) => unary(builder, view, &x, function),
        Some(Named::Softmax) => normalised(builder, view, &x, -1, |axis| Op::Softmax { axis }),
        Some(Named::LogSoftmax) => normalised(builder, view, &x, -1, |axis| Op::LogSoftmax { axis }),
        None => Err(view.unsupported(format_args!("activation \"{name}\""))),
    }
}

/// `Activation`
pub(super) fn activation(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    applied(builder, view, single(view, inputs)?.clone())
}

fn unary(builder: &mut Builder, view: &LayerView, x: &Feature, function: Unary) -> Result<Feature, Fault> {
    Ok(Feature { id: builder.node(view, Op::Unary(function), &[x.id])?, ..x.clone() })
}

/// `ReLU`: `max(x, 0)`, with a slope below 0 and an upper bound where they are set.
pub(super) fn relu(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    if view.number("threshold")?.is_some_and(|threshold| threshold != 0.0) {
        return Err(view.unsupported("a threshold"));
    }
    let slope = view.number("negative_slope")?.unwrap_or(0.0);
    match (slope == 0.0, view.number("max_value")?) {
        (true, None) => unary(builder, view, x, Unary::Relu),
        (true, Some(max)) => unary(builder, view, x, Unary::Clip { min: 0.0, max }),
        (false, None) => unary(builder, view, x, Unary::LeakyRelu(slope)),
        (false, Some(max)) => {
            let x = unary(builder, view, x, Unary::LeakyRelu(slope))?;
            unary(builder, view, &x, Unary::Clip { min: f32::MIN, max })
        }
    }
}

/// `LeakyReLU`
pub(super) fn leaky_relu(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let slope = view.number("alpha")?.or(view.number("negative_slope")?).unwrap_or(LEAKY_LAYER_SLOPE);
    unary(builder, view, single(view, inputs)?, Unary::LeakyRelu(slope))
}

/// `ELU`
pub(super) fn elu(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let alpha = view.number("alpha")?.unwrap_or(1.0);
    unary(builder, view, single(view, inputs)?, Unary::Elu(alpha))
}

/// `PReLU`: one slope a cell, or one for all cells along `shared_axes`.
pub(super) fn prelu(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let shared = if view.get("shared_axes").is_some() { view.integers("shared_axes")? } else { Vec::new() };
    let mut shape = Vec::with_capacity(x.shape.len());
    for (axis, &size) in (1..).zip(&x.shape) {
        shape.push(if shared.contains(&axis) { 1 } else { known(view, size, "the size of what it reads")? });
    }
    let [alpha] = exactly(view, ["alpha"])?;
    let permutation: Vec<usize> = if x.moved { vec![2, 0, 1] } else { (0..shape.len()).collect() };
    let slope = builder.parameter(view, alpha, &shape, &permutation, None)?;
    Ok(Feature { id: builder.node(view, Op::PRelu, &[x.id, slope])?, ..x.clone() })
}

/// `Softmax`
pub(super) fn softmax_layer(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let axis = match view.get("axis") {
        None => -1,
        Some(_) => match view.integers("axis")?.as_slice() {
            &[axis] => axis,
            _ => return Err(view.unsupported("several axes")),
        },
    };
    normalised(builder, view, single(view, inputs)?, axis, |axis| Op::Softmax { axis })
}

/// A softmax along one of Keras's axes (0 is the batch), wherever that axis is stored.
fn normalised(
    builder: &mut Builder,
    view: &LayerView,
    x: &Feature,
    axis: i64,
    op: impl Fn(i64) -> Op,
) -> Result<Feature, Fault> {
    let axis = stored_axis(view, x, axis)?;
    Ok(Feature { id: builder.node(view, op(axis as i64), &[x.id])?, ..x.clone() })
}

/// Where one of Keras's axes (0 is the batch, negative ones count from the end) is stored.
pub(super) fn stored_axis(view: &LayerView, x: &Feature, axis: i64) -> Result<usize, Fault> {
    let rank = x.shape.len() as i64 + 1;
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(1..rank).contains(&axis) {
        return Err(view.broken(format_args!("its axis {axis} is not one of the {rank} it reads")));
    }
    // Height, width, channels are stored as channels, height, width.
    let axis = axis as usize;
    Ok(if x.moved { [0, 2, 3, 1][axis] } else { axis })
}
