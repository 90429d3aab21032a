//! The command line: the same jobs as the window, printed; JSON, pictures and exit codes.
//!
//! In: the arguments of the process. Out: text on standard output, progress and errors on standard error, an
//! exit status. One file a command. Never computes, never decides; what a stranger wrote (names of
//! labels, nodes, files) is made harmless before it reaches a terminal.

mod arguments;
mod audit;
mod data;
mod data_arguments;
mod door;
mod exit;
mod inspect;
mod interrupt;
mod lab;
mod lab_arguments;
mod manual;
mod overrule;
mod panics;
mod progress;
mod repair;
mod repair_arguments;
mod repair_table;
mod report;
mod results;
mod sample;
mod table;
mod terminal;
mod watch;
mod zoo;

use arguments::{Arguments, Command};
use clap::Parser;
use exit::Exit;

/// Runs the program; the exit status says what was found.
pub fn main() -> std::process::ExitCode {
    panics::keep_quiet();
    // clap itself prints help and ends with status 0, or a mistake and ends with status 2.
    let arguments = Arguments::parse();
    let done = panics::contained(|| match arguments.command {
        None => door::open(),
        Some(Command::Audit(order)) => audit::run(&order),
        Some(Command::Repair(order)) => repair::run(&order),
        Some(Command::Report(order)) => report::run(&order),
        Some(Command::Data(order)) => data::run(&order),
        Some(Command::Inspect(what)) => inspect::run(&what),
        Some(Command::Sample(what)) => sample::run(&what),
        Some(Command::Lab(order)) => lab::run(order),
        Some(Command::Zoo(order)) => zoo::run(&order),
        Some(Command::Batch(order)) => zoo::batch(&order),
        Some(Command::Completions(order)) => manual::complete(&order),
        Some(Command::Manual(order)) => manual::write(&order),
    });
    let exit = done.unwrap_or_else(|why| {
        terminal::complain(&why);
        Exit::Failed
    });
    exit.into()
}
