//! The layers of a Keras model as its `model_config` names them: who feeds whom.
//!
//! In: JSON of Keras 2 or 3, Sequential or Functional. Out: a [`Network`]. Knows nothing of what layers do, and
//! executes nothing.

mod arithmetic;

use super::Fault;
use serde_json::{Map, Value};

/// Models inside models, at most.
const MAX_DEPTH: usize = 16;

/// Layers that feed each other.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// In the order of the file, which need not be an order in which they can run.
    pub layers: Vec<Layer>,
    /// Where values come in.
    pub inputs: Vec<Origin>,
    /// Where values come out.
    pub outputs: Vec<Origin>,
}

/// One layer and every use that is made of it.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// What it does: `Conv2D`, `InputLayer`, …
    pub class: String,
    /// Unique in its network.
    pub name: String,
    /// Its `config`.
    pub settings: Map<String, Value>,
    /// What it reads, each time it is used; a layer used twice shares its weights.
    pub calls: Vec<Vec<Origin>>,
    /// Its own layers, where it is a whole model.
    pub nested: Option<Network>,
}

/// An output of one use of a layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    /// Name of the layer.
    pub layer: String,
    /// Which use of it.
    pub call: usize,
}

/// The class of the layers pictures come in through.
pub(super) const INPUT_LAYER: &str = "InputLayer";

/// Reads the text of `model_config`.
pub(super) fn parse(text: &str) -> Result<Network, Fault> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Fault::Damaged(format!("its description of the layers is no valid JSON ({error})")))?;
    match network(&value, 0)? {
        Some(network) => Ok(network),
        None => Err(Fault::Unsupported(vec![format!("models of class {}", class_of(&value)?)])),
    }
}

fn class_of(value: &Value) -> Result<&str, Fault> {
    let class = value.get("class_name").and_then(Value::as_str);
    class.ok_or_else(|| Fault::Damaged("a layer in its description has no \"class_name\"".into()))
}

/// The class of a layer; one that only shares its name with a layer of Keras says where it is from.
fn full_class_of(value: &Value) -> Result<String, Fault> {
    let class = class_of(value)?;
    let part = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let (module, registered) = (part("module"), part("registered_name"));
    Ok(if module.split('.').any(|name| name == "ops") {
        format!("{class} of keras.ops")
    } else if registered.contains('>') {
        registered.to_owned()
    } else {
        class.to_owned()
    })
}

/// The network a description stands for, or `None` where it stands for a plain layer.
fn network(value: &Value, depth: usize) -> Result<Option<Network>, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Damaged(format!("models lie inside models more than {MAX_DEPTH} deep")));
    }
    let config = value.get("config").unwrap_or(&Value::Null);
    Ok(Some(match class_of(value)? {
        "Sequential" => sequential(config, depth)?,
        "Functional" | "Model" if config.get("layers").is_some() => functional(config, depth)?,
        _ => return Ok(None),
    }))
}

/// A layer without its calls.
fn layer(value: &Value, depth: usize) -> Result<Layer, Fault> {
    let class = full_class_of(value)?;
    let settings = match value.get("config") {
        Some(Value::Object(settings)) => settings.clone(),
        // The `config` of a Sequential model was a bare list before Keras 2.2.3.
        Some(Value::Array(_)) => Map::new(),
        _ => return Err(Fault::Damaged(format!("a layer of class {class} has no \"config\""))),
    };
    let name = value.get("name").or_else(|| settings.get("name")).and_then(Value::as_str);
    let name = name.ok_or_else(|| Fault::Damaged(format!("a layer of class {class} has no \"name\"")))?.to_owned();
    Ok(Layer { class, name, settings, calls: Vec::new(), nested: network(value, depth + 1)? })
}

/// A chain: each layer reads the one before.
fn sequential(config: &Value, depth: usize) -> Result<Network, Fault> {
    let list = config.as_array().or_else(|| config.get("layers").and_then(Value::as_array));
    let list = list.ok_or_else(|| missing("layers"))?;
    let mut layers = list.iter().map(|value| layer(value, depth)).collect::<Result<Vec<_>, _>>()?;
    let first = layers.first().ok_or_else(|| Fault::Damaged("its list of layers is empty".into()))?;
    if first.class != INPUT_LAYER {
        let shape = input_shape(first).or_else(|| config.get("build_input_shape")).cloned();
        let settings = shape.map(|shape| ("batch_shape".to_owned(), shape)).into_iter().collect();
        let name = fresh_name(&layers);
        layers.insert(0, Layer { class: INPUT_LAYER.into(), name, settings, calls: Vec::new(), nested: None });
    }
    let mut before: Option<Origin> = None;
    for layer in &mut layers {
        let origin = Origin { layer: layer.name.clone(), call: 0 };
        layer.calls.push(before.replace(origin).into_iter().collect());
    }
    let inputs = layers.first().map(|layer| Origin { layer: layer.name.clone(), call: 0 });
    checked(Network { layers, inputs: inputs.into_iter().collect(), outputs: before.into_iter().collect() })
}

/// The shape of what a layer reads, batch first, where it says so itself.
pub(super) fn input_shape(layer: &Layer) -> Option<&Value> {
    let own = layer.settings.get("batch_shape").or_else(|| layer.settings.get("batch_input_shape"));
    own.or_else(|| {
        let nested = layer.nested.as_ref()?;
        let inputs = nested.inputs.first()?;
        input_shape(nested.layers.iter().find(|inner| inner.name == inputs.layer)?)
    })
}

fn fresh_name(layers: &[Layer]) -> String {
    let mut name = "input".to_owned();
    while layers.iter().any(|layer| layer.name == name) {
        name.push('_');
    }
    name
}

/// A graph: each layer names what it reads.
fn functional(config: &Value, depth: usize) -> Result<Network, Fault> {
    let list = config.get("layers").and_then(Value::as_array).ok_or_else(|| missing("layers"))?;
    let mut layers = Vec::with_capacity(list.len());
    for value in list {
        let mut layer = layer(value, depth)?;
        let calls = value.get("inbound_nodes").and_then(Value::as_array).ok_or_else(|| missing("inbound_nodes"))?;
        layer.calls = calls.iter().map(|call| origins(call, &layer.name)).collect::<Result<_, _>>()?;
        if layer.calls.is_empty() {
            layer.calls.push(Vec::new());
        }
        arithmetic::spell_out(&mut layer, calls);
        layers.push(layer);
    }
    let ends =
        |name: &str| -> Result<Vec<Origin>, Fault> { origins(config.get(name).ok_or_else(|| missing(name))?, name) };
    checked(Network { layers, inputs: ends("input_layers")?, outputs: ends("output_layers")? })
}

/// Every reference in a call, in order. Keras 2 writes `["name", call, output, {…}]`, Keras 3
/// `{"class_name": "__keras_tensor__", "config": {"keras_history": ["name", call, output]}}`, both in nested lists.
fn origins(value: &Value, reader: &str) -> Result<Vec<Origin>, Fault> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(list) => match list.as_slice() {
                [Value::String(layer), Value::Number(call), Value::Number(output), ..] => {
                    let call = call.as_u64().and_then(|call| usize::try_from(call).ok());
                    let (Some(call), Some(0)) = (call, output.as_u64()) else {
                        return Err(Fault::Damaged(format!(
                            "\"{reader}\" reads an output of \"{layer}\" that does not exist"
                        )));
                    };
                    found.push(Origin { layer: layer.clone(), call });
                    // The second argument of a function of TensorFlow.
                    open.extend(list.get(3).and_then(|more| more.get("y")).filter(|y| y.is_array()));
                }
                list => open.extend(list.iter().rev()),
            },
            Value::Object(map) => {
                let history = map.get("config").and_then(|config| config.get("keras_history"));
                open.extend(history.or_else(|| map.get("args")));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn missing(field: &str) -> Fault {
    Fault::Damaged(format!("its description of the layers has no \"{field}\""))
}

/// Names are unique, and every reference leads somewhere.
fn checked(network: Network) -> Result<Network, Fault> {
    let mut calls = std::collections::BTreeMap::new();
    for layer in &network.layers {
        if calls.insert(layer.name.as_str(), layer.calls.len()).is_some() {
            return Err(Fault::Damaged(format!("two layers are called \"{}\"", layer.name)));
        }
    }
    let reads = network.layers.iter().flat_map(|layer| layer.calls.iter().flatten());
    for origin in reads.chain(&network.inputs).chain(&network.outputs) {
        if calls.get(origin.layer.as_str()).is_none_or(|&count| origin.call >= count) {
            return Err(Fault::Damaged(format!(
                "something reads from a layer \"{}\" that does not exist",
                origin.layer
            )));
        }
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn dense(name: &str, inbound: Value) -> Value {
        json!({"class_name": "Dense", "name": name, "config": {"name": name}, "inbound_nodes": inbound})
    }

    fn functional(layers: &[Value]) -> Value {
        json!({"class_name": "Functional", "config": {"layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["out", 0, 0]]}})
    }

    fn input() -> Value {
        json!({"class_name": "InputLayer", "name": "in", "config": {"batch_input_shape": [null, 2]}, "inbound_nodes": []})
    }

    fn origin(layer: &str) -> Origin {
        Origin { layer: layer.into(), call: 0 }
    }

    fn says(value: &Value) -> String {
        format!("{:?}", parse(&value.to_string()).unwrap_err())
    }

    #[test]
    fn a_chain_gets_an_input_layer_and_links() {
        for config in [
            json!({"layers": [{"class_name": "Dense", "config": {"name": "a", "batch_input_shape": [null, 3]}},
                              {"class_name": "Dense", "config": {"name": "b"}}]}),
            json!([{"class_name": "Dense", "config": {"name": "a", "batch_input_shape": [null, 3]}},
                   {"class_name": "Dense", "config": {"name": "b"}}]),
        ] {
            let network = parse(&json!({"class_name": "Sequential", "config": config}).to_string()).unwrap();
            let names: Vec<_> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
            assert_eq!(names, ["input", "a", "b"]);
            assert_eq!(input_shape(&network.layers[0]), Some(&json!([null, 3])));
            assert_eq!(network.layers[2].calls, [[origin("a")]]);
            assert_eq!(network.outputs, [origin("b")]);
        }
    }

    #[test]
    fn both_ways_to_write_a_link_are_read() {
        let keras3 = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"shape": [null, 2], "keras_history": [name, 0, 0]}});
        for calls in [
            json!([[["in", 0, 0, {}], ["a", 0, 0, {}]]]),
            json!([{"args": [[keras3("in"), keras3("a")]], "kwargs": {}}]),
        ] {
            let value = functional(&[input(), dense("a", json!([[["in", 0, 0, {}]]])), dense("out", calls)]);
            let network = parse(&value.to_string()).unwrap();
            assert_eq!(network.layers[2].calls, [[origin("in"), origin("a")]]);
        }
        let mut flat = functional(&[input(), dense("out", json!([[["in", 0, 0, {}]]]))]);
        flat["config"]["input_layers"] = json!(["in", 0, 0]);
        assert_eq!(parse(&flat.to_string()).unwrap().inputs, [origin("in")]);
    }

    #[test]
    fn what_is_missing_or_double_is_named() {
        assert!(says(&json!({"config": {}})).contains("class_name"));
        assert!(says(&json!({"class_name": "Sequential", "config": {"layers": []}})).contains("empty"));
        assert!(
            says(&json!({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}}))
                .contains("name")
        );
        assert!(says(&functional(&[input(), dense("out", json!([[["nowhere", 0, 0, {}]]]))])).contains("nowhere"));
        assert!(
            says(&functional(&[input(), input(), dense("out", json!([[["in", 0, 0, {}]]]))])).contains("two layers")
        );
        assert!(says(&functional(&[input(), dense("out", json!([[["in", 7, 0, {}]]]))])).contains("\\\"in\\\""));
        assert!(says(&json!({"class_name": "MyModel", "config": {}})).contains("MyModel"));
        assert!(format!("{:?}", parse("{").unwrap_err()).contains("JSON"));
    }

    #[test]
    fn a_namesake_of_a_layer_is_not_taken_for_it() {
        for (field, text, expected) in [
            ("module", "keras.src.ops.numpy", "Dense of keras.ops"),
            ("registered_name", "mine>Dense", "mine>Dense"),
            ("module", "keras.layers", "Dense"),
        ] {
            let mut value = dense("out", json!([[["in", 0, 0, {}]]]));
            value[field] = json!(text);
            let network = parse(&functional(&[input(), value]).to_string()).unwrap();
            assert_eq!(network.layers[1].class, expected);
        }
    }

    #[test]
    fn models_inside_models_end_somewhere() {
        let mut value = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "Dense", "config": {"name": "d"}}]}});
        for _ in 0..20 {
            value = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [value]}});
        }
        assert!(says(&value).contains("deep"));
    }
}
