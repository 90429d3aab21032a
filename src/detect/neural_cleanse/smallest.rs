//! The search for the smallest mask that still works, whatever it is to do.
//!
//! In: a model, the images it is about, and what a mask is to do with the model's answers. Out: the smallest one that did it in a
//! window of batches; it can be taken further step by step.

use super::Search;
use super::descent::{CostControl, Descent};
use crate::detect::{DetectError, Shape, Trigger};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::progress::{Monitor, Stepwise};
use crate::tensor::{Random, numbers};
use candle_core::{Device, Result, Tensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Batches in one window over which success is judged.
const WINDOW: usize = 4;
/// A smaller mask counts as progress when it is smaller by this share.
const PROGRESS: f32 = 0.02;

/// What a mask is to do.
pub trait Goal: Clone + PartialEq + Serialize + DeserializeOwned {
    /// What is to become small, of `logits [n, classes]` for these images of the set.
    ///
    /// # Errors
    /// Where the device fails.
    fn loss(&self, logits: &Tensor, images: &ImageSet, chosen: &[usize]) -> Result<Tensor>;

    /// For how many of them it is done.
    ///
    /// # Errors
    /// Where the device fails.
    fn done(&self, logits: &Tensor, images: &ImageSet, chosen: &[usize]) -> Result<usize>;
}

/// A mask and its pattern, and how they were found.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    /// `[1, 1, h, w]` in `[0, 1]`.
    #[serde(with = "numbers")]
    mask: Tensor,
    /// `[1, c, h, w]` in `[0, 1]`.
    #[serde(with = "numbers")]
    pattern: Tensor,
    /// What the search made small, of all pixels.
    l1: f32,
    /// For how many of the images of its window it did what it is to do, in `[0, 1]`.
    rate: f32,
    /// Whether that is what the search asked for.
    reached: bool,
}

impl Mark {
    fn on(self, device: &Device) -> Result<Self> {
        Ok(Self { mask: self.mask.to_device(device)?, pattern: self.pattern.to_device(device)?, ..self })
    }
}

/// A search under way.
pub struct Smallest<'a, G> {
    model: &'a Classifier,
    search: &'a Search,
    images: &'a ImageSet,
    /// The images it is about, shuffled; they are shown round and round.
    order: Vec<usize>,
    at: Progress<G>,
}

/// How far a search has come: with it, the same search goes on as if it had never been interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress<G> {
    goal: G,
    descent: Descent,
    control: CostControl,
    best: Option<Mark>,
    nearest: Option<Mark>,
    shape: Shape,
    /// Windows since the mask became smaller.
    rested: usize,
    steps: usize,
    hits: usize,
    seen: usize,
    /// Place in the order of the images.
    next: usize,
}

impl<'a, G: Goal> Smallest<'a, G> {
    /// A search that has not begun; `order` are the images it is about, in any order, at least one.
    ///
    /// # Errors
    /// Where the device fails.
    pub(in crate::detect) fn begun(
        (model, images): (&'a Classifier, &'a ImageSet),
        goal: G,
        mut order: Vec<usize>,
        search: &'a Search,
        mut random: Random,
    ) -> Result<Self> {
        random.shuffle(&mut order);
        let (device, size) = (model.device(), [images.height, images.width]);
        let descent = Descent::new(search.shape, &mut random, images.channels, size, &device)?;
        let at = Progress {
            goal,
            descent,
            control: CostControl::default(),
            best: None,
            nearest: None,
            shape: search.shape,
            rested: 0,
            steps: 0,
            hits: 0,
            seen: 0,
            next: 0,
        };
        Ok(Self { model, search, images, order, at })
    }

    /// The smallest mask that worked; else the one that came nearest; `None` before the first window.
    /// As if meant for `source`, or every other label, to become `label`.
    pub(in crate::detect) fn found(&self, source: Option<usize>, label: usize) -> Option<Trigger> {
        let Mark { mask, pattern, l1, rate, reached } = self.at.best.as_ref().or(self.at.nearest.as_ref())?.clone();
        Some(Trigger { label, source, shape: self.search.shape, mask, pattern, l1, asr_search: rate, reached })
    }

    /// What it is to do.
    pub(in crate::detect) fn goal(&self) -> &G {
        &self.at.goal
    }

    /// Steps it may still take.
    pub fn steps_left(&self) -> usize {
        self.search.steps - self.at.steps
    }

    /// The next images.
    fn next(&mut self) -> Vec<usize> {
        let all = self.order.len();
        let n = self.search.batch_at(self.at.steps).min(all);
        let chosen = (0..n).map(|k| self.order[(self.at.next + k) % all]).collect();
        self.at.next = (self.at.next + n) % all;
        chosen
    }

    /// Looks at the window that has just ended.
    fn judge(&mut self, mask: Tensor, pattern: Tensor) -> Result<()> {
        let rate = self.at.hits as f32 / self.at.seen as f32;
        (self.at.hits, self.at.seen) = (0, 0);
        let reached = rate >= self.search.success;
        let l1 = self.search.shape.sum(&mask, &pattern)?.to_scalar::<f32>()?;
        let found = Mark { mask, pattern, l1, rate, reached };
        self.at.rested += 1;
        let before = self.at.best.as_ref().map(|b| b.l1);
        if reached {
            if before.is_none_or(|b| l1 < b * (1.0 - PROGRESS)) {
                self.at.rested = 0;
            }
            if before.is_none_or(|b| l1 < b) {
                self.at.best = Some(found);
            }
        } else if self.at.nearest.as_ref().is_none_or(|n| rate > n.rate) {
            self.at.nearest = Some(found);
        }
        self.at.control.window(reached);
        Ok(())
    }
}

impl<G: Goal> Stepwise for Smallest<'_, G> {
    type State = Progress<G>;
    type Error = DetectError;

    fn steps_taken(&self) -> usize {
        self.at.steps
    }

    fn is_over(&self) -> bool {
        self.at.steps >= self.search.steps
            || (self.at.best.is_some() && self.at.control.went_both_ways() && self.at.rested >= self.search.rest)
    }

    fn step(&mut self, _: &Monitor) -> std::result::Result<(), DetectError> {
        let chosen = self.next();
        let x = self.images.tensor(&chosen, &self.model.device())?;
        let Progress { goal, descent, control, .. } = &mut self.at;
        let loss = |logits: &Tensor| goal.loss(logits, self.images, &chosen);
        let (mask, pattern, logits) = descent.step(self.model, &x, loss, (self.search.shape, control.cost))?;
        self.at.steps += 1;
        self.at.hits += self.at.goal.done(&logits, self.images, &chosen)?;
        self.at.seen += chosen.len();
        if self.at.steps.is_multiple_of(WINDOW) {
            self.judge(mask, pattern)?;
        }
        Ok(())
    }

    fn state(&self) -> std::result::Result<Progress<G>, DetectError> {
        Ok(self.at.clone())
    }

    fn go_on_from(&mut self, progress: Progress<G>) -> std::result::Result<(), DetectError> {
        let fits = progress.goal == self.at.goal
            && progress.descent.is_like(&self.at.descent)
            && progress.shape == self.at.shape
            && (self.at.steps..=self.search.steps).contains(&progress.steps)
            && progress.next < self.order.len();
        if fits {
            self.at = progress.on(&self.model.device())?;
        }
        Ok(())
    }
}

impl<G> Progress<G> {
    fn on(self, device: &Device) -> Result<Self> {
        let move_all = |found: Option<Mark>| found.map(|mark| mark.on(device)).transpose();
        Ok(Self {
            descent: self.descent.on(device)?,
            best: move_all(self.best)?,
            nearest: move_all(self.nearest)?,
            ..self
        })
    }
}
