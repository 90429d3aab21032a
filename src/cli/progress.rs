//! How far the work is: a bar where somebody watches, a few plain lines where a file does.

use super::terminal::{harmless, remark};
use crate::progress::Step;
use crate::report::words;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Plain lines come at least this far apart…
const PAUSE: Duration = Duration::from_secs(10);
/// The bar counts in thousandths.
const WHOLE: u64 = 1000;

/// How far the work is.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// Share of all that is done, in `[0, 1]`; `None` where it cannot be known.
    pub fraction: Option<f32>,
    /// What is being done.
    pub stage: String,
    /// Seconds to go, as far as is known.
    pub seconds_left: Option<f32>,
}

impl From<Step> for Moved {
    fn from(step: Step) -> Self {
        Self { fraction: step.fraction, stage: step.stage, seconds_left: None }
    }
}

/// The line that is kept up to date on standard error.
pub enum Progress {
    /// `--quiet`.
    Silent,
    /// Standard error is a terminal.
    Bar(ProgressBar),
    /// It is a file or a pipe.
    Lines {
        /// When the last line was written.
        last: Option<Instant>,
    },
}

impl Progress {
    /// What fits standard error.
    pub fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::with_draw_target(Some(WHOLE), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {wide_msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Says how far the work is.
    pub fn show(&mut self, Moved { fraction, stage, seconds_left }: &Moved) {
        let left = seconds_left.map_or(String::new(), |s| format!(", {} left", words::time_left(s)));
        let text = format!("{}{left}", harmless(stage));
        let fraction = fraction.map(|f| f.clamp(0.0, 1.0));
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                if let Some(fraction) = fraction {
                    bar.set_position((fraction * WHOLE as f32) as u64);
                }
                bar.set_message(text);
            }
            Self::Lines { last } => {
                if last.is_none_or(|at| at.elapsed() >= PAUSE) {
                    let percent = fraction.map_or("     ".into(), |f| format!("{:>3.0} %", 100.0 * f));
                    remark(&format!("{percent}  {text}"));
                    *last = Some(Instant::now());
                }
            }
        }
    }

    /// Says something in between without tearing the bar.
    pub fn say(&self, text: &str) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.suspend(|| remark(text)),
            Self::Lines { .. } => remark(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
