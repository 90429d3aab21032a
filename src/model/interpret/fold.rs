//! Computes, once, whatever in a graph depends on neither picture nor parameters.

use super::value::{Live, MOST_INTEGERS, Operands};
use super::{Graph, step};
use crate::model::graph::{Source, ValueId};
use candle_core::Device;

/// The most numbers that all folded nodes together may compute: shapes and masks, never pictures by the thousand.
const MOST_FOLDED: usize = 1 << 27;

/// Replaces nodes all of whose inputs are known by their results. A node that fails is left, to be named
/// when the graph runs.
pub(in crate::model) fn fold_constants(graph: &mut Graph) {
    let nodes = std::mem::take(&mut graph.nodes);
    let mut computed = 0_usize;
    for node in nodes {
        if computed > MOST_FOLDED {
            graph.nodes.push(node);
            continue;
        }
        let known: Option<Vec<Option<Live>>> =
            node.inputs.iter().map(|id| id.map_or(Some(None), |id| known(graph, id).map(Some))).collect();
        let results = known.filter(|inputs| inputs.iter().any(Option::is_some)).and_then(|inputs| {
            let values = inputs.iter().map(Option::as_ref).collect();
            step(&node.op, &Operands { values, device: &Device::Cpu }).ok()
        });
        computed = computed.saturating_add(results.iter().flatten().map(size).sum());
        match results {
            Some(results) if results.len() >= node.outputs.len() && results.iter().all(small) => {
                for (&id, result) in node.outputs.iter().zip(results) {
                    graph.values[id.0].source = match result {
                        Live::Tensor(t) => Source::Constant(t),
                        Live::Integers(v) => Source::Integers(v.values, v.shape),
                    };
                }
            }
            _ => graph.nodes.push(node),
        }
    }
}

fn known(graph: &Graph, id: ValueId) -> Option<Live> {
    match &graph.values[id.0].source {
        Source::Integers(values, shape) => {
            Some(Live::Integers(super::Integers { values: values.clone(), shape: shape.clone() }))
        }
        Source::Constant(t) => Some(Live::Tensor(t.clone())),
        Source::Input | Source::Parameter(_) | Source::Computed => None,
    }
}

fn small(value: &Live) -> bool {
    size(value) <= MOST_INTEGERS
}

fn size(value: &Live) -> usize {
    match value {
        Live::Tensor(t) => t.elem_count(),
        Live::Integers(v) => v.values.len(),
    }
}
