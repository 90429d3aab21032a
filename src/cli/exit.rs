//! What the exit status says.

use crate::audit::repairing::RepairReport;
use crate::audit::{Audit, Verdict};
use std::process::ExitCode;

/// How the program ended, for scripts. Wrong use ends in clap, with status 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Finished; nothing was found.
    Finished = 0,
    /// Could not be done.
    Failed = 1,
    /// Finished; suspicious.
    Suspicious = 10,
    /// A repair finished; the model is better, but not all of the aim is met or the second audit still finds something.
    NotClean = 11,
    /// Finished; infected, confirmed by a trigger.
    Infected = 20,
    /// Stopped by the user, as shells count an interrupt.
    Stopped = 130,
}

impl Exit {
    /// What an audit ends with. A stopped one has examined too little to speak for the model.
    pub fn of(audit: &Audit) -> Self {
        match (audit.stopped, audit.verdict) {
            (true, _) => Self::Stopped,
            (false, Verdict::NoEvidence) => Self::Finished,
            (false, Verdict::Suspicious) => Self::Suspicious,
            (false, Verdict::Infected) => Self::Infected,
        }
    }

    /// What a repair ends with. Stopped in the second audit it has written a file that is not examined.
    pub fn of_repair(report: &RepairReport) -> Self {
        match (report.stopped, report.is_clean()) {
            (true, _) => Self::Stopped,
            (false, true) => Self::Finished,
            (false, false) => Self::NotClean,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
