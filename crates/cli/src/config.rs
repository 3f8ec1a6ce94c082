//! `rheos config`: what a configuration comes to, before a job is given it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use rheos::core::config::Configuration;
use rheos::core::config::Level;

/// What to do with a configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answers every key: in effect, not yet, without meaning here, not Flink's, or wrong.
    Check {
        /// A `flink-conf.yaml`, a `config.yaml`, or a folder that holds one.
        file: PathBuf,
        /// One key; goes before the file.
        #[arg(short = 'D', value_name = "KEY=VALUE")]
        define: Vec<String>,
    },
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let Command::Check { file, define } = self;
        match rheos::configuration::read(Some(&file), &define) {
            Ok(configuration) => answer(&configuration),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn answer(configuration: &Configuration) -> ExitCode {
    let review = configuration.review();
    for (level, line) in review.lines() {
        match level {
            Level::Info => println!("{line}"),
            Level::Warn => println!("warning: {line}"),
            Level::Error => eprintln!("error: {line}"),
        }
    }
    let wrong = review.errors.len();
    if wrong == 0 {
        println!("a job can start with it");
        ExitCode::SUCCESS
    } else {
        let keys = if wrong == 1 { "one thing" } else { "things" };
        eprintln!("{keys} to mend: no job starts with it");
        ExitCode::FAILURE
    }
}
