//! The audits the program keeps, as the window sees them: the list, and a document that is being opened.

use crate::audit::Audit;
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use crate::report::saved;
use crate::shelf::{Entry, Shelf};
use std::path::PathBuf;

/// What a document is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// To be looked at.
    Show,
    /// To be held beside the one that is looked at.
    Compare,
}

/// Where a document comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// One of the program's own, by its id.
    Kept(String),
    /// A file that `audit --json` wrote.
    File(PathBuf),
}

/// A document that is being read.
type Opening = Job<(), Result<Audit, String>>;

/// The list, and what is being done with it.
#[derive(Default)]
pub struct Kept {
    shelf: Option<Shelf>,
    /// The newest first.
    pub entries: Vec<Entry>,
    listing: Option<Job<(), Vec<Entry>>>,
    opening: Option<(Aim, Opening)>,
    /// Why a document could not be opened.
    pub trouble: Option<String>,
}

impl Kept {
    /// The audits on a shelf.
    pub fn on(shelf: Shelf) -> Self {
        Self { shelf: Some(shelf), ..Self::default() }
    }

    /// Where they are.
    pub fn shelf(&self) -> Option<&Shelf> {
        self.shelf.as_ref()
    }

    /// Whether a document is being opened.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Reads the list again, on a thread of its own; `first` removes one of them.
    pub fn refresh(&mut self, remove: Option<String>, wake: impl Fn() + Send + Sync + 'static) {
        let Some(shelf) = self.shelf.clone() else { return };
        self.listing = Some(Job::start(Monitor::silent(), wake, move |_, _| {
            if let Some(Err(why)) = remove.map(|id| shelf.remove(&id)) {
                log::warn!("an audit cannot be removed: {why}");
            }
            shelf.list()
        }));
    }

    /// Opens a document on a thread of its own.
    pub fn open(&mut self, source: Source, aim: Aim, wake: impl Fn() + Send + Sync + 'static) {
        if self.opening.is_some() {
            return;
        }
        self.trouble = None;
        let shelf = self.shelf.clone();
        let job = Job::start(Monitor::silent(), wake, move |_, _| match (source, shelf) {
            (Source::File(path), _) => saved::read(&path).map_err(|why| why.to_string()),
            (Source::Kept(id), Some(shelf)) => shelf.open(&id).map_err(|why| why.to_string()),
            (Source::Kept(_), None) => Err("There is no folder of kept audits".into()),
        });
        self.opening = Some((aim, job));
    }

    /// Takes in what happened, and gives a document that was opened. Never blocks.
    pub fn poll(&mut self) -> Option<(Aim, Audit)> {
        if let Some(end) = self.listing.as_ref().and_then(Job::outcome) {
            self.listing = None;
            match end {
                Outcome::Done(entries) => self.entries = entries,
                Outcome::Panicked(why) => log::error!("the list of audits cannot be read: {why}"),
            }
        }
        let (aim, end) = self.opening.as_ref().and_then(|(aim, job)| Some((*aim, job.outcome()?)))?;
        self.opening = None;
        match end {
            Outcome::Done(Ok(audit)) => Some((aim, audit)),
            Outcome::Done(Err(why)) | Outcome::Panicked(why) => {
                self.trouble = Some(why);
                None
            }
        }
    }
}
