//! BAN (Xu et al., "BAN: Detecting Backdoors Activated by Adversarial Neuron Noise", NeurIPS 2024): where the answers go when neurons are
//! disturbed.
//!
//! In: a model, clean images. Every channel's factor and shift is moved up the loss of clean pictures, within bounds; then held-back pictures
//! are answered from the features that do not carry the right answers. Out: the label that most of them become, and how many do. It
//! always names a label: only beside honest models does it say something. Never decides.
//! Otherwise than published: where normalisations were folded away, the rows of the layer's own weight are disturbed; features are those of
//! the last dense layer.

use super::DetectError;
use super::benign::{benign, features, rest};
use super::gathered::{Gathered, gathered};
use crate::images::ImageSet;
use crate::model::channels::{Channels, channels};
use crate::model::{Classifier, Parameters, cut};
use crate::progress::Monitor;
use crate::tensor::{Random, Seed, cross_entropy};
use candle_core::Var;

/// How it is disturbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// Largest share by which a factor or shift moves (published: 0.3).
    pub size: f32,
    /// Signed steps, each a share of it (published: 1 to 30).
    pub steps: usize,
    /// Images the loss is that of.
    pub images: usize,
    /// Images at a time.
    pub batch: usize,
}

impl Default for Noise {
    fn default() -> Self {
        Self { size: 0.3, steps: 10, images: 128, batch: 32 }
    }
}

/// One number for each channel of each layer: what its factor, and its shift, is multiplied by.
type Factors = Vec<[Vec<f32>; 2]>;

/// Where held-back pictures go on the disturbed model; `None` where it has no dense layer or no channels.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn disturb(
    model: &Classifier,
    (images, held_out): (&ImageSet, &ImageSet),
    how: &Noise,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Option<Gathered>, DetectError> {
    let layers = channels(model.graph(), model.parameters());
    let Some(whole) = cut(model).filter(|_| !layers.is_empty()) else { return Ok(None) };
    let mut random = seed.of("ban").random();
    let rows = features(&whole, images, how.batch, monitor)?;
    let others = rest(&benign(&whole, &rows, images, &mut random, monitor)?)?;

    let shown = images.sample(how.images, seed);
    let mut noise: Factors = layers.iter().map(|layer| [0, 1].map(|_| drawn(layer.count, how, &mut random))).collect();
    for _ in 0..how.steps {
        let slopes = slopes(model, &layers, &noise, &shown, how.batch, monitor)?;
        for (noise, slope) in noise.iter_mut().flatten().flatten().zip(slopes.iter().flatten().flatten()) {
            let step = if *slope == 0.0 { 0.0 } else { how.size / how.steps as f32 * slope.signum() };
            *noise = (*noise + step).clamp(1.0 - how.size, 1.0 + how.size);
        }
    }
    let disturbed = model.with_parameters(scaled(model, &layers, &noise)?);
    let Some(parts) = cut(&disturbed) else { return Ok(None) };
    let found = gathered(held_out, model.classes(), how.batch, |chosen| {
        monitor.check()?;
        let seen = parts.eye.logits(&held_out.tensor(chosen, &model.device())?)?.flatten_from(1)?;
        Ok(parts.answer(&seen.broadcast_mul(&others)?)?)
    })?;
    Ok(Some(found))
}

fn drawn(count: usize, how: &Noise, random: &mut Random) -> Vec<f32> {
    (0..count).map(|_| 1.0 + random.uniform(-how.size, how.size)).collect()
}

fn scaled(model: &Classifier, layers: &[Channels<'_>], noise: &Factors) -> Result<Parameters, DetectError> {
    let mut parameters = model.parameters().clone();
    for (layer, [factors, shifts]) in layers.iter().zip(noise) {
        parameters.extend(layer.scaled(model.parameters(), factors, shifts)?);
    }
    Ok(parameters)
}

/// How the loss of these images depends on the noise.
fn slopes(
    model: &Classifier,
    layers: &[Channels<'_>],
    noise: &Factors,
    images: &ImageSet,
    batch: usize,
    monitor: &Monitor,
) -> Result<Factors, DetectError> {
    let mut parameters = scaled(model, layers, noise)?;
    let names = layers.iter().flat_map(|layer| std::iter::once(&layer.factor).chain(&layer.shift)).map(|s| s.name);
    let mut variables = Vec::new();
    for name in names {
        let variable = Var::from_tensor(&parameters[name])?;
        parameters.insert(name.to_owned(), variable.as_tensor().clone());
        variables.push((name, variable));
    }
    let disturbed = model.with_parameters(parameters);
    let mut by_number = Parameters::new();
    let all: Vec<usize> = (0..images.len()).collect();
    for chosen in all.chunks(batch.max(1)) {
        monitor.check()?;
        let labels = images.truth(chosen, &model.device())?;
        let logits = disturbed.logits(&images.tensor(chosen, &model.device())?)?;
        let mut gradients = cross_entropy(&logits, &labels)?.sum_all()?.backward()?;
        for (name, variable) in &variables {
            if let Some(slope) = gradients.remove(variable) {
                let sum = match by_number.get(*name) {
                    Some(known) => (known + slope)?,
                    None => slope,
                };
                by_number.insert((*name).to_owned(), sum.detach());
            }
        }
    }
    let of = |layer: &Channels<'_>| layer.slopes(model.parameters(), &by_number);
    Ok(layers.iter().map(of).collect::<candle_core::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::train::tiny;
    use candle_core::Device;

    #[test]
    fn noise_climbs_the_loss_and_the_same_seed_gives_the_same() {
        let images = sign_set(4, Seed(1));
        let size = [images.height, images.width];
        let model = tiny(size, images.names.len(), Seed(1));
        let layers = channels(model.graph(), model.parameters());
        let none: Factors = layers.iter().map(|layer| [vec![1.0; layer.count], vec![1.0; layer.count]]).collect();
        let monitor = Monitor::silent();
        let slopes = slopes(&model, &layers, &none, &images, 32, &monitor).unwrap();
        let mut moved = none.clone();
        for (noise, slope) in moved.iter_mut().flatten().flatten().zip(slopes.iter().flatten().flatten()) {
            *noise += 0.05 * slope.signum();
        }
        let loss = |noise: &Factors| {
            let model = model.with_parameters(scaled(&model, &layers, noise).unwrap());
            let all: Vec<usize> = (0..images.len()).collect();
            let labels = images.truth(&all, &Device::Cpu).unwrap();
            let logits = model.logits(&images.tensor(&all, &Device::Cpu).unwrap()).unwrap();
            cross_entropy(&logits, &labels).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(loss(&moved) > loss(&none));
        let found = |monitor: &Monitor| disturb(&model, (&images, &images), &Noise::default(), Seed(5), monitor);
        let first = found(&monitor).unwrap().unwrap();
        assert_eq!(found(&monitor).unwrap(), Some(first));
        monitor.stop();
        assert!(matches!(found(&monitor), Err(DetectError::Stopped(_))));
    }
}
