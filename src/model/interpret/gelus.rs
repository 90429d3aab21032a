//! Finds the five operations in which files hold the Gaussian error linear unit, so that they run as one
//! ([`crate::tensor::gelu`]).
//!
//! In: the graph and how often its values are read. Out: what is read and written, and the factor inside the error function.

use crate::model::graph::{Binary, Node, Op, Source, Unary, ValueId};
use crate::model::{Graph, Parameters};
use std::f32::consts::FRAC_1_SQRT_2;
use std::ops::Range;

/// Nodes of the pattern, in the order of the file: scaled, its error function, plus one, times `x`, halved; or the last two the other
/// way round.
const LENGTH: usize = 5;

/// The pattern where it was found.
pub(super) struct Gelu {
    /// Positions of its nodes.
    pub nodes: Range<usize>,
    /// What it reads, and what it computes.
    pub input: ValueId,
    pub output: ValueId,
    /// The factor inside the error function.
    pub scale: f32,
}

/// The pattern that begins at node `begin`, if one does. Its factors must be fixed and near those of the function.
pub(super) fn gelu_at(graph: &Graph, begin: usize, parameters: &Parameters, uses: &[usize]) -> Option<Gelu> {
    let [scaled, erf, raised, product, halved] = graph.nodes.get(begin..begin + LENGTH)? else { return None };
    let number = |id: ValueId| -> Option<f32> {
        let t = match &graph.values[id.0].source {
            Source::Constant(t) => t,
            Source::Parameter(name) => parameters.get(name).filter(|t| !t.track_op())?,
            _ => return None,
        };
        (t.elem_count() == 1).then(|| t.flatten_all().ok()?.to_vec1::<f32>().ok()?.first().copied())?
    };
    // What a node of two inputs does to a value, and with what: a number.
    let with_number = |node: &Node, how: Binary, of: Option<ValueId>| -> Option<(ValueId, f32)> {
        let (Op::Binary(function), &[Some(a), Some(b)]) = (&node.op, node.inputs.as_slice()) else { return None };
        let turns = *function != Binary::Div;
        let found = match (number(a), number(b)) {
            (None, Some(n)) => (a, n),
            (Some(n), None) if turns => (b, n),
            _ => return None,
        };
        (*function == how && of.is_none_or(|of| of == found.0)).then_some(found)
    };
    // The only output, read by the next node alone.
    let only = |node: &Node, readers: usize| -> Option<ValueId> {
        let &[output] = node.outputs.as_slice() else { return None };
        (uses[output.0] == readers).then_some(output)
    };
    let (x, scale) = match with_number(scaled, Binary::Div, None) {
        Some((x, divisor)) => (x, 1.0 / divisor),
        None => with_number(scaled, Binary::Mul, None)?,
    };
    let inside = only(scaled, 1)?;
    if !matches!(erf.op, Op::Unary(Unary::Erf)) || erf.inputs.as_slice() != [Some(inside)] {
        return None;
    }
    let (_, one) = with_number(raised, Binary::Add, Some(only(erf, 1)?))?;
    let sum = only(raised, 1)?;
    // The sum times `x`, and halved: the older exporter's order, then the newer one's.
    let times_x = |node: &Node, other: ValueId| {
        matches!(node.op, Op::Binary(Binary::Mul))
            && [[Some(x), Some(other)], [Some(other), Some(x)]].iter().any(|pair| node.inputs.as_slice() == pair)
    };
    let middle = only(product, 1)?;
    let half = if times_x(product, sum) {
        with_number(halved, Binary::Mul, Some(middle))?.1
    } else {
        with_number(product, Binary::Mul, Some(sum)).filter(|_| times_x(halved, middle))?.1
    };
    let &[output] = halved.outputs.as_slice() else { return None };
    let is_gelu = one == 1.0 && half == 0.5 && (scale - FRAC_1_SQRT_2).abs() < 1e-3;
    is_gelu.then_some(Gelu { nodes: begin..begin + LENGTH, input: x, output, scale })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    /// Patterns in one of the kept exports.
    fn patterns(file: &str) -> usize {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/breadth").join(file);
        let model = crate::model::open(&path).unwrap();
        let (_, uses) = model.graph.uses();
        let is_one = |begin: &usize| gelu_at(&model.graph, *begin, &model.parameters, &uses).is_some();
        (0..model.graph.nodes.len()).filter(is_one).count()
    }

    #[test]
    fn exports_of_transformers_have_one_in_each_layer() {
        let files = ["vit_b_16-torchscript-17", "vit_b_16-dynamo-18", "swin_t-dynamo-18", "resnet18-dynamo-18"];
        assert_eq!(files.map(|file| patterns(&format!("{file}.onnx"))), [2, 2, 4, 0]);
    }
}
