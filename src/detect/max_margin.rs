//! MM-BD, maximum margin detection (Wang et al., "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor
//! Pattern Types", IEEE S&P 2024, arXiv 2205.06900).
//!
//! In: a model and nothing else. From points of noise each label's logit is driven as far above all others as pixels in
//! `[0, 1]` allow. Out: the largest margin of each label. A backdoor makes its label's logit grow beyond what honest
//! features reach, whatever the trigger looks like. Never decides.

use super::DetectError;
use super::gradient::gradient_of;
use crate::model::Classifier;
use crate::progress::{Monitor, Stepwise};
use crate::tensor::{Adam, Seed, numbers};
use candle_core::{D, Tensor, Var};
use serde::{Deserialize, Serialize};

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

/// The way up of some labels' margins, step by step; it can be left after any step, written down, and gone on with. Each label
/// has its own noise, and each point is a problem of its own: the result does not depend on which labels are driven together.
pub struct Climb<'a> {
    model: &'a Classifier,
    labels: Vec<usize>,
    how: &'a Ascent,
    /// Where the points begin, `[labels * points, c, h, w]`.
    noise: Tensor,
    at: Progress,
}

/// How far a climb has come: with it, the same one goes on as if it had never been interrupted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    steps: usize,
    /// The largest margin of each point that is through; `None` where none was a number.
    highest: Vec<Option<f32>>,
    /// Points that are on their way.
    under_way: Option<UnderWay>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct UnderWay {
    #[serde(with = "numbers")]
    x: Tensor,
    adam: Adam,
    step: usize,
    highest: Vec<Option<f32>>,
}

impl<'a> Climb<'a> {
    /// A climb that has not begun.
    ///
    /// # Errors
    /// Where the device cannot hold the points.
    pub fn new(model: &'a Classifier, labels: &[usize], how: &'a Ascent, seed: Seed) -> Result<Self, DetectError> {
        let preprocessing = model.preprocessing();
        let [h, w] = preprocessing.size;
        let shape = (how.points, preprocessing.channels, h, w);
        let noise =
            |label: &usize| seed.of("margin").nth(*label).random().uniform_tensor(0.0, 1.0, shape, &model.device());
        let noise = Tensor::cat(&labels.iter().map(noise).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
        Ok(Self { model, labels: labels.to_vec(), how, noise, at: Progress::default() })
    }

    /// The labels of the points that are on their way, or come next.
    fn targets(&self) -> Vec<usize> {
        let (first, n) = (self.at.highest.len(), self.how.points);
        let end = (first + self.how.at_once.max(1)).min(self.labels.len() * n);
        (first..end).map(|point| self.labels[point / n]).collect()
    }

    /// The largest margin that the logit of each label reached over every other label's, over all points of noise; minus
    /// infinity where none was a number.
    pub fn margins(&self) -> Vec<f32> {
        let largest = |points: &[Option<f32>]| points.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
        self.at.highest.chunks(self.how.points.max(1)).map(largest).collect()
    }
}

impl Stepwise for Climb<'_> {
    type State = Progress;
    type Error = DetectError;

    fn steps_taken(&self) -> usize {
        self.at.steps
    }

    fn is_over(&self) -> bool {
        self.at.under_way.is_none() && self.at.highest.len() >= self.labels.len() * self.how.points
    }

    fn step(&mut self, _: &Monitor) -> Result<(), DetectError> {
        let targets = self.targets();
        if self.at.under_way.is_none() {
            let x = self.noise.narrow(0, self.at.highest.len(), targets.len())?;
            let adam = Adam::new(self.how.rate, (0.9, 0.999));
            self.at.under_way = Some(UnderWay { x, adam, step: 0, highest: vec![None; targets.len()] });
        }
        if let Some(here) = &mut self.at.under_way {
            here.advance(self.model, &targets, self.how.steps)?;
        }
        if let Some(here) = self.at.under_way.take_if(|here| here.step > self.how.steps) {
            self.at.highest.extend(here.highest);
        }
        self.at.steps += 1;
        Ok(())
    }

    fn state(&self) -> Result<Progress, DetectError> {
        Ok(self.at.clone())
    }

    fn go_on_from(&mut self, progress: Progress) -> Result<(), DetectError> {
        let all = self.labels.len() * self.how.points;
        let n = all.saturating_sub(progress.highest.len()).min(self.how.at_once.max(1));
        let of_ours = |here: &UnderWay| {
            here.x.dims() == [&[n], self.noise.dims().get(1..).unwrap_or_default()].concat()
                && here.adam.fits(&here.x)
                && here.highest.len() == n
        };
        if progress.highest.len() <= all && progress.under_way.as_ref().is_none_or(of_ours) {
            let device = self.noise.device();
            let on = |here: UnderWay| -> candle_core::Result<UnderWay> {
                Ok(UnderWay { x: here.x.to_device(device)?, adam: here.adam.on(device)?, ..here })
            };
            self.at = Progress { under_way: progress.under_way.map(on).transpose()?, ..progress };
        }
        Ok(())
    }
}

impl UnderWay {
    /// Looks at the margins where the points are, and takes them one of `steps` steps further up.
    fn advance(&mut self, model: &Classifier, targets: &[usize], steps: usize) -> Result<(), DetectError> {
        let aside = aside(targets, model.classes(), &self.x)?;
        let targets: Vec<u32> = targets.iter().map(|&t| t as u32).collect();
        let targets = Tensor::new(targets, self.x.device())?.unsqueeze(1)?;
        let var = Var::from_tensor(&self.x)?;
        let logits = model.logits(&var)?;
        let own = logits.gather(&targets, 1)?.squeeze(1)?;
        let margins = (own - (&logits - &aside)?.max(D::Minus1)?)?;
        for (highest, now) in self.highest.iter_mut().zip(margins.to_vec1::<f32>()?) {
            if now.is_finite() && highest.is_none_or(|highest| now > highest) {
                *highest = Some(now);
            }
        }
        if self.step < steps {
            let gradient = gradient_of(&margins.neg()?, &var)?;
            self.x = self.adam.step(&self.x, &gradient)?.clamp(0f32, 1f32)?;
        }
        self.step += 1;
        Ok(())
    }
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
    use crate::train::tiny;
    use candle_core::Device;

    fn network() -> Classifier {
        tiny([12, 12], 5, Seed(3))
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

    fn max_margins(model: &Classifier, labels: &[usize], how: &Ascent) -> Vec<f32> {
        let mut climb = Climb::new(model, labels, how, Seed(1)).unwrap();
        climb.advance(usize::MAX, &Monitor::silent()).unwrap();
        climb.margins()
    }

    #[test]
    fn a_climb_that_is_cut_off_after_any_step_goes_on_to_the_same_margins() {
        let (model, how) = (network(), Ascent { points: 3, steps: 5, at_once: 4, ..Ascent::quick() });
        let begin = |labels: &[usize]| Climb::new(&model, labels, &how, Seed(1)).unwrap();
        let mut climb = begin(&[0, 4, 2]);
        while !climb.is_over() {
            climb.advance(1, &Monitor::silent()).unwrap();
            let (written, before) = (serde_json::to_string(&climb.state().unwrap()).unwrap(), climb.steps_taken());
            climb = begin(&[0, 4, 2]);
            climb.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
            assert_eq!(climb.steps_taken(), before);
        }
        assert_eq!(climb.margins(), max_margins(&model, &[0, 4, 2], &how));
        // Of more labels nothing is taken.
        let mut fewer = begin(&[0]);
        fewer.go_on_from(climb.state().unwrap()).unwrap();
        assert_eq!(fewer.steps_taken(), 0);
    }

    #[test]
    fn a_label_whose_logit_is_larger_has_the_larger_margin() {
        let how = Ascent { points: 3, steps: 20, ..Ascent::quick() };
        let margins = |model: &Classifier| max_margins(model, &[0, 1, 2, 3, 4], &how);
        let (plain, loud) = (margins(&network()), margins(&with_loud_label(&network(), 3, 20.0)));
        assert!((loud[3] - plain[3] - 20.0).abs() < 1.0, "{plain:?} {loud:?}");
        assert!([0, 1, 2, 4].into_iter().all(|other| loud[other] < plain[other] - 10.0), "{plain:?} {loud:?}");
    }

    #[test]
    fn labels_do_not_depend_on_which_are_driven_together() {
        let how = Ascent { points: 3, steps: 5, at_once: 4, ..Ascent::quick() };
        let of = |labels: &[usize]| max_margins(&network(), labels, &how);
        let together = of(&[0, 1, 2, 3, 4]);
        let apart: Vec<f32> = (0..5).flat_map(|label| of(&[label])).collect();
        assert_eq!(together, apart);
    }

    #[test]
    fn margins_grow_on_the_way() {
        let how = |steps| Ascent { points: 2, steps, ..Ascent::quick() };
        let of = |steps| max_margins(&network(), &[2], &how(steps))[0];
        assert!(of(30) > of(0), "{} {}", of(30), of(0));
    }
}
