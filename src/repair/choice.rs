//! What a method hands back: the change it would make, and where it has a trade-off all settings it measured, so that a
//! person can take another.
//!
//! A setting keeps what it changes as small as it can: which channels are off, not the numbers that come of it.

use super::{Measured, Problem, RepairError};
use crate::model::channels::Silence;
use crate::model::{Change, Classifier};
use crate::progress::Monitor;
use std::sync::Arc;

/// What came of a method.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What it changes.
    pub change: Change,
    /// Its trade-off; `None` where it has none, or where nothing could be measured.
    pub choices: Option<Choices>,
}

impl Outcome {
    /// What was measured of the change on the validation images, where it is one of several settings.
    pub fn measured(&self) -> Option<&Measured> {
        let choices = self.choices.as_ref()?;
        choices.list.get(choices.chosen).map(|choice| &choice.measured)
    }
}

impl From<Change> for Outcome {
    fn from(change: Change) -> Self {
        Self { change, choices: None }
    }
}

/// The settings of a trade-off that were measured, from mild to harsh. The first changes nothing.
#[derive(Debug, Clone)]
pub struct Choices {
    /// What the setting is, in words: "Deviations beyond which channels are switched off".
    pub setting: &'static str,
    /// All of them.
    pub list: Vec<Choice>,
    /// Index of the one the method took.
    pub chosen: usize,
}

/// One setting, and what it does on the validation images.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The setting with what it comes to, in words: "2.5, 14 channels off".
    pub what: String,
    /// What the model is like with it on the validation images.
    pub measured: Measured,
    edit: Edit,
}

/// What a setting changes.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Whole(Change),
    Channels(Silence),
    /// This share of the way from the suspect to a change of parameters.
    Blend(Arc<Change>, f64),
}

impl Edit {
    pub fn change(&self, suspect: &Classifier) -> Result<Change, RepairError> {
        Ok(match self {
            Self::Whole(change) => change.clone(),
            Self::Channels(silence) => silence.change(suspect.parameters())?,
            Self::Blend(end, share) => {
                let mut blend = Change::default();
                for (name, there) in &end.parameters {
                    let mixed = ((&suspect.parameters()[name] * (1.0 - share))? + (there * *share)?)?;
                    blend.parameters.insert(name.clone(), mixed);
                }
                blend
            }
        })
    }
}

impl Choice {
    /// A setting that makes `change` and was measured already.
    pub fn new(what: String, change: Change, measured: Measured) -> Self {
        Self { what, measured, edit: Edit::Whole(change) }
    }

    /// What it changes of `suspect`, the model that was repaired.
    ///
    /// # Errors
    /// [`RepairError::Compute`] where the numbers cannot be worked out.
    pub fn change(&self, suspect: &Classifier) -> Result<Change, RepairError> {
        self.edit.change(suspect)
    }
}

/// Settings being tried from mild to harsh.
pub(super) struct Trial<'a> {
    problem: &'a Problem<'a>,
    choices: Choices,
}

/// Settings are shown until this many times the accuracy is lost that may be lost: beyond lies no choice.
const WORTH_SEEING: f32 = 5.0;
/// Share of the successes the aim allows that may be left on the validation images.
const SPARE: f32 = 0.5;

impl<'a> Trial<'a> {
    /// Begins with the suspect as it is.
    pub fn new(problem: &'a Problem<'a>, setting: &'static str) -> Self {
        let nothing = Choice::new("nothing changed".into(), Change::default(), problem.before.clone());
        Self { problem, choices: Choices { setting, list: vec![nothing], chosen: 0 } }
    }

    /// Measures a setting on the validation images. Harsher ones are not worth trying where it says so.
    ///
    /// # Errors
    /// Where the model fails or somebody stops the work.
    pub fn add(&mut self, what: String, edit: Edit, monitor: &Monitor) -> Result<(Measured, bool), RepairError> {
        let measured = self.problem.measured(&edit.change(self.problem.suspect)?, monitor)?;
        let lost = self.problem.before.accuracy - measured.accuracy;
        self.push(Choice { what, measured: measured.clone(), edit });
        Ok((measured, lost <= WORTH_SEEING * self.problem.aim.accuracy_loss))
    }

    /// Notes a setting that was measured already.
    pub fn push(&mut self, choice: Choice) {
        self.choices.list.push(choice);
    }

    /// Index of the setting that was measured last.
    pub fn latest(&self) -> usize {
        self.choices.list.len() - 1
    }

    /// Takes the setting with this index.
    ///
    /// # Errors
    /// Where the numbers of that setting cannot be worked out.
    pub fn take(mut self, index: usize) -> Result<Outcome, RepairError> {
        self.choices.chosen = index;
        let change = self.choices.list[index].change(self.problem.suspect)?;
        Ok(Outcome { change, choices: Some(self.choices) })
    }

    /// Takes a setting that keeps clean accuracy within the aim's budget. Where a trigger is known: the mildest that leaves
    /// it no more than half of the successes the aim allows, or else the one that leaves it fewest. Where none is: the
    /// harshest before accuracy first falls too far. A few hundred images measure accuracy to a point or two, and the
    /// harshest of many settings that seem to cost nothing is the one chance was kindest to.
    ///
    /// # Errors
    /// Where the numbers of that setting cannot be worked out.
    pub fn end(self) -> Result<Outcome, RepairError> {
        let (before, aim) = (&self.problem.before, self.problem.aim);
        let affordable = |choice: &Choice| choice.measured.accuracy >= before.accuracy - aim.accuracy_loss;
        let list = &self.choices.list;
        let chosen = if before.worst_asr().is_some() {
            let left = |choice: &Choice| choice.measured.worst_asr().unwrap_or(0.0);
            let can: Vec<(usize, f32)> =
                list.iter().enumerate().filter(|(_, c)| affordable(c)).map(|(i, c)| (i, left(c))).collect();
            let enough = can.iter().find(|(_, left)| *left <= SPARE * aim.asr);
            enough.or_else(|| can.iter().min_by(|a, b| a.1.total_cmp(&b.1))).map_or(0, |best| best.0)
        } else {
            list.iter().take_while(|choice| affordable(choice)).count().saturating_sub(1)
        };
        self.take(chosen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::{Stamp, Success, planted};
    use candle_core::{Device, Tensor};

    /// Index of the setting that is taken of those with these accuracies and successes.
    fn chosen(known: bool, settings: &[(f32, f32)]) -> usize {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let mut problem = planted::problem(&suspect, &parts, &triggers);
        let measured = |accuracy, asr| Measured {
            images: 40,
            accuracy,
            by_label: Vec::new(),
            asr: if known { vec![Success { label: 2, stamp: Stamp::Mark, share: asr }] } else { Vec::new() },
        };
        problem.before = measured(1.0, 1.0);
        let mut trial = Trial::new(&problem, "made up");
        let made_up = settings
            .iter()
            .map(|&(accuracy, asr)| Choice::new(String::new(), Change::default(), measured(accuracy, asr)));
        trial.choices.list.extend(made_up);
        trial.end().unwrap().choices.unwrap().chosen
    }

    #[test]
    fn the_mildest_setting_that_ends_the_trigger_is_taken_and_none_that_costs_too_much() {
        assert_eq!(chosen(true, &[(0.99, 0.5), (0.99, 0.02), (0.99, 0.0)]), 2, "the mildest that does");
        assert_eq!(chosen(true, &[(0.99, 0.5), (0.98, 0.2), (0.99, 0.3)]), 2, "the best that can be had");
        assert_eq!(chosen(true, &[(0.97, 0.0), (0.9, 0.0)]), 0, "nothing rather than accuracy");
    }

    #[test]
    fn without_a_trigger_it_goes_as_far_as_accuracy_holds() {
        assert_eq!(chosen(false, &[(0.99, 0.0), (0.98, 0.0), (0.97, 0.0), (0.99, 0.0)]), 2);
        assert_eq!(chosen(false, &[(0.5, 0.0)]), 0);
    }

    #[test]
    fn a_blend_lies_between_the_suspect_and_the_change_and_the_last_is_taken() {
        let (suspect, parts, triggers) = (planted::network(), planted::parts(), [planted::trigger()]);
        let problem = planted::problem(&suspect, &parts, &triggers);
        // Without the backdoor's weight of 50.
        let last = Tensor::new(&[[0.0_f32, 10.0, 0.0], [10.0, 0.0, 0.0], [0.0; 3]], &Device::Cpu).unwrap();
        let change = Change { parameters: [("last".to_owned(), last)].into(), clamps: Vec::new() };
        let change = Arc::new(change);
        let mut trial = Trial::new(&problem, "share");
        for share in [0.5, 1.0] {
            trial.add(share.to_string(), Edit::Blend(change.clone(), share), &Monitor::silent()).unwrap();
        }
        let latest = trial.latest();
        let outcome = trial.take(latest).unwrap();
        let weight = |change: &Change| change.parameters["last"].to_vec2::<f32>().unwrap()[2][2];
        assert_eq!(weight(&outcome.change), 0.0);
        let choices = outcome.choices.unwrap();
        assert_eq!((choices.chosen, weight(&choices.list[1].change(&suspect).unwrap())), (2, 25.0));
        assert_eq!(choices.list[2].measured.worst_asr(), Some(0.0));
    }
}
