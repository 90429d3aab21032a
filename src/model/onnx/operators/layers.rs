//! Operators with trained numbers and pools. What works along one line is done as on a picture one cell high.

use super::arithmetic::simple;
use super::{Call, Translate};
use crate::model::graph::{Op, ValueId};
use crate::model::onnx::builder::Same;
use crate::tensor::{Conv2d, Pool2d};

pub(super) const TABLE: &[(&str, Translate)] = &[
    ("AveragePool", |c| slide(c, Op::AvgPool)),
    ("Conv", conv),
    ("ConvTranspose", conv_transpose),
    ("Gemm", gemm),
    ("GlobalAveragePool", |c| simple(c, Op::GlobalAvgPool, 1)),
    ("GlobalMaxPool", |c| simple(c, Op::GlobalMaxPool, 1)),
    ("LogSoftmax", |c| softmax(c, |axis| Op::LogSoftmax { axis })),
    ("MatMul", |c| simple(c, Op::MatMul, 2)),
    ("MaxPool", |c| slide(c, Op::MaxPool)),
    ("Softmax", |c| softmax(c, |axis| Op::Softmax { axis })),
];

/// `N` sizes, each at least `least`.
fn sizes<const N: usize>(call: &Call, name: &str, default: [usize; N], least: i64) -> Result<[usize; N], String> {
    let Some(mut values) = call.integers(name) else { return Ok(default) };
    if values.len() == N / 2 {
        values = across(values, least);
    }
    let Ok(values) = <[i64; N]>::try_from(values.as_slice()) else {
        return Err(format!("it has {} {name}; only pictures of two dimensions are supported", values.len()));
    };
    if values.iter().any(|&v| v < least || v > i64::from(u16::MAX)) {
        return Err(format!("its {name} {values:?} make no sense"));
    }
    Ok(values.map(|v| v as usize))
}

/// Two of each setting: a node that works along a line does nothing across it.
fn across(values: Vec<i64>, neutral: i64) -> Vec<i64> {
    match *values.as_slice() {
        [one] => vec![neutral, one],
        [before, after] if neutral == 0 => vec![0, before, 0, after],
        _ => values,
    }
}

/// Padding that a node asks for by rule.
enum Padding {
    Known([usize; 4]),
    /// As much as keeps the size, more of it at the end (`upper`) or at the start.
    Same {
        upper: bool,
    },
}

fn padding(call: &Call) -> Result<Padding, String> {
    match call.text("auto_pad", "NOTSET").as_str() {
        "NOTSET" | "" => sizes(call, "pads", [0; 4], 0).map(Padding::Known),
        "VALID" => Ok(Padding::Known([0; 4])),
        "SAME_UPPER" => Ok(Padding::Same { upper: true }),
        "SAME_LOWER" => Ok(Padding::Same { upper: false }),
        other => Err(format!("its padding by rule \"{other}\" is not supported")),
    }
}

/// Pads that are known, or a note that they are to be found once the size of the picture is.
fn resolve(call: &mut Call, padding: Padding, kernel: Option<[usize; 2]>) -> Result<[usize; 4], String> {
    match padding {
        Padding::Known(pads) => Ok(pads),
        Padding::Same { upper } => {
            let kernel = kernel.ok_or("its kernel is computed while the graph runs")?;
            call.builder.same.push(Same { node: call.next_position(), kernel, upper });
            Ok([0; 4])
        }
    }
}

fn kernel_of(call: &Call) -> Result<Option<[usize; 2]>, String> {
    let Some(shape) = call.stored_shape(1) else {
        return Ok(None);
    };
    match *shape.as_slice() {
        [_, _, w] if (1..=i64::from(u16::MAX)).contains(&w) => Ok(Some([1, w as usize])),
        [_, _, h, w] if (1..=i64::from(u16::MAX)).contains(&h) && (1..=i64::from(u16::MAX)).contains(&w) => {
            Ok(Some([h as usize, w as usize]))
        }
        _ => Err(format!("its kernel has shape {shape:?}; only pictures of two dimensions are supported")),
    }
}

fn geometry(call: &mut Call) -> Result<Conv2d, String> {
    let kernel = kernel_of(call)?;
    let groups = usize::try_from(call.integer("group", 1)).ok().filter(|&g| g > 0);
    let mut geometry = Conv2d {
        stride: sizes(call, "strides", [1, 1], 1)?,
        pads: [0; 4],
        dilation: sizes(call, "dilations", [1, 1], 1)?,
        groups: groups.ok_or("its number of groups makes no sense")?,
    };
    let padding = padding(call)?;
    geometry.pads = resolve(call, padding, kernel)?;
    Ok(geometry)
}

fn conv(call: &mut Call) -> Result<(), String> {
    let inputs = vec![Some(call.input(0)?), Some(call.input(1)?), call.optional(2)?];
    if call.stored_shape(1).is_some_and(|shape| shape.len() == 3) {
        let x = raised(call, inputs[0])?;
        let w = raised(call, inputs[1])?;
        let geometry = geometry(call)?;
        let y = call.emit(Op::Conv(geometry), vec![x, w, inputs[2]]);
        return lowered(call, y);
    }
    let geometry = geometry(call)?;
    call.finish(Op::Conv(geometry), inputs)
}

/// A line as a picture one cell high.
fn raised(call: &mut Call, x: Option<ValueId>) -> Result<Option<ValueId>, String> {
    let axis = call.list(vec![2])?;
    Ok(Some(call.emit(Op::Unsqueeze, vec![x, Some(axis)])))
}

/// The node's result, a picture one cell high, as a line.
fn lowered(call: &mut Call, y: ValueId) -> Result<(), String> {
    let axis = call.list(vec![2])?;
    call.finish(Op::Squeeze, vec![Some(y), Some(axis)])
}

fn conv_transpose(call: &mut Call) -> Result<(), String> {
    if !matches!(padding(call)?, Padding::Known(_)) || call.attribute("output_shape").is_some() {
        return Err("its padding by rule is not supported".into());
    }
    let inputs = vec![Some(call.input(0)?), Some(call.input(1)?), call.optional(2)?];
    let output_padding = sizes(call, "output_padding", [0, 0], 0)?;
    let geometry = geometry(call)?;
    call.finish(Op::ConvTranspose { geometry, output_padding }, inputs)
}

fn pool(call: &mut Call) -> Result<Pool2d, String> {
    if call.attribute("kernel_shape").is_none() {
        return Err("its window has no size".into());
    }
    let kernel = sizes(call, "kernel_shape", [1, 1], 1)?;
    let padding = padding(call)?;
    Ok(Pool2d {
        kernel,
        stride: sizes(call, "strides", [1, 1], 1)?,
        pads: resolve(call, padding, Some(kernel))?,
        dilation: sizes(call, "dilations", [1, 1], 1)?,
        ceil_mode: call.integer("ceil_mode", 0) != 0,
        count_include_pad: call.integer("count_include_pad", 0) != 0,
    })
}

fn slide(call: &mut Call, op: fn(Pool2d) -> Op) -> Result<(), String> {
    let x = Some(call.input(0)?);
    if call.integers("kernel_shape").is_some_and(|kernel| kernel.len() == 1) {
        let x = raised(call, x)?;
        let geometry = pool(call)?;
        let y = call.emit(op(geometry), vec![x]);
        return lowered(call, y);
    }
    let geometry = pool(call)?;
    call.finish(op(geometry), vec![x])
}

fn gemm(call: &mut Call) -> Result<(), String> {
    let inputs = vec![Some(call.input(0)?), Some(call.input(1)?), call.optional(2)?];
    let op = Op::Gemm {
        alpha: call.float("alpha", 1.0),
        beta: call.float("beta", 1.0),
        transpose_a: call.integer("transA", 0) != 0,
        transpose_b: call.integer("transB", 0) != 0,
    };
    call.finish(op, inputs)
}

/// Before version 13 everything from the axis on is one row; since then the axis alone.
fn softmax(call: &mut Call, op: fn(i64) -> Op) -> Result<(), String> {
    if call.opset >= 13 {
        let axis = call.integer("axis", -1);
        return simple(call, op(axis), 1);
    }
    let axis = call.integer("axis", 1);
    if axis == -1 {
        return simple(call, op(-1), 1);
    }
    let x = call.input(0)?;
    let shape = call.emit(Op::Shape { start: 0, end: None }, vec![Some(x)]);
    let rows = call.emit(Op::Flatten { axis }, vec![Some(x)]);
    let shares = call.emit(op(-1), vec![Some(rows)]);
    call.finish(Op::Reshape { allow_zero: true }, vec![Some(shares), Some(shape)])
}
