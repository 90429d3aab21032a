//! Translates an ONNX file into a graph, its parameters and what goes in.

use super::builder::{Builder, Known};
use super::functions;
use super::messages::{
    DimensionValue, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, attribute_type, data_type,
};
use super::operators::{Call, Translate, translation};
use super::order::{Disorder, order};
use super::stored::{self, Stored};
use super::wire::{Look, look};
use crate::model::graph::{Graph, ValueId};
use crate::model::interpret::fold_constants;
use crate::model::logits::{parameters_read, prune, step_over_softmax};
use crate::model::probe::{Probed, SamePadding, probe};
use crate::model::{Format, Model, ModelError};
use bytes::Bytes;
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Reads a whole ONNX model from the bytes of its file.
///
/// `path` is where external data is looked for, and is passed on with `sha256` (of the bytes, lower-case
/// hexadecimal) into the [`Model`] and the errors.
///
/// # Errors
/// [`ModelError`], a sentence that says what is wrong with the file.
pub fn read(path: &Path, bytes: Bytes, sha256: String) -> Result<Model, ModelError> {
    let damaged = |why: String| ModelError::Damaged { path: path.to_owned(), why };
    match look(&bytes) {
        Look::Whole => {}
        Look::CutOff { missing } => {
            return Err(damaged(format!("it is cut off, at least {missing} bytes are missing")));
        }
        Look::Broken => return Err(damaged("what follows its first bytes is not ONNX".into())),
        Look::TooManyFields => return Err(damaged("it has more parts than any model".into())),
        Look::NotOnnx => {
            return Err(ModelError::NotAModel { path: path.to_owned(), why: "it does not hold an ONNX graph".into() });
        }
    }
    let mut model =
        ModelProto::decode(bytes).map_err(|e| damaged(format!("its bytes do not make sense as ONNX ({e})")))?;
    functions::inline(&mut model).map_err(damaged)?;
    let file = model.graph.as_ref().ok_or_else(|| damaged("it holds no graph".into()))?;
    let read = translate(path, &model, file)?;
    let mut notes = read.notes;
    let mut graph = read.graph;
    fold_constants(&mut graph);
    notes.extend(step_over_softmax(&mut graph));
    let Probed { mut graph, input, classes, notes: found } =
        probe(graph, &read.parameters, read.declared.as_deref(), &read.same)?;
    notes.extend(found);
    prune(&mut graph);
    let mut parameters = read.parameters;
    let used = parameters_read(&graph);
    parameters.retain(|name, _| used.contains(name.as_str()));
    Ok(Model {
        path: path.to_owned(),
        format: Format::Onnx,
        sha256,
        graph: Arc::new(graph),
        parameters,
        input,
        classes,
        notes,
    })
}

/// A file's graph in our own operations, not yet asked anything.
struct Translated {
    graph: Graph,
    parameters: crate::model::Parameters,
    declared: Option<Vec<Option<i64>>>,
    same: Vec<SamePadding>,
    notes: Vec<String>,
}

fn translate(path: &Path, model: &ModelProto, file: &GraphProto) -> Result<Translated, ModelError> {
    let damaged = |why: String| ModelError::Damaged { path: path.to_owned(), why };
    let folder = path.parent().unwrap_or(Path::new(""));
    let output = file.output.first().and_then(|o| o.name.clone()).unwrap_or_default();
    if file.node.is_empty() || output.is_empty() {
        return Err(damaged("its graph has no nodes or no output".into()));
    }
    let mut notes = Vec::new();
    if file.output.len() > 1 {
        notes.push(format!("{} outputs; the first, \"{output}\", is taken", file.output.len()));
    }

    let initializers: HashMap<&str, &TensorProto> =
        file.initializer.iter().filter_map(|t| Some((t.name.as_deref()?, t))).collect();
    let sparse: HashSet<&str> =
        file.sparse_initializer.iter().filter_map(|s| s.values.as_ref().and_then(|v| v.name.as_deref())).collect();
    // Old exporters list the initializers among the inputs, too.
    let inputs: HashMap<&str, &ValueInfoProto> = file
        .input
        .iter()
        .filter_map(|i| Some((i.name.as_deref()?, i)))
        .filter(|(name, _)| !initializers.contains_key(name))
        .collect();
    let given: HashSet<&str> = initializers.keys().chain(&sparse).chain(inputs.keys()).copied().collect();
    let (order, read) = order(file, &output, &given).map_err(|disorder| damaged(describe(&disorder, file)))?;
    let mut read_inputs: Vec<&String> = read.iter().filter(|n| inputs.contains_key(n.as_str())).collect();
    read_inputs.sort();
    let input = match read_inputs.as_slice() {
        [one] => one.as_str(),
        [] => return Err(ModelError::NotAClassifier("its answer does not depend on its input".into())),
        several => {
            let names: Vec<String> = several.iter().map(|n| format!("\"{n}\"")).collect();
            return Err(ModelError::NotAClassifier(format!(
                "it takes {} inputs ({}); a classifier takes one picture",
                names.len(),
                names.join(", ")
            )));
        }
    };
    let declared = inputs.get(input).map(|i| declared_shape(i)).transpose()?.flatten();

    let opset = model.opset_import.iter().find(|o| is_standard(o.domain.as_deref())).and_then(|o| o.version);
    let opset = opset.ok_or_else(|| damaged("it does not name the version of its operators".into()))?;
    let names: HashMap<usize, String> = order.iter().map(|&i| (i, node_name(file, i))).collect();
    let steps = translations(file, &order, &names)?;
    if let Some(name) = sparse.iter().find(|n| read.contains(**n)) {
        return Err(ModelError::Unsupported(vec![format!("sparse numbers (\"{name}\")")]));
    }

    let mut known: HashMap<String, Known> =
        initializers.iter().map(|(&name, &t)| (name.to_owned(), Known::Initializer(t))).collect();
    let failed = |i: usize, why: String| ModelError::Node {
        node: names[&i].clone(),
        op: file.node[i].op_type.clone().unwrap_or_default(),
        why,
    };
    for &(i, step) in &steps {
        if step.is_none() {
            let (constant, kind) = constant(&file.node[i], folder).map_err(|why| failed(i, why))?;
            known.insert(file.node[i].output.first().cloned().unwrap_or_default(), Known::Constant(constant, kind));
        }
    }
    let mut builder = Builder::new(known, folder, input);
    for (i, step) in steps {
        let Some(translate) = step else { continue };
        let mut call = Call { node: &file.node[i], name: &names[&i], opset, builder: &mut builder };
        translate(&mut call).map_err(|why| failed(i, why))?;
    }
    if let Some(bad) = builder.bad_numbers.take() {
        return Err(bad);
    }
    let logits = builder.value(&output).map_err(damaged)?;
    let same = std::mem::take(&mut builder.same);
    let (values, nodes, parameters) = builder.into_parts();
    let same = same.iter().map(|s| SamePadding { output: nodes[s.node].outputs[0], kernel: s.kernel, upper: s.upper });
    let same = same.collect();
    Ok(Translated { graph: Graph { values, nodes, input: ValueId(0), logits }, parameters, declared, same, notes })
}

fn is_standard(domain: Option<&str>) -> bool {
    matches!(domain, None | Some("" | "ai.onnx"))
}

fn node_name(file: &GraphProto, position: usize) -> String {
    let node = &file.node[position];
    let name = node.name.as_deref().filter(|n| !n.is_empty());
    name.map_or_else(|| format!("{} {}", node.op_type.as_deref().unwrap_or("node"), position + 1), str::to_owned)
}

/// A disorder in words.
fn describe(disorder: &Disorder, file: &GraphProto) -> String {
    match disorder {
        Disorder::Missing(usize::MAX, value) => format!("nothing gives its output \"{value}\""),
        Disorder::Missing(node, value) => {
            format!("node \"{}\" reads \"{value}\", which nothing gives", node_name(file, *node))
        }
        Disorder::Circle(node) => {
            format!("its nodes wait for each other in a circle (one is \"{}\")", node_name(file, *node))
        }
        Disorder::Twice(value) => format!("two of its nodes give the same value \"{value}\""),
    }
}

/// The shape an input declares; `None` where it declares none.
fn declared_shape(input: &ValueInfoProto) -> Result<Option<Vec<Option<i64>>>, ModelError> {
    let name = input.name.as_deref().unwrap_or_default();
    let Some(tensor) = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Err(ModelError::NotAClassifier(format!("its input \"{name}\" is not an array of numbers")));
    };
    let kind = tensor.elem_type.unwrap_or(0);
    let picture = [data_type::FLOAT, data_type::DOUBLE, data_type::FLOAT16, data_type::BFLOAT16, data_type::UINT8]
        .contains(&kind);
    if !picture {
        return Err(ModelError::NotAClassifier(format!(
            "its input \"{name}\" holds {}, not a picture",
            stored::name(kind)
        )));
    }
    Ok(tensor.shape.as_ref().map(|shape| {
        let dimension = |d: &super::messages::DimensionProto| match d.value {
            // Exporters write 0 and -1 for "any", too.
            Some(DimensionValue::Size(size)) if size != 0 && size != -1 => Some(size),
            _ => None,
        };
        shape.dim.iter().map(dimension).collect()
    }))
}

/// Each node's translation; `None` for constants. Operators without one are all named at once.
fn translations(
    file: &GraphProto,
    order: &[usize],
    names: &HashMap<usize, String>,
) -> Result<Vec<(usize, Option<Translate>)>, ModelError> {
    let mut steps = Vec::with_capacity(order.len());
    let mut unsupported: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for &i in order {
        let node = &file.node[i];
        let operator = node.op_type.as_deref().unwrap_or_default();
        let standard = is_standard(node.domain.as_deref());
        if standard && operator == "Constant" {
            steps.push((i, None));
        } else if let Some(translate) = translation(operator).filter(|_| standard) {
            steps.push((i, Some(translate)));
        } else {
            let domain = node.domain.as_deref().filter(|_| !standard).map_or(String::new(), |d| format!("{d}."));
            unsupported.entry(format!("{domain}{operator}")).or_default().push(&names[&i]);
        }
    }
    if unsupported.is_empty() {
        return Ok(steps);
    }
    let sentence = |(operator, nodes): (String, Vec<&str>)| match nodes.as_slice() {
        [one] => format!("{operator} (node \"{one}\")"),
        [first, rest @ ..] => format!("{operator} (node \"{first}\" and {} more)", rest.len()),
        [] => operator,
    };
    Err(ModelError::Unsupported(unsupported.into_iter().map(sentence).collect()))
}

/// The numbers a `Constant` node holds, and of which kind they are.
fn constant(node: &NodeProto, folder: &Path) -> Result<(Stored, i32), String> {
    let Some(attribute) = node.attribute.first() else { return Err("it holds nothing".into()) };
    let kind = attribute.r#type;
    let (float, int) = (data_type::FLOAT, data_type::INT64);
    match attribute.name.as_deref().unwrap_or_default() {
        "value" => match &attribute.t {
            Some(tensor) => {
                let stored = stored::decode(tensor, folder).map_err(|why| format!("its value {why}"))?;
                Ok((stored, tensor.data_type.unwrap_or(0)))
            }
            None => Err("it holds nothing".into()),
        },
        "value_float" => Ok((Stored::floats(vec![attribute.f.unwrap_or(0.0)]).scalar(), float)),
        "value_floats" => Ok((Stored::floats(attribute.floats.clone()), float)),
        "value_int" => Ok((Stored::integers(vec![attribute.i.unwrap_or(0)]).scalar(), int)),
        "value_ints" => Ok((Stored::integers(attribute.ints.clone()), int)),
        other if kind == Some(attribute_type::STRING) => Err(format!("it holds a text (\"{other}\")")),
        other => Err(format!("it holds \"{other}\", which is not supported")),
    }
}
