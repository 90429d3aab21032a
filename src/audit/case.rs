//! What every phase works with, beside the evidence that it completes.

use super::pace::Pace;
use super::references::Reference;
use super::subject::Subject;
use super::{Event, Settings};
use crate::progress::Monitor;

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) settings: &'a Settings,
    pub(super) subject: &'a Subject,
    /// None before they are prepared.
    pub(super) known_clean: &'a [Reference],
    pub(super) pace: &'a Pace<'a>,
    pub(super) monitor: &'a Monitor,
    pub(super) events: &'a (dyn Fn(Event) + Sync),
}
