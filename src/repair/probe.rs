//! What the channels inside a network are like on clean images.
//!
//! In: a classifier and some values of its graph. Out: the mean or the maximum of each of their channels.

use super::RepairError;
use crate::images::ImageSet;
use crate::model::graph::{Node, Op, Reduction, Source, Value, ValueId};
use crate::model::{Classifier, Graph};
use crate::progress::Monitor;
use std::sync::Arc;

/// Pictures asked at once.
const BATCH: usize = 32;

/// A computed value and where its channels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub value: ValueId,
    pub axis: usize,
    /// Axes of the value, the pictures' included.
    pub rank: usize,
    pub channels: usize,
}

/// How the numbers of a channel become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Mean,
    Largest,
}

/// One number for each channel of each place.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub(super) fn probed(
    classifier: &Classifier,
    places: &[Place],
    how: How,
    images: &ImageSet,
    monitor: &Monitor,
) -> Result<Vec<Vec<f32>>, RepairError> {
    let total: usize = places.iter().map(|p| p.channels).sum();
    let probe = classifier.with_graph(Arc::new(probing(classifier.graph(), places, how)));
    let mut all = vec![if how == How::Mean { 0.0 } else { f32::NEG_INFINITY }; total];
    let indices: Vec<usize> = (0..images.len()).collect();
    for batch in indices.chunks(BATCH) {
        monitor.check()?;
        let seen = probe.logits(&images.tensor(batch, &classifier.device())?)?;
        for row in seen.to_vec2::<f32>()? {
            for (kept, new) in all.iter_mut().zip(row) {
                *kept = if how == How::Mean { *kept + new / images.len() as f32 } else { kept.max(new) };
            }
        }
    }
    let mut rest = all.as_slice();
    let parts = places.iter().map(|place| {
        let (here, later) = rest.split_at(place.channels);
        rest = later;
        here.to_vec()
    });
    Ok(parts.collect())
}

/// A graph that gives one number a channel and picture, `[n, channels of all places]`, in place of logits.
fn probing(graph: &Graph, places: &[Place], how: How) -> Graph {
    let mut graph = graph.clone();
    let computed = |graph: &mut Graph, name: String, op, inputs: Vec<ValueId>| {
        graph.values.push(Value { name: name.clone(), source: Source::Computed });
        let output = ValueId(graph.values.len() - 1);
        graph.nodes.push(Node { name, op, inputs: inputs.into_iter().map(Some).collect(), outputs: vec![output] });
        output
    };
    let how = if how == How::Mean { Reduction::Mean } else { Reduction::Max };
    let mut seen = Vec::new();
    for (i, place) in places.iter().enumerate() {
        let axes: Vec<i64> = (1..place.rank).filter(|&axis| axis != place.axis).map(|axis| axis as i64).collect();
        let op = match axes.is_empty() {
            true => Op::Identity,
            false => Op::Reduce { how, axes: Some(axes), keep_dims: false, noop_with_empty_axes: true },
        };
        seen.push(computed(&mut graph, format!("probe {i}"), op, vec![place.value]));
    }
    graph.logits = computed(&mut graph, "probes".into(), Op::Concat { axis: 1 }, seen);
    graph
}

/// Where the channels of a computed value are; `None` where that cannot be told or there is one value a picture only.
///
/// # Errors
/// Where the model fails.
pub(super) fn place(classifier: &Classifier, value: ValueId) -> Result<Option<Place>, RepairError> {
    let Some(axis) = channel_axis(classifier.graph(), value) else { return Ok(None) };
    let dims = classifier.shape_of(value)?;
    let axis = match axis {
        Axis::At(axis) => axis,
        Axis::Last => dims.len().saturating_sub(1),
    };
    let there = axis > 0 && axis < dims.len();
    Ok(there.then(|| Place { value, axis, rank: dims.len(), channels: dims[axis] }))
}

/// Where an axis is, counted from the front or from behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    At(usize),
    Last,
}

/// The axis of a value's channels, followed back to the layer that made them.
fn channel_axis(graph: &Graph, value: ValueId) -> Option<Axis> {
    let node = graph.nodes.iter().find(|node| node.outputs.contains(&value))?;
    let before = || {
        let computed = |id: &&ValueId| matches!(graph.values[id.0].source, Source::Computed);
        channel_axis(graph, *node.inputs.iter().flatten().find(computed)?)
    };
    match &node.op {
        Op::Conv(_) | Op::ConvTranspose { .. } | Op::BatchNorm { .. } | Op::MaxPool(_) | Op::AvgPool(_) => {
            Some(Axis::At(1))
        }
        Op::GlobalAvgPool | Op::GlobalMaxPool | Op::Flatten { axis: 1 } => Some(Axis::At(1)),
        Op::Gemm { .. } | Op::MatMul => Some(Axis::Last),
        Op::Unary(_) | Op::Binary(_) | Op::PRelu | Op::Identity | Op::Pad(_) => before(),
        Op::Transpose { permutation } => match before()? {
            Axis::At(axis) => permutation.iter().position(|&p| p == axis).map(Axis::At),
            Axis::Last => permutation.iter().position(|&p| p + 1 == permutation.len()).map(Axis::At),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;

    #[test]
    fn channels_are_found_behind_every_layer_and_measured_over_picture_and_set() {
        let size = [12, 12];
        let network = tiny(size, 4, Seed(1));
        let value = |name: &str| ValueId(network.graph().values.iter().position(|v| v.name == name).unwrap());
        let there = |name: &str| place(&network, value(name)).unwrap().unwrap();
        let (convolved, flat) = (there("relu1.output"), there("relu4.output"));
        assert_eq!((convolved.axis, convolved.rank, convolved.channels), (1, 4, 12));
        assert_eq!((flat.axis, flat.rank, flat.channels), (1, 2, 32));
        let pixels = Seed(2).random().uniform_tensor(0.0, 255.0, 3 * 3 * 144, &Device::Cpu).unwrap();
        let images = ImageSet {
            pixels: pixels.to_vec1::<f32>().unwrap().into_iter().map(|p| p as u8).collect(),
            channels: 3,
            height: 12,
            width: 12,
            labels: vec![0, 1, 2],
            names: vec![String::new(); 4],
            skipped: Vec::new(),
            files: Vec::new(),
        };
        let places = [convolved, flat];
        let probed = |how| probed(&network, &places, how, &images, &Monitor::silent()).unwrap();
        // The same values, computed step by step.
        let until = Graph { logits: places[0].value, ..network.graph().clone() };
        let values = network.clone().with_graph(Arc::new(until));
        let values = values.logits(&images.tensor(&[0, 1, 2], &Device::Cpu).unwrap()).unwrap();
        let by_channel = values.transpose(0, 1).unwrap().flatten_from(1).unwrap();
        let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(&probed(How::Largest)[0], &by_channel.max(1).unwrap().to_vec1::<f32>().unwrap()));
        assert!(close(&probed(How::Mean)[0], &by_channel.mean(1).unwrap().to_vec1::<f32>().unwrap()));
        assert_eq!(probed(How::Mean)[1].len(), 32);
    }
}
