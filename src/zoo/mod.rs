//! Many models: all audited ([`batch`]), and where their truth is known, how many of them were judged rightly ([`run`]).
//!
//! In: a manifest ([`Manifest`]). Out: a [`Row`] a model, and a [`Scoreboard`] or an overview of them all. One audit is the
//! work of `audit`; this counts.

mod batch;
mod manifest;
mod overview;
mod row;
mod run;
mod scoreboard;
mod shard;

pub use batch::{Batch, batch};
pub use manifest::{Entry, Manifest, ManifestError};
pub use row::{Detector, Row};
pub use run::{Done, Settings, ZooError, run};
pub use scoreboard::{Scoreboard, area_under_curve};
pub use shard::Shard;
