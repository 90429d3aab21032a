//! Operators that move, join, cut or combine along axes. Older versions of the operator set give as
//! attributes what newer ones give as inputs.

use super::arithmetic::simple;
use super::{Call, Translate};
use crate::model::graph::{Binary, Op, PadMode, Reduction, Resize, Unary, ValueId};
use crate::model::onnx::stored::Numbers;

pub(super) const TABLE: &[(&str, Translate)] = &[
    ("ArgMax", |c| {
        let op = Op::ArgMax { axis: c.integer("axis", 0), keep_dims: c.integer("keepdims", 1) != 0 };
        simple(c, op, 1)
    }),
    ("Concat", |c| {
        let axis = c.integer("axis", 1);
        let inputs = c.all_inputs()?;
        c.finish(Op::Concat { axis }, inputs)
    }),
    ("ConstantOfShape", constant_of_shape),
    ("DepthToSpace", |c| {
        let block = usize::try_from(c.integer("blocksize", 0)).map_err(|_| "its block has no size")?;
        let op = Op::DepthToSpace { block, column_row_depth: c.text("mode", "DCR") == "CRD" };
        simple(c, op, 1)
    }),
    ("Expand", |c| simple(c, Op::Expand, 2)),
    ("Flatten", |c| simple(c, Op::Flatten { axis: c.integer("axis", 1) }, 1)),
    ("Gather", |c| simple(c, Op::Gather { axis: c.integer("axis", 0) }, 2)),
    ("LpNormalization", lp_normalization),
    ("Pad", pad),
    ("Range", |c| simple(c, Op::Range, 3)),
    ("ReduceL1", |c| {
        let x = c.input(0)?;
        let x = c.emit(Op::Unary(Unary::Abs), vec![Some(x)]);
        reduce_value(c, x, Reduction::Sum)
    }),
    ("ReduceL2", |c| reduce(c, Reduction::L2)),
    ("ReduceLogSum", |c| {
        let x = c.input(0)?;
        let op = reduction(c, Reduction::Sum);
        let axes = c.optional(1)?;
        let sum = c.emit(op, vec![Some(x), axes]);
        c.finish(Op::Unary(Unary::Log), vec![Some(sum)])
    }),
    ("ReduceLogSumExp", |c| reduce(c, Reduction::LogSumExp)),
    ("ReduceMax", |c| reduce(c, Reduction::Max)),
    ("ReduceMean", |c| reduce(c, Reduction::Mean)),
    ("ReduceMin", |c| reduce(c, Reduction::Min)),
    ("ReduceProd", |c| reduce(c, Reduction::Prod)),
    ("ReduceSum", |c| reduce(c, Reduction::Sum)),
    ("ReduceSumSquare", |c| {
        let x = c.input(0)?;
        let x = c.emit(Op::Binary(Binary::Mul), vec![Some(x), Some(x)]);
        reduce_value(c, x, Reduction::Sum)
    }),
    ("Reshape", reshape),
    ("Resize", resize),
    ("Shape", |c| {
        let end = c.attribute("end").map(|a| a.i.unwrap_or(0));
        simple(c, Op::Shape { start: c.integer("start", 0), end }, 1)
    }),
    ("Size", |c| {
        let x = c.input(0)?;
        let shape = c.emit(Op::Shape { start: 0, end: None }, vec![Some(x)]);
        let op = Op::Reduce { how: Reduction::Prod, axes: None, keep_dims: false, noop_with_empty_axes: false };
        c.finish(op, vec![Some(shape)])
    }),
    ("Slice", slice),
    ("Split", split),
    ("Squeeze", |c| axes_then(c, Op::Squeeze, false)),
    ("Tile", |c| simple(c, Op::Tile, 2)),
    ("Transpose", transpose),
    ("Unsqueeze", |c| axes_then(c, Op::Unsqueeze, true)),
    ("Upsample", upsample),
];

/// Integers from an attribute, where it is there, else from input `i`.
fn attribute_or_input(call: &mut Call, name: &str, i: usize) -> Result<Option<ValueId>, String> {
    match call.integers(name) {
        Some(values) => call.list(values).map(Some),
        None => call.optional(i),
    }
}

fn axes_then(call: &mut Call, op: Op, needed: bool) -> Result<(), String> {
    let x = call.input(0)?;
    let axes = attribute_or_input(call, "axes", 1)?;
    if needed && axes.is_none() {
        return Err("its axes are missing".into());
    }
    call.finish(op, vec![Some(x), axes])
}

fn constant_of_shape(call: &mut Call) -> Result<(), String> {
    let stored = match call.attribute("value").and_then(|a| a.t.clone()) {
        Some(t) => Some(call.builder.decode("value", &t)?),
        None => None,
    };
    let value = stored.as_ref().map_or(Some(0.0), crate::model::onnx::stored::Stored::number);
    let integer = matches!(stored.map(|s| s.numbers), Some(Numbers::Integers(_)));
    let value = value.ok_or("its value is not a single number")?;
    simple(call, Op::ConstantOfShape { value, integer }, 1)
}

fn lp_normalization(call: &mut Call) -> Result<(), String> {
    if call.integer("p", 2) != 2 {
        return Err("only the Euclidean norm is supported".into());
    }
    let x = call.input(0)?;
    let axes = Some(vec![call.integer("axis", -1)]);
    let norm = Op::Reduce { how: Reduction::L2, axes, keep_dims: true, noop_with_empty_axes: false };
    let norm = call.emit(norm, vec![Some(x)]);
    call.finish(Op::Binary(Binary::Div), vec![Some(x), Some(norm)])
}

fn pad(call: &mut Call) -> Result<(), String> {
    let fill = call.float("value", 0.0);
    let mode = match call.text("mode", "constant").as_str() {
        "constant" => PadMode::Constant(fill),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        other => return Err(format!("padding by \"{other}\" is not supported")),
    };
    let x = call.input(0)?;
    let pads = match call.integers("paddings") {
        Some(values) => Some(call.list(values)?),
        None => attribute_or_input(call, "pads", 1)?,
    };
    if pads.is_none() {
        return Err("its pads are missing".into());
    }
    let (fill, axes) = (call.setting(2)?, call.optional(3)?);
    call.finish(Op::Pad(mode), vec![Some(x), pads, fill, axes])
}

fn reduce(call: &mut Call, how: Reduction) -> Result<(), String> {
    let x = call.input(0)?;
    reduce_value(call, x, how)
}

fn reduction(call: &Call, how: Reduction) -> Op {
    Op::Reduce {
        how,
        axes: call.integers("axes"),
        keep_dims: call.integer("keepdims", 1) != 0,
        noop_with_empty_axes: call.integer("noop_with_empty_axes", 0) != 0,
    }
}

fn reduce_value(call: &mut Call, x: ValueId, how: Reduction) -> Result<(), String> {
    let op = reduction(call, how);
    let axes = call.optional(1)?;
    call.finish(op, vec![Some(x), axes])
}

fn reshape(call: &mut Call) -> Result<(), String> {
    let x = call.input(0)?;
    let shape = attribute_or_input(call, "shape", 1)?;
    if shape.is_none() {
        return Err("its shape is missing".into());
    }
    call.finish(Op::Reshape { allow_zero: call.integer("allowzero", 0) != 0 }, vec![Some(x), shape])
}

fn slice(call: &mut Call) -> Result<(), String> {
    let x = Some(call.input(0)?);
    let (Some(starts), Some(ends)) = (call.integers("starts"), call.integers("ends")) else {
        let inputs = vec![x, Some(call.input(1)?), Some(call.input(2)?), call.optional(3)?, call.optional(4)?];
        return call.finish(Op::Slice, inputs);
    };
    let axes = call.integers("axes").map(|a| call.list(a)).transpose()?;
    let inputs = vec![x, Some(call.list(starts)?), Some(call.list(ends)?), axes];
    call.finish(Op::Slice, inputs)
}

fn split(call: &mut Call) -> Result<(), String> {
    let parts = call.node.output.len();
    let sizes = call.integers("split").map(|s| s.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>());
    let sizes = sizes.transpose().map_err(|_| "the sizes of its parts make no sense")?;
    let inputs = vec![Some(call.input(0)?), call.optional(1)?];
    call.finish_outputs(Op::Split { axis: call.integer("axis", 0), sizes, parts }, inputs, parts)
}

fn transpose(call: &mut Call) -> Result<(), String> {
    let order = call.integers("perm").unwrap_or_default();
    let permutation = order.iter().map(|&p| usize::try_from(p)).collect::<Result<_, _>>();
    let permutation = permutation.map_err(|_| format!("{order:?} is not an order of dimensions"))?;
    simple(call, Op::Transpose { permutation }, 1)
}

fn linear(call: &Call) -> Result<bool, String> {
    match call.text("mode", "nearest").as_str() {
        "nearest" => Ok(false),
        "linear" | "bilinear" => Ok(true),
        other => Err(format!("resizing by \"{other}\" is not supported")),
    }
}

fn upsample(call: &mut Call) -> Result<(), String> {
    let x = call.input(0)?;
    let scales = match call.attribute("scales").map(|a| a.floats.clone()) {
        Some(scales) => Some(call.builder.constant(crate::model::onnx::stored::Stored::floats(scales))?),
        None => call.setting(1)?,
    };
    let how = Resize { linear: linear(call)?, coordinates: "asymmetric".into(), rounding: "floor".into() };
    call.finish(Op::Resize(how), vec![Some(x), None, scales, None])
}

fn resize(call: &mut Call) -> Result<(), String> {
    if call.opset < 11 {
        return upsample(call);
    }
    let coordinates = call.text("coordinate_transformation_mode", "half_pixel");
    let rounding = call.text("nearest_mode", "round_prefer_floor");
    if !["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"].contains(&coordinates.as_str()) {
        return Err(format!("coordinates by \"{coordinates}\" are not supported"));
    }
    if call.integer("antialias", 0) != 0 || call.attribute("axes").is_some() {
        return Err("resizing with smoothing or along chosen axes is not supported".into());
    }
    let how = Resize { linear: linear(call)?, coordinates, rounding };
    let (x, scales, sizes) = (call.input(0)?, call.setting(2)?, call.setting(3)?);
    call.finish(Op::Resize(how), vec![Some(x), None, scales, sizes])
}
