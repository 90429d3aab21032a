//! What can be asked of the lab.

use crate::poison::Ready;
use crate::poison::lab::Judgement;
use crate::poison::lab::why::Knob;
use std::path::PathBuf;

/// The views of the lab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// Both networks learn.
    #[default]
    Train,
    /// Why the network answers as it does.
    Why,
    /// What Detect and Repair made of the model.
    Outcome,
    /// The program poisons a model, or does not.
    Challenge,
    /// Guided lessons.
    Lessons,
}

impl View {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Train, Self::Why, Self::Outcome, Self::Challenge, Self::Lessons];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Why => "See why",
            Self::Outcome => "Audit and repair",
            Self::Challenge => "Challenge",
            Self::Lessons => "Lessons",
        }
    }

    /// Its accessible name, apart from the button that trains.
    pub fn accessible(self) -> &'static str {
        match self {
            Self::Train => "Lab: Train",
            Self::Why => "Lab: See why",
            Self::Outcome => "Lab: Audit and repair",
            Self::Challenge => "Lab: Challenge",
            Self::Lessons => "Lab: Lessons",
        }
    }
}

/// A path the lab asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabPath {
    /// Images of one's own, in a folder.
    Images,
    /// A drawn trigger to begin with.
    Trigger,
    /// Where the experiment is saved.
    Save,
    /// A saved experiment.
    Open,
}

/// One thing to do in the lab.
#[derive(Debug, Clone, PartialEq)]
pub enum LabCommand {
    /// Show one of the views.
    View(View),
    /// Draw or read the pictures that are chosen.
    Gather,
    /// Take a trigger that is drawn already.
    Ready(Ready),
    /// Wipe the trigger away.
    Clear,
    /// Train both networks from the beginning, or go on.
    Train,
    /// Train until the next measurement.
    Step,
    /// Hold the training; it can go on.
    Pause,
    /// Begin again with the same seed.
    Restart,
    /// Look into both networks.
    Look,
    /// Look at another of the watched pictures.
    LookAt(usize),
    /// Train several models with one knob turned.
    Sweep(Knob),
    /// End what runs besides the training.
    Stop,
    /// Hand the model to Detect.
    Audit,
    /// Choose a path in a dialog.
    Choose(LabPath),
    /// A path was chosen.
    Chosen(LabPath, PathBuf),
    /// A path is being typed.
    Type(LabPath, String),
    /// The number the next challenge is to have.
    Number(u64),
    /// The label a student suspects.
    Guess(usize),
    /// Make the model of a challenge.
    Challenge(u64),
    /// Judge the model of the challenge.
    Judge(Judgement),
    /// Begin a lesson, or end it.
    Lesson(Option<usize>),
    /// One step of the lesson on or back.
    Turn(isize),
}
