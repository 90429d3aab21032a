//! The door: no arguments open the window, arguments go to the command line.

fn main() -> std::process::ExitCode {
    poisdetc::tensor::threads::settle();
    poisdetc::cli::main()
}
