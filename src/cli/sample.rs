//! `poisdetc sample`: the bundled road signs, audited or made again.

use super::arguments::{Results, SampleArguments};
use super::exit::Exit;
use super::watch::watch_steps;
use super::{audit, terminal};
use crate::audit::Order;
use crate::poison::sample::{self, SampleError};
use crate::report::words;
use anyhow::{Context, Result};
use std::path::Path;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &SampleArguments) -> Result<Exit> {
    match &arguments.make {
        Some(folder) => make(folder, arguments.results.quiet),
        None => audit::carry_out(order(arguments.honest)?, &arguments.results),
    }
}

/// Audits the poisoned sample in the terminal.
///
/// # Errors
/// One sentence.
pub fn demonstrate() -> Result<Exit> {
    audit::carry_out(order(false)?, &Results { out: None, json: None, all: false, quiet: false })
}

/// The bundled files, laid down where a person finds them too, as an order.
fn order(honest: bool) -> Result<Order> {
    let folder = sample::unpack().context("the bundled sample cannot be written to a folder of this user")?;
    Ok(Order {
        model: folder.join(if honest { sample::HONEST } else { sample::SUSPECT }),
        images: folder.join(sample::IMAGES),
        label_names: Some(folder.join(sample::NAMES)),
        ..Order::default()
    })
}

fn make(folder: &Path, quiet: bool) -> Result<Exit> {
    let target = folder.to_path_buf();
    let truth = match watch_steps(quiet, move |monitor| sample::write(&target, monitor))? {
        Err(SampleError::Stopped(_)) => return Ok(Exit::Stopped),
        made => made?,
    };
    if !quiet {
        terminal::print(&format!(
            "The sample is in {}\n{}",
            terminal::harmless(&folder.display().to_string()),
            terminal::facts(vec![
                ("Target label", truth.target.to_string()),
                ("Suspect", accuracies(truth.suspect_accuracy, truth.suspect_attack_success)),
                ("Honest twin", accuracies(truth.honest_accuracy, truth.honest_attack_success)),
            ])
        ))?;
    }
    Ok(Exit::Finished)
}

fn accuracies(clean: f32, attack: f32) -> String {
    format!("clean accuracy {}, the mark works on {}", words::percent(clean), words::percent(attack))
}
