//! The log: what the program noted, warnings and errors of its libraries. Kept in memory to be shown, printed, and written
//! to a file that outlives a crash.

use log::{Level, LevelFilter, Metadata, Record};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines that are kept in memory, the newest.
const KEPT: usize = 500;
/// Notes are only taken from this program itself.
const OURS: &str = env!("CARGO_PKG_NAME");

static LINES: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());
static FILE: Mutex<Option<(PathBuf, File)>> = Mutex::new(None);
static TROUBLES: AtomicUsize = AtomicUsize::new(0);
static DIALOG_FAILURES: AtomicUsize = AtomicUsize::new(0);

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub level: Level,
    /// What it says, with the time in front.
    pub text: String,
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || (metadata.level() == Level::Info && metadata.target().starts_with(OURS))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if record.level() == Level::Error && record.target().starts_with("rfd") {
            DIALOG_FAILURES.fetch_add(1, Ordering::Relaxed);
        }
        if record.level() <= Level::Warn {
            TROUBLES.fetch_add(1, Ordering::Relaxed);
            eprintln!("{}: {}", record.level().as_str().to_lowercase(), record.args());
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (when, level) = (super::words::time(seconds), record.level().as_str().to_lowercase());
        // Libraries name themselves; our own notes speak for the program.
        let from = if record.target().starts_with(OURS) { String::new() } else { format!("{}: ", record.target()) };
        keep(Line { level: record.level(), text: format!("{when}  {level}  {from}{}", record.args()) });
    }

    fn flush(&self) {}
}

/// Keeps the log from now on, in a file in `folder` too. Does nothing where somebody else already does.
pub fn keep_log(folder: Option<&Path>) {
    if log::set_logger(&Logger).is_err() {
        return;
    }
    log::set_max_level(LevelFilter::Info);
    let Some(folder) = folder else { return };
    let path = folder.join("log.txt");
    // The log of the run before stays beside it: after a crash it is the one that matters.
    let _ = std::fs::create_dir_all(folder);
    let _ = std::fs::rename(&path, folder.join("log-before.txt"));
    match (File::create(&path), FILE.lock()) {
        (Ok(file), Ok(mut place)) => *place = Some((path, file)),
        (Err(why), _) => log::warn!("the log cannot be written to {}: {why}", path.display()),
        _ => {}
    }
}

fn keep(line: Line) {
    if let Ok(mut file) = FILE.lock()
        && let Some((_, file)) = file.as_mut()
    {
        // A full disk is no reason to end; the line is still in memory.
        let _ = writeln!(file, "{}", line.text);
    }
    if let Ok(mut lines) = LINES.lock() {
        lines.push_back(line);
        while lines.len() > KEPT {
            lines.pop_front();
        }
    }
}

/// All lines that are kept, the oldest first.
pub fn lines() -> Vec<Line> {
    LINES.lock().map(|lines| lines.iter().cloned().collect()).unwrap_or_default()
}

/// The file they are written to.
pub fn file() -> Option<PathBuf> {
    FILE.lock().ok()?.as_ref().map(|(path, _)| path.clone())
}

/// Warnings and errors so far.
pub fn troubles() -> usize {
    TROUBLES.load(Ordering::Relaxed)
}

/// Errors of the file dialogs so far: one that could not be opened looks like one that was cancelled.
pub fn dialog_failures() -> usize {
    DIALOG_FAILURES.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn notes_of_ours_and_troubles_of_all_are_kept_in_memory_and_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.txt"), "of the run before").unwrap();
        keep_log(Some(folder.path()));
        let (before, dialogs) = (troubles(), dialog_failures());
        log::info!("an audit begins");
        log::info!(target: "winit", "chatter");
        log::warn!(target: "winit", "something odd");
        log::error!(target: "rfd::backend", "no portal");
        assert_eq!((troubles() - before, dialog_failures() - dialogs), (2, 1));
        let file = std::fs::read_to_string(file().unwrap()).unwrap();
        let memory: Vec<String> = lines().into_iter().map(|line| line.text).collect();
        for (said, there) in [("info  an audit begins", true), ("chatter", false), ("warn  winit: something odd", true)]
        {
            assert_eq!(file.contains(said), there, "{said}");
            assert_eq!(memory.iter().any(|line| line.contains(said)), there, "{said}");
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("log-before.txt")).unwrap(), "of the run before");
    }
}
