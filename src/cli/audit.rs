//! `poisdetc audit`: carries an order out with a progress line, then prints and writes what came out.

use super::arguments::{AuditArguments, Results};
use super::exit::Exit;
use super::progress::Moved;
use super::watch::watch;
use super::{results, table, terminal};
use crate::audit::{self, Audit, AuditError, Event, Order};
use crate::images::ImageError;
use crate::progress::Monitor;
use crate::report::{json, pictures};
use anyhow::Result;
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
pub fn carry_out(order: Order, wanted: &Results) -> Result<Exit> {
    results::check(wanted.json.as_deref())?;
    let Some(audit) = audited(order, wanted.quiet)? else {
        terminal::remark("Stopped before the model and the images were understood; nothing is known yet");
        return Ok(Exit::Stopped);
    };
    results::deliver(
        wanted.json.as_deref(),
        || json::text(&audit),
        || if wanted.quiet { table::headline(&audit) } else { table::text(&audit, wanted.all) },
    )?;
    if let Some(folder) = &wanted.out {
        let files = pictures::write(&audit, folder)?;
        if !wanted.quiet {
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
