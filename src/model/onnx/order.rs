//! Which nodes of a file the answer depends on, in an order in which they can run.

use super::messages::GraphProto;
use std::collections::{HashMap, HashSet};

/// Why there is no such order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disorder {
    /// A value that nothing gives: `(node position, value)`.
    Missing(usize, String),
    /// Nodes that wait for each other; one of them.
    Circle(usize),
    /// A value that two nodes give.
    Twice(String),
}

/// Positions of the nodes that `output` depends on, and the names of the graph's inputs they read.
/// `given` are values that need no node: inputs, initializers.
pub(super) fn order(
    graph: &GraphProto,
    output: &str,
    given: &HashSet<&str>,
) -> Result<(Vec<usize>, HashSet<String>), Disorder> {
    let mut writer: HashMap<&str, usize> = HashMap::new();
    for (position, node) in graph.node.iter().enumerate() {
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if writer.insert(name, position).is_some() || given.contains(name.as_str()) {
                return Err(Disorder::Twice(name.clone()));
            }
        }
    }
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; graph.node.len()];
    let (mut order, mut read) = (Vec::new(), HashSet::new());
    // Depth first with a stack of our own: a file may chain more nodes than the thread's stack holds.
    let mut stack: Vec<(usize, usize)> = Vec::new();
    if let Some(&last) = writer.get(output) {
        stack.push((last, 0));
        marks[last] = Mark::Open;
    } else if given.contains(output) {
        read.insert(output.to_owned());
    } else {
        return Err(Disorder::Missing(usize::MAX, output.to_owned()));
    }
    while let Some((position, next)) = stack.pop() {
        let Some(name) = graph.node[position].input.get(next) else {
            marks[position] = Mark::Done;
            order.push(position);
            continue;
        };
        stack.push((position, next + 1));
        if name.is_empty() {
            continue;
        }
        match writer.get(name.as_str()) {
            Some(&from) if marks[from] == Mark::New => {
                marks[from] = Mark::Open;
                stack.push((from, 0));
            }
            Some(&from) if marks[from] == Mark::Open => return Err(Disorder::Circle(from)),
            Some(_) => {}
            None if given.contains(name.as_str()) => {
                read.insert(name.clone());
            }
            None => return Err(Disorder::Missing(position, name.clone())),
        }
    }
    Ok((order, read))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::messages::NodeProto;
    use super::*;

    fn graph(nodes: &[(&[&str], &str)]) -> GraphProto {
        let node = |(inputs, output): &(&[&str], &str)| NodeProto {
            input: inputs.iter().map(|s| (*s).to_owned()).collect(),
            output: vec![(*output).to_owned()],
            ..Default::default()
        };
        GraphProto { node: nodes.iter().map(node).collect(), ..Default::default() }
    }

    #[test]
    fn nodes_run_after_what_they_read_and_unused_ones_not_at_all() {
        let g = graph(&[(&["b", "x"], "y"), (&["x"], "unused"), (&["x"], "a"), (&["a"], "b")]);
        let (order, read) = order(&g, "y", &HashSet::from(["x", "other"])).unwrap();
        assert_eq!(order, [2, 3, 0]);
        assert_eq!(read, HashSet::from(["x".to_owned()]));
    }

    #[test]
    fn circles_gaps_and_doubles_are_named() {
        let given = HashSet::from(["x"]);
        assert_eq!(order(&graph(&[(&["b"], "a"), (&["a", "x"], "b")]), "b", &given), Err(Disorder::Circle(1)));
        assert_eq!(order(&graph(&[(&["q"], "a")]), "a", &given), Err(Disorder::Missing(0, "q".into())));
        assert_eq!(order(&graph(&[(&["x"], "a"), (&["x"], "a")]), "a", &given), Err(Disorder::Twice("a".into())));
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let names: Vec<String> = (0..=200_000).map(|i| format!("v{i}")).collect();
        let node = |i: usize| NodeProto {
            input: vec![names[i].clone()],
            output: vec![names[i + 1].clone()],
            ..Default::default()
        };
        let g = GraphProto { node: (0..200_000).map(node).collect(), ..Default::default() };
        assert_eq!(order(&g, "v200000", &HashSet::from(["v0"])).unwrap().0.len(), 200_000);
    }
}
