//! The screens, one file each: a state struct and a `ui`. They draw and send commands, nothing else.

pub mod compare;
pub mod detect;
pub mod files;
pub mod inspect;
pub mod open;
mod recent;
pub mod repair;
pub mod repair_pictures;
pub mod repaired;
mod report_line;

pub use recent::recent_audits;
pub use report_line::{report_button, report_line};
