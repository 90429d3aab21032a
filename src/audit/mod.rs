//! The audit: what was opened, the settings, evidence, findings and the verdict, as one document.
//!
//! In: an [`Order`] (paths and settings). Out: an [`Audit`], plain data that window, command line and
//! reports show. [`run`] does the work and streams [`Event`]s; [`run_kept`] keeps finished pieces in a [`Journal`] and goes on
//! from them. [`repairing`] goes on from an audit to a repaired file. [`data`] looks at a set of images instead of a model.
//! Never prints, never draws; a detector never decides, [`verdict`] does.

mod again;
mod all_to_all;
mod budget;
mod case;
pub mod data;
mod document;
mod error;
mod event;
mod following;
mod hunting;
mod journal;
mod margins;
mod opening;
mod opinions;
mod pace;
mod pairs;
mod race;
mod references;
pub mod repairing;
mod run;
mod scope;
mod searched;
mod shots;
mod strength;
mod subject;
mod summary;
mod triggers;
pub mod verdict;
mod workers;

pub use again::Origin;
pub use document::{
    Audit, Finding, ImagesSummary, LabelFindings, Method, ModelSummary, Opinion, Order, ReferenceSummary, Settings,
    Verdict,
};
pub use error::AuditError;
pub use event::{Event, Phase};
pub use journal::Journal;
pub use run::{run, run_kept};
pub use searched::Searched;
pub use strength::{AtStrength, STRENGTHS, strengths};
