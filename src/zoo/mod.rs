//! Many models with a known truth: all audited, and how many of them were judged rightly.
//!
//! In: a manifest ([`Manifest`]). Out: a [`Row`] a model and a [`Scoreboard`] of them all. One audit is the work of
//! `audit`; this counts.

mod manifest;
mod row;
mod run;
mod scoreboard;

pub use manifest::{Entry, Manifest, ManifestError};
pub use row::{Detector, Row};
pub use run::{Settings, ZooError, run};
pub use scoreboard::{Scoreboard, area_under_curve};
