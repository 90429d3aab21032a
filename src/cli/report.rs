//! `poisdetc report`: the report of a saved audit, to be read, printed and signed.

use super::arguments::ReportArguments;
use super::exit::Exit;
use super::panics;
use crate::report::page::{self, Kind, Repair};
use crate::report::{ReportError, saved};
use anyhow::{Result, bail};

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &ReportArguments) -> Result<Exit> {
    let out = &arguments.out;
    if Kind::of(out).is_none() {
        return Err(ReportError::Ending { path: out.clone() }.into());
    }
    if out.exists() && !arguments.force {
        bail!("{} is there already; take another name, or --force to replace it", out.display());
    }
    panics::contained(|| {
        let audit = saved::read(&arguments.audit)?;
        let repair = arguments.repair.as_deref().map(|path| Repair::read(path, &audit.model.sha256)).transpose()?;
        page::write(&audit, repair.as_ref(), out)?;
        Ok(Exit::Finished)
    })
}
