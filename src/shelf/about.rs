//! What is told of a kept audit without reading the whole document.

use crate::audit::{Audit, Order, Verdict};
use crate::report::write_whole;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Longer files are none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// How far an audit came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// There is a document.
    Finished {
        /// Of the model.
        verdict: Verdict,
        /// Whether somebody stopped it; it can go on.
        stopped: bool,
    },
    /// The program ended before; it can go on.
    Interrupted {
        /// Share of the whole that was done, in `[0, 1]`.
        fraction: f32,
    },
}

/// One kept audit in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is called in its shelf.
    pub id: String,
    /// What was asked for.
    pub order: Order,
    /// The model's file name.
    pub model: String,
    /// The images' file name.
    pub images: String,
    /// When it ended, or began where it has not, in seconds since 1970 (UTC).
    pub when: u64,
    /// How far it came.
    pub state: State,
}

/// The file itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub order: Order,
    when: u64,
    pub fraction: f32,
    verdict: Option<Verdict>,
    stopped: bool,
}

impl About {
    pub fn new(order: Order, now: u64) -> Self {
        Self { order, when: now, fraction: 0.0, verdict: None, stopped: false }
    }

    /// What there is in a folder; `None` where it is none of ours.
    pub fn read(folder: &Path) -> Option<Self> {
        let path = folder.join("about.json");
        let length = path.metadata().ok()?.len();
        if length > MAX_BYTES {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        write_whole(&folder.join("about.json"), &text).map_err(std::io::Error::other)
    }

    pub fn finish(&mut self, audit: &Audit) {
        self.verdict = Some(audit.verdict);
        self.stopped = audit.stopped;
        self.when = audit.finished_at.unwrap_or(self.when);
    }

    pub fn entry(self, id: String, finished: bool) -> Entry {
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let state = match self.verdict.filter(|_| finished) {
            Some(verdict) => State::Finished { verdict, stopped: self.stopped },
            None => State::Interrupted { fraction: self.fraction },
        };
        let (model, images) = (name(&self.order.model), name(&self.order.images));
        Entry { id, order: self.order, model, images, when: self.when, state }
    }
}
