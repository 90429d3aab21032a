//! All that is known of an audit, while it runs and after: what every screen draws.

use crate::audit::{Audit, Event, Finding, LabelFindings, ModelSummary, ReferenceSummary, Verdict};
use crate::detect::{ShotEvidence, TriggerEvidence};
use std::sync::atomic::{AtomicU64, Ordering};

/// One label so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Index of the label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// The verdict, once all evidence is together.
    pub verdict: Option<Verdict>,
    /// The reasons, strongest first.
    pub findings: Vec<Finding>,
    /// PoisDetc's shots.
    pub shots: Option<ShotEvidence>,
    /// The recovered trigger.
    pub trigger: Option<TriggerEvidence>,
    /// Changes whenever the pictures do.
    pub version: u64,
}

impl Row {
    fn new(label: usize, name: String) -> Self {
        Self { label, name, verdict: None, findings: Vec::new(), shots: None, trigger: None, version: fresh() }
    }

    /// Index and name: "14 stop"; the index alone where it is the name.
    pub fn title(&self) -> String {
        let index = self.label.to_string();
        if self.name.is_empty() || self.name == index { index } else { format!("{index} {}", self.name) }
    }

    /// Shots that reached the label, of all.
    pub fn reached(&self) -> Option<(usize, usize)> {
        let shots = self.shots.as_ref()?;
        Some((shots.losses.iter().filter(|&&loss| loss <= REACHED).count(), shots.losses.len()))
    }
}

/// A shot whose loss is at most this has reached its label (PoisDetc).
pub const REACHED: f32 = 0.2;

/// A number no other call has given.
pub fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// All labels so far, and what they were compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    names: Vec<String>,
    /// The suspect model.
    pub model: Option<ModelSummary>,
    /// Models known clean.
    pub references: Vec<ReferenceSummary>,
    /// Labels of which something is known, by index.
    pub rows: Vec<Row>,
}

impl Known {
    /// Takes in what a running audit tells.
    pub fn learn(&mut self, event: Event) {
        match event {
            Event::Phase(_) | Event::Progress { .. } | Event::Discovery(_) => {}
            Event::Model(model) => self.model = Some(model),
            Event::Images(images) => self.names = images.names,
            Event::Reference(reference) => self.references.push(reference),
            Event::Shots(shots) => {
                let row = self.row(shots.label);
                row.version = fresh();
                row.shots = Some(shots);
            }
            Event::Trigger(trigger) => {
                let row = self.row(trigger.label);
                row.version = fresh();
                row.trigger = Some(trigger);
            }
            Event::Label(findings) => self.settle(findings),
        }
    }

    /// The row of a label, made if need be.
    fn row(&mut self, label: usize) -> &mut Row {
        let at = match self.rows.binary_search_by_key(&label, |row| row.label) {
            Ok(at) => at,
            Err(at) => {
                let name = self.names.get(label).cloned().unwrap_or_default();
                self.rows.insert(at, Row::new(label, name));
                at
            }
        };
        &mut self.rows[at]
    }

    fn settle(&mut self, findings: LabelFindings) {
        let row = self.row(findings.label);
        row.name = findings.name;
        row.verdict = Some(findings.verdict);
        row.findings = findings.findings;
        row.shots = findings.shots.or_else(|| row.shots.take());
        row.trigger = findings.trigger.or_else(|| row.trigger.take());
        row.version = fresh();
    }

    /// What is known of a label.
    pub fn of_label(&self, label: usize) -> Option<&Row> {
        self.rows.binary_search_by_key(&label, |row| row.label).ok().map(|at| &self.rows[at])
    }

    /// The label an eye should fall on first: the strongest verdict, then the lowest p-value.
    pub fn most_suspicious(&self) -> Option<usize> {
        let key = |row: &&Row| {
            let trigger = row.trigger.as_ref();
            let p = trigger.and_then(|t| t.p_value).unwrap_or(1.0);
            (row.verdict, ordered(-p), ordered(trigger.map_or(0.0, |t| t.asr)))
        };
        self.rows.iter().rev().max_by_key(key).map(|row| row.label)
    }

    /// Name of a label, or its index.
    pub fn name(&self, label: usize) -> String {
        self.of_label(label)
            .map(|row| row.name.clone())
            .or_else(|| self.names.get(label).cloned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| label.to_string())
    }
}

/// A key that sorts like the number; what is not a number comes first.
pub fn ordered(x: f32) -> i64 {
    if x.is_nan() {
        return i64::MIN;
    }
    (f64::from(x) * 1e9) as i64
}

impl From<&Audit> for Known {
    fn from(audit: &Audit) -> Self {
        let mut known = Self {
            names: audit.images.names.clone(),
            model: Some(audit.model.clone()),
            references: audit.references.clone(),
            rows: Vec::new(),
        };
        for label in &audit.labels {
            known.settle(label.clone());
        }
        known
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::example;
    use super::*;

    #[test]
    fn events_and_the_finished_document_show_the_same_labels() {
        let audit = example::audit();
        let mut live = Known::default();
        live.learn(Event::Model(audit.model.clone()));
        live.learn(Event::Images(audit.images.clone()));
        for reference in &audit.references {
            live.learn(Event::Reference(reference.clone()));
        }
        for label in audit.labels.iter().rev() {
            live.learn(Event::Shots(label.shots.clone().unwrap()));
        }
        assert_eq!(live.rows.len(), audit.labels.len());
        assert!(live.rows.iter().all(|row| row.verdict.is_none() && row.shots.is_some()));
        for label in &audit.labels {
            live.learn(Event::Label(label.clone()));
        }
        let strip = |mut known: Known| {
            known.rows.iter_mut().for_each(|row| row.version = 0);
            known
        };
        assert_eq!(strip(live), strip(Known::from(&audit)));
    }

    #[test]
    fn the_eye_falls_on_the_infected_label() {
        assert_eq!(Known::from(&example::audit()).most_suspicious(), Some(example::INFECTED));
    }
}
