//! Carries out what is asked of the lab: starts jobs, holds them, keeps what they need.

use super::command::{LabCommand, LabPath, View};
use super::work::Work;
use super::{Filed, Held, Lab, Learned, Looked, Progress, Swept, Whose};
use crate::app::known::fresh;
use crate::poison::Drawn;
use crate::poison::lab::why::sweep;
use crate::poison::lab::{self, LabError, LabOrder, Pair, Pictures, Session, marked};
use crate::progress::Monitor;
use std::path::PathBuf;
use std::sync::Arc;

impl Lab {
    /// Does one thing; `wake` is called whenever a job has something to show.
    pub fn act(&mut self, command: LabCommand, wake: impl Fn() + Clone + Send + Sync + 'static) {
        self.trouble = None;
        match command {
            LabCommand::View(view) => self.view = view,
            LabCommand::Gather => self.gather(wake),
            LabCommand::Ready(ready) => {
                let size = self.size();
                self.form.take(ready, size);
            }
            LabCommand::Clear => {
                let [height, width] = self.size();
                self.form.mark = crate::poison::Mark::Drawn(Drawn::blank([height, width]));
                self.form.ready = None;
            }
            LabCommand::Train => self.train(None, wake),
            LabCommand::Step => self.train(Some(1), wake),
            LabCommand::Pause => self.training.iter().for_each(Work::stop),
            LabCommand::Restart => {
                (self.session, self.order, self.training) = (None, None, None);
                self.train(None, wake);
            }
            LabCommand::Look => self.look_inside(wake),
            LabCommand::LookAt(which) => self.look = which,
            LabCommand::Sweep(knob) => self.sweep(knob, wake),
            LabCommand::Stop => self.stop(),
            LabCommand::Audit => self.hand_over(wake),
            // The window opens the dialog and sends what was chosen.
            LabCommand::Choose(_) => {}
            LabCommand::Chosen(path, chosen) => self.chosen(path, chosen, wake),
            LabCommand::Type(path, text) => self.typed = Some((path, text)),
            LabCommand::Number(number) => self.number = number,
            LabCommand::Guess(label) => self.guess = Some(label),
            LabCommand::Challenge(number) => self.challenge(number, wake),
            LabCommand::Judge(said) => {
                if let Some(made) = self.made.as_mut().filter(|made| made.judged.is_none()) {
                    let mark = marked(&made.pair.order, said);
                    made.judged = Some((said, mark));
                    self.points = (self.points.0 + mark.points(), self.points.1 + lab::ChallengeMark::Right.points());
                    self.number = made.number + 1;
                }
            }
            LabCommand::Lesson(which) => {
                self.view = if which.is_some() { View::Train } else { self.view };
                self.lesson = which.map(Progress::of);
            }
            LabCommand::Turn(by) => {
                if let Some(lesson) = &mut self.lesson
                    && !lesson.turn(by)
                {
                    self.lesson = None;
                    self.view = View::Lessons;
                }
            }
        }
    }

    /// Height and width of the pictures that are drawn on.
    pub fn size(&self) -> [usize; 2] {
        let signs = [crate::poison::signs::SIZE; 2];
        self.pictures.as_ref().map_or(signs, |(.., set)| [set.training.height, set.training.width])
    }

    /// Draws or reads the pictures that are chosen, unless they are there.
    fn gather(&mut self, wake: impl Fn() + Clone + Send + Sync + 'static) {
        if self.has_pictures() || self.gathering.is_some() || self.is_training() {
            return;
        }
        let (images, seed) = (self.form.images(), self.form.seed);
        let of = images.clone();
        self.gathering = Some((Work::start(wake, move |monitor, _| of.gather(seed, monitor)), images, seed));
    }

    /// The pictures that are chosen; a sentence where they are not there yet.
    fn ready_pictures(&mut self) -> Option<Arc<Pictures>> {
        if !self.has_pictures() {
            self.trouble =
                Some("The pictures are not ready yet: wait a moment, or choose other ones on the left".into());
            return None;
        }
        self.pictures.as_ref().map(|(.., pictures)| Arc::clone(pictures))
    }

    /// Trains on, or from the beginning where another experiment was chosen; for `most` measurements where told.
    fn train(&mut self, most: Option<usize>, wake: impl Fn() + Clone + Send + Sync + 'static) {
        if self.training.is_some() {
            return;
        }
        if let Some(sentence) = self.form.lacks() {
            self.trouble = Some(sentence.into());
            return;
        }
        let Some(pictures) = self.ready_pictures() else { return };
        let order = self.form.order();
        self.view = View::Train;
        self.pair = None;
        let going = self.order.as_ref() == Some(&order);
        let session = self.session.take().filter(|session| going && !session.is_finished());
        if session.is_none() {
            self.moments.clear();
            (self.looked, self.saved, self.watched) = (None, None, None);
            self.version = fresh();
        }
        self.order = Some(order.clone());
        self.training = Some(Work::start(wake, move |monitor, tell| {
            let session = match session {
                Some(session) => Ok(session),
                None => begin(order, pictures, monitor, tell).map(Box::new),
            };
            match session {
                Ok(session) => go_on(session, most, monitor, tell),
                Err(why) => Held { session: None, end: Err(why) },
            }
        }));
    }

    fn look_inside(&mut self, wake: impl Fn() + Clone + Send + Sync + 'static) {
        if let Some(pair) = self.pair.clone().filter(|_| self.looking.is_none()) {
            self.looking = Some(Work::start(wake, move |monitor, _| Looked::into_pair(&pair, monitor)));
        }
    }

    fn sweep(&mut self, knob: lab::why::Knob, wake: impl Fn() + Clone + Send + Sync + 'static) {
        let Some(pair) = self.pair.clone().filter(|_| self.sweeping.is_none()) else { return };
        self.swept.retain(|swept| swept.knob != knob);
        self.swept.push(Swept { knob, order: pair.order.clone(), points: Vec::new() });
        self.sweeping = Some(Work::start(wake, move |monitor, tell| {
            sweep(&pair.order, &pair.pictures, knob, monitor, &|point| tell(point))
        }));
    }

    /// Writes the files an auditor gets, of the challenge's model where that is the one in view.
    fn hand_over(&mut self, wake: impl Fn() + Clone + Send + Sync + 'static) {
        let (whose, pair) = match (self.view, &self.made) {
            (View::Challenge, Some(made)) => (Whose::Challenge, Some(Arc::clone(&made.pair))),
            _ => (Whose::Experiment, self.pair.clone()),
        };
        let Some(pair) = pair.filter(|_| self.handing.is_none()) else { return };
        let of = Arc::clone(&pair);
        let work = Work::start(wake, move |_, _| {
            let folder = tempfile::tempdir()
                .map_err(|why| format!("No folder for the model can be made: {why}. Make room on your disk"))?;
            let handed = of.hand_over(folder.path()).map_err(|why| why.to_string())?;
            Ok((handed, folder))
        });
        self.handing = Some((work, whose, pair));
    }

    fn chosen(&mut self, path: LabPath, chosen: PathBuf, wake: impl Fn() + Clone + Send + Sync + 'static) {
        if self.filing.is_some() {
            return;
        }
        match path {
            LabPath::Images => {
                (self.form.own, self.form.path, self.typed) = (true, chosen.display().to_string(), None);
                self.gather(wake);
            }
            LabPath::Trigger => {
                self.filing = Some(Work::start(wake, move |_, _| {
                    Drawn::read(&chosen).map(|drawn| Filed::Trigger(Box::new(drawn))).map_err(|why| why.to_string())
                }));
            }
            LabPath::Save => {
                let Some(pair) = self.pair.clone() else { return };
                self.saved = None;
                self.filing = Some(Work::start(wake, move |monitor, _| {
                    lab::save(&pair, &chosen, monitor).map_err(|why| why.to_string())?;
                    Ok(Filed::Saved(chosen))
                }));
            }
            LabPath::Open => {
                if self.is_training() {
                    return;
                }
                self.filing = Some(Work::start(wake, move |monitor, _| {
                    let opened = |monitor: &Monitor| -> Result<(Pair, lab::Moment), LabError> {
                        let pair = lab::open(&chosen, monitor)?;
                        let moment = pair.moment(monitor)?;
                        Ok((pair, moment))
                    };
                    opened(monitor).map(|both| Filed::Opened(Box::new(both))).map_err(|why| why.to_string())
                }));
            }
        }
    }

    /// Draws a challenge and trains its model, without a word about what it is.
    fn challenge(&mut self, number: u64, wake: impl Fn() + Clone + Send + Sync + 'static) {
        if self.challenging.is_some() {
            return;
        }
        let Some(pictures) = self.ready_pictures() else { return };
        (self.made, self.guess, self.number) = (None, None, number);
        let base = self.form.order();
        let work = Work::start(wake, move |monitor: &Monitor, _: &(dyn Fn(()) + Sync)| {
            let order = lab::challenge(number, &base, &pictures);
            let mut session = Session::new(order, pictures)?;
            // What it is about to say of its progress would tell nothing of the backdoor.
            session.run(None, &monitor.part(0.0, 0.98), &|_| {})?;
            let pair = session.pair()?;
            let numbers = pair.measure(&pair.classifiers[0], &monitor.part(0.98, 1.0))?;
            Ok((Arc::new(pair), numbers))
        });
        self.challenging = Some((work, number));
    }
}

/// A session before its first step; the pictures that are watched are told.
fn begin(
    order: LabOrder,
    pictures: Arc<Pictures>,
    monitor: &Monitor,
    tell: &(dyn Fn(Learned) + Sync),
) -> Result<Session, LabError> {
    monitor.step("Poisoning the pictures", 0.0);
    let session = Session::new(order, pictures)?;
    tell(Learned::Watched(session.watched()));
    Ok(session)
}

/// Trains until the end, for some measurements, or until it is held.
fn go_on(mut session: Box<Session>, most: Option<usize>, monitor: &Monitor, tell: &(dyn Fn(Learned) + Sync)) -> Held {
    let end = session.run(most, monitor, &|moment| tell(Learned::Moment(moment)));
    match end {
        Err(why) if !why.is_stop() => Held { session: None, end: Err(why) },
        _ => {
            let end = session.pair().map(Arc::new);
            Held { session: Some(session), end }
        }
    }
}
