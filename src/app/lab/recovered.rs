//! What an audit recovered, as the lab and its lessons speak of it.

use crate::app::words;
use crate::audit::{Audit, Verdict};
use crate::detect::TriggerEvidence;

/// The trigger that an audit recovered: that of an infected label, else of the label that was attacked.
pub fn recovered(audit: &Audit, target: usize) -> Option<Recovered<'_>> {
    let infected = audit.labels.iter().find(|label| label.verdict == Verdict::Infected);
    let label = infected.or_else(|| audit.labels.iter().find(|label| label.label == target))?;
    Some(Recovered { name: &label.name, trigger: label.trigger.as_ref()? })
}

/// A recovered trigger and its label.
#[derive(Debug, Clone, Copy)]
pub struct Recovered<'a> {
    /// Name of the label that pictures become.
    pub name: &'a str,
    /// What was recovered.
    pub trigger: &'a TriggerEvidence,
}

impl Recovered<'_> {
    /// How often it works on held-back pictures: "98.7 %".
    pub fn asr_percent(&self) -> String {
        words::percent(self.trigger.asr)
    }

    /// How large it is, in words.
    pub fn size_words(&self) -> String {
        words::size(self.trigger)
    }
}
