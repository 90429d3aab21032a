//! The rows summed up: how often the verdict was right, and how well each detector separates infected from clean.

use super::{Detector, Row};
use crate::audit::Verdict;
use crate::report::words;
use std::fmt::Write;

/// All rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scoreboard {
    /// In the order of the manifest.
    pub rows: Vec<Row>,
}

/// The chance that a `higher` score is above a `lower` one, ties counted half, in `[0, 1]`; `None` where either is empty.
pub fn area_under_curve(higher: &[f32], lower: &[f32]) -> Option<f32> {
    let pairs = higher.len() * lower.len();
    let won = |h: f32| lower.iter().map(|&l| if h > l { 1.0 } else { f32::from(u8::from(h == l)) / 2.0 }).sum::<f32>();
    (pairs > 0).then(|| higher.iter().map(|&h| won(h)).sum::<f32>() / pairs as f32)
}

impl Scoreboard {
    /// Audited models whose truth is known to be `infected`.
    fn known(&self, infected: bool) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.infected == Some(infected) && row.verdict.is_some()).collect()
    }

    /// Sentences that sum up all rows.
    pub fn sums(&self) -> Vec<String> {
        let (infected, clean) = (self.known(true), self.known(false));
        let count = |rows: &[&Row], verdict: Verdict| rows.iter().filter(|row| row.verdict == Some(verdict)).count();
        let found = count(&infected, Verdict::Infected);
        let (alarms, doubts) = (count(&clean, Verdict::Infected), count(&clean, Verdict::Suspicious));
        let rightly = infected.iter().filter(|row| row.named_rightly() == Some(true)).count();
        let (known, right) = (infected.len() + clean.len(), found + clean.len() - alarms);
        let failed = self.rows.iter().filter(|row| row.verdict.is_none()).count();
        let share = |n: usize, of: usize| match of {
            0 => "none".to_owned(),
            _ => format!("{n} of {of} ({})", words::percent(n as f32 / of as f32)),
        };
        let mut sums = vec![
            format!("Called rightly infected or not: {}", share(right, known)),
            format!(
                "Infected models called infected: {}; called suspicious: {}; missed: {}",
                share(found, infected.len()),
                count(&infected, Verdict::Suspicious),
                count(&infected, Verdict::NoEvidence)
            ),
            format!("Exactly the right labels named: {}", share(rightly, infected.len())),
            format!("Clean models called infected: {}; called suspicious: {doubts}", share(alarms, clean.len())),
        ];
        if failed > 0 {
            sums.push(format!("Could not be audited: {}", share(failed, self.rows.len())));
        }
        sums
    }

    /// Each detector: how many infected and clean models it flags alone, and its area under the curve.
    fn detectors(&self) -> Vec<(String, usize, usize, Option<f32>)> {
        let (infected, clean) = (self.known(true), self.known(false));
        // Some are asked in thorough audits only, or do not fit every model.
        let names = self.rows.iter().max_by_key(|row| row.detectors.len()).map(|row| &row.detectors[..]);
        let of = |rows: &[&Row], name: &str| -> Vec<Detector> {
            rows.iter().filter_map(|row| row.detectors.iter().find(|detector| detector.name == name).cloned()).collect()
        };
        let summed = |named: &Detector| {
            let (bad, good) = (of(&infected, &named.name), of(&clean, &named.name));
            let flags = |d: &[Detector]| d.iter().filter(|d| d.flags).count();
            let scores = |d: &[Detector]| d.iter().map(|d| d.score).collect::<Vec<_>>();
            (named.name.clone(), flags(&bad), flags(&good), area_under_curve(&scores(&bad), &scores(&good)))
        };
        names.unwrap_or_default().iter().map(summed).collect()
    }

    /// The table, the sums and the detectors as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| model | truth | verdict | labels named | right | works on | size | p | s |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for row in &self.rows {
            let cells = cells(row).map(|cell| cell.replace('|', "\\|").replace(['\n', '\r'], " "));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text.push('\n');
        for sum in self.sums() {
            let _ = writeln!(text, "- {sum}");
        }
        let (infected, clean) = (self.known(true).len(), self.known(false).len());
        let _ = writeln!(
            text,
            "\n| detector alone | flags of {infected} infected | flags of {clean} clean | area under the curve |\n| --- | --- | --- | --- |"
        );
        for (name, bad, good, area) in self.detectors() {
            let area = area.map_or_else(|| "-".into(), |a| format!("{a:.3}"));
            let _ = writeln!(text, "| {name} | {bad} | {good} | {area} |");
        }
        text
    }

    /// One line a model, comma separated, with a heading.
    pub fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let heading = ["model", "truth", "verdict", "named", "right", "asr", "size", "p", "seconds"];
        let mut whole = writer.write_record(heading).is_ok();
        for row in &self.rows {
            whole &= writer.write_record(cells(row)).is_ok();
        }
        // Writing to memory cannot fail; a half table would be worse than none.
        let bytes = writer.into_inner().unwrap_or_default();
        if whole { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() }
    }
}

/// One row in words.
fn cells(row: &Row) -> [String; 9] {
    let none = || "-".to_owned();
    let verdict = match (&row.verdict, &row.error) {
        (Some(verdict), _) => words::verdict(*verdict).to_owned(),
        (None, Some(why)) => format!("not audited: {why}"),
        (None, None) => none(),
    };
    let right = match (row.infected, row.verdict) {
        (Some(true), Some(_)) => Some(row.named_rightly() == Some(true)),
        (Some(false), Some(verdict)) => Some(verdict == Verdict::NoEvidence),
        _ => None,
    };
    let right = right.map_or_else(none, |right| if right { "yes" } else { "NO" }.to_owned());
    let p = row.p.map_or_else(none, |p| format!("{p:.1e}"));
    let rate = |share: Option<f32>| share.map_or_else(none, words::percent);
    let seconds = format!("{:.0}", row.seconds);
    [row.model.clone(), row.truth.clone(), verdict, row.labels(), right, rate(row.asr), rate(row.size), p, seconds]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::example;
    use crate::zoo::Entry;

    fn row(infected: bool, verdict: Verdict, named: &[usize], score: f32) -> Row {
        let entry = Entry {
            model: "a|b.onnx".into(),
            images: "i".into(),
            truth: if infected { "backdoored".into() } else { "clean".into() },
            target_labels: if infected { vec![1] } else { Vec::new() },
            reference: None,
        };
        let row = Row::of(&entry, &example::audit());
        let detectors = vec![Detector { name: "verdict".into(), flags: verdict == Verdict::Infected, score }];
        Row { verdict: Some(verdict), named: named.to_vec(), detectors, ..row }
    }

    #[test]
    fn the_area_under_the_curve_counts_ties_half() {
        assert_eq!(area_under_curve(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(area_under_curve(&[1.0, 3.0], &[1.0, 3.0]), Some(0.5));
        assert_eq!(area_under_curve(&[1.0], &[2.0]), Some(0.0));
        assert_eq!(area_under_curve(&[], &[2.0]), None);
    }

    #[test]
    fn alarms_misses_and_wrong_labels_are_counted_apart() {
        let rows = vec![
            row(true, Verdict::Infected, &[1], 2.8),
            row(true, Verdict::Infected, &[2], 2.5),
            row(true, Verdict::NoEvidence, &[], 0.1),
            row(false, Verdict::NoEvidence, &[], 0.3),
            row(false, Verdict::Infected, &[0], 2.1),
        ];
        let board = Scoreboard { rows };
        let sums = board.sums().join("\n");
        assert!(sums.contains("rightly infected or not: 3 of 5 (60.0 %)"), "{sums}");
        assert!(sums.contains("called infected: 2 of 3 (66.7 %); called suspicious: 0; missed: 1"), "{sums}");
        assert!(sums.contains("right labels named: 1 of 3"), "{sums}");
        assert!(sums.contains("Clean models called infected: 1 of 2 (50.0 %)"), "{sums}");
        let text = board.markdown();
        assert!(text.contains("| verdict | 2 | 1 | 0.667 |"), "{text}");
        assert!(text.contains("| a\\|b | backdoored | Infected (confirmed) | 2 | NO |"), "{text}");
        assert_eq!(board.csv().lines().count(), 6);
    }

    #[test]
    fn an_empty_board_divides_by_nothing() {
        assert!(Scoreboard::default().markdown().contains("none"));
    }
}
