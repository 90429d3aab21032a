//! `poisdetc zoo`: all models of a manifest, and how many were judged rightly. `poisdetc batch`: the same work on models
//! nobody knows the truth of.

use super::arguments::{BatchArguments, ZooRunArguments};
use super::exit::Exit;
use super::terminal;
use super::watch::watch_steps;
use crate::report::words;
use crate::tensor::Seed;
use crate::zoo::{self, Settings, ZooError};
use anyhow::Result;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &ZooRunArguments) -> Result<Exit> {
    let (manifest, folder) = (arguments.manifest.clone(), arguments.out.clone());
    let settings = Settings {
        seed: Seed(arguments.seed),
        thorough: arguments.thorough,
        only: arguments.only.clone(),
        ..Settings::default()
    };
    let done = watch_steps(arguments.quiet, move |monitor| zoo::run(&manifest, &folder, &settings, monitor))?;
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

/// Does what was typed after `batch`.
///
/// # Errors
/// One sentence.
pub fn batch(arguments: &BatchArguments) -> Result<Exit> {
    let (manifest, folder) = (arguments.manifest.clone(), arguments.out.clone());
    let settings = Settings {
        seed: Seed(arguments.seed),
        thorough: arguments.thorough,
        only: Vec::new(),
        shard: arguments.shard,
        jobs: arguments.jobs,
    };
    let done = watch_steps(arguments.quiet, move |monitor| zoo::batch(&manifest, &folder, &settings, monitor))?;
    let batch = match done {
        Err(ZooError::Stopped(_)) => {
            terminal::remark("Stopped; the same command goes on from here");
            return Ok(Exit::Stopped);
        }
        done => done?,
    };
    let mut text = String::new();
    for done in batch.done.iter().filter(|_| !arguments.quiet) {
        let said = match (done.row.verdict, &done.row.error) {
            (Some(verdict), _) => words::verdict(verdict).to_owned(),
            (None, why) => format!("not audited: {}", why.as_deref().unwrap_or_default()),
        };
        text.push_str(&terminal::harmless(&format!("{}: {said}", done.name)));
        text.push('\n');
    }
    terminal::print(&format!("{text}{}\n", batch.sums()))?;
    Ok(if batch.count(None) > 0 { Exit::Failed } else { Exit::Finished })
}
