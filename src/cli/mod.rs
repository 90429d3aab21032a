//! The command line: the same jobs as the window, printed; JSON and exit codes.

/// Runs the program; the exit status says what was found.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
