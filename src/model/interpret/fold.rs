//! Computes, once, whatever in a graph depends on neither picture nor parameters.

use super::value::{Live, MOST_INTEGERS, Operands};
use super::{Graph, step};
use crate::model::graph::{Source, ValueId};
use candle_core::Device;

/// Replaces nodes all of whose inputs are known by their results. A node that fails is left, to be named
/// when the graph runs.
pub(in crate::model) fn fold_constants(graph: &mut Graph) {
    let nodes = std::mem::take(&mut graph.nodes);
    for node in nodes {
        let known: Option<Vec<Option<Live>>> =
            node.inputs.iter().map(|id| id.map_or(Some(None), |id| known(graph, id).map(Some))).collect();
        let results = known.filter(|inputs| inputs.iter().any(Option::is_some)).and_then(|inputs| {
            let values = inputs.iter().map(Option::as_ref).collect();
            step(&node.op, &Operands { values, device: &Device::Cpu }).ok()
        });
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
    match value {
        Live::Tensor(t) => t.elem_count() <= MOST_INTEGERS,
        Live::Integers(_) => true,
    }
}
