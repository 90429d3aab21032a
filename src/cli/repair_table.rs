//! A finished repair as text: what came of it first, then the numbers before and after, labels, and limits.

use super::terminal::{self, Align, columns, cut, harmless};
use crate::audit::repairing::{RepairReport, UnseenReport};
use crate::repair::Measured;
use crate::report::words;

/// With more labels than this only those whose accuracy changed most are shown.
const MANY_LABELS: usize = 20;
/// Letters of a label's name.
const NAME_LENGTH: usize = 24;

/// What came of it, in one line.
pub fn headline(report: &RepairReport) -> String {
    format!("{}\n", words::repaired(report))
}

/// Everything a person needs to judge the repair.
pub fn text(report: &RepairReport) -> String {
    let mut text = headline(report);
    text.push('\n');
    text.push_str(&numbers(report));
    text.push('\n');
    text.push_str(&labels(report));
    text.push('\n');
    text.push_str(&circumstances(report));
    text.push_str(&unproved(&report.limits));
    text
}

/// What came of a repair without images, in one line.
pub fn unseen_headline(report: &UnseenReport) -> String {
    let numbers = words::counted(report.changed.1, "number", "numbers");
    format!("Changed, not measured: {} switched {numbers} off\n", report.method)
}

/// Everything that is known of a repair without images.
pub fn unseen(report: &UnseenReport) -> String {
    let mut rows = vec![
        ("Method", report.method.to_owned()),
        (
            "Changed",
            format!(
                "{} in {}",
                words::counted(report.changed.1, "number", "numbers"),
                words::counted(report.changed.0, "parameter", "parameters")
            ),
        ),
        ("Written to", report.saved.path.display().to_string()),
        ("SHA-256", report.saved.sha256.clone()),
    ];
    rows.extend(report.saved.notes.iter().map(|note| ("Note", note.clone())));
    format!("{}\n{}{}", unseen_headline(report), terminal::facts(rows), unproved(&report.limits))
}

fn unproved(limits: &[String]) -> String {
    let lines = limits.iter().map(|limit| format!("  {}\n", harmless(limit)));
    std::iter::once("\nWhat this does not prove\n".to_owned()).chain(lines).collect()
}

fn numbers(report: &RepairReport) -> String {
    let rate = |m: &Measured| m.worst_asr().map_or_else(|| "-".to_owned(), words::percent);
    let aim = report.order.aim;
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let rows = vec![
        row(["", "Before", "After", "Aim"]),
        row([
            "Clean accuracy",
            &words::percent(report.before.accuracy),
            &words::percent(report.after.accuracy),
            &format!("at most {} lost", words::percent(aim.accuracy_loss)),
        ]),
        row([
            "Recovered trigger works on",
            &rate(&report.before),
            &rate(&report.after),
            &format!("at most {}", words::percent(aim.asr)),
        ]),
    ];
    let text = columns(&[Align::Left, Align::Right, Align::Right, Align::Left], &rows);
    match (words::works_best(&report.before), words::works_best(&report.after)) {
        (Some(before), Some(after)) => format!("{text}{}: before {before}, after {after}\n", words::WORKS_BEST),
        _ => text,
    }
}

fn labels(report: &RepairReport) -> String {
    let names = report.scanned_again.as_ref().map(|again| again.images.names.as_slice()).unwrap_or_default();
    let (changes, hidden) = report.changed_most(MANY_LABELS);
    let mut rows = vec![["Label", "Name", "Right before", "Right after"].map(str::to_owned).to_vec()];
    rows.extend(changes.iter().map(|&(label, before, after)| {
        let name = names.get(label).filter(|name| **name != label.to_string()).map_or("", String::as_str);
        vec![label.to_string(), cut(name, NAME_LENGTH), words::percent(before), words::percent(after)]
    }));
    let mut text = columns(&[Align::Right, Align::Left, Align::Right, Align::Right], &rows);
    if hidden > 0 {
        let labels = words::counted(hidden, "label", "labels");
        text.push_str(&format!("{labels} that changed less; --json has them all\n"));
    }
    text
}

fn circumstances(report: &RepairReport) -> String {
    let mut rows = vec![
        ("Method", report.method.clone()),
        ("Measured on", format!("{} held back", words::counted(report.after.images, "image", "images"))),
    ];
    if let Some(choices) = &report.choices
        && let Some(choice) = choices.list.get(choices.chosen)
    {
        rows.push(("Setting", format!("{}: {}", choices.setting, choice.what)));
        let others = choices.list.len() - 1;
        if others > 0 {
            rows.push(("", format!("{others} more were measured: --json lists them, --setting takes one")));
        }
    }
    for attempt in report.attempts.iter().filter(|attempt| attempt.method != report.method) {
        let why = match (&attempt.failure, &attempt.proved) {
            (Some(why), _) => why.clone(),
            (None, Some(proved)) => format!(
                "clean accuracy {}, trigger works on {}",
                words::percent(proved.accuracy),
                proved.worst_asr().map_or_else(|| "-".to_owned(), words::percent)
            ),
            (None, None) => continue,
        };
        rows.push(("Also tried", format!("{}: {why}", attempt.method)));
    }
    if let Some(again) = &report.scanned_again {
        let seed = again.order.settings.seed;
        rows.push(("Second audit", format!("{} (seed {seed})", words::verdict(again.verdict))));
        rows.push(("", again.summary.clone()));
    }
    rows.push(("Written to", report.saved.path.display().to_string()));
    rows.push(("SHA-256", report.saved.sha256.clone()));
    rows.extend(report.saved.notes.iter().map(|note| ("Note", note.clone())));
    rows.push(("Time", words::duration(report.seconds)));
    terminal::facts(rows)
}
