//! Finds the logits in front of a softmax at the end of a graph.

use super::graph::{Graph, Op, ValueId};

/// Steps over what only turns logits into shares or a label at the end of `graph`: an arg-max, a softmax, also
/// where copies and changes of shape follow it. Says what was stepped over.
pub(super) fn step_over_softmax(graph: &mut Graph) -> Vec<String> {
    let mut writer = vec![None; graph.values.len()];
    let mut uses = vec![0; graph.values.len()];
    for (position, node) in graph.nodes.iter().enumerate() {
        node.outputs.iter().for_each(|o| writer[o.0] = Some(position));
        node.inputs.iter().flatten().for_each(|i| uses[i.0] += 1);
    }
    uses[graph.logits.0] += 1;
    let mut notes = Vec::new();
    let mut value: ValueId = graph.logits;
    while let Some(position) = writer[value.0] {
        let node = &mut graph.nodes[position];
        let Some(&Some(before)) = node.inputs.first() else { break };
        match &node.op {
            Op::ArgMax { .. } | Op::Cast { to_integer: true } => graph.logits = before,
            Op::Softmax { axis } | Op::LogSoftmax { axis } if uses[value.0] == 1 && (*axis == 1 || *axis < 0) => {
                let name = if matches!(node.op, Op::Softmax { .. }) { "softmax" } else { "log-softmax" };
                notes.push(format!("{name} at the end stepped over"));
                node.op = Op::Identity;
                break;
            }
            Op::Identity | Op::Cast { .. } | Op::Reshape { .. } | Op::Flatten { .. } | Op::Squeeze | Op::Unsqueeze => {}
            _ => break,
        }
        value = before;
    }
    prune(graph);
    notes
}

/// Drops nodes whose results nobody reads.
pub(super) fn prune(graph: &mut Graph) {
    let mut needed = vec![false; graph.values.len()];
    needed[graph.logits.0] = true;
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        if node.outputs.iter().any(|o| needed[o.0]) {
            node.inputs.iter().flatten().for_each(|i| needed[i.0] = true);
            kept.push(node);
        }
    }
    kept.reverse();
    graph.nodes = kept;
}

/// Names of the parameters that the nodes of `graph` read.
pub(super) fn parameters_read(graph: &Graph) -> std::collections::BTreeSet<&str> {
    graph.nodes.iter().flat_map(|n| n.inputs.iter().flatten()).filter_map(|&id| graph.parameter(id)).collect()
}
