//! Audits the program keeps by itself: while they run, so that a crash loses little, and afterwards, to be opened again.
//!
//! In: a folder. Every audit has a folder of its own in it: `about.json` says what it is (written again while it runs),
//! `journal/` holds its finished pieces until it is done, `audit.json` is the document. Files appear whole or not at all.
//! An audit is interrupted where it has no document and no running program holds its lock.

mod about;

pub use about::{Entry, State};

use crate::audit::{Audit, AuditError, Event, Journal, Order, run_kept};
use crate::progress::Monitor;
use crate::report::earlier::EarlierError;
use crate::report::{json, saved, write_whole};
use about::About;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a running audit says how far it is.
const SAVED_EVERY: Duration = Duration::from_secs(5);
/// Entries that are listed at most, the newest.
const LISTED: usize = 200;

/// The folder of all of them.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// The place of one audit while it runs.
struct Place {
    folder: PathBuf,
    about: Mutex<(About, Instant)>,
    /// Held until the program ends or crashes.
    _lock: Option<File>,
}

impl Shelf {
    /// The audits in `folder`, which is made when it is needed.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Does an audit and keeps it; `from` names an interrupted one to go on with. Keeping never fails an audit: where the
    /// folder cannot be written to, that is logged.
    ///
    /// # Errors
    /// As [`crate::audit::run`].
    pub fn run(
        &self,
        order: &Order,
        from: Option<&str>,
        monitor: &Monitor,
        events: &(dyn Fn(Event) + Sync),
    ) -> Result<Audit, AuditError> {
        let place = match self.place(order, from) {
            Ok(place) => place,
            Err(why) => {
                log::warn!("this audit cannot be kept in {}: {why}", self.folder.display());
                return crate::audit::run(order, monitor, events);
            }
        };
        let journal = Journal::at(place.folder.join("journal"));
        let done = run_kept(order, &journal, monitor, &|event| {
            if let Event::Progress { fraction, .. } = &event {
                place.progress(*fraction);
            }
            events(event);
        });
        match &done {
            Ok(audit) => place.finish(audit),
            // Nothing is known, and the reason is told: there is nothing to go on with.
            Err(_) if from.is_none() => {
                let _ = fs::remove_dir_all(&place.folder);
            }
            Err(_) => {}
        }
        done
    }

    /// Keeps a finished audit that was done elsewhere.
    pub fn keep(&self, audit: &Audit) {
        match self.place(&audit.order, None) {
            Ok(place) => place.finish(audit),
            Err(why) => log::warn!("this audit cannot be kept in {}: {why}", self.folder.display()),
        }
    }

    /// All of them, the newest first.
    pub fn list(&self) -> Vec<Entry> {
        let Ok(folders) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut entries: Vec<Entry> = folders.flatten().filter_map(|entry| self.entry(&entry.path())).collect();
        entries.sort_by(|a, b| (b.when, &b.id).cmp(&(a.when, &a.id)));
        entries.truncate(LISTED);
        entries
    }

    /// The document of one of them.
    ///
    /// # Errors
    /// [`EarlierError`], a sentence.
    pub fn open(&self, id: &str) -> Result<Audit, EarlierError> {
        saved::read(&self.folder_of(id).join("audit.json"))
    }

    /// Throws one of them away.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, id: &str) -> std::io::Result<()> {
        fs::remove_dir_all(self.folder_of(id))
    }

    /// An id is the last part of a path and nothing else.
    fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(Path::new(id).file_name().unwrap_or_default())
    }

    fn entry(&self, folder: &Path) -> Option<Entry> {
        let about = About::read(folder)?;
        let finished = folder.join("audit.json").is_file();
        if !finished && is_locked(folder) {
            return None;
        }
        Some(about.entry(folder.file_name()?.to_string_lossy().into_owned(), finished))
    }

    /// The folder of an audit that begins or goes on.
    fn place(&self, order: &Order, from: Option<&str>) -> std::io::Result<Place> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let folder = match from.map(|id| self.folder_of(id)).filter(|folder| folder.is_dir()) {
            Some(folder) => folder,
            None => self.new_folder(now)?,
        };
        let lock = File::create(folder.join("lock"))?;
        // Where the system knows no locks, a running audit may be listed as interrupted; that is all.
        let lock = lock.try_lock().is_ok().then_some(lock);
        let about = About::new(order.clone(), now);
        about.write(&folder)?;
        Ok(Place { folder, about: Mutex::new((about, Instant::now())), _lock: lock })
    }

    /// A new folder, named by the time so that a person finds it.
    fn new_folder(&self, now: u64) -> std::io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        for number in 0..1000 {
            let folder = self.folder.join(format!("audit-{now}-{number}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(folder),
                Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        Err(std::io::ErrorKind::AlreadyExists.into())
    }
}

impl Place {
    /// Says how far the audit is, now and then.
    fn progress(&self, fraction: f32) {
        let Ok(mut about) = self.about.lock() else { return };
        if about.1.elapsed() >= SAVED_EVERY {
            about.1 = Instant::now();
            about.0.fraction = fraction;
            // The pieces are what counts; this is only shown.
            let _ = about.0.write(&self.folder);
        }
    }

    /// Writes the document. The pieces of a stopped audit stay, so that it can go on.
    fn finish(&self, audit: &Audit) {
        let Ok(mut about) = self.about.lock() else { return };
        about.0.finish(audit);
        let written = write_whole(&self.folder.join("audit.json"), json::whole(audit).as_bytes())
            .map_err(std::io::Error::other)
            .and_then(|()| about.0.write(&self.folder));
        match written {
            Ok(()) if audit.stopped => {}
            Ok(()) => {
                let _ = fs::remove_dir_all(self.folder.join("journal"));
            }
            Err(why) => log::warn!("this audit cannot be kept in {}: {why}", self.folder.display()),
        }
    }
}

/// Whether a running program works on the audit in this folder.
fn is_locked(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::Verdict;
    use crate::report::example;

    #[test]
    fn a_kept_audit_is_listed_opened_and_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(folder.path().join("audits"));
        assert!(shelf.list().is_empty());
        let audit = example::audit();
        shelf.keep(&audit);
        shelf.keep(&Audit { verdict: Verdict::NoEvidence, finished_at: Some(1_900_000_000), ..audit.clone() });
        let list = shelf.list();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].state, State::Finished { verdict: Verdict::NoEvidence, stopped: false }, "newest first");
        assert_eq!((list[1].model.as_str(), list[1].when), ("signs.onnx", 1_795_637_864));
        assert_eq!(json::whole(&shelf.open(&list[1].id).unwrap()), json::whole(&audit));
        shelf.remove(&list[0].id).unwrap();
        assert_eq!(shelf.list().len(), 1);
        assert!(shelf.open("../../etc").is_err());
    }

    #[test]
    fn an_audit_that_runs_is_not_listed_and_one_that_was_cut_off_is() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(folder.path().into());
        let order = Order { model: "m.onnx".into(), ..Order::default() };
        let place = shelf.place(&order, None).unwrap();
        assert!(shelf.list().is_empty(), "it runs");
        place.about.lock().unwrap().1 = Instant::now() - 2 * SAVED_EVERY;
        place.progress(0.4);
        drop(place);
        let list = shelf.list();
        assert_eq!(list[0].state, State::Interrupted { fraction: 0.4 });
        assert_eq!(list[0].order, order);
        let again = shelf.place(&order, Some(&list[0].id)).unwrap();
        assert_eq!(again.folder, folder.path().join(&list[0].id), "it goes on in the same place");
    }

    #[test]
    fn an_audit_that_cannot_be_done_leaves_nothing_and_one_that_cannot_be_kept_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let order = Order { model: "/nowhere.onnx".into(), ..Order::default() };
        let shelf = Shelf::at(folder.path().join("audits"));
        assert!(shelf.run(&order, None, &Monitor::silent(), &|_| ()).is_err());
        assert!(shelf.list().is_empty() && fs::read_dir(folder.path().join("audits")).unwrap().count() == 0);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let why = Shelf::at(file).run(&order, None, &Monitor::silent(), &|_| ()).unwrap_err();
        assert!(why.to_string().contains("nowhere.onnx"), "{why}");
    }
}
