//! The screens, one file each: a state struct and a `ui`. They draw and send commands, nothing else.

pub mod detect;
pub mod files;
pub mod inspect;
pub mod open;
pub mod repair;
pub mod repair_pictures;
pub mod repaired;
mod report_line;

pub use report_line::{report_button, report_line};
