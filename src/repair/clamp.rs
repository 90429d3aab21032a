//! Activation clamps (MM-BM, Wang et al., IEEE S&P 2024): an upper bound for each channel behind every activation, as low as
//! clean pictures allow. A backdoor drives some channels far beyond what they are for; weights stay as they are.
//!
//! Bounds are counted in the largest activation of the channel on clean images, so that networks with and without
//! normalisations are treated alike. They begin there and are pulled down harder and harder; every pass is a setting.

use super::choice::{Edit, Outcome, Trial};
use super::probe::{How, Place, place, probed};
use super::{Point, Problem, Repair, RepairError};
use crate::images::{ImageSet, answered};
use crate::model::graph::{Op, Source, Unary};
use crate::model::{Change, Clamp, Classifier};
use crate::progress::Monitor;
use crate::tensor::Adam;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub struct Clamping;

/// Of Adam, in shares of the largest clean activation.
const RATE: f64 = 0.02;
const BETAS: (f64, f64) = (0.9, 0.999);
const BATCH: usize = 32;
/// Passes over the images at most; steps of a pass at least.
const PASSES: usize = 12;
const FEWEST_STEPS: usize = 12;
/// Weight of the bounds' size beside the change of the logits in the first pass, and its growth from pass to pass (the
/// reference moves it by 1.2 towards the accuracy it wants; here every weight is a setting).
const WEIGHT: f64 = 0.01;
const HARDER: f64 = 1.6;
/// Channels that clean images leave dark may still take this share of what the brightest of their layer does.
const DARK: f32 = 1e-3;

impl Repair for Clamping {
    fn name(&self) -> &'static str {
        "clamp"
    }

    fn price(&self) -> &'static str {
        "Puts an upper limit on every channel, as low as clean pictures allow. Needs clean images but no trigger; changes \
         no weight but adds steps to the network, so the result must be an ONNX file; about a minute. Little accuracy \
         lost; backdoors that stay within the limits survive"
    }

    fn adds_steps(&self) -> bool {
        true
    }

    fn run(
        &self,
        problem: &Problem,
        watch: &(dyn Fn(Point) + Sync),
        monitor: &Monitor,
    ) -> Result<Outcome, RepairError> {
        let suspect = problem.suspect;
        let places = activations(suspect)?;
        if places.is_empty() {
            return Err(RepairError::Lacks("this model has no activations that could be limited".into()));
        }
        let images = right_answers(suspect, &problem.parts.repair, monitor)?;
        monitor.step("Looking how strong channels become on clean images", 0.0);
        let mut bounds = Bounds::new(suspect, &places, &images, monitor)?;
        let mut trial = Trial::new(problem, "Limits, as a share of the strongest clean activation, on average");
        let mut random = problem.seed.of("clamp").random();
        let mut order: Vec<usize> = (0..images.len()).collect();
        let mut weight = WEIGHT;
        for pass in 0..=PASSES {
            let share = |part: f32| (pass as f32 + part) / (PASSES + 1) as f32;
            if pass > 0 {
                let mut done = 0;
                while done < FEWEST_STEPS && !images.is_empty() {
                    random.shuffle(&mut order);
                    for batch in order.chunks(BATCH) {
                        monitor.check()?;
                        let part = (done as f32 / FEWEST_STEPS.max(images.len().div_ceil(BATCH)) as f32).min(1.0);
                        monitor.step(format!("Lowering limits, pass {pass} of {PASSES}"), share(part));
                        bounds.lower(&images.tensor(batch, &suspect.device())?, weight)?;
                        done += 1;
                    }
                }
                weight *= HARDER;
            }
            let what = format!("{:.0} %", 100.0 * bounds.mean()?);
            let (now, worth_it) = trial.add(what, Edit::Whole(bounds.change()?), monitor)?;
            watch(Point::of(share(1.0), &now));
            if !worth_it {
                break;
            }
        }
        trial.end()
    }
}

/// The activations whose channels are known. A gate's values in `[0, 1]` need no limit.
fn activations(suspect: &Classifier) -> Result<Vec<Place>, RepairError> {
    let graph = suspect.graph();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for id in graph.nodes.iter().flat_map(|node| &node.outputs) {
        *names.entry(graph.values[id.0].name.as_str()).or_default() += 1;
    }
    let mut places = Vec::new();
    for node in &graph.nodes {
        let Op::Unary(function) = &node.op else { continue };
        let unbounded = matches!(
            function,
            Unary::Relu
                | Unary::LeakyRelu(_)
                | Unary::Elu(_)
                | Unary::Selu { .. }
                | Unary::Celu(_)
                | Unary::HardSwish
                | Unary::Silu
                | Unary::Mish
                | Unary::Softplus
                | Unary::Gelu { .. }
                | Unary::Clip { .. }
        );
        let Some(&value) = node.outputs.first().filter(|_| unbounded) else { continue };
        // A value that shares its name with another could not be found in the file.
        if value != graph.logits && names[graph.values[value.0].name.as_str()] == 1 {
            places.extend(place(suspect, value)?);
        }
    }
    Ok(places)
}

/// The images that the suspect answers rightly; all where it is never right.
fn right_answers(suspect: &Classifier, images: &ImageSet, monitor: &Monitor) -> Result<ImageSet, RepairError> {
    let answers = answered(suspect, images, &monitor.with_listener(|_| {}))?;
    let right = |&i: &usize| answers.labels[i] == Some(images.labels[i]);
    let right: Vec<usize> = (0..images.len()).filter(right).collect();
    Ok(if right.is_empty() { images.clone() } else { images.subset(&right) })
}

/// Limits that are being lowered.
struct Bounds<'a> {
    suspect: &'a Classifier,
    /// Name of the value, axis of its channels, the strongest clean activation of each.
    places: Vec<(String, usize, Tensor)>,
    /// The suspect's network with its limits as parameters.
    limited: Classifier,
    /// Names of those parameters and the shapes in which they broadcast, one a place.
    slots: Vec<(String, Vec<usize>)>,
    /// Limits in shares of the strongest activation, `[channels]`, one a place.
    shares: Vec<Tensor>,
    adam: Vec<Adam>,
}

impl<'a> Bounds<'a> {
    /// Limits at what `images` reach.
    fn new(
        suspect: &'a Classifier,
        places: &[Place],
        images: &ImageSet,
        monitor: &Monitor,
    ) -> Result<Self, RepairError> {
        let device = suspect.device();
        let strongest = probed(suspect, places, How::Largest, images, monitor)?;
        let (mut named, mut shares) = (Vec::new(), Vec::new());
        for (place, strongest) in places.iter().zip(strongest) {
            let brightest = strongest.iter().copied().fold(0.0, f32::max);
            let least = (DARK * brightest).max(f32::MIN_POSITIVE);
            let strongest: Vec<f32> = strongest.into_iter().map(|s| s.max(least)).collect();
            let name = suspect.graph().values[place.value.0].name.clone();
            shares.push(Tensor::ones(strongest.len(), candle_core::DType::F32, &device)?);
            named.push((name, place.axis, Tensor::from_vec(strongest, place.channels, &device)?));
        }
        let adam = named.iter().map(|_| Adam::new(RATE, BETAS)).collect();
        let mut bounds = Self { suspect, places: named, limited: suspect.clone(), slots: Vec::new(), shares, adam };
        (bounds.limited, bounds.slots) = learnable(suspect, &bounds.change()?.apply(suspect)?);
        Ok(bounds)
    }

    /// One step down: the logits should stay what the suspect says, and the limits be small.
    fn lower(&mut self, x: &Tensor, weight: f64) -> Result<(), RepairError> {
        let mut parameters = self.suspect.parameters().clone();
        let mut variables = Vec::with_capacity(self.shares.len());
        let mut size: Option<Tensor> = None;
        for (((_, _, strongest), share), (name, shape)) in self.places.iter().zip(&self.shares).zip(&self.slots) {
            let variable = Var::from_tensor(share)?;
            let bound = (variable.as_tensor() * strongest)?.reshape(shape.as_slice())?;
            parameters.insert(name.clone(), bound);
            // The length of the bounds, in that of bounds which do nothing.
            let length = variable.as_tensor().sqr()?.mean_all()?.sqrt()?;
            size = Some(match size {
                Some(size) => (size + length)?,
                None => length,
            });
            variables.push(variable);
        }
        let said = self.suspect.logits(x)?.detach();
        let says = self.limited.with_parameters(parameters).logits(x)?;
        let usual = said.sqr()?.mean_all()?.to_scalar::<f32>()?.max(f32::MIN_POSITIVE);
        let mut loss = ((says - said)?.sqr()?.mean_all()? / f64::from(usual))?;
        if let Some(size) = size {
            loss = (loss + (size * (weight / self.places.len() as f64))?)?;
        }
        let mut slopes = loss.backward()?;
        for ((share, adam), variable) in self.shares.iter_mut().zip(&mut self.adam).zip(&variables) {
            if let Some(slope) = slopes.remove(variable) {
                *share = adam.step(share, &slope)?.clamp(0f32, 1f32)?;
            }
        }
        Ok(())
    }

    /// The limits as a change of the suspect.
    fn change(&self) -> Result<Change, RepairError> {
        let mut change = Change::default();
        for ((value, axis, strongest), share) in self.places.iter().zip(&self.shares) {
            let bounds = (strongest * share)?.to_vec1()?;
            change.clamps.push(Clamp { value: value.clone(), bounds, axis: *axis });
        }
        Ok(change)
    }

    /// Mean of all limits, in shares of the strongest activation.
    fn mean(&self) -> Result<f32, RepairError> {
        Ok(Tensor::cat(&self.shares, 0)?.mean_all()?.to_scalar()?)
    }
}

/// `clamped`, `suspect` with clamps, with their bounds as parameters; their names and shapes, in the order of the clamps.
fn learnable(suspect: &Classifier, clamped: &Classifier) -> (Classifier, Vec<(String, Vec<usize>)>) {
    let mut graph = clamped.graph().clone();
    let mut slots = Vec::new();
    for value in graph.values.iter_mut().skip(suspect.graph().values.len()) {
        if let Source::Constant(bounds) = &value.source {
            // No file has a parameter with this name: names of parameters are those of the file's own values.
            let name = format!("{}/{}", value.name, slots.len());
            slots.push((name.clone(), bounds.dims().to_vec()));
            value.source = Source::Parameter(name);
        }
    }
    (clamped.with_graph(Arc::new(graph)), slots)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::planted;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;

    fn network() -> Classifier {
        tiny([12, 12], 4, Seed(1))
    }

    fn images() -> ImageSet {
        let pixels = Seed(2).random().uniform_tensor(0.0, 256.0, 20 * 3 * 144, &Device::Cpu).unwrap();
        ImageSet {
            pixels: pixels.to_vec1::<f32>().unwrap().into_iter().map(|p| p as u8).collect(),
            channels: 3,
            height: 12,
            width: 12,
            labels: (0..20).map(|i| i % 4).collect(),
            names: (0..4).map(|i| i.to_string()).collect(),
            skipped: Vec::new(),
            files: Vec::new(),
        }
    }

    fn logits(network: &Classifier, x: &Tensor) -> Vec<f32> {
        network.logits(x).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn limits_begin_where_clean_images_do_not_notice_them_and_brighter_ones_do() {
        let (network, images) = (network(), images());
        let places = activations(&network).unwrap();
        assert_eq!(places.len(), 4, "three convolutions and a hidden layer");
        let bounds = Bounds::new(&network, &places, &images, &Monitor::silent()).unwrap();
        let limited = bounds.change().unwrap().apply(&network).unwrap();
        let x = images.tensor(&(0..20).collect::<Vec<_>>(), &Device::Cpu).unwrap();
        let (before, after) = (logits(&network, &x), logits(&limited, &x));
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-5));
        let bright = x.ones_like().unwrap();
        assert!(logits(&network, &bright).iter().zip(logits(&limited, &bright)).any(|(a, b)| (a - b).abs() > 0.01));
    }

    #[test]
    fn a_backdoor_beyond_what_clean_images_reach_ends_with_the_first_limits() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        let outcome = Clamping.run(&problem, &|_| {}, &Monitor::silent()).unwrap();
        assert!(outcome.change.parameters.is_empty() && outcome.change.clamps.len() == 1);
        let choices = outcome.choices.unwrap();
        let measured = |i: usize| (choices.list[i].measured.accuracy, choices.list[i].measured.worst_asr().unwrap());
        assert_eq!((measured(0), measured(1)), ((1.0, 1.0), (1.0, 0.0)));
        assert_eq!(measured(choices.chosen), (1.0, 0.0));
    }

    #[test]
    fn limits_fall_where_the_answers_do_not_need_them() {
        let (network, images) = (network(), images());
        // Nothing reads the first channel of the last convolution: its limit can fall freely.
        let mut parameters = network.parameters().clone();
        let weight = &parameters["hidden.weight"];
        let columns = weight.dim(1).unwrap();
        let a_channel = columns / 32;
        let reads: Vec<f32> = (0..columns).map(|i| if i < a_channel { 0.0 } else { 1.0 }).collect();
        let reads = Tensor::from_vec(reads, (1, columns), &Device::Cpu).unwrap();
        parameters.insert("hidden.weight".into(), weight.broadcast_mul(&reads).unwrap());
        let network = network.with_parameters(parameters);
        let places = activations(&network).unwrap();
        let mut bounds = Bounds::new(&network, &places, &images, &Monitor::silent()).unwrap();
        let x = images.tensor(&(0..20).collect::<Vec<_>>(), &Device::Cpu).unwrap();
        for _ in 0..20 {
            bounds.lower(&x, 0.05).unwrap();
        }
        let shares = bounds.shares[2].to_vec1::<f32>().unwrap();
        assert!(shares[0] < 0.7, "{shares:?}");
        let kept = shares.iter().filter(|&&share| share > shares[0] + 0.1).count();
        assert!(kept >= 8, "{shares:?}");
        assert!(bounds.mean().unwrap() < 1.0);
    }
}
