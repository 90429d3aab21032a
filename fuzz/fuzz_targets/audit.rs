//! Audits that were saved, as a repair and as the window read them, and the report of what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc::report::{earlier, page, saved};
use poisdetc_fuzz::{file, sentence};

fuzz_target!(|bytes: &[u8]| {
    let path = file("audit.json", bytes);
    if let Err(why) = earlier::read(&path) {
        sentence(&why.to_string());
    }
    match saved::read(&path) {
        Ok(audit) => drop(page::html::text(&audit, None)),
        Err(why) => sentence(&why.to_string()),
    }
});
