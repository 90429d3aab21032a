//! Channel Lipschitz pruning (Zheng et al., ECCV 2022): channels to which a small change of the picture matters far
//! more than to their neighbours are switched off. Needs no images.
//!
//! A channel's sensitivity is the largest singular value of its kernel, times what the normalisation that reads the
//! convolution multiplies it with. Convolution and normalisation are paired through the edges of the graph.

use super::choice::{Edit, Outcome, Trial};
use super::{Point, Problem, Repair, RepairError};
use crate::model::Classifier;
use crate::model::channels::{Channels, Silence, of_layer, of_normalisation, readers};
use crate::model::graph::Op;
use crate::progress::Monitor;
use candle_core::Tensor;

/// See the module.
pub struct Clp;

/// Deviations above the mean of its layer beyond which a channel goes, where nothing can be measured.
const PUBLISHED: f32 = 3.0;
/// Tried from mild to harsh where clean images can tell what it costs.
const TRIED: [f32; 9] = [5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 2.0, 1.75, 1.5];
/// Steps of the power iteration; singular values are compared, not reported.
const POWER_STEPS: usize = 40;

impl Repair for Clp {
    fn name(&self) -> &'static str {
        "clp"
    }

    fn price(&self) -> &'static str {
        "Switches off channels that react far more strongly than their neighbours. Changes nothing but those \
         channels; needs neither images nor a trigger and takes a second, but how well it works depends on the network: it can cost much accuracy or do nothing"
    }

    fn needs_images(&self) -> bool {
        false
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let layers = layers(problem.suspect)?;
        if layers.is_empty() {
            return Err(RepairError::Lacks(
                "this model has no convolutions whose channels could be switched off".into(),
            ));
        }
        if problem.parts.validation.is_empty() {
            return Ok(silenced(&layers, PUBLISHED).change(problem.suspect.parameters())?.into());
        }
        let mut trial = Trial::new(problem, "Deviations from its layer beyond which a channel is switched off");
        let mut earlier = Silence::default();
        for (i, &bound) in TRIED.iter().enumerate() {
            monitor.check()?;
            let done = (i + 1) as f32 / TRIED.len() as f32;
            monitor.step(format!("Switching channels off beyond {bound} deviations"), done);
            let silence = silenced(&layers, bound);
            if silence == earlier {
                continue;
            }
            earlier = silence.clone();
            let what = format!("{bound}, {}", silence.words());
            let (now, worth_it) = trial.add(what, Edit::Channels(silence), monitor)?;
            watch(Point::of(done, &now));
            if !worth_it {
                break;
            }
        }
        trial.end()
    }
}

/// A convolution with the normalisation that reads it, and how sensitive each of its channels is.
struct Layer<'a> {
    channels: Channels<'a>,
    sensitivity: Vec<f32>,
}

fn layers(model: &Classifier) -> Result<Vec<Layer<'_>>, RepairError> {
    let (graph, parameters) = (model.graph(), model.parameters());
    let mut layers = Vec::new();
    for node in graph.nodes.iter().filter(|n| matches!(n.op, Op::Conv(_))) {
        let Some(mut channels) = of_layer(graph, node, parameters) else { continue };
        let mut sensitivity = spectral_norms(&parameters[channels.factor.name])?;
        if let Some(reader) = readers(graph, node).next()
            && let Op::BatchNorm { epsilon } = reader.op
            && let Some(norm) = of_normalisation(graph, reader, parameters)
            && let Some(variance) = graph.parameter_read(reader, 4)
        {
            let deviation = (&parameters[variance] + f64::from(epsilon))?.sqrt()?;
            let factors = parameters[norm.factor.name].abs()?.div(&deviation)?;
            sensitivity.iter_mut().zip(factors.to_vec1::<f32>()?).for_each(|(s, f)| *s *= f);
            channels = norm;
        }
        layers.push(Layer { channels, sensitivity });
    }
    Ok(layers)
}

/// The largest singular value of each output channel's kernel, seen as `[c_in, kh * kw]`.
fn spectral_norms(weight: &Tensor) -> Result<Vec<f32>, RepairError> {
    let (out, c, kh, kw) = weight.dims4()?;
    let kernels = weight.reshape((out, c, kh * kw))?;
    let mut v = Tensor::ones((out, kh * kw, 1), weight.dtype(), weight.device())?;
    let mut norm = Tensor::zeros((out, 1, 1), weight.dtype(), weight.device())?;
    for _ in 0..POWER_STEPS {
        let u = kernels.matmul(&v)?;
        norm = u.sqr()?.sum_keepdim(1)?.sqrt()?;
        v = kernels.transpose(1, 2)?.contiguous()?.matmul(&u)?;
        let length = (v.sqr()?.sum_keepdim(1)?.sqrt()? + 1e-20)?;
        v = v.broadcast_div(&length)?;
    }
    Ok(norm.flatten_all()?.to_vec1()?)
}

/// Every channel whose sensitivity lies more than `bound` deviations above the mean of its layer.
fn silenced(layers: &[Layer<'_>], bound: f32) -> Silence {
    let mut silence = Silence::default();
    for layer in layers {
        let n = layer.sensitivity.len() as f32;
        let mean = layer.sensitivity.iter().sum::<f32>() / n;
        let variance = layer.sensitivity.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / (n - 1.0).max(1.0);
        let limit = mean + bound * variance.sqrt();
        silence.add(&layer.channels, layer.sensitivity.iter().map(|&s| s <= limit).collect());
    }
    silence
}
