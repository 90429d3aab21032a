//! `poisdetc audit`: carries an order out with a progress line, then prints and writes what came out.

use super::arguments::{AuditArguments, Results};
use super::exit::Exit;
use super::progress::Moved;
use super::watch::watch;
use super::{table, terminal};
use crate::audit::{self, Audit, AuditError, Event, Order};
use crate::images::ImageError;
use crate::progress::Monitor;
use crate::report::{json, pictures, write_whole};
use anyhow::Result;
use std::path::Path;
use std::sync::mpsc::channel;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &AuditArguments) -> Result<Exit> {
    carry_out(arguments.order()?, &arguments.results)
}

/// Audits, prints, writes.
///
/// # Errors
/// One sentence.
pub fn carry_out(order: Order, results: &Results) -> Result<Exit> {
    let Some(audit) = audited(order, results.quiet)? else {
        terminal::remark("Stopped before the model and the images were understood; nothing is known yet");
        return Ok(Exit::Stopped);
    };
    let to_stdout = results.json.as_deref() == Some(Path::new("-"));
    match &results.json {
        Some(_) if to_stdout => terminal::print(&json::text(&audit))?,
        Some(file) => write_whole(file, json::text(&audit).as_bytes())?,
        None => {}
    }
    if !to_stdout {
        terminal::print(&if results.quiet { table::headline(&audit) } else { table::text(&audit, results.all) })?;
    }
    if let Some(folder) = &results.out {
        let files = pictures::write(&audit, folder)?;
        if !results.quiet {
            let folder = terminal::harmless(&folder.display().to_string());
            terminal::remark(&match files.len() {
                0 => format!("No trigger was searched for, so there are no pictures in {folder}"),
                n => format!("{n} pictures of triggers are in {folder}"),
            });
        }
    }
    Ok(Exit::of(&audit))
}

/// Runs the audit behind a progress line; `None` where it was stopped before there was anything to tell.
fn audited(order: Order, quiet: bool) -> Result<Option<Audit>> {
    let (moved, moves) = channel();
    let end = watch(quiet, Monitor::silent(), &moves, move |monitor| {
        audit::run(&order, monitor, &|event| {
            if let Event::Progress { fraction, stage, seconds_left } = event {
                // The receiver lives until the work has ended.
                let _ = moved.send(Moved { fraction: Some(fraction), stage, seconds_left });
            }
        })
    })?;
    match end {
        Ok(audit) => Ok(Some(audit)),
        Err(AuditError::Stopped(_) | AuditError::Images(ImageError::Stopped(_))) => Ok(None),
        Err(why) => Err(why.into()),
    }
}
