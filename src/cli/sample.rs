//! `poisdetc sample`: the bundled road signs, audited or made again.

use super::arguments::SampleArguments;
use super::exit::Exit;
use anyhow::{Result, bail};

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &SampleArguments) -> Result<Exit> {
    let _ = (&arguments.make, arguments.honest, &arguments.results);
    demonstrate()
}

/// Audits the poisoned sample in the terminal.
///
/// # Errors
/// One sentence.
pub fn demonstrate() -> Result<Exit> {
    bail!("the sample is not bundled yet")
}
