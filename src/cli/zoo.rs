//! `poisdetc zoo`: all models of a manifest, and how many were judged rightly.

use super::arguments::ZooRunArguments;
use super::exit::Exit;
use super::terminal;
use super::watch::watch_steps;
use crate::tensor::Seed;
use crate::zoo::{self, Settings, ZooError};
use anyhow::Result;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &ZooRunArguments) -> Result<Exit> {
    let (manifest, folder) = (arguments.manifest.clone(), arguments.out.clone());
    let settings = Settings { seed: Seed(arguments.seed), thorough: arguments.thorough, only: arguments.only.clone() };
    let done = watch_steps(arguments.quiet, move |monitor| zoo::run(&manifest, &folder, &settings, monitor, &|_| ()))?;
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
