//! Ctrl+C: the first stops the work and keeps what is known, the second ends the program at once.

use super::exit::Exit;
use super::terminal::remark;
use crate::progress::Monitor;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets Ctrl+C stop `monitor`. Works once a process, which does one job.
pub fn stops(monitor: &Monitor) {
    let monitor = monitor.clone();
    let asked = AtomicBool::new(false);
    let listening = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Stopped as i32);
        }
        monitor.stop();
    });
    if let Err(why) = listening {
        // The work can still be done, and Ctrl+C still ends the process as it always does.
        remark(&format!("Ctrl+C will end the program without a result: {why}"));
    }
}
