//! MM-BD, maximum margin detection (Wang et al., "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor
//! Pattern Types", IEEE S&P 2024, arXiv 2205.06900).
//!
//! In: a model and nothing else. From points of noise each label's logit is driven as far above all others as pixels in
//! `[0, 1]` allow. Out: the largest margin of each label. A backdoor makes its label's logit grow beyond what honest
//! features reach, whatever the trigger looks like. Never decides.

use super::DetectError;
use super::gradient::gradient_of;
use crate::model::Classifier;
use crate::progress::Monitor;
use crate::tensor::{Adam, Seed};
use candle_core::{D, Tensor, Var};

/// How the margins are driven up.
#[derive(Debug, Clone, PartialEq)]
pub struct Ascent {
    /// Points of noise a label (published: 30); the one that gets farthest counts.
    pub points: usize,
    /// Steps (published: at most 300 of plain gradient ascent at rate 0.01).
    pub steps: usize,
    /// Adam's step size, in units of the pixels' range. Adam reaches the plateau in a fifth of the published steps, and its
    /// steps do not depend on how large a model's logits are.
    pub rate: f64,
    /// At most this many points are computed at once; each is a problem of its own.
    pub at_once: usize,
}

impl Ascent {
    /// For an audit that also searches for triggers.
    pub fn quick() -> Self {
        Self { points: 6, steps: 40, rate: 0.05, at_once: 64 }
    }

    /// As many points as published.
    pub fn thorough() -> Self {
        Self { points: 30, steps: 150, ..Self::quick() }
    }
}

/// The largest margin that the logit of each of `labels` reaches over every other label's, over all points of noise. Each
/// label has its own noise, and each point is a problem of its own: the result does not depend on which labels are driven
/// together.
///
/// # Errors
/// Where the model fails or somebody stops the work.
pub fn max_margins(
    model: &Classifier,
    labels: &[usize],
    how: &Ascent,
    seed: Seed,
    monitor: &Monitor,
) -> Result<Vec<f32>, DetectError> {
    let preprocessing = model.preprocessing();
    let [h, w] = preprocessing.size;
    let shape = (how.points, preprocessing.channels, h, w);
    let noise = |label: &usize| seed.of("margin").nth(*label).random().uniform_tensor(0.0, 1.0, shape, &model.device());
    let noise = Tensor::cat(&labels.iter().map(noise).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
    let targets: Vec<usize> = labels.iter().flat_map(|&label| std::iter::repeat_n(label, how.points)).collect();
    let mut highest = Vec::with_capacity(targets.len());
    let at_once = how.at_once.max(1);
    for (i, targets) in targets.chunks(at_once).enumerate() {
        let some = noise.narrow(0, i * at_once, targets.len())?;
        highest.extend(climb(model, targets, &some, how, monitor)?);
    }
    Ok(highest
        .chunks(how.points.max(1))
        .map(|points| points.iter().copied().fold(f32::NEG_INFINITY, f32::max))
        .collect())
}

/// The largest margin of each point `[n, c, h, w]` on its way up to its target.
fn climb(
    model: &Classifier,
    targets: &[usize],
    points: &Tensor,
    how: &Ascent,
    monitor: &Monitor,
) -> Result<Vec<f32>, DetectError> {
    let aside = aside(targets, model.classes(), points)?;
    let targets: Vec<u32> = targets.iter().map(|&t| t as u32).collect();
    let targets = Tensor::new(targets, points.device())?.unsqueeze(1)?;
    let mut adam = Adam::new(how.rate, (0.9, 0.999));
    let mut x = points.clone();
    let mut highest = vec![f32::NEG_INFINITY; points.dim(0)?];
    for step in 0..=how.steps {
        monitor.check()?;
        let var = Var::from_tensor(&x)?;
        let logits = model.logits(&var)?;
        let own = logits.gather(&targets, 1)?.squeeze(1)?;
        let margins = (own - (&logits - &aside)?.max(D::Minus1)?)?;
        for (highest, now) in highest.iter_mut().zip(margins.to_vec1::<f32>()?) {
            // `max` leaves what is no number aside.
            *highest = highest.max(now);
        }
        if step < how.steps {
            let gradient = gradient_of(&margins.neg()?, &var)?;
            x = adam.step(&x, &gradient)?.clamp(0f32, 1f32)?;
        }
    }
    Ok(highest)
}

/// `[n, classes]`, infinite at each row's own target and 0 elsewhere: taken from logits it leaves the others.
fn aside(targets: &[usize], classes: usize, like: &Tensor) -> candle_core::Result<Tensor> {
    let mut values = vec![0f32; targets.len() * classes];
    for (row, &target) in targets.iter().enumerate() {
        values[row * classes + target] = f32::INFINITY;
    }
    Tensor::from_vec(values, (targets.len(), classes), like.device())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Preprocessing;
    use crate::train::Architecture;
    use candle_core::Device;

    fn network() -> Classifier {
        let model = Architecture::Tiny.untrained(3, [12, 12], 5, Seed(3)).unwrap();
        Classifier::new(&model, Preprocessing::unit([12, 12], 3), &Device::Cpu).unwrap()
    }

    /// The same network with `more` on the logit of `label`.
    fn with_loud_label(network: &Classifier, label: usize, more: f32) -> Classifier {
        let mut parameters = network.parameters().clone();
        let (_, biases) = parameters.iter_mut().find(|(_, tensor)| tensor.dims() == [5]).unwrap();
        let mut added = vec![0f32; 5];
        added[label] = more;
        *biases = (&*biases + Tensor::from_vec(added, 5, &Device::Cpu).unwrap()).unwrap();
        network.with_parameters(parameters)
    }

    #[test]
    fn a_label_whose_logit_is_larger_has_the_larger_margin() {
        let how = Ascent { points: 3, steps: 20, ..Ascent::quick() };
        let margins =
            |model: &Classifier| max_margins(model, &[0, 1, 2, 3, 4], &how, Seed(1), &Monitor::silent()).unwrap();
        let (plain, loud) = (margins(&network()), margins(&with_loud_label(&network(), 3, 20.0)));
        assert!((loud[3] - plain[3] - 20.0).abs() < 1.0, "{plain:?} {loud:?}");
        assert!([0, 1, 2, 4].into_iter().all(|other| loud[other] < plain[other] - 10.0), "{plain:?} {loud:?}");
    }

    #[test]
    fn labels_do_not_depend_on_which_are_driven_together() {
        let how = Ascent { points: 3, steps: 5, at_once: 4, ..Ascent::quick() };
        let of = |labels: &[usize]| max_margins(&network(), labels, &how, Seed(1), &Monitor::silent()).unwrap();
        let together = of(&[0, 1, 2, 3, 4]);
        let apart: Vec<f32> = (0..5).flat_map(|label| of(&[label])).collect();
        assert_eq!(together, apart);
    }

    #[test]
    fn margins_grow_on_the_way() {
        let how = |steps| Ascent { points: 2, steps, ..Ascent::quick() };
        let of = |steps| max_margins(&network(), &[2], &how(steps), Seed(1), &Monitor::silent()).unwrap()[0];
        assert!(of(30) > of(0), "{} {}", of(30), of(0));
    }
}
