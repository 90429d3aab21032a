//! `poisdetc zoo`: all models of a manifest, and how many were judged rightly.

use super::arguments::ZooRunArguments;
use super::exit::Exit;
use super::progress::Moved;
use super::terminal;
use super::watch::watch;
use crate::progress::{Monitor, Step};
use crate::tensor::Seed;
use crate::zoo::{self, Settings, ZooError};
use anyhow::Result;
use std::sync::mpsc::channel;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &ZooRunArguments) -> Result<Exit> {
    let (moved, moves) = channel::<Moved>();
    let monitor = Monitor::new(move |step: Step| {
        // The receiver lives until the work has ended.
        let _ = moved.send(step.into());
    });
    let (manifest, folder) = (arguments.manifest.clone(), arguments.out.clone());
    let settings = Settings { seed: Seed(arguments.seed), thorough: arguments.thorough, only: arguments.only.clone() };
    let done = watch(arguments.quiet, monitor, &moves, move |monitor| {
        zoo::run(&manifest, &folder, &settings, monitor, &|_| ())
    })?;
    let board = match done {
        Err(ZooError::Stopped(_)) => {
            terminal::remark("Stopped; the same command goes on from here");
            return Ok(Exit::Stopped);
        }
        done => done?,
    };
    let text = if arguments.quiet { board.sums().join("\n") + "\n" } else { board.markdown() };
    let lines: Vec<String> = text.lines().map(terminal::harmless).collect();
    terminal::print(&(lines.join("\n") + "\n"))?;
    Ok(Exit::Finished)
}
