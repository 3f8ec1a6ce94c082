//! The `rheos` command: what can be done without a job.
//!
//! Exit status: 0 when all is well, 1 when a configuration is not or can't be read, 2 when the
//! command line is wrong.

mod config;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Stream processing with Flink's semantics. A job is a program of its own: `my-job run`.
#[derive(Debug, Parser)]
#[command(name = "rheos", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads configurations.
    #[command(subcommand)]
    Config(config::Command),
    /// Shows the version.
    Version,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Config(command) => command.run(),
        Command::Version => {
            println!("rheos {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}
