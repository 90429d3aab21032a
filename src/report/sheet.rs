//! The numbers of an audit for spreadsheets: tables as tab-separated text, the plot's points as CSV.
//!
//! What strangers wrote cannot become a formula: a spreadsheet obeys cells that begin with `=`, `+`, `-` or `@`.

use super::words::{self, harmless};
use crate::audit::Audit;

/// A shot whose loss is at most this has reached its label (PoisDetc).
const REACHED: f32 = 0.2;

/// The table of all labels, a line each, cells apart by tabs, with a head.
pub fn labels(audit: &Audit) -> String {
    let head = [
        "label",
        "name",
        "verdict",
        "shots reached",
        "shots",
        "lowest loss",
        "p-value of the shots",
        "works on",
        "source label",
        "size",
        "anomaly index",
        "p-value of the trigger",
    ];
    let mut text = head.join("\t") + "\n";
    for label in &audit.labels {
        let (shots, trigger) = (label.shots.as_ref(), label.trigger.as_ref());
        let number = |value: Option<f32>| value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string());
        let count = |value: Option<usize>| value.map_or_else(String::new, |v| v.to_string());
        let cells = [
            label.label.to_string(),
            cell(&label.name),
            words::verdict(label.verdict).to_owned(),
            count(shots.map(|s| s.losses.iter().filter(|&&loss| loss <= REACHED).count())),
            count(shots.map(|s| s.losses.len())),
            number(shots.and_then(|s| s.losses.iter().copied().min_by(f32::total_cmp))),
            number(shots.and_then(|s| s.p_value)),
            number(trigger.map(|t| t.asr)),
            count(trigger.and_then(|t| t.source)),
            number(trigger.map(|t| t.size)),
            number(trigger.and_then(|t| t.anomaly_index)),
            number(trigger.and_then(|t| t.p_value)),
        ];
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}

/// Every loss that the plot shows, a line each: label, name, which model, shot, loss.
pub fn losses(audit: &Audit) -> String {
    let mut text = String::from("label,name,model,shot,loss\n");
    for label in &audit.labels {
        let Some(shots) = &label.shots else { continue };
        let name = quoted(&cell(&label.name));
        for (model, losses) in [
            ("suspect", &shots.losses),
            ("reference", &shots.reference_losses),
            ("between honest models", &shots.clean_losses),
        ] {
            for (shot, loss) in losses.iter().enumerate() {
                let loss = if loss.is_finite() { loss.to_string() } else { String::new() };
                text.push_str(&format!("{},{name},{model},{},{loss}\n", label.label, shot + 1));
            }
        }
    }
    text
}

/// What a stranger wrote, as one harmless cell: neither a tab nor a formula.
pub fn cell(text: &str) -> String {
    let text = harmless(text);
    let obeyed = text.trim_start().starts_with(['=', '+', '-', '@']);
    if obeyed { format!("'{text}") } else { text }
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::example;

    #[test]
    fn a_table_has_a_line_a_label_and_as_many_cells_in_each() {
        let text = labels(&example::audit());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|cells| cells.len() == 12), "{text}");
        assert_eq!(lines[2][..6], ["1", "stop", "Infected (confirmed)", "2", "2", "0.01"]);
        assert_eq!(lines[3][3..], [""; 9], "what is not known is empty");
    }

    #[test]
    fn every_loss_is_a_line_of_csv() {
        let text = losses(&example::audit());
        let rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
        // Two labels, each with two of three kinds.
        assert_eq!(rows.len(), 12);
        assert_eq!(rows[6].iter().collect::<Vec<_>>(), ["1", "stop", "suspect", "1", "0.01"]);
    }

    #[test]
    fn a_name_is_never_a_formula_and_never_another_cell() {
        let mut audit = example::audit();
        audit.labels[0].name = "=cmd|'/c calc'!A0\t,\"x\"\n".into();
        let table = labels(&audit);
        assert!(table.contains("\t'=cmd") && table.lines().count() == 4, "{table}");
        let text = losses(&audit);
        let first = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
        assert!(first[1].starts_with("'=cmd") && first.len() == 5, "{first:?}");
    }
}
