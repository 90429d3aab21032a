//! What the chosen files are: looked at off the UI thread as soon as they are chosen, so that somebody
//! sees what was understood before an audit starts.

use super::command::Field;
use super::form::Form;
use crate::audit::{ImagesSummary, ModelSummary};
use crate::images::{Discovery, Wanted};
use crate::job::{Job, Outcome};
use crate::model::Model;
use crate::progress::{Monitor, Step, Stopped};
use crate::tensor::Seed;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

/// Images the preprocessing is tried on here; the audit tries it on all of them.
const TRIED: usize = 512;

/// Something became known.
#[derive(Debug)]
enum Fact {
    Model(Result<ModelSummary, String>),
    Images(Result<ImagesSummary, String>),
    Discovery(Result<Discovery, String>),
    Reference(Result<ModelSummary, String>),
}

/// The files to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Files {
    model: Option<PathBuf>,
    images: Option<PathBuf>,
    reference: Option<PathBuf>,
    label_names: Option<PathBuf>,
}

/// What is known of the chosen files.
#[derive(Debug, Default)]
pub struct Understanding {
    files: Files,
    job: Option<Job<Fact, ()>>,
    steps: Option<Receiver<Step>>,
    /// What is being looked at right now.
    pub doing: Option<String>,
    /// The suspect model, or why it cannot be used.
    pub model: Option<Result<ModelSummary, String>>,
    /// The clean images, or why they cannot be used.
    pub images: Option<Result<ImagesSummary, String>>,
    /// The preprocessings that were tried, or why none fits.
    pub discovery: Option<Result<Discovery, String>>,
    /// The reference model, or why it cannot be used.
    pub reference: Option<Result<ModelSummary, String>>,
}

impl Understanding {
    /// Looks at the files of `form`, unless it has already (`again`: even then). `wake` is called
    /// whenever something became known. Whether it looks.
    pub fn look(&mut self, form: &Form, again: bool, wake: impl Fn() + Clone + Send + Sync + 'static) -> bool {
        let files = Files {
            model: form.path(Field::Model),
            images: form.path(Field::Images),
            reference: form.path(Field::Reference),
            label_names: form.path(Field::LabelNames),
        };
        if files == self.files && !again {
            return false;
        }
        *self = Self { files: files.clone(), ..Self::default() };
        if files == Files::default() {
            return true;
        }
        let (sender, steps) = channel();
        let notify = wake.clone();
        let monitor = Monitor::new(move |step| {
            // Nobody listens any more once other files are looked at.
            let _ = sender.send(step);
            notify();
        });
        self.steps = Some(steps);
        self.doing = Some("Reading the files".into());
        self.job = Some(Job::start(monitor, wake, move |monitor, tell| {
            // Stopped because other files were chosen: nobody waits for the rest.
            let _ = look_at(&files, monitor, tell);
        }));
        true
    }

    /// Takes in what became known. Never blocks.
    pub fn poll(&mut self) {
        let Some(job) = &self.job else { return };
        let outcome = job.outcome();
        for fact in job.events() {
            match fact {
                Fact::Model(model) => self.model = Some(noted("the suspect model", model)),
                Fact::Images(images) => self.images = Some(noted("the images", images)),
                Fact::Discovery(discovery) => self.discovery = Some(noted("the preprocessing", discovery)),
                Fact::Reference(reference) => self.reference = Some(noted("the reference model", reference)),
            }
        }
        if let Some(step) = self.steps.iter().flat_map(|s| s.try_iter()).last() {
            self.doing = Some(step.stage);
        }
        if let Some(end) = outcome {
            if let Outcome::Panicked(why) = end {
                let sentence = format!("The program failed while reading the files: {why}");
                let place = if self.files.model.is_some() && self.model.is_none() {
                    &mut self.model
                } else {
                    &mut self.reference
                };
                *place = Some(Err(sentence.clone()));
                if self.files.images.is_some() && self.images.is_none() {
                    self.images = Some(Err(sentence));
                }
            }
            self.job = None;
            self.steps = None;
            self.doing = None;
        }
    }

    /// Size and channels the model wants, as far as model and images tell.
    pub fn shape(&self) -> Option<([usize; 2], usize)> {
        let tried = self.discovery.as_ref().and_then(|d| d.as_ref().ok());
        if let Some(best) = tried.and_then(|d| d.candidates.first()) {
            return Some((best.preprocessing.size, best.preprocessing.channels));
        }
        let input = &self.model.as_ref()?.as_ref().ok()?.input;
        Some((input.size?, input.channels))
    }
}

fn look_at(files: &Files, monitor: &Monitor, tell: &(dyn Fn(Fact) + Sync)) -> Result<(), Stopped> {
    let model = files.model.as_deref().and_then(|path| {
        monitor.step("Reading the model", None);
        told(crate::model::open(path), |model| Fact::Model(model.map(ModelSummary::of)), tell)
    });
    monitor.check()?;
    if let Some(path) = &files.reference {
        monitor.step("Reading the reference model", None);
        let fits = |reference: &Model| match &model {
            Some(model) if model.classes != reference.classes => Err(format!(
                "the reference model has {} labels, the suspect model {}. Choose a reference for the same labels",
                reference.classes, model.classes
            )),
            _ => Ok(ModelSummary::of(reference)),
        };
        told(crate::model::open(path), |reference| Fact::Reference(reference.and_then(fits)), tell);
        monitor.check()?;
    }
    let Some(path) = &files.images else { return Ok(()) };
    let wanted = Wanted {
        channels: model.as_ref().map(|m| m.input.channels),
        size: model.as_ref().and_then(|m| m.input.size),
        label_names: files.label_names.clone(),
    };
    let images = told(
        crate::images::open(path, &wanted, monitor),
        |images| Fact::Images(images.map(|images| ImagesSummary::of(path, images, 0))),
        tell,
    );
    monitor.check()?;
    if let (Some(model), Some(images)) = (model, images) {
        monitor.step("Finding the preprocessing", None);
        let sample = images.sample(TRIED, Seed::default());
        let found = crate::images::discover(&model, &sample, &candle_core::Device::Cpu, monitor);
        monitor.check()?;
        told(found, |discovery| Fact::Discovery(discovery.cloned()), tell);
    }
    Ok(())
}

/// Tells the result as a fact, errors as sentences, and hands the value on.
fn told<T, E: std::fmt::Display>(
    result: Result<T, E>,
    fact: impl FnOnce(Result<&T, String>) -> Fact,
    tell: &(dyn Fn(Fact) + Sync),
) -> Option<T> {
    tell(fact(result.as_ref().map_err(ToString::to_string)));
    result.ok()
}

/// The log keeps why something cannot be used: its place in the window is taken by the next file.
fn noted<T>(what: &str, known: Result<T, String>) -> Result<T, String> {
    if let Err(why) = &known {
        let sentence = why.split("\n\n").next().unwrap_or_default();
        log::info!("{what} cannot be used: {sentence}");
    }
    known
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn what_is_wrong_with_a_file_becomes_a_sentence_at_its_field() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.onnx");
        let form = Form { model: missing.display().to_string(), ..Form::default() };
        let mut understanding = Understanding::default();
        understanding.look(&form, false, || {});
        let start = Instant::now();
        while understanding.doing.is_some() {
            assert!(start.elapsed() < Duration::from_secs(20), "never ended");
            std::thread::sleep(Duration::from_millis(2));
            understanding.poll();
        }
        assert!(!understanding.model.unwrap().unwrap_err().is_empty());
        assert!(understanding.images.is_none());
    }
}
