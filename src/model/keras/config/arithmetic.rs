//! Arithmetic written with operators (`x + 3`, `a * b`) between layers, as the layers that compute the same.
//!
//! Keras 3 writes such a step under the name of a layer with a bare number among its arguments, Keras 2 as a
//! `TFOpLambda` that names a function of TensorFlow. Only the four operations are recognised; no code is executed.

use super::Layer;
use serde_json::{Map, Value, json};

/// Makes a step of arithmetic a `Rescaling`, an `Add`, a `Subtract` or a `Multiply`. A step that stays unknown gets a
/// class that says what it is, so that it is refused by that name.
pub(super) fn spell_out(layer: &mut Layer, calls: &[Value]) {
    let Some((operation, arguments)) = step(layer, calls) else { return };
    let numbers: Vec<Option<f64>> = arguments.iter().map(|argument| argument.as_f64()).collect();
    let scale_offset = match (operation.as_str(), numbers.as_slice()) {
        ("Add", [None, Some(n)] | [Some(n), None]) => Some((1.0, *n)),
        ("Multiply", [None, Some(n)] | [Some(n), None]) => Some((*n, 0.0)),
        ("Subtract", [None, Some(n)]) => Some((1.0, -n)),
        ("Subtract", [Some(n), None]) => Some((-1.0, *n)),
        ("Divide", [None, Some(n)]) if *n != 0.0 => Some((1.0 / n, 0.0)),
        _ => None,
    };
    if let Some((scale, offset)) = scale_offset {
        let settings = [("scale".to_owned(), json!(scale)), ("offset".to_owned(), json!(offset))];
        (layer.class, layer.settings) = ("Rescaling".into(), Map::from_iter(settings));
    } else if layer.class == "TFOpLambda"
        && numbers == [None, None]
        && ["Add", "Subtract", "Multiply"].contains(&operation.as_str())
    {
        layer.class = operation;
    } else if layer.class != "TFOpLambda" {
        layer.class = format!("{operation} of a number");
    } else if let Some(function) = layer.settings.get("function").and_then(Value::as_str) {
        layer.class = format!("TFOpLambda ({function})");
    }
}

/// The operation and its arguments, where a step is arithmetic that needs another class than it has.
fn step<'a>(layer: &Layer, calls: &'a [Value]) -> Option<(String, Vec<&'a Value>)> {
    let [call] = calls else { return None };
    if layer.class == "TFOpLambda" {
        let function = layer.settings.get("function").and_then(Value::as_str).unwrap_or_default();
        let operation = match function {
            "math.add" | "__operators__.add" => "Add",
            "math.subtract" | "__operators__.sub" => "Subtract",
            "math.multiply" | "__operators__.mul" => "Multiply",
            "math.truediv" | "math.divide" | "__operators__.truediv" => "Divide",
            other => other,
        };
        // `["x", 0, 0, {"y": 3.0}]`, sometimes in a list of one.
        let call = call.as_array()?;
        let call = call.first().and_then(Value::as_array).unwrap_or(call);
        let second = call.get(3).and_then(|arguments| arguments.get("y"));
        return Some((operation.into(), call.first().into_iter().chain(second).collect()));
    }
    let arguments: Vec<&Value> = call.get("args")?.as_array()?.iter().collect();
    let operation = if layer.class == "TrueDivide" { "Divide" } else { &layer.class };
    arguments.iter().any(|argument| argument.is_number()).then(|| (operation.to_owned(), arguments))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spelled(class: &str, settings: &Value, call: Value) -> Layer {
        let settings = settings.as_object().cloned().unwrap();
        let mut layer = Layer { class: class.into(), name: "a".into(), settings, calls: vec![], nested: None };
        spell_out(&mut layer, &[call]);
        layer
    }

    fn scale_offset(layer: &Layer) -> (f64, f64) {
        assert_eq!(layer.class, "Rescaling");
        (layer.settings["scale"].as_f64().unwrap(), layer.settings["offset"].as_f64().unwrap())
    }

    #[test]
    fn arithmetic_with_a_number_is_a_rescaling() {
        let x = json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}});
        for (class, arguments, expected) in [
            ("Add", json!([x, 3.0]), (1.0, 3.0)),
            ("Multiply", json!([0.5, x]), (0.5, 0.0)),
            ("Subtract", json!([x, 2]), (1.0, -2.0)),
            ("Subtract", json!([2, x]), (-1.0, 2.0)),
            ("TrueDivide", json!([x, 4]), (0.25, 0.0)),
        ] {
            let layer = spelled(class, &json!({"name": "a"}), json!({"args": arguments, "kwargs": {}}));
            assert_eq!(scale_offset(&layer), expected);
        }
        let old = spelled("TFOpLambda", &json!({"function": "__operators__.add"}), json!(["x", 0, 0, {"y": 3.0}]));
        assert_eq!(scale_offset(&old), (1.0, 3.0));
    }

    #[test]
    fn layers_stay_and_the_unknown_says_what_it_is() {
        let x = json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}});
        let class = |class: &str, settings: Value, call: Value| spelled(class, &settings, call).class;
        assert_eq!(class("Add", json!({}), json!({"args": [[x, x]]})), "Add");
        assert_eq!(class("Power", json!({}), json!({"args": [x, 2]})), "Power of a number");
        assert_eq!(class("TrueDivide", json!({}), json!({"args": [1, x]})), "Divide of a number");
        let call = json!(["x", 0, 0, {"y": ["z", 0, 0]}]);
        assert_eq!(class("TFOpLambda", json!({"function": "math.multiply"}), call.clone()), "Multiply");
        assert_eq!(class("TFOpLambda", json!({"function": "nn.conv2d"}), call), "TFOpLambda (nn.conv2d)");
    }
}
