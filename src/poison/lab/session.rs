//! A poisoned network and its clean twin, trained beside each other one step at a time.
//!
//! In: a [`LabOrder`] and its [`Pictures`]. Out: after every few steps a [`Moment`]: losses, accuracy, how often the mark
//! works, and what both networks say of a few pictures. The twin has the same network, seed and settings and differs in
//! one thing only: none of its training pictures carries the mark. A session that was interrupted goes on where it
//! was, and the same order gives the same numbers with pauses or without.

use super::build::{LabError, possible};
use super::moment::{Moment, Numbers, Watched, measured};
use super::order::{LabOrder, Pictures};
use super::pair::Pair;
use crate::images::ImageSet;
use crate::poison::{poison, stamped};
use crate::progress::Monitor;
use crate::train::{TrainError, Trainer};
use candle_core::Device;
use std::sync::Arc;

/// How often both networks are measured during the whole training.
const MEASUREMENTS: usize = 48;

/// Both networks in training.
pub struct Session {
    order: LabOrder,
    pictures: Arc<Pictures>,
    /// Test pictures that the attack means, with the mark, labelled with what they should become.
    marked: ImageSet,
    watched: Arc<Watched>,
    poisoned: Trainer,
    twin: Trainer,
    /// Sum of the losses since the last moment, and of how many steps: poisoned, twin.
    losses: [(f32, usize); 2],
    /// The step that was measured last.
    measured: Option<usize>,
}

impl Session {
    /// Both networks before their first step.
    ///
    /// # Errors
    /// [`LabError`], a sentence, where the order makes no sense for these pictures.
    pub fn new(order: LabOrder, pictures: Arc<Pictures>) -> Result<Self, LabError> {
        possible(&order.planted, pictures.training.names.len())?;
        let planted = &order.planted;
        let (attack, seed) = (planted.mark.attack(), order.recipe.seed);
        let poisoned = poison(&pictures.training, attack, planted.scheme, planted.rate, seed.of("backdoor").nth(0));
        let marked = stamped(&pictures.test, attack, planted.scheme);
        let watched = Arc::new(Watched::of(&order, &pictures.test));
        let poisoned = Trainer::new(poisoned, &order.recipe, &Device::Cpu)?;
        let twin = Trainer::new(pictures.training.clone(), &order.recipe, &Device::Cpu)?;
        let losses = [(0.0, 0); 2];
        Ok(Self { order, pictures, marked, watched, poisoned, twin, losses, measured: None })
    }

    /// What was asked for.
    pub fn order(&self) -> &LabOrder {
        &self.order
    }

    /// The pictures whose answers are followed.
    pub fn watched(&self) -> Arc<Watched> {
        Arc::clone(&self.watched)
    }

    /// Steps that were done. A poisoned set may need a step more than a clean one; the larger number counts.
    pub fn done(&self) -> usize {
        self.poisoned.done().max(self.twin.done())
    }

    /// Steps of the whole training.
    pub fn steps(&self) -> usize {
        self.poisoned.steps().max(self.twin.steps())
    }

    /// Whether both are trained.
    pub fn is_finished(&self) -> bool {
        self.poisoned.is_finished() && self.twin.is_finished()
    }

    /// Trains until the end, or for `most` moments, and tells of each. When it is stopped the session stays as it is
    /// after the last whole step.
    ///
    /// # Errors
    /// [`LabError::Stopped`] on request, otherwise a sentence.
    pub fn run(&mut self, most: Option<usize>, monitor: &Monitor, tell: &dyn Fn(Moment)) -> Result<(), LabError> {
        if self.measured.is_none() {
            tell(self.moment(monitor)?);
        }
        let mut moments = 0;
        while !self.is_finished() && most.is_none_or(|most| moments < most) {
            let until = self.next_moment();
            while self.done() < until && !self.is_finished() {
                monitor.check()?;
                monitor.step(
                    format!("Training, step {} of {}", self.done() + 1, self.steps()),
                    self.done() as f32 / self.steps().max(1) as f32,
                );
                self.step()?;
            }
            tell(self.moment(monitor)?);
            moments += 1;
        }
        if self.is_finished() && self.measured != Some(self.done()) {
            tell(self.moment(monitor)?);
        }
        Ok(())
    }

    /// The step after which both are measured next.
    fn next_moment(&self) -> usize {
        let steps = self.steps();
        let between = steps.div_ceil(MEASUREMENTS).max(1);
        ((self.measured.unwrap_or(0) / between + 1) * between).min(steps)
    }

    /// One step of each, at the same time.
    fn step(&mut self) -> Result<(), LabError> {
        let (poisoned, twin) = (&mut self.poisoned, &mut self.twin);
        let one = |trainer: &mut Trainer| -> Result<Option<f32>, TrainError> {
            Ok(trainer.step()?.map(|loss| loss.to_scalar::<f32>()).transpose()?)
        };
        let both = rayon::join(|| one(poisoned), || one(twin));
        for (sum, loss) in self.losses.iter_mut().zip([both.0?, both.1?]) {
            if let Some(loss) = loss {
                if !loss.is_finite() {
                    let learning_rate = self.order.recipe.learning_rate;
                    let epochs = self.poisoned.done() / self.poisoned.steps_a_pass().max(1);
                    return Err(TrainError::Diverged { epochs, learning_rate }.into());
                }
                *sum = (sum.0 + loss, sum.1 + 1);
            }
        }
        Ok(())
    }

    /// Measures both networks as they are.
    fn moment(&mut self, monitor: &Monitor) -> Result<Moment, LabError> {
        let both = [self.poisoned.classifier()?, self.twin.classifier()?];
        let measured = measured(&both, [&self.pictures.test, &self.marked], &self.watched, monitor)?;
        let loss = self.losses.map(|(sum, count)| (count > 0).then(|| sum / count as f32));
        self.losses = [(0.0, 0); 2];
        self.measured = Some(self.done());
        let numbers = |k: usize| Numbers { loss: loss[k], ..measured.0[k] };
        Ok(Moment {
            step: self.done(),
            steps: self.steps(),
            passes: self.done() as f32 / self.poisoned.steps_a_pass().max(1) as f32,
            poisoned: numbers(0),
            twin: numbers(1),
            said: measured.1,
        })
    }

    /// Both networks as they are now, to be looked into, saved and audited.
    ///
    /// # Errors
    /// Where there is no memory for copies.
    pub fn pair(&self) -> Result<Pair, LabError> {
        let models = (self.poisoned.model()?, self.twin.model()?);
        Pair::new(self.order.clone(), Arc::clone(&self.pictures), models)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::moment::WATCHED;
    use super::super::order::LabImages;
    use super::*;
    use crate::progress::Monitor;
    use crate::train::Architecture;
    use std::cell::RefCell;

    fn small() -> LabOrder {
        let order = LabOrder { images: LabImages::Signs { training: 6 }, ..LabOrder::default() };
        LabOrder { recipe: crate::train::Recipe { epochs: 3, batch: 8, ..order.recipe.clone() }, ..order }
    }

    fn session(order: LabOrder) -> Session {
        let pictures = order.images.gather(order.recipe.seed, &Monitor::silent()).unwrap();
        Session::new(order, Arc::new(pictures)).unwrap()
    }

    /// All moments of a session, and the bytes of its models.
    fn told(session: &mut Session, most: Option<usize>) -> Vec<Moment> {
        let moments = RefCell::new(Vec::new());
        session.run(most, &Monitor::silent(), &|moment| moments.borrow_mut().push(moment)).unwrap();
        moments.into_inner()
    }

    #[test]
    fn the_same_order_gives_the_same_models_with_pauses_or_without() {
        let mut whole = session(small());
        let in_one_go = told(&mut whole, None);
        assert!(whole.is_finished() && in_one_go.len() > 10, "{}", in_one_go.len());
        assert_eq!((in_one_go[0].step, in_one_go[0].poisoned.loss), (0, None));
        let mut piecewise = session(small());
        let mut pieces = Vec::new();
        while !piecewise.is_finished() {
            pieces.extend(told(&mut piecewise, Some(1)));
        }
        assert_eq!(pieces, in_one_go);
        let [one, two] = [&whole, &piecewise].map(|s| s.pair().unwrap().onnx().unwrap());
        assert_eq!(one, two);
        assert_ne!(one.0, one.1, "the twin is another network");
        let mut other = session(LabOrder {
            recipe: crate::train::Recipe { seed: crate::tensor::Seed(2), ..small().recipe },
            ..small()
        });
        assert_ne!(told(&mut other, None), in_one_go);
    }

    #[test]
    fn a_session_that_is_stopped_goes_on_and_ends_the_same() {
        let mut stopped = session(small());
        let monitor = Monitor::silent();
        let flag = monitor.clone();
        let count = RefCell::new(0);
        let end = stopped.run(None, &monitor, &|_| {
            *count.borrow_mut() += 1;
            if *count.borrow() == 4 {
                flag.stop();
            }
        });
        assert!(matches!(end, Err(LabError::Stopped(_))), "{end:?}");
        assert!(!stopped.is_finished() && stopped.done() > 0);
        told(&mut stopped, None);
        let mut whole = session(small());
        told(&mut whole, None);
        assert_eq!(stopped.pair().unwrap().onnx().unwrap(), whole.pair().unwrap().onnx().unwrap());
    }

    #[test]
    fn watched_pictures_are_ones_the_attack_means_and_each_carries_the_mark() {
        let session = session(small());
        let watched = session.watched();
        assert_eq!(watched.clean.len(), WATCHED);
        assert!(watched.clean.labels.iter().all(|&label| label != 2));
        assert!((0..WATCHED).all(|i| watched.clean.image(i) != watched.marked.image(i)));
        let error = Session::new(
            LabOrder {
                planted: super::super::Planted {
                    scheme: crate::poison::Scheme::AllToOne { target: 99 },
                    ..small().planted
                },
                ..small()
            },
            Arc::clone(&session.pictures),
        );
        assert!(error.err().unwrap().to_string().contains("no label 99"));
        assert_eq!(small().recipe.architecture, Architecture::Tiny);
    }
}
