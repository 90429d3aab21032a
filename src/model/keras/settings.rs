//! The settings of one layer, with a sentence for each that is missing or makes no sense.

use super::Fault;
use super::archive::Weight;
use super::config::Layer;
use serde_json::{Map, Value};

/// No honest setting of a layer (sizes, steps, paddings) is larger.
const LARGEST: u64 = 1 << 20;

/// One layer as its translation sees it.
pub(super) struct LayerView<'a> {
    /// What it does.
    pub class: &'a str,
    /// Name in the file.
    pub name: &'a str,
    /// Its `config`.
    pub settings: &'a Map<String, Value>,
    /// Its weights, in the order of the file.
    pub weights: Vec<&'a Weight>,
    /// Written by Keras 3, which gave some functions other constants.
    pub keras3: bool,
}

/// The order of a picture's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataFormat {
    /// Height, width, channels.
    ChannelsLast,
    /// Channels, height, width.
    ChannelsFirst,
}

/// What happens at a picture's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// Nothing is added.
    Valid,
    /// So much that the output has the size of the input divided by the step, rounded up.
    Same,
}

impl<'a> LayerView<'a> {
    /// A layer of a network with its weights.
    pub(super) fn new(layer: &'a Layer, weights: Vec<&'a Weight>, keras3: bool) -> Self {
        Self { class: &layer.class, name: &layer.name, settings: &layer.settings, weights, keras3 }
    }

    /// This layer is broken.
    pub(super) fn broken(&self, why: impl std::fmt::Display) -> Fault {
        Fault::Damaged(format!("layer \"{}\" ({}): {why}", self.name, self.class))
    }

    /// This layer asks for something that is not there yet.
    pub(super) fn unsupported(&self, what: impl std::fmt::Display) -> Fault {
        Fault::Unsupported(vec![format!("{} with {what} (layer \"{}\")", self.class, self.name)])
    }

    /// A setting; `null` counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.settings.get(key).filter(|value| !value.is_null())
    }

    fn strange(&self, key: &str, value: &Value) -> Fault {
        self.broken(format_args!("\"{key}\" is {value}, which makes no sense"))
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&self, key: &str, least: u64) -> Result<usize, Fault> {
        let value = self.get(key).ok_or_else(|| self.broken(format_args!("\"{key}\" is missing")))?;
        count(value, least).ok_or_else(|| self.strange(key, value))
    }

    /// A pair `[height, width]` of whole numbers of at least `least`; one number stands for both.
    pub(super) fn pair(&self, key: &str, least: u64) -> Result<[usize; 2], Fault> {
        let value = self.get(key).ok_or_else(|| self.broken(format_args!("\"{key}\" is missing")))?;
        let pair = match value.as_array().map(Vec::as_slice) {
            Some([height, width]) => count(height, least).zip(count(width, least)),
            Some([both]) => count(both, least).map(|n| (n, n)),
            Some(_) => None,
            None => count(value, least).map(|n| (n, n)),
        };
        pair.map(|(height, width)| [height, width]).ok_or_else(|| self.strange(key, value))
    }

    /// Like [`LayerView::pair`], with a value for where it is absent.
    pub(super) fn pair_or(&self, key: &str, least: u64, absent: [usize; 2]) -> Result<[usize; 2], Fault> {
        if self.get(key).is_some() { self.pair(key, least) } else { Ok(absent) }
    }

    /// Paddings or crops as `[top, left, bottom, right]`, from one number, a pair or a pair of pairs.
    pub(super) fn edges(&self, key: &str) -> Result<[usize; 4], Fault> {
        let value = self.get(key).ok_or_else(|| self.broken(format_args!("\"{key}\" is missing")))?;
        let both = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([before, after]) => count(before, 0).zip(count(after, 0)),
            Some(_) => None,
            None => count(value, 0).map(|n| (n, n)),
        };
        let edges = match value.as_array().map(Vec::as_slice) {
            Some([rows, columns]) => both(rows).zip(both(columns)),
            Some(_) => None,
            None => both(value).map(|n| (n, n)),
        };
        let ((top, bottom), (left, right)) = edges.ok_or_else(|| self.strange(key, value))?;
        Ok([top, left, bottom, right])
    }

    /// A list of whole numbers, negative ones too; one number is a list of one.
    pub(super) fn integers(&self, key: &str) -> Result<Vec<i64>, Fault> {
        let value = self.get(key).ok_or_else(|| self.broken(format_args!("\"{key}\" is missing")))?;
        let one = |value: &Value| value.as_i64().filter(|n| n.unsigned_abs() <= LARGEST);
        let list = match value.as_array() {
            Some(list) => list.iter().map(one).collect(),
            None => one(value).map(|n| vec![n]),
        };
        list.ok_or_else(|| self.strange(key, value))
    }

    /// A yes or no.
    pub(super) fn flag(&self, key: &str, absent: bool) -> Result<bool, Fault> {
        let Some(value) = self.get(key) else { return Ok(absent) };
        value.as_bool().ok_or_else(|| self.strange(key, value))
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f32>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        number(value).map(Some).ok_or_else(|| self.strange(key, value))
    }

    /// Finite numbers, out of lists in lists.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f32>>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let mut found = Vec::new();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(list) => open.extend(list.iter().rev()),
                other => found.push(number(other).ok_or_else(|| self.strange(key, value))?),
            }
        }
        Ok(Some(found))
    }

    /// A word.
    pub(super) fn word(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The order of the axes this layer works in.
    pub(super) fn data_format(&self) -> Result<DataFormat, Fault> {
        match self.get("data_format") {
            None => Ok(DataFormat::ChannelsLast),
            Some(Value::String(text)) if text == "channels_last" => Ok(DataFormat::ChannelsLast),
            Some(Value::String(text)) if text == "channels_first" => Ok(DataFormat::ChannelsFirst),
            Some(other) => Err(self.strange("data_format", other)),
        }
    }

    /// What this layer does at the edges.
    pub(super) fn padding(&self) -> Result<Padding, Fault> {
        match self.word("padding") {
            Some("valid") | None => Ok(Padding::Valid),
            Some("same") => Ok(Padding::Same),
            Some(other) => Err(self.unsupported(format_args!("padding \"{other}\""))),
        }
    }
}

fn count(value: &Value, least: u64) -> Option<usize> {
    value.as_u64().filter(|n| (least..=LARGEST).contains(n)).map(|n| n as usize)
}

/// Some versions wrap a number as `{"type": "ndarray", "value": 0.3}`.
fn number(value: &Value) -> Option<f32> {
    let plain = value.as_f64().or_else(|| value.get("value").and_then(Value::as_f64))?;
    Some(plain as f32).filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn with<T>(settings: Value, ask: impl Fn(&LayerView) -> T) -> T {
        let settings = settings.as_object().cloned().unwrap();
        ask(&LayerView { class: "Conv2D", name: "c", settings: &settings, weights: Vec::new(), keras3: false })
    }

    #[test]
    fn sizes_come_as_one_number_or_two() {
        assert_eq!(with(json!({"k": 3}), |v| v.pair("k", 1)).unwrap(), [3, 3]);
        assert_eq!(with(json!({"k": [3, 5]}), |v| v.pair("k", 1)).unwrap(), [3, 5]);
        for bad in [json!({"k": 0}), json!({"k": -1}), json!({"k": [1, 2, 3]}), json!({"k": "3"}), json!({"k": 1e12})] {
            assert!(with(bad, |v| v.pair("k", 1)).is_err());
        }
    }

    #[test]
    fn edges_come_in_three_ways() {
        assert_eq!(with(json!({"p": 2}), |v| v.edges("p")).unwrap(), [2, 2, 2, 2]);
        assert_eq!(with(json!({"p": [1, 2]}), |v| v.edges("p")).unwrap(), [1, 2, 1, 2]);
        assert_eq!(with(json!({"p": [[1, 2], [3, 4]]}), |v| v.edges("p")).unwrap(), [1, 3, 2, 4]);
        assert!(with(json!({"p": [[1, 2, 3], [3, 4]]}), |v| v.edges("p")).is_err());
    }

    #[test]
    fn a_missing_setting_names_itself_and_its_layer() {
        let text = format!("{:?}", with(json!({"filters": null}), |v| v.count("filters", 1)).unwrap_err());
        assert!(text.contains("\\\"c\\\" (Conv2D)") && text.contains("filters"), "{text}");
    }
}
