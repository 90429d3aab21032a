//! The shots at some labels, step by step; they can be left after any step, written down, and gone on with.

use super::stages::{Balance, Drive, Ends, Range};
use super::{Shooting, Shots};
use crate::detect::DetectError;
use crate::model::Classifier;
use crate::progress::{Monitor, Stepwise};
use crate::tensor::Numbers;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The shots at some labels. As many as fit into memory are under way at a time.
pub struct Volley<'a> {
    range: Range<'a>,
    labels: Vec<usize>,
    /// The points all labels share, `[shots, c, h, w]`.
    points: &'a Tensor,
    at: Progress,
}

/// How far a volley has come: with it, the same one goes on as if it had never been interrupted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    steps: usize,
    /// Of those that are through.
    ends: Ends,
    /// Of those that are under way.
    stage: Option<Stage>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Stage {
    Balance(Balance),
    Drive(Drive),
}

impl<'a> Volley<'a> {
    /// Shots from `points` at `labels`, none of which was made yet.
    pub fn new(
        suspect: &'a Classifier,
        reference: &'a Classifier,
        labels: &[usize],
        points: &'a Tensor,
        how: &'a Shooting,
    ) -> Self {
        let range = Range { suspect, reference, how };
        Self { range, labels: labels.to_vec(), points, at: Progress::default() }
    }

    /// Shots at all labels.
    fn all(&self) -> usize {
        self.labels.len() * self.range.how.shots
    }

    /// The labels of the shots that are under way, or come next.
    fn targets(&self) -> Vec<u32> {
        self.targets_from(self.at.ends.len())
    }

    fn targets_from(&self, first: usize) -> Vec<u32> {
        let end = (first + self.range.how.at_once.max(1)).min(self.all());
        (first..end).map(|shot| self.labels[shot / self.range.how.shots] as u32).collect()
    }

    /// The points of the next `n` shots.
    fn starts(&self, n: usize) -> candle_core::Result<Tensor> {
        let (first, device) = (self.at.ends.len(), self.points.device());
        let points: Vec<u32> = (first..first + n).map(|shot| (shot % self.range.how.shots) as u32).collect();
        self.points.index_select(&Tensor::new(points, device)?, 0)
    }

    /// What became of them, label by label; of shots that are not through yet nothing.
    ///
    /// # Errors
    /// Where the device cannot hold it.
    pub fn shots(&self) -> Result<Vec<Shots>, DetectError> {
        let (n, ends) = (self.range.how.shots, &self.at.ends);
        let whole = self.labels.iter().enumerate().take(ends.len() / n.max(1));
        let of_label = |(i, &label): (usize, &usize)| {
            let own = i * n..(i + 1) * n;
            let points: Vec<&Tensor> = ends.points[own.clone()].iter().map(|Numbers(p)| p).collect();
            Ok(Shots {
                label,
                losses: ends.losses[own.clone()].to_vec(),
                reference_losses: ends.reference_losses[own.clone()].to_vec(),
                steps: ends.steps[own].to_vec(),
                points: Tensor::stack(&points, 0)?,
            })
        };
        whole.map(of_label).collect()
    }
}

impl Stepwise for Volley<'_> {
    type State = Progress;
    type Error = DetectError;

    fn steps_taken(&self) -> usize {
        self.at.steps
    }

    fn is_over(&self) -> bool {
        self.at.stage.is_none() && self.at.ends.len() >= self.all()
    }

    fn step(&mut self, _: &Monitor) -> Result<(), DetectError> {
        let how = self.range.how;
        let targets = self.targets();
        match &mut self.at.stage {
            None => {
                let base = self.range.pushed_away(&self.starts(targets.len())?, &targets)?;
                self.at.stage = Some(Stage::Balance(Balance::new(base, how.rate)?));
            }
            Some(Stage::Balance(balance)) if balance.is_over(how) => {
                let drive = Drive::after(balance, how.rate)?;
                self.at.stage = Some(Stage::Drive(drive));
            }
            Some(Stage::Balance(balance)) => balance.advance(&self.range, &targets)?,
            Some(Stage::Drive(drive)) if !drive.is_over(how) => drive.advance(&self.range, &targets)?,
            Some(Stage::Drive(_)) => {
                if let Some(Stage::Drive(drive)) = self.at.stage.take() {
                    self.at.ends.append(drive.ends());
                }
            }
        }
        self.at.steps += 1;
        Ok(())
    }

    fn state(&self) -> Result<Progress, DetectError> {
        Ok(self.at.clone())
    }

    fn go_on_from(&mut self, progress: Progress) -> Result<(), DetectError> {
        let point = self.points.dims().get(1..).unwrap_or_default();
        let done = progress.ends.len();
        let under_way = self.targets_from(done).len();
        let fits = done <= self.all()
            && progress.ends.fits(done, point)
            && match &progress.stage {
                None => true,
                Some(Stage::Balance(balance)) => balance.fits(under_way, point),
                Some(Stage::Drive(drive)) => drive.fits(under_way, point),
            };
        if fits {
            self.at = progress.on(self.points.device())?;
        }
        Ok(())
    }
}

impl Progress {
    fn on(self, device: &Device) -> candle_core::Result<Self> {
        let stage = match self.stage {
            None => None,
            Some(Stage::Balance(balance)) => Some(Stage::Balance(balance.on(device)?)),
            Some(Stage::Drive(drive)) => Some(Stage::Drive(drive.on(device)?)),
        };
        Ok(Self { ends: self.ends.on(device)?, stage, ..self })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::detect::poisdetc::random_points;
    use crate::tensor::Seed;
    use crate::train::tiny;

    fn network(seed: u64) -> Classifier {
        tiny([12, 12], 4, Seed(seed))
    }

    #[test]
    fn a_volley_that_is_cut_off_after_any_step_goes_on_to_the_same_shots() {
        let (suspect, reference, silent) = (network(1), network(2), Monitor::silent());
        let points = random_points(3, 3, [12, 12], &mut Seed(3).random(), &Device::Cpu).unwrap();
        let how = Shooting { shots: 3, steps: 12, rate: 0.05, original_form: false, early: true, at_once: 4 };
        let begin = || Volley::new(&suspect, &reference, &[1, 2, 0], &points, &how);
        let mut whole = begin();
        whole.advance(usize::MAX, &silent).unwrap();
        let mut volley = begin();
        assert!(volley.shots().unwrap().is_empty());
        while !volley.is_over() {
            volley.advance(1, &silent).unwrap();
            let written = serde_json::to_string(&volley.state().unwrap()).unwrap();
            let before = volley.steps_taken();
            volley = begin();
            volley.go_on_from(serde_json::from_str(&written).unwrap()).unwrap();
            assert_eq!(volley.steps_taken(), before);
        }
        let told = |volley: &Volley<'_>| serde_json::to_string(&volley.shots().unwrap()).unwrap();
        assert!(told(&volley) == told(&whole) && volley.shots().unwrap().len() == 3);
        // Of other shots nothing is taken.
        let fewer = Shooting { shots: 2, ..how.clone() };
        let mut other = Volley::new(&suspect, &reference, &[1, 2], &points, &fewer);
        other.go_on_from(whole.state().unwrap()).unwrap();
        assert_eq!(other.steps_taken(), 0);
    }
}
