//! How a lesson is told: steps with words, a place that lights up, and what has to be true to go on.

use super::command::View;
use crate::poison::Ready;

/// What has to be true before the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Nothing: it is enough to have read it.
    Read,
    /// This ready trigger is taken.
    Ready(Ready),
    /// The training began.
    Started,
    /// Both networks are trained as chosen.
    Trained,
    /// This view of the lab is shown.
    View(View),
    /// The networks were looked into.
    Looked,
    /// The audit of the lab's model began.
    AuditBegun,
    /// It came to its verdict.
    Audited,
    /// The repair screen is shown.
    OnRepair,
    /// The repair of the lab's model began.
    RepairBegun,
    /// The repaired model was measured with the trigger that was drawn.
    Repaired,
}

/// One step.
#[derive(Debug, Clone, Copy)]
pub struct LessonStep {
    /// What is told; `{names}` are replaced by what is true at the moment.
    pub words: &'static str,
    /// Accessible name of what lights up; empty where one only waits.
    pub place: &'static str,
    /// What has to be true to go on.
    pub until: Until,
}

/// One lesson.
#[derive(Debug, Clone, Copy)]
pub struct Lesson {
    /// What it is about.
    pub title: &'static str,
    /// What one knows afterwards.
    pub about: &'static str,
    /// In order.
    pub steps: &'static [LessonStep],
}
