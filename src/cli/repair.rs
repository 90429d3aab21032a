//! `poisdetc repair`: repairs a model from its audit, writes the repaired file, and says what was proved.

use super::exit::Exit;
use super::progress::Moved;
use super::repair_arguments::RepairArguments;
use super::repair_table;
use super::results;
use super::terminal;
use super::watch::watch;
use crate::audit::repairing::{
    RepairEvent, RepairOrder, RepairReport, RepairingError, check_destination, repair_model, repair_unseen,
};
use crate::audit::{self, AuditError, Event};
use crate::progress::Monitor;
use crate::report::{earlier, repair_json};
use anyhow::Result;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

/// Share of the progress that the audit in front of the repair takes, where there is one.
const AUDITED: f32 = 0.4;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &RepairArguments) -> Result<Exit> {
    results::check(arguments.json.as_deref())?;
    let Some(images) = &arguments.images else { return without_images(arguments) };
    let Some(report) = repaired(arguments, images)? else {
        terminal::remark("Stopped; no repaired model was written");
        return Ok(Exit::Stopped);
    };
    results::deliver(
        arguments.json.as_deref(),
        || repair_json::text(&report),
        || if arguments.quiet { repair_table::headline(&report) } else { repair_table::text(&report) },
    )?;
    Ok(Exit::of_repair(&report))
}

/// Takes out what the weights alone tell, which takes a second.
fn without_images(arguments: &RepairArguments) -> Result<Exit> {
    let report = repair_unseen(&arguments.unseen(), &Monitor::silent())?;
    results::deliver(
        arguments.json.as_deref(),
        || repair_json::unseen(&report),
        || if arguments.quiet { repair_table::unseen_headline(&report) } else { repair_table::unseen(&report) },
    )?;
    Ok(Exit::NotClean)
}

/// Repairs behind a progress line; `None` where it was stopped before anything was written.
fn repaired(arguments: &RepairArguments, images: &Path) -> Result<Option<RepairReport>> {
    let earlier = arguments.audit.as_deref().map(|path| from_earlier(arguments, images, path)).transpose()?;
    let typed = arguments.clone();
    let audited = arguments.order(images)?;
    let (moved, moves) = channel();
    let end = watch(arguments.quiet, Monitor::silent(), &moves, move |monitor| {
        let from = if earlier.is_some() { 0.0 } else { AUDITED };
        let order = match earlier {
            Some(order) => order,
            None => {
                check_destination(&typed.model, &typed.out, typed.overwrite())?;
                after_audit(&typed, &audited, monitor, &moved)?
            }
        };
        repair_model(&order, monitor, &|event| {
            if let RepairEvent::Progress { fraction, stage, seconds_left } = event {
                // The receiver lives until the work has ended.
                let _ = moved.send(Moved { fraction: Some(from + (1.0 - from) * fraction), stage, seconds_left });
            }
        })
    })?;
    match end {
        Ok(report) => Ok(Some(report)),
        Err(stop) if stop.is_stop() => Ok(None),
        Err(why) => Err(why.into()),
    }
}

/// The repair that goes on from the JSON of an audit.
fn from_earlier(arguments: &RepairArguments, images: &Path, path: &Path) -> Result<RepairOrder> {
    let order = earlier::read(path)?.repair(arguments.model.clone(), images.to_owned(), arguments.out.clone());
    Ok(as_typed(arguments, order))
}

/// The repair that goes on from an audit done now.
fn after_audit(
    arguments: &RepairArguments,
    audited: &audit::Order,
    monitor: &Monitor,
    moved: &Sender<Moved>,
) -> Result<RepairOrder, RepairingError> {
    let audit = audit::run(audited, monitor, &|event| {
        if let Event::Progress { fraction, stage, .. } = event {
            let stage = format!("Audit: {stage}");
            let _ = moved.send(Moved { fraction: Some(AUDITED * fraction), stage, seconds_left: None });
        }
    })?;
    monitor.check().map_err(AuditError::from)?;
    Ok(as_typed(arguments, RepairOrder::of(&audit, arguments.out.clone())))
}

/// The order with what was typed beside the audit.
fn as_typed(arguments: &RepairArguments, mut order: RepairOrder) -> RepairOrder {
    order.method = arguments.method();
    order.setting = arguments.setting;
    order.overwrite = arguments.overwrite();
    order.audited.label_names = arguments.labels.clone();
    if let Some(reference) = &arguments.reference {
        order.audited.reference = Some(reference.clone());
    }
    order
}
