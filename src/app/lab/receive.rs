//! Takes in what the lab's jobs tell, and their ends.

use super::work::{Work, end_of};
use super::{Filed, Given, Lab, Learned, Made, Mended};
use crate::app::known::fresh;
use crate::job::Outcome;
use crate::poison::Mark;
use crate::poison::lab::{LabImages, Pictures};
use crate::tensor::Seed;
use std::sync::Arc;

impl Lab {
    /// Takes in what happened; a model that is ready for Detect comes out once. Never blocks.
    pub fn poll(&mut self) -> Option<&Given> {
        self.poll_pictures();
        self.poll_training();
        self.poll_why();
        self.poll_folder();
        self.poll_challenge();
        if let Some((_, Some(end))) = self.mending.as_mut().map(|(work, _)| work.poll()) {
            let version = self.mending.take().map_or(0, |(_, version)| version);
            self.mended = Some(Mended { version, numbers: end_of(end) });
        }
        let (_, Some(end)) = self.handing.as_mut().map(|(work, ..)| work.poll())? else { return None };
        let (_, whose, pair) = self.handing.take()?;
        match end_of(end) {
            Ok((handed, folder)) => {
                self.mended = None;
                self.given = Some(Given { handed, whose, pair, _folder: folder });
                self.given.as_ref()
            }
            Err(sentence) => {
                self.trouble = Some(sentence);
                None
            }
        }
    }

    fn poll_pictures(&mut self) {
        let Some((_, Some(end))) = self.gathering.as_mut().map(|(work, ..)| work.poll()) else { return };
        let Some((_, images, seed)) = self.gathering.take() else { return };
        match end {
            Outcome::Done(Err(why)) if why.is_stop() => {
                self.trouble = Some("The pictures were not read to the end; choose them again on the left".into());
            }
            end => self.take_gathered(end_of(end), images, seed),
        }
    }

    fn take_gathered(&mut self, gathered: Result<Pictures, String>, images: LabImages, seed: Seed) {
        match gathered {
            Ok(pictures) => self.take_pictures(images, seed, Arc::new(pictures)),
            Err(sentence) => self.trouble = Some(sentence),
        }
    }

    fn take_pictures(&mut self, images: LabImages, seed: Seed, pictures: Arc<Pictures>) {
        self.form.fit(&pictures);
        self.shown = self.shown.min(pictures.training.len().saturating_sub(1));
        self.pictures = Some((images, seed, pictures));
    }

    fn poll_training(&mut self) {
        let Some((events, end)) = self.training.as_mut().map(Work::poll) else { return };
        for event in events {
            match event {
                Learned::Watched(watched) => {
                    self.watched = Some(watched);
                    self.version = fresh();
                }
                Learned::Moment(moment) => self.moments.push(moment),
            }
        }
        let Some(end) = end else { return };
        self.training = None;
        match end {
            Outcome::Done(held) => {
                self.session = held.session;
                match held.end {
                    Ok(pair) => self.pair = Some(pair),
                    Err(why) if why.is_stop() => {}
                    Err(why) => self.trouble = Some(why.to_string()),
                }
            }
            Outcome::Panicked(why) => {
                self.trouble = Some(format!("The program itself failed: {why}. Please report this"));
            }
        }
    }

    fn poll_why(&mut self) {
        if let Some((_, Some(end))) = self.looking.as_mut().map(Work::poll) {
            self.looking = None;
            match end {
                Outcome::Done(Err(why)) if why.is_stop() => {}
                end => match end_of(end) {
                    Ok(looked) => self.looked = Some((fresh(), looked)),
                    Err(sentence) => self.trouble = Some(sentence),
                },
            }
        }
        let Some((points, end)) = self.sweeping.as_mut().map(Work::poll) else { return };
        if let Some(swept) = self.swept.last_mut() {
            swept.points.extend(points);
            swept.points.sort_by(|a, b| a.value.total_cmp(&b.value));
        }
        let Some(end) = end else { return };
        self.sweeping = None;
        match end {
            Outcome::Done(Err(why)) if why.is_stop() => {}
            end => {
                if let Err(sentence) = end_of(end) {
                    self.trouble = Some(sentence);
                }
            }
        }
    }

    fn poll_folder(&mut self) {
        let Some((_, Some(end))) = self.filing.as_mut().map(Work::poll) else { return };
        self.filing = None;
        match end_of(end) {
            Ok(Filed::Saved(path)) => (self.saved, self.typed) = (Some(path), None),
            Ok(Filed::Trigger(drawn)) => {
                (self.form.mark, self.form.ready, self.typed) = (Mark::Drawn(*drawn), None, None);
            }
            Ok(Filed::Opened(opened)) => {
                let (pair, moment) = *opened;
                let pair = Arc::new(pair);
                *self = Self { lesson: self.lesson.take(), points: self.points, ..Self::with(&pair.order) };
                self.take_pictures(self.form.images(), self.form.seed, Arc::clone(&pair.pictures));
                self.order = Some(pair.order.clone());
                self.watched = Some(Arc::new(pair.watched()));
                self.moments = vec![moment];
                self.pair = Some(pair);
            }
            Err(sentence) => self.trouble = Some(sentence),
        }
    }

    fn poll_challenge(&mut self) {
        let Some((_, Some(end))) = self.challenging.as_mut().map(|(work, _)| work.poll()) else { return };
        let Some((_, number)) = self.challenging.take() else { return };
        match end {
            Outcome::Done(Err(why)) if why.is_stop() => {}
            end => match end_of(end) {
                Ok((pair, numbers)) => self.made = Some(Made { number, pair, numbers, judged: None }),
                Err(sentence) => self.trouble = Some(sentence),
            },
        }
    }
}
