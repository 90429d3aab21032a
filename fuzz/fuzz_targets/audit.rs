//! Audits that were saved, as a repair and as the window read them, and both reports and the table of what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc::report::page::{self, Kind};
use poisdetc::report::{earlier, saved, sheet};
use poisdetc_fuzz::{file, sentence};

fuzz_target!(|bytes: &[u8]| {
    let path = file("audit.json", bytes);
    if let Err(why) = earlier::read(&path) {
        sentence(&why.to_string());
    }
    match saved::read(&path) {
        Ok(audit) => {
            for kind in [Kind::Html, Kind::Pdf] {
                if let Err(why) = page::bytes(&audit, None, kind) {
                    sentence(&why.to_string());
                }
            }
            drop(sheet::labels(&audit));
        }
        Err(why) => sentence(&why.to_string()),
    }
});
