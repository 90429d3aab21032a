//! A finished audit as text: the verdict first, then how it was reached, the labels, the reasons, the limits.

use super::terminal::{self, Align, columns, cut, harmless};
use crate::audit::{Audit, LabelFindings, Verdict};
use crate::detect::{ShotEvidence, TriggerEvidence};
use crate::report::words;
use std::fmt::Write;

/// With more labels than this only those that stand out are shown.
const MANY_LABELS: usize = 20;
/// Letters of a label's name in the table.
const NAME_LENGTH: usize = 24;
/// The published threshold: a shot at most this far off reached its label.
const REACHED: f32 = 0.2;

/// The verdict in one line, with the labels it is about.
pub fn headline(audit: &Audit) -> String {
    let mut text = words::verdict(audit.verdict).to_string();
    let named: Vec<_> = audit.labels.iter().filter(|l| l.verdict == audit.verdict).map(label_name).collect();
    if audit.verdict > Verdict::NoEvidence && !named.is_empty() {
        let more = named.len().saturating_sub(5);
        let _ = write!(
            text,
            ": {} {}",
            if named.len() == 1 { "label" } else { "labels" },
            named[..named.len() - more].join(", ")
        );
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
    }
    if audit.stopped {
        text.push_str(" (stopped before the end; this is what was known by then)");
    }
    text.push('\n');
    text
}

/// Everything a person needs to judge the verdict. `all` shows every label however many there are.
pub fn text(audit: &Audit, all: bool) -> String {
    let mut text = headline(audit);
    let _ = writeln!(text, "{}\n", harmless(&audit.summary));
    text.push_str(&circumstances(audit));
    text.push('\n');
    text.push_str(&labels(audit, all));
    text.push_str(&section("Why", &reasons(audit)));
    let limits: Vec<String> = audit.limits.iter().map(|limit| harmless(limit)).collect();
    text.push_str(&section("What this cannot tell", &limits));
    text
}

fn circumstances(audit: &Audit) -> String {
    let (model, images) = (&audit.model, &audit.images);
    let mut rows = vec![
        ("Model", format!("{} ({}, {} labels)", model.path.display(), words::format(model.format), model.classes)),
        ("SHA-256", model.sha256.clone()),
        (
            "Images",
            format!(
                "{} ({}, {} held back from every search)",
                images.path.display(),
                words::counted(images.count, "image", "images"),
                words::count(images.held_out)
            ),
        ),
        ("Preprocessing", words::preprocessing(&audit.preprocessing)),
        ("Clean accuracy", words::percent(audit.clean_accuracy)),
    ];
    if !images.skipped.is_empty() {
        rows.push(("Not readable", super::inspect::skipped(&images.skipped)));
    }
    rows.extend(audit.references.iter().map(|reference| ("Reference", reference.description.clone())));
    rows.push(("Seed", audit.order.settings.seed.to_string()));
    rows.push(("Time", words::duration(audit.seconds)));
    terminal::facts(rows)
}

fn labels(audit: &Audit, all: bool) -> String {
    use Align::{Left, Right};
    let every = all || audit.labels.len() <= MANY_LABELS;
    let thorough = audit.order.settings.thorough;
    let shown: Vec<&LabelFindings> = audit.labels.iter().filter(|label| every || stands_out(label, thorough)).collect();
    let hidden = audit.labels.len() - shown.len();
    let mut text = String::new();
    if !shown.is_empty() {
        let heading = ["Label", "Name", "Verdict", "Shots", "Lowest loss", "Works on", "Size", "Anomaly"];
        let mut rows = vec![heading.map(String::from).to_vec()];
        rows.extend(shown.iter().map(|label| row(label)));
        text.push_str(&columns(&[Right, Left, Left, Right, Right, Right, Right, Right], &rows));
    }
    if hidden > 0 {
        let _ = writeln!(
            text,
            "{} without anything that stands out; --all shows {}",
            words::counted(hidden, "label", "labels"),
            if hidden == 1 { "it" } else { "them" }
        );
    }
    text
}

/// Whether a person should see the label: called something, flagged by the published rule, or thought
/// worth a trigger search where not every label got one.
fn stands_out(label: &LabelFindings, thorough: bool) -> bool {
    let flagged = label.shots.as_ref().is_some_and(|shots| shots.flagged_by_original_rule);
    label.verdict > Verdict::NoEvidence || flagged || (label.trigger.is_some() && !thorough)
}

fn row(label: &LabelFindings) -> Vec<String> {
    let name = if label.name == label.label.to_string() { String::new() } else { cut(&label.name, NAME_LENGTH) };
    let absent = || "-".to_string();
    let shot = |say: fn(&ShotEvidence) -> String| label.shots.as_ref().map_or_else(absent, say);
    let trigger = |say: fn(&TriggerEvidence) -> String| label.trigger.as_ref().map_or_else(absent, say);
    vec![
        label.label.to_string(),
        name,
        words::verdict(label.verdict).into(),
        shot(|s| format!("{}/{}", s.losses.iter().filter(|&&loss| loss <= REACHED).count(), s.losses.len())),
        shot(|s| {
            s.losses.iter().copied().min_by(f32::total_cmp).map_or("-".into(), |loss| format!("{:.3}", positive(loss)))
        }),
        trigger(words::works_on),
        trigger(words::size),
        trigger(|t| t.anomaly_index.map_or("-".into(), words::index)),
    ]
}

/// Rounding leaves losses a little below zero, which would be shown as -0.000.
fn positive(loss: f32) -> f32 {
    if loss > 0.0 { loss } else { 0.0 }
}

fn reasons(audit: &Audit) -> Vec<String> {
    let findings = audit.labels.iter().flat_map(|label| label.findings.iter().map(move |finding| (label, finding)));
    findings
        .filter(|(label, _)| label.verdict > Verdict::NoEvidence)
        .map(|(label, finding)| format!("{}: {}", label_name(label), harmless(&finding.because)))
        .collect()
}

/// `14 "stop"`, or `14` where the label has no name of its own.
fn label_name(label: &LabelFindings) -> String {
    if label.name.is_empty() || label.name == label.label.to_string() {
        label.label.to_string()
    } else {
        format!("{} \"{}\"", label.label, harmless(&cut(&label.name, NAME_LENGTH)))
    }
}

fn section(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("\n{title}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn the_verdict_comes_first_and_names_the_label() {
        let text = text(&example::audit(), false);
        assert!(text.starts_with("Infected (confirmed): label 1 \"stop\"\nOne small mark"), "{text}");
        for part in ["97.0 %", "0 to 1, RGB, 5 x 4", "2/2", "98.0 %", "trained here, 96.0 %", "What this cannot tell"] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn of_many_labels_only_those_that_stand_out_are_shown_unless_all_are_wanted() {
        let mut audit = example::audit();
        let quiet = audit.labels[0].clone();
        audit.labels.extend((3..43).map(|label| LabelFindings {
            label,
            name: format!("sign {label}"),
            ..quiet.clone()
        }));
        let short = text(&audit, false);
        assert!(short.contains("stop") && !short.contains("sign 42"));
        assert!(short.contains("42 labels without anything that stands out; --all shows them"), "{short}");
        assert!(text(&audit, true).contains("sign 42"));
    }

    #[test]
    fn names_cannot_speak_to_the_terminal() {
        let mut audit = example::audit();
        audit.labels[1].name = "\u{1b}]0;owned\u{7}stop".into();
        audit.labels[1].findings[0].because = "\u{1b}[2J".into();
        assert!(!text(&audit, true).contains('\u{1b}'));
    }

    #[test]
    fn a_stopped_audit_says_so() {
        let mut audit = example::audit();
        audit.stopped = true;
        assert!(headline(&audit).contains("stopped before the end"));
    }
}
