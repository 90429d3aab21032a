//! Audits that were saved, as a repair and as the window read them, and the reports and the table of what was read. What comes after
//! a zero is a repair of the same model, which the reports tell, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc::report::page::{self, Kind, Repair};
use poisdetc::report::{earlier, saved, sheet};
use poisdetc_fuzz::{file, sentence};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let path = file("audit.json", parts.next().unwrap_or_default());
    if let Err(why) = earlier::read(&path) {
        sentence(&why.to_string());
    }
    let audit = match saved::read(&path) {
        Ok(audit) => audit,
        Err(why) => return sentence(&why.to_string()),
    };
    let repair = parts.next().and_then(|bytes| {
        let repair = Repair::read(&file("repair.json", bytes), &audit.model.sha256);
        repair.map_err(|why| sentence(&why.to_string())).ok()
    });
    for kind in [Kind::Html, Kind::Pdf] {
        if let Err(why) = page::bytes(&audit, repair.as_ref(), kind) {
            sentence(&why.to_string());
        }
    }
    drop(sheet::labels(&audit));
});
