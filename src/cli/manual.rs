//! `poisdetc completions` and `poisdetc manual`: what packages install beside the program. In: the description of the command
//! line that its help comes from. Out: a script for a shell, manual pages.

use super::arguments::{Arguments, CompletionsArguments, ManualArguments};
use super::exit::Exit;
use super::terminal;
use anyhow::{Context, Result};
use clap::CommandFactory;

/// Prints the script of a shell.
///
/// # Errors
/// One sentence where standard output cannot be written.
pub fn complete(arguments: &CompletionsArguments) -> Result<Exit> {
    // clap_complete panics where it cannot write, as where the reader of a pipe has gone.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "poisdetc", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Finished)
}

/// Writes a page for the program and one for every command of it.
///
/// # Errors
/// One sentence where the folder cannot be written to.
pub fn write(arguments: &ManualArguments) -> Result<Exit> {
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .with_context(|| format!("The manual pages cannot be written to {}", folder.display()))?;
    Ok(Exit::Finished)
}
