//! What a repair changes of a model: the same description is run here and written to the file.
//!
//! In: an opened model or classifier. Out: a copy with other numbers and with clamps in its graph; the original is
//! never touched. Nothing here knows a file format.

use super::graph::{Binary, Graph, Node, Op, Source, Value, ValueId};
use super::numbers::check_finite;
use super::onnx::ShapedClamp;
use super::{Classifier, ModelError, Parameters};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The difference between an opened model and a repaired one. Everything that is not named stays as it was.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New numbers by the file's own names; same shapes as before.
    pub parameters: BTreeMap<String, Tensor>,
    /// Upper bounds put behind values of the graph (activation clamps): weights stay untouched.
    pub clamps: Vec<Clamp>,
}

/// An upper bound for each channel of one computed value: `min(value, bound)` wherever it is read.
#[derive(Debug, Clone)]
pub struct Clamp {
    /// Name of the value in the file's graph.
    pub value: String,
    /// Bounds `[c]` along `axis`; infinite where a channel has none.
    pub bounds: Vec<f32>,
    /// The channels' axis in the value: 1 for `[n, c, h, w]` and `[n, c]`, the last for NHWC.
    pub axis: usize,
}

impl Change {
    /// The repaired classifier: a copy of `classifier` with the new numbers, and with a minimum behind every clamped
    /// value that all its readers read instead (the logits, too, where they are that value).
    ///
    /// # Errors
    /// [`ModelError::Change`] where a parameter or a value is not there or has another shape,
    /// [`ModelError::BadNumbers`] where a new parameter is not finite.
    pub fn apply(&self, classifier: &Classifier) -> Result<Classifier, ModelError> {
        let parameters = self.changed_parameters(classifier.parameters(), &classifier.device())?;
        if self.clamps.is_empty() {
            return Ok(classifier.with_parameters(parameters));
        }
        let mut graph = classifier.graph().clone();
        for clamp in &self.clamps {
            let value = clamp.place(&graph)?;
            let shape = clamp.check(&classifier.shape_of(value)?)?;
            clamp.insert(&mut graph, value, &shape)?;
        }
        Ok(classifier.with_parameters(parameters).with_graph(Arc::new(graph)))
    }

    /// The clamps with the shapes in which their bounds broadcast, and finite bounds.
    pub(super) fn shaped_clamps(&self, classifier: &Classifier) -> Result<Vec<ShapedClamp>, ModelError> {
        let shaped = self.clamps.iter().map(|clamp| {
            let value = clamp.place(classifier.graph())?;
            let shape = clamp.check(&classifier.shape_of(value)?)?;
            Ok(ShapedClamp { value: clamp.value.clone(), bounds: clamp.finite_bounds(), shape })
        });
        shaped.collect()
    }

    fn changed_parameters(&self, old: &Parameters, device: &Device) -> Result<Parameters, ModelError> {
        let mut parameters = old.clone();
        for (name, new) in &self.parameters {
            let refused = |why: String| ModelError::Change(format!("parameter \"{name}\" {why}"));
            let slot = parameters.get_mut(name).ok_or_else(|| refused("is none of the model's".into()))?;
            if slot.dims() != new.dims() {
                return Err(refused(format!("has the shape {:?}, not {:?}", slot.dims(), new.dims())));
            }
            if new.dtype() != DType::F32 {
                return Err(refused(format!("is to become {:?}, not 32-bit numbers", new.dtype())));
            }
            check_finite(name, &new.flatten_all()?.to_vec1::<f32>()?)?;
            *slot = new.to_device(device)?;
        }
        Ok(parameters)
    }
}

impl Clamp {
    fn refused(&self, why: impl std::fmt::Display) -> ModelError {
        ModelError::Change(format!("the clamp of value \"{}\" {why}", self.value))
    }

    /// The computed value that is meant.
    fn place(&self, graph: &Graph) -> Result<ValueId, ModelError> {
        let computed = graph.nodes.iter().flat_map(|node| &node.outputs).copied();
        let mut named = computed.filter(|id| graph.values[id.0].name == self.value);
        match (named.next(), named.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(self.refused("names a value that no step of the model computes")),
            (Some(_), Some(_)) => Err(self.refused("names several values of the model")),
        }
    }

    /// The shape in which the bounds broadcast over a value of the shape `dims`.
    fn check(&self, dims: &[usize]) -> Result<Vec<usize>, ModelError> {
        if self.axis == 0 || dims.get(self.axis) != Some(&self.bounds.len()) {
            let (count, axis) = (self.bounds.len(), self.axis);
            return Err(self.refused(format_args!("has {count} bounds along axis {axis} of a value of shape {dims:?}")));
        }
        if self.bounds.iter().any(|b| b.is_nan() || *b == f32::NEG_INFINITY) {
            return Err(self.refused("has a bound that is no number"));
        }
        let mut shape = vec![1; dims.len() - self.axis];
        shape[0] = self.bounds.len();
        Ok(shape)
    }

    /// The bounds, finite: files with infinite numbers are refused when they are opened.
    fn finite_bounds(&self) -> Vec<f32> {
        self.bounds.iter().map(|b| b.min(f32::MAX)).collect()
    }

    /// Puts the minimum right behind the step that computes `value`.
    fn insert(&self, graph: &mut Graph, value: ValueId, shape: &[usize]) -> Result<(), ModelError> {
        let bounds = Tensor::from_vec(self.finite_bounds(), shape, &Device::Cpu)?;
        let mut add = |what: &str, source| {
            graph.values.push(Value { name: format!("{}/{what}", self.value), source });
            ValueId(graph.values.len() - 1)
        };
        let (bounds, clamped) = (add("bounds", Source::Constant(bounds)), add("clamped", Source::Computed));
        for input in graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            if *input == Some(value) {
                *input = Some(clamped);
            }
        }
        if graph.logits == value {
            graph.logits = clamped;
        }
        let behind = graph.nodes.iter().position(|node| node.outputs.contains(&value)).map_or(0, |writer| writer + 1);
        let minimum = Node {
            name: format!("{}/clamp", self.value),
            op: Op::Binary(Binary::Min),
            inputs: vec![Some(value), Some(bounds)],
            outputs: vec![clamped],
        };
        graph.nodes.insert(behind, minimum);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
