//! The lab as the window sees it: what is drawn and chosen, what is in training, what was found out, which lesson is read.
//!
//! All mathematics and files are jobs of the engine (`poison::lab`); here their events are taken in and kept for the
//! screens. Whatever is shown of Detect and Repair comes from their own documents, known by the model's fingerprint.

mod act;
mod command;
mod facts;
mod form;
mod lesson;
mod lessons;
mod looked;
mod page;
mod receive;
mod recovered;
mod work;

pub use command::{LabCommand, LabPath, View};
pub use facts::Facts;
pub use form::{Brush, LabForm};
pub use lesson::Until;
pub use lessons::LESSONS;
pub use looked::Looked;
pub use page::Progress;
pub use recovered::{Recovered, recovered};

use super::known::fresh;
use crate::audit::Audit;
use crate::audit::repairing::RepairReport;
use crate::poison::lab::why::{Knob, SweepPoint};
use crate::poison::lab::{
    ChallengeMark, Handed, Judgement, LabError, LabImages, LabOrder, Moment, Pair, Pictures, Session, Watched,
};
use crate::tensor::Seed;
use std::sync::Arc;
use tempfile::TempDir;
use work::Work;

/// What training tells.
pub enum Learned {
    /// The pictures whose answers are followed.
    Watched(Arc<Watched>),
    /// Both networks after some steps.
    Moment(Moment),
}

/// What is left when training ends or is held: the session, to go on with, and both networks as they are.
pub struct Held {
    session: Option<Box<Session>>,
    end: Result<Arc<Pair>, LabError>,
}

/// A challenge that was made.
pub struct Made {
    /// Its number.
    pub number: u64,
    /// The model and what is true of it; the screen shows the truth only once it was judged.
    pub pair: Arc<Pair>,
    /// Clean accuracy and success rate of the mark, in `[0, 1]`.
    pub numbers: (f32, f32),
    /// What the student said, and how right it is.
    pub judged: Option<(Judgement, ChallengeMark)>,
}

/// Whose model was handed to Detect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// That of the experiment.
    Experiment,
    /// That of the challenge.
    Challenge,
}

/// A model that was handed to Detect.
pub struct Given {
    /// Its files.
    pub handed: Handed,
    /// Which model it is.
    pub whose: Whose,
    /// What was trained.
    pub pair: Arc<Pair>,
    /// Holds the files for as long as they may be asked for.
    _folder: TempDir,
}

/// What was measured on a repaired model: the planted trigger, which no repair has ever seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// Of the repair's report, so that each is measured once.
    pub version: u64,
    /// Clean accuracy and success rate of the planted mark, in `[0, 1]`, or why they are not known.
    pub numbers: Result<(f32, f32), String>,
}

/// The rows of the small experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Swept {
    /// What is turned.
    pub knob: Knob,
    /// The order the models come from.
    pub order: LabOrder,
    /// By rising value.
    pub points: Vec<SweepPoint>,
}

/// Pictures in the making, and what they are made from.
type Gathering = (Work<(), Result<Pictures, LabError>>, LabImages, Seed);
/// Files for an audit in the making, of whose model.
type Handing = (Work<(), Result<(Handed, TempDir), String>>, Whose, Arc<Pair>);
/// A repaired model that is being measured, by the version of its report.
type Mending = (Work<(), Result<(f32, f32), LabError>>, u64);
/// A challenge in the making, by its number; its model, accuracy and success rate come out.
type Challenging = (Work<(), Result<(Arc<Pair>, (f32, f32)), LabError>>, u64);

/// Everything the lab's screens draw.
pub struct Lab {
    /// What is drawn and chosen.
    pub form: LabForm,
    /// The view that is shown.
    pub view: View,
    /// Which picture of the training set is drawn on.
    pub shown: usize,
    /// The pictures that are there, and what they were made from.
    pub pictures: Option<(LabImages, Seed, Arc<Pictures>)>,
    gathering: Option<Gathering>,
    training: Option<Work<Learned, Held>>,
    session: Option<Box<Session>>,
    /// The experiment in training, or trained.
    pub order: Option<LabOrder>,
    /// Both networks as they learned.
    pub moments: Vec<Moment>,
    /// Pictures whose answers are followed.
    pub watched: Option<Arc<Watched>>,
    /// Another number for every experiment, for its pictures.
    pub version: u64,
    /// Both networks, while none of them is being changed.
    pub pair: Option<Arc<Pair>>,
    looking: Option<Work<(), Result<Looked, LabError>>>,
    /// What was seen inside.
    pub looked: Option<(u64, Looked)>,
    /// Which of the watched pictures is looked at.
    pub look: usize,
    sweeping: Option<Work<SweepPoint, Result<(), LabError>>>,
    /// What the small experiments gave, the latest of each knob.
    pub swept: Vec<Swept>,
    handing: Option<Handing>,
    /// The model that was handed to Detect last.
    given: Option<Given>,
    mending: Option<Mending>,
    /// What was measured on the repaired model.
    pub mended: Option<Mended>,
    filing: Option<Work<(), Result<Filed, String>>>,
    /// Where the experiment was saved.
    pub saved: Option<std::path::PathBuf>,
    challenging: Option<Challenging>,
    /// The number that the next challenge has.
    pub number: u64,
    /// The challenge that was made.
    pub made: Option<Made>,
    /// What the student would say.
    pub guess: Option<usize>,
    /// Points so far, and of how many.
    pub points: (usize, usize),
    /// The lesson that is read.
    pub lesson: Option<Progress>,
    /// A path that is typed where no dialog can be opened.
    pub typed: Option<(LabPath, String)>,
    /// What went wrong last.
    pub trouble: Option<String>,
}

/// What came of a folder.
enum Filed {
    Saved(std::path::PathBuf),
    Opened(Box<(Pair, Moment)>),
    Trigger(Box<crate::poison::Drawn>),
}

impl Default for Lab {
    fn default() -> Self {
        Self::with(&LabOrder::default())
    }
}

impl Lab {
    /// A lab that begins with an experiment.
    pub fn with(order: &LabOrder) -> Self {
        Self {
            form: LabForm::of(order),
            view: View::default(),
            shown: 0,
            pictures: None,
            gathering: None,
            training: None,
            session: None,
            order: None,
            moments: Vec::new(),
            watched: None,
            version: fresh(),
            pair: None,
            looking: None,
            looked: None,
            look: 0,
            sweeping: None,
            swept: Vec::new(),
            handing: None,
            given: None,
            mending: None,
            mended: None,
            filing: None,
            saved: None,
            challenging: None,
            number: 1,
            made: None,
            guess: None,
            points: (0, 0),
            lesson: None,
            typed: None,
            trouble: None,
        }
    }

    /// Whether both networks are in training.
    pub fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// Whether both networks, of the experiment that is chosen, are trained.
    pub fn is_trained(&self) -> bool {
        self.pair.is_some() && self.is_whole() && self.order.as_ref() == Some(&self.form.order())
    }

    /// Whether the training that is shown came to its end.
    pub fn is_whole(&self) -> bool {
        !self.is_training() && self.moments.last().is_some_and(|moment| moment.step >= moment.steps)
    }

    /// Whether a training is held that can go on.
    pub fn can_go_on(&self) -> bool {
        let ours = self.order.as_ref() == Some(&self.form.order());
        ours && !self.is_training() && self.session.as_ref().is_some_and(|session| !session.is_finished())
    }

    /// Whether the pictures that are chosen are there.
    pub fn has_pictures(&self) -> bool {
        let wanted = (self.form.images(), self.form.seed);
        self.pictures.as_ref().is_some_and(|(images, seed, _)| (images, seed) == (&wanted.0, &wanted.1))
    }

    /// Whether pictures are being drawn or read.
    pub fn is_gathering(&self) -> bool {
        self.gathering.is_some()
    }

    /// Whether the networks are being looked into.
    pub fn is_looking(&self) -> bool {
        self.looking.is_some()
    }

    /// Whether a small experiment runs.
    pub fn is_sweeping(&self) -> bool {
        self.sweeping.is_some()
    }

    /// Whether a challenge is being made.
    pub fn is_challenging(&self) -> bool {
        self.challenging.is_some()
    }

    /// Whether a folder is being written or read.
    pub fn is_filing(&self) -> bool {
        self.filing.is_some()
    }

    /// The files that were handed to Detect last.
    pub fn handed(&self) -> Option<&Handed> {
        self.given.as_ref().map(|given| &given.handed)
    }

    /// The model that was handed over, where it is the very one that is there now: after another training, or another
    /// challenge, what was said of the last one must not stand beside its numbers.
    pub fn given(&self, whose: Whose) -> Option<&Given> {
        let now = match whose {
            Whose::Experiment => self.pair.as_ref(),
            Whose::Challenge => self.made.as_ref().map(|made| &made.pair),
        };
        self.given.as_ref().filter(|given| given.whose == whose && now.is_some_and(|now| Arc::ptr_eq(now, &given.pair)))
    }

    /// The audit, where it is one of the model that was handed over.
    pub fn audit_of<'a>(&self, whose: Whose, audit: Option<&'a Audit>) -> Option<&'a Audit> {
        let given = self.given(whose)?;
        audit.filter(|audit| audit.model.sha256 == given.handed.sha256)
    }

    /// The repair, where it is one of the experiment's model that was handed over.
    pub fn repair_of<'a>(&self, report: Option<&'a RepairReport>) -> Option<&'a RepairReport> {
        let given = self.given(Whose::Experiment)?;
        report.filter(|report| report.order.sha256 == given.handed.sha256)
    }

    /// What the line at the bottom shows: name, stage, share, seconds left, whether it is stopping.
    pub fn doing(&self) -> Option<(&'static str, &str, f32, Option<f32>, bool)> {
        macro_rules! line {
            ($name:literal, $work:expr) => {
                if let Some(work) = $work {
                    return Some(($name, &work.stage, work.fraction, work.seconds_left(), work.is_stopping()));
                }
            };
        }
        line!("Training", &self.training);
        line!("Making the challenge", self.challenging.as_ref().map(|c| &c.0));
        line!("Small experiment", &self.sweeping);
        line!("Looking inside", &self.looking);
        line!("Experiment folder", &self.filing);
        line!("Measuring the repair", self.mending.as_ref().map(|m| &m.0));
        line!("Pictures", self.gathering.as_ref().map(|g| &g.0));
        None
    }

    /// Asks everything that runs to stop; a training is held and can go on.
    pub fn stop(&self) {
        self.training.iter().for_each(Work::stop);
        self.challenging.iter().for_each(|c| c.0.stop());
        self.sweeping.iter().for_each(Work::stop);
        self.looking.iter().for_each(Work::stop);
        self.filing.iter().for_each(Work::stop);
        self.gathering.iter().for_each(|gathering| gathering.0.stop());
    }

    /// Begins to measure a repaired model that was not measured yet; `version` tells reports apart.
    pub fn watch_repair(
        &mut self,
        report: Option<&RepairReport>,
        version: u64,
        wake: impl Fn() + Clone + Send + Sync + 'static,
    ) {
        let Some(report) = self.repair_of(report) else { return };
        let known = self.mended.as_ref().is_some_and(|mended| mended.version == version);
        if known || self.mending.is_some() {
            return;
        }
        let Some(pair) = self.given(Whose::Experiment).map(|given| Arc::clone(&given.pair)) else { return };
        let path = report.saved.path.clone();
        let work = Work::start(wake, move |monitor, _| pair.measure_file(&path, monitor));
        self.mending = Some((work, version));
    }
}
