//! The `rheos` command: what can be done without a job, and with one that runs; and the session that jobs
//! are submitted to.
//!
//! Exit status: 0 when all is well, 1 when a configuration is not or can't be read, or what was asked
//! for could not be done; 2 when the command line is wrong.

mod config;
mod dead_letters;
mod job;
mod savepoint;
mod session;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Stream processing with Flink's semantics. A job is a program of its own: `my-job run`.
#[derive(Parser)]
#[command(name = "rheos", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a script by which a shell completes this command: `source <(rheos completion bash)`.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Reads configurations.
    #[command(subcommand)]
    Config(config::Command),
    /// Looks at messages that a job could not read, and sends them back.
    DeadLetters(Box<dead_letters::Command>),
    #[command(flatten)]
    Job(job::Command),
    #[command(flatten)]
    Session(session::Command),
    /// Takes savepoints, looks into them, and compares one with a job.
    Savepoint(Box<savepoint::Command>),
    /// Shows the version.
    Version,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Completion { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "rheos", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Config(command) => command.run(),
        Command::DeadLetters(command) => command.run(),
        Command::Job(command) => command.run(),
        Command::Session(command) => command.run(),
        Command::Savepoint(command) => command.run(),
        Command::Version => {
            println!("rheos {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}
