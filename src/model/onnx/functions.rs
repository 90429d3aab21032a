//! Operators that a file makes out of others: each use is replaced by the steps it stands for.
//!
//! In: a decoded file. Out: the same with no use of its own functions left. Names inside a function are made unique;
//! what a file can ask for is bounded in depth and in number.

use super::messages::{AttributeProto, FunctionProto, ModelProto, NodeProto, OperatorSetIdProto};
use std::collections::HashMap;

/// Functions inside functions, at most.
const DEEPEST: usize = 32;

/// Steps that all uses together may become.
const MOST_STEPS: usize = 1_000_000;

/// What tells a function from others.
type Key<'a> = (&'a str, &'a str, &'a str);

struct Inliner<'a> {
    functions: HashMap<Key<'a>, &'a FunctionProto>,
    /// Version of ONNX's own operators in the file.
    opset: Option<i64>,
    uses: usize,
    steps: Vec<NodeProto>,
}

/// Replaces every use of the file's own functions.
///
/// # Errors
/// A clause that says what is wrong with them.
pub(super) fn inline(model: &mut ModelProto) -> Result<(), String> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let Some(graph) = model.graph.as_mut() else { return Ok(()) };
    let functions = model.functions.iter().map(|f| (key_of(&f.domain, &f.name, &f.overload), f)).collect();
    let mut inliner = Inliner { functions, opset: standard(&model.opset_import), uses: 0, steps: Vec::new() };
    for node in std::mem::take(&mut graph.node) {
        inliner.step(node, 0)?;
    }
    graph.node = inliner.steps;
    Ok(())
}

fn key_of<'a>(domain: &'a Option<String>, name: &'a Option<String>, overload: &'a Option<String>) -> Key<'a> {
    (
        domain.as_deref().unwrap_or_default(),
        name.as_deref().unwrap_or_default(),
        overload.as_deref().unwrap_or_default(),
    )
}

fn standard(imports: &[OperatorSetIdProto]) -> Option<i64> {
    let own = |o: &&OperatorSetIdProto| matches!(o.domain.as_deref(), None | Some("" | "ai.onnx"));
    imports.iter().find(own).and_then(|o| o.version)
}

impl<'a> Inliner<'a> {
    fn step(&mut self, node: NodeProto, depth: usize) -> Result<(), String> {
        let function = self.functions.get(&key_of(&node.domain, &node.op_type, &node.overload)).copied();
        let Some(function) = function else {
            if self.steps.len() >= MOST_STEPS {
                return Err("its functions stand for more steps than any model has".into());
            }
            self.steps.push(node);
            return Ok(());
        };
        let name = function.name.as_deref().unwrap_or_default();
        if depth >= DEEPEST {
            return Err(format!("its function \"{name}\" uses itself, or functions lie too deep in functions"));
        }
        if let (Some(inside), Some(outside)) = (standard(&function.opset_import), self.opset)
            && inside != outside
        {
            return Err(format!(
                "its function \"{name}\" means version {inside} of the operators, the rest version {outside}"
            ));
        }
        self.uses += 1;
        if self.uses > MOST_STEPS {
            return Err("its functions are used more often than in any model".into());
        }
        let place = format!("{}/{}", node.name.as_deref().filter(|n| !n.is_empty()).unwrap_or(name), self.uses);
        let given = |formal: &[String], actual: &[String]| -> Vec<(String, String)> {
            let actual = actual.iter().cloned().chain(std::iter::repeat(String::new()));
            formal.iter().cloned().zip(actual).collect()
        };
        // An output that the caller does not name still needs a name inside.
        let outputs = given(&function.output, &node.output).into_iter().filter(|(_, outside)| !outside.is_empty());
        let names: HashMap<String, String> = given(&function.input, &node.input).into_iter().chain(outputs).collect();
        let outside = |inside: &String| match names.get(inside) {
            Some(outside) => outside.clone(),
            None if inside.is_empty() => String::new(),
            None => format!("{place}/{inside}"),
        };
        for (i, step) in function.node.iter().enumerate() {
            let own = step.name.as_deref().filter(|n| !n.is_empty());
            let own =
                own.map_or_else(|| format!("{} {}", step.op_type.as_deref().unwrap_or("node"), i + 1), str::to_owned);
            let step = NodeProto {
                name: Some(format!("{place}/{own}")),
                input: step.input.iter().map(outside).collect(),
                output: step.output.iter().map(outside).collect(),
                attribute: attributes(step, &node, function),
                ..step.clone()
            };
            self.step(step, depth + 1)?;
        }
        Ok(())
    }
}

/// The settings of a step, those of its caller put in where it refers to them.
fn attributes(step: &NodeProto, caller: &NodeProto, function: &FunctionProto) -> Vec<AttributeProto> {
    let meant = |attribute: &AttributeProto| {
        let Some(name) = attribute.ref_attr_name.as_deref().filter(|n| !n.is_empty()) else {
            return Some(attribute.clone());
        };
        let called = |a: &&AttributeProto| a.name.as_deref() == Some(name);
        let value = caller.attribute.iter().find(called).or_else(|| function.attribute_proto.iter().find(called))?;
        Some(AttributeProto { name: attribute.name.clone(), ..value.clone() })
    };
    step.attribute.iter().filter_map(meant).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::messages::GraphProto;
    use super::*;

    fn node(domain: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        NodeProto {
            op_type: Some(op.into()),
            domain: Some(domain.into()),
            input: texts(inputs),
            output: texts(outputs),
            ..Default::default()
        }
    }

    fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
        FunctionProto {
            name: Some(name.into()),
            domain: Some("mine".into()),
            input: vec!["a".into(), "b".into()],
            output: vec!["c".into(), "d".into()],
            node: nodes,
            ..Default::default()
        }
    }

    fn file(functions: Vec<FunctionProto>) -> ModelProto {
        let nodes = vec![node("mine", "F", &["x"], &["y"]), node("mine", "F", &["y", "w"], &["z"])];
        ModelProto { functions, graph: Some(GraphProto { node: nodes, ..Default::default() }), ..Default::default() }
    }

    #[test]
    fn uses_become_steps_with_names_of_their_own_and_the_settings_of_the_caller() {
        let mut inner = node("", "LeakyRelu", &["a"], &["t"]);
        let refers = |name: &str, to: &str| AttributeProto {
            name: Some(name.into()),
            ref_attr_name: Some(to.into()),
            ..Default::default()
        };
        inner.attribute = vec![refers("alpha", "slope"), refers("beta", "absent")];
        let mut f = function("F", vec![inner, node("", "Add", &["t", "b"], &["c"]), node("", "Neg", &["t"], &["d"])]);
        f.attribute_proto = vec![AttributeProto { name: Some("slope".into()), f: Some(0.5), ..Default::default() }];
        let mut model = file(vec![f]);
        inline(&mut model).unwrap();
        let steps = &model.graph.unwrap().node;
        let shown: Vec<_> =
            steps.iter().map(|n| (n.op_type.as_deref().unwrap(), n.input.clone(), n.output.clone())).collect();
        let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(shown[0], ("LeakyRelu", texts(&["x"]), texts(&["F/1/t"])));
        assert_eq!(shown[1], ("Add", texts(&["F/1/t", ""]), texts(&["y"])));
        assert_eq!(shown[2], ("Neg", texts(&["F/1/t"]), texts(&["F/1/d"])));
        assert_eq!(shown[4], ("Add", texts(&["F/2/t", "w"]), texts(&["z"])));
        let alpha = &steps[0].attribute;
        assert_eq!((alpha.len(), alpha[0].name.as_deref(), alpha[0].f), (1, Some("alpha"), Some(0.5)));
    }

    #[test]
    fn functions_that_never_end_are_refused() {
        let endless = function("F", vec![node("mine", "F", &["a"], &["c"])]);
        assert!(inline(&mut file(vec![endless])).unwrap_err().contains("uses itself"));
        let mut functions = vec![function("F", (0..10).map(|_| node("mine", "F0", &["a"], &["c"])).collect())];
        for i in 0..8 {
            let next = if i < 7 { format!("F{}", i + 1) } else { "Neg".into() };
            let steps = (0..10).map(|_| node(if i < 7 { "mine" } else { "" }, &next, &["a"], &["c"])).collect();
            functions.push(function(&format!("F{i}"), steps));
        }
        assert!(inline(&mut file(functions)).unwrap_err().contains("any model"));
    }
}
