//! BTI-DBF, backdoor trigger inversion by decoupling benign features (Xu et al., "Towards Reliable and Efficient Backdoor Trigger
//! Inversion via Decoupling Benign Features", ICLR 2024): a change of its own for every picture, and no scan of the labels.
//!
//! In: a model, clean images. Out: the label that most changed pictures become, and how many do. A small network learns to change
//! pictures a little so that the features which carry the right answers stay and all others move. It always names a label: only beside
//! honest models does it say something. Never decides.
//! Otherwise than published: the network adds to the picture, so that it begins at leaving it alone and need not learn that first;
//! features are those of the last dense layer, as a share of how far they vary; and what pixels change by is bound more tightly, since with
//! the published bound everything becomes what is easy (a frog on CIFAR-10).

use super::DetectError;
use super::benign::{benign, features, rest, rows_of};
use super::gathered::{Gathered, gathered};
use crate::images::ImageSet;
use crate::model::{Classifier, cut};
use crate::progress::Monitor;
use crate::tensor::{Adam, Conv2d, Random, Seed, conv2d, relu};
use candle_core::{DType, Device, Tensor, Var};
use std::ops::Deref;

/// How long it is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Inversion {
    /// Steps of the network that changes pictures (published: 30 rounds of all images).
    pub steps: usize,
    /// Images a step.
    pub batch: usize,
}

impl Default for Inversion {
    fn default() -> Self {
        Self { steps: 300, batch: 32 }
    }
}

/// Adam's rate and decays; the rate is twice the published one.
const RATE: f64 = 2e-3;
const BETAS: (f64, f64) = (0.9, 0.999);
/// Channels inside the network that changes pictures.
const WIDTH: usize = 16;
/// Pixels move by at most this.
const REACH: f64 = 0.5;
/// The last layer begins with so small a share of the usual weights: next to nothing is added at first.
const AT_FIRST: f64 = 0.1;
/// Mean square by which pixels may change.
const FAR: f32 = 0.004;
/// Mean square by which benign features may change, as a multiple of how far features vary: only what runs away is caught.
const TOUCHED: f32 = 100.0;
/// Weight of benign features beside the others, as published.
const BENIGN: f64 = 0.01;

/// Where held-back pictures go that were changed so; `None` where the model has no dense layer.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn invert(
    model: &Classifier,
    (images, held_out): (&ImageSet, &ImageSet),
    how: &Inversion,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Option<Gathered>, DetectError> {
    let Some(cut) = cut(model) else { return Ok(None) };
    let (mut random, device) = (seed.of("bti-dbf").random(), model.device());
    let before = features(&cut, images, how.batch, monitor)?;
    let kept = benign(&cut, &before, images, &mut random, monitor)?;
    let others = rest(&kept)?;
    let spread = f64::from(before.var(0)?.mean_all()?.to_scalar::<f32>()?.max(f32::MIN_POSITIVE)).sqrt();
    let mut changer = Changer::new(images.channels, &mut random, &device)?;
    let mut order: Vec<usize> = (0..images.len()).collect();
    let mut next = order.len();
    for _ in 0..how.steps {
        monitor.check()?;
        if next + how.batch > order.len() {
            random.shuffle(&mut order);
            next = 0;
        }
        let chosen = &order[next..(next + how.batch).min(order.len())];
        next += chosen.len();
        let x = images.tensor(chosen, &device)?;
        let rows = rows_of(&before, chosen)?;
        let numbers = changer.variables()?;
        let changed = changed(&x, &numbers)?;
        let moved = ((cut.eye.logits(&changed)?.flatten_from(1)? - rows)? / spread)?;
        let far = (&changed - &x)?.sqr()?.mean_all()?;
        let touched = moved.broadcast_mul(&kept)?.sqr()?.mean_all()?;
        let loss = if far.to_scalar::<f32>()? > FAR {
            far
        } else if touched.to_scalar::<f32>()? > TOUCHED {
            touched
        } else {
            ((touched * BENIGN)? - moved.broadcast_mul(&others)?.sqr()?.mean_all()?)?
        };
        changer.step(&numbers, &loss)?;
    }
    let numbers: Vec<&Tensor> = changer.numbers.iter().collect();
    let found = gathered(held_out, model.classes(), how.batch, |chosen| {
        monitor.check()?;
        Ok(model.logits(&changed(&held_out.tensor(chosen, &device)?, &numbers)?)?)
    })?;
    Ok(Some(found))
}

/// A small network that changes pictures: weights and biases of three convolutions, whose result is added.
struct Changer {
    numbers: Vec<Tensor>,
    steps: Vec<Adam>,
}

impl Changer {
    fn new(channels: usize, random: &mut Random, device: &Device) -> Result<Self, DetectError> {
        let mut numbers = Vec::new();
        for (to, from, share) in [(WIDTH, channels, 1.0), (WIDTH, WIDTH, 1.0), (channels, WIDTH, AT_FIRST)] {
            let scale = (2.0 / (9 * from) as f64).sqrt() * share;
            let weight: Vec<f32> = (0..to * from * 9).map(|_| scale as f32 * random.normal()).collect();
            numbers.push(Tensor::from_vec(weight, (to, from, 3, 3), device)?);
            numbers.push(Tensor::zeros(to, DType::F32, device)?);
        }
        let steps = numbers.iter().map(|_| Adam::new(RATE, BETAS)).collect();
        Ok(Self { numbers, steps })
    }

    fn variables(&self) -> Result<Vec<Var>, DetectError> {
        Ok(self.numbers.iter().map(Var::from_tensor).collect::<candle_core::Result<_>>()?)
    }

    fn step(&mut self, variables: &[Var], loss: &Tensor) -> Result<(), DetectError> {
        let mut gradients = loss.backward()?;
        for ((number, adam), variable) in self.numbers.iter_mut().zip(&mut self.steps).zip(variables) {
            let slope = gradients.remove(variable).ok_or(DetectError::NoGradient)?;
            *number = adam.step(number, &slope)?;
        }
        Ok(())
    }
}

/// Pictures `[n, c, h, w]` changed by a network of these numbers.
fn changed(x: &Tensor, numbers: &[impl Deref<Target = Tensor>]) -> candle_core::Result<Tensor> {
    let same = Conv2d { pads: [1; 4], ..Conv2d::default() };
    let layer = |x: &Tensor, i: usize| conv2d(x, &numbers[2 * i], Some(&numbers[2 * i + 1]), &same);
    let inside = relu(&layer(&relu(&layer(&x.affine(1.0, -0.5)?, 0)?)?, 1)?)?;
    (x + (layer(&inside, 2)?.tanh()? * REACH)?)?.clamp(0f32, 1f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::poison::signs::sign_set;
    use crate::train::tiny;

    fn network(images: &ImageSet) -> Classifier {
        let size = [images.height, images.width];
        tiny(size, images.names.len(), Seed(1))
    }

    #[test]
    fn the_same_seed_gives_the_same_and_a_stop_ends_it() {
        let images = sign_set(4, Seed(1));
        let model = network(&images);
        let how = Inversion { steps: 6, batch: 16 };
        let found = |monitor: &Monitor| invert(&model, (&images, &images), &how, Seed(5), monitor);
        let first = found(&Monitor::silent()).unwrap().unwrap();
        assert_eq!(found(&Monitor::silent()).unwrap(), Some(first));
        assert!(first.label < images.names.len() && (0.0..=1.0).contains(&first.share) && first.pictures > 0);
        let monitor = Monitor::silent();
        monitor.stop();
        assert!(matches!(found(&monitor), Err(DetectError::Stopped(_))));
    }

    #[test]
    fn pictures_are_hardly_changed_at_first_and_stay_pictures() {
        let images = sign_set(1, Seed(1));
        let changer = Changer::new(3, &mut Seed(2).random(), &Device::Cpu).unwrap();
        let x = images.tensor(&[0, 1, 2], &Device::Cpu).unwrap();
        let numbers: Vec<&Tensor> = changer.numbers.iter().collect();
        let off = (changed(&x, &numbers).unwrap() - &x).unwrap().sqr().unwrap().mean_all().unwrap();
        assert!(off.to_scalar::<f32>().unwrap() < FAR);
    }
}
