//! `poisdetc data`: which pictures of a set look poisoned; prints, and writes the list of them.

use super::data_arguments::DataArguments;
use super::exit::Exit;
use super::terminal::{self, Align, columns, cut, harmless};
use super::watch::watch_steps;
use super::{inspect, results};
use crate::audit::data::{self, DataAudit};
use crate::audit::{AuditError, Verdict};
use crate::images::ImageError;
use crate::report::{data as written, words, write_whole};
use anyhow::Result;

/// With more labels than this only those with suspected pictures are shown.
const MANY_LABELS: usize = 20;
/// Letters of a label's name in the table.
const NAME_LENGTH: usize = 32;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &DataArguments) -> Result<Exit> {
    results::check(arguments.json.as_deref())?;
    results::check(arguments.out.as_deref())?;
    let order = arguments.order();
    let found = match watch_steps(arguments.quiet, move |monitor| data::run(&order, monitor))? {
        Ok(found) => found,
        Err(AuditError::Stopped(_) | AuditError::Images(ImageError::Stopped(_))) => {
            terminal::remark("Stopped before the images were read; nothing is known yet");
            return Ok(Exit::Stopped);
        }
        Err(why) => return Err(why.into()),
    };
    let headline = || format!("{}\n", harmless(&found.summary));
    results::deliver(
        arguments.json.as_deref(),
        || written::json(&found),
        || if arguments.quiet { headline() } else { text(&found) },
    )?;
    if let Some(file) = &arguments.out {
        write_whole(file, written::csv(&found).as_bytes())?;
    }
    Ok(match (found.stopped, found.verdict) {
        (true, _) => Exit::Stopped,
        (false, Verdict::NoEvidence) => Exit::Finished,
        (false, _) => Exit::Suspicious,
    })
}

fn text(found: &DataAudit) -> String {
    let mut text = format!("{}\n\n", harmless(&found.summary));
    let mut facts = vec![
        ("Images", found.order.images.display().to_string()),
        ("Usable", words::counted(found.images.count, "image", "images")),
        ("Seed", found.order.seed.to_string()),
        ("Time", words::duration(found.seconds)),
    ];
    if !found.images.skipped.is_empty() {
        facts.push(("Not readable", inspect::skipped(&found.images.skipped)));
    }
    text.push_str(&terminal::facts(facts));
    let every = found.labels.len() <= MANY_LABELS;
    let mut rows = vec![["Label", "Name", "Images", "Suspected"].map(String::from).to_vec()];
    rows.extend(found.labels.iter().filter(|label| every || label.suspected > 0).map(|label| {
        vec![
            label.label.to_string(),
            cut(&label.name, NAME_LENGTH),
            words::count(label.count),
            words::count(label.suspected),
        ]
    }));
    text.push('\n');
    if rows.len() > 1 {
        text.push_str(&columns(&[Align::Right, Align::Left, Align::Right, Align::Right], &rows));
    }
    let reasons = found.labels.iter().flat_map(|label| {
        let called = words::label(label.label, &label.name);
        label.because.iter().map(move |because| format!("  {}: {}\n", harmless(&called), harmless(because)))
    });
    let reasons: String = reasons.collect();
    if !reasons.is_empty() {
        text.push_str(&format!("\nWhy\n{reasons}"));
    }
    let limits: String = found.limits.iter().map(|limit| format!("  {}\n", harmless(limit))).collect();
    text + "\nWhat this cannot tell\n" + &limits
}
