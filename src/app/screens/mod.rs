//! The screens, one file each: a state struct and a `ui`. They draw and send commands, nothing else.

mod beside;
pub mod compare;
pub mod detect;
pub mod files;
pub mod glossary_view;
pub mod inspect;
pub mod lab;
mod log_view;
pub mod open;
mod recent;
pub mod repair;
pub mod repair_pictures;
pub mod repaired;
mod saved_line;

pub use log_view::log_view;
pub use recent::recent_audits;
pub use saved_line::{plot_button, report_button, saved_line};
