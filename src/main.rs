//! The door: no arguments open the window, arguments go to the command line.

fn main() -> std::process::ExitCode {
    poisdetc::cli::main()
}
