//! What a method hands back: the change it would make, and where it has a trade-off all settings it measured, so that a
//! person can take another.
//!
//! A setting keeps what it changes as small as it can: which channels are off, not the numbers that come of it.

use super::channels::Silence;
use super::{Measured, Problem, RepairError};
use crate::model::{Change, Classifier};
use crate::progress::Monitor;

/// What came of a method.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What it changes.
    pub change: Change,
    /// Its trade-off; `None` where it has none, or where nothing could be measured.
    pub choices: Option<Choices>,
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
}

impl Edit {
    fn change(&self, suspect: &Classifier) -> Result<Change, RepairError> {
        Ok(match self {
            Self::Whole(change) => change.clone(),
            Self::Channels(silence) => silence.change(suspect.parameters())?,
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
        self.choices.list.push(Choice { what, measured: measured.clone(), edit });
        Ok((measured, lost <= WORTH_SEEING * self.problem.aim.accuracy_loss))
    }

    /// Takes the harshest setting that keeps clean accuracy within the aim's budget: what is known of the attacker's own
    /// trigger is less than the recovered one shows.
    ///
    /// # Errors
    /// Where the numbers of that setting cannot be worked out.
    pub fn end(mut self) -> Result<Outcome, RepairError> {
        let least = self.problem.before.accuracy - self.problem.aim.accuracy_loss;
        let affordable = |choice: &Choice| choice.measured.accuracy >= least;
        self.choices.chosen = self.choices.list.iter().rposition(affordable).unwrap_or(0);
        let change = self.choices.list[self.choices.chosen].change(self.problem.suspect)?;
        Ok(Outcome { change, choices: Some(self.choices) })
    }
}
