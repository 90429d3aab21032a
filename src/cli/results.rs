//! What came out of minutes of work, brought to the person: printed first, then written as JSON where that was asked for. A disk
//! that has become full in the meantime costs nothing.

use super::terminal;
use crate::report::write_whole;
use anyhow::{Result, anyhow, bail};
use std::path::Path;

/// Refuses a file for the JSON that cannot be written, before the work rather than after it.
///
/// # Errors
/// One sentence.
pub fn check(json: Option<&Path>) -> Result<()> {
    let Some(file) = json.filter(|file| *file != Path::new("-")) else { return Ok(()) };
    if file.is_dir() {
        bail!("{} is a folder; name the file for the JSON", file.display());
    }
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("the folder {} for the JSON does not exist; make it, or name another", folder.display());
    }
    Ok(())
}

/// Prints the table, or the JSON where that goes to standard output, and writes the JSON. Where the file cannot be written any
/// more it is kept in the folder for temporary files.
///
/// # Errors
/// One sentence.
pub fn deliver(file: Option<&Path>, json: impl Fn() -> String, table: impl Fn() -> String) -> Result<()> {
    if file == Some(Path::new("-")) {
        return terminal::print(&json());
    }
    terminal::print(&table())?;
    let Some(file) = file else { return Ok(()) };
    let json = json();
    write_whole(file, json.as_bytes()).map_err(|why| {
        let name = format!("poisdetc-{}.json", std::process::id());
        let elsewhere = std::env::temp_dir().join(name);
        match write_whole(&elsewhere, json.as_bytes()) {
            Ok(()) => anyhow!("{why}; the JSON is in {} instead", elsewhere.display()),
            Err(_) => why.into(),
        }
    })
}
