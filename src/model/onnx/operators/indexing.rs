//! Operators that pick numbers by place, and sums along named axes.

use super::arithmetic::simple;
use super::{Call, Translate};
use crate::model::graph::Op;

pub(super) const TABLE: &[(&str, Translate)] = &[
    ("CumSum", |c| {
        let op = Op::CumSum { exclusive: c.integer("exclusive", 0) != 0, reverse: c.integer("reverse", 0) != 0 };
        simple(c, op, 2)
    }),
    ("Einsum", |c| {
        let equation = c.text("equation", "");
        let inputs = c.all_inputs()?;
        c.finish(Op::Einsum { equation }, inputs)
    }),
    ("GatherElements", |c| simple(c, Op::GatherElements { axis: c.integer("axis", 0) }, 2)),
    ("GatherND", |c| {
        let batch_dims = usize::try_from(c.integer("batch_dims", 0)).map_err(|_| "its batch axes make no sense")?;
        simple(c, Op::GatherNd { batch_dims }, 2)
    }),
    ("Scatter", scatter_elements),
    ("ScatterElements", scatter_elements),
    ("ScatterND", |c| {
        replaces(c)?;
        simple(c, Op::ScatterNd, 3)
    }),
    ("SpaceToDepth", |c| {
        let block = usize::try_from(c.integer("blocksize", 0)).map_err(|_| "its block has no size")?;
        simple(c, Op::SpaceToDepth { block }, 1)
    }),
    ("Trilu", |c| {
        let inputs = vec![Some(c.input(0)?), c.optional(1)?];
        c.finish(Op::Trilu { upper: c.integer("upper", 1) != 0 }, inputs)
    }),
];

fn scatter_elements(call: &mut Call) -> Result<(), String> {
    replaces(call)?;
    simple(call, Op::ScatterElements { axis: call.integer("axis", 0) }, 3)
}

/// Newer versions can add numbers up instead of replacing them.
fn replaces(call: &Call) -> Result<(), String> {
    match call.text("reduction", "none").as_str() {
        "none" => Ok(()),
        other => Err(format!("combining numbers by \"{other}\" is not supported")),
    }
}
