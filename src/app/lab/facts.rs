//! Everything the lessons may say and ask: numbers as they are now, and what was done. Nothing in a lesson is written
//! down beforehand.

use super::lesson::Until;
use super::{Lab, Whose};
use crate::app::command::Step;
use crate::app::words;
use crate::audit::repairing::RepairReport;
use crate::audit::{Audit, Verdict};
use crate::poison::Mark;
use crate::poison::lab::Moment;

/// The lab and what belongs to it outside.
pub struct Facts<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// The audit that is open.
    pub audit: Option<&'a Audit>,
    /// The repair that is open.
    pub repair: Option<&'a RepairReport>,
    /// Whether an audit runs.
    pub auditing: bool,
    /// Whether a repair runs.
    pub repairing: bool,
    /// The screen that is shown.
    pub step: Step,
}

/// What stands where a number is not known yet.
const NOT_YET: &str = "(not known yet)";

impl Facts<'_> {
    /// The audit of the experiment's own model.
    pub fn our_audit(&self) -> Option<&Audit> {
        self.lab.audit_of(Whose::Experiment, self.audit)
    }

    /// Clean accuracy and success rate of the planted mark on the experiment's repaired model, once they are measured.
    fn mended(&self) -> Option<&(f32, f32)> {
        self.lab.repair_of(self.repair)?;
        self.lab.mended.as_ref()?.numbers.as_ref().ok()
    }

    /// Whether `until` is true.
    pub fn fulfils(&self, until: Until) -> bool {
        let lab = self.lab;
        match until {
            Until::Read => true,
            Until::Ready(ready) => lab.form.ready == Some(ready),
            Until::Started => lab.is_training() || lab.is_trained(),
            Until::Trained => lab.is_trained(),
            Until::View(view) => self.step == Step::Lab && lab.view == view,
            Until::Looked => lab.looked.is_some(),
            Until::AuditBegun => {
                self.our_audit().is_some() || (self.auditing && lab.given(Whose::Experiment).is_some())
            }
            Until::Audited => self.our_audit().is_some(),
            Until::OnRepair => self.step == Step::Repair,
            Until::RepairBegun => self.repairing || lab.repair_of(self.repair).is_some(),
            Until::Repaired => self.mended().is_some(),
        }
    }

    /// `text` with every `{name}` replaced by what is true now.
    pub fn told(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            told.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            told.push_str(&self.value(name).unwrap_or_else(|| NOT_YET.into()));
            rest = after;
        }
        told.push_str(rest);
        told
    }

    fn moment(&self) -> Option<&Moment> {
        self.lab.moments.last()
    }

    /// What a name in a lesson stands for; `None` while it is not known.
    fn value(&self, name: &str) -> Option<String> {
        let lab = self.lab;
        let percent = |share: f32| words::percent(share);
        let names = lab.pictures.as_ref().map(|p| &p.2.training.names);
        let training = lab.pictures.as_ref().map(|p| p.2.training.len());
        let trigger = || super::recovered(self.our_audit()?, lab.form.target);
        Some(match name {
            "labels" => words::count(names?.len()),
            "training" => words::count(training?),
            "test" => words::count(lab.pictures.as_ref()?.2.test.len()),
            "passes" => words::count(lab.form.passes),
            "target" => names?.get(lab.form.target)?.clone(),
            "rate" => percent(lab.form.rate),
            "marked" => words::count((training? as f32 * lab.form.rate).round() as usize),
            "covers" => match &lab.form.mark {
                Mark::Drawn(drawn) => percent(drawn.covers()),
                _ => percent(1.0),
            },
            "first_loss" => words::number(lab.moments.iter().find_map(|m| m.poisoned.loss)?),
            "loss" => words::number(lab.moments.iter().rev().find_map(|m| m.poisoned.loss)?),
            "acc" => percent(self.moment()?.poisoned.accuracy),
            "asr" => percent(self.moment()?.poisoned.success),
            "twin_acc" => percent(self.moment()?.twin.accuracy),
            "twin_asr" => percent(self.moment()?.twin.success),
            "gap" => {
                let moment = self.moment()?;
                let gap = 100.0 * (moment.poisoned.accuracy - moment.twin.accuracy).abs();
                format!("{gap:.1} points")
            }
            "verdict" => words::verdict(self.our_audit()?.verdict).to_lowercase(),
            "found" => {
                let audit = self.our_audit()?;
                let infected: Vec<String> = audit
                    .labels
                    .iter()
                    .filter(|label| label.verdict == Verdict::Infected)
                    .map(|label| format!("“{}”", label.name))
                    .collect();
                if infected.is_empty() { "no label".into() } else { infected.join(", ") }
            }
            "works_on" => trigger()?.asr_percent(),
            "size" => trigger()?.size_words(),
            "repaired_acc" => percent(self.mended()?.0),
            "repaired_asr" => percent(self.mended()?.1),
            _ => return None,
        })
    }
}

/// All names that [`Facts::told`] knows.
#[cfg(test)]
pub const NAMES: [&str; 21] = [
    "labels",
    "training",
    "test",
    "passes",
    "target",
    "rate",
    "marked",
    "covers",
    "first_loss",
    "loss",
    "acc",
    "asr",
    "twin_acc",
    "twin_asr",
    "gap",
    "verdict",
    "found",
    "works_on",
    "size",
    "repaired_acc",
    "repaired_asr",
];

impl Until {
    /// What still has to happen, for the line below the words.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Read => "Read on when you are ready",
            Self::Ready(_) => "Take this trigger to go on",
            Self::Started => "Start the training to go on",
            Self::Trained => "Goes on once the training is finished",
            Self::View(_) => "Open this view to go on",
            Self::Looked => "Goes on once the networks were looked into",
            Self::AuditBegun => "Start the audit to go on",
            Self::Audited => "Goes on once there is a verdict",
            Self::OnRepair => "Open the repair to go on",
            Self::RepairBegun => "Start the repair to go on",
            Self::Repaired => "Goes on once the repaired model was measured",
        }
    }
}
