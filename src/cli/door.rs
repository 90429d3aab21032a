//! No arguments: the window, or where there is no display, the sample in the terminal.

use super::exit::Exit;
use super::{sample, terminal};
use anyhow::Result;

/// Opens the window and stays until it is closed. Where none can be opened it says why and shows what
/// the program does on the bundled sample; that ends with status 0 whatever the verdict, since nobody asked
/// for one.
///
/// # Errors
/// One sentence.
pub fn open() -> Result<Exit> {
    let opened = if has_display() { crate::app::open_window(None) } else { Err("There is no display".into()) };
    let Err(why) = opened else { return Ok(Exit::Finished) };
    terminal::remark(&format!(
        "{}; auditing the bundled sample here in the terminal instead. See \"poisdetc --help\" for what else works here",
        terminal::harmless(why.lines().next().unwrap_or_default()).trim_end_matches('.')
    ));
    match sample::demonstrate()? {
        Exit::Stopped => Ok(Exit::Stopped),
        _ => Ok(Exit::Finished),
    }
}

/// Whether there is a display to try. Elsewhere than on Linux and its like there always is.
fn has_display() -> bool {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return true;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(set)
}
