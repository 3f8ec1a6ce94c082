//! `golden DIR`: runs every scenario file (`*.jsonl`) of a folder and prints what passed, by kind.
//!
//! Exit code: 0 if nothing failed, 1 if something did, 2 if the folder cannot be used.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rheos_golden::suite::{Selection, Suite};

/// Runs the golden scenarios of a folder through Rheos and judges them.
#[derive(Debug, Parser)]
#[command(name = "golden", version)]
struct Arguments {
    /// The folder with the scenario files (*.jsonl).
    dir: PathBuf,
    /// How many failures of each kind to show in detail.
    #[arg(long, default_value_t = 3)]
    details: usize,
    /// Run only scenarios whose id or kind starts with this.
    #[arg(long, default_value = "")]
    only: String,
    /// The parallelisms at which keyed kinds run; the others run at 1.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 3],
          value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: Vec<u32>,
    /// After every so many items jobs take a checkpoint and crash, and go on from it.
    #[arg(long, value_name = "ITEMS")]
    crash_every: Option<usize>,
    /// With --crash-every: the checkpoint is unaligned, and taken while the item is in flight.
    #[arg(long, requires = "crash_every")]
    unaligned: bool,
    /// With --crash-every: keyed kinds that run above parallelism 1 go on at another each time.
    #[arg(long, requires = "crash_every")]
    rescale: bool,
    /// Where jobs keep their state.
    #[arg(long, value_enum, default_value_t = State::Heap)]
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Heap,
    /// With the feature `rocksdb`.
    Rocksdb,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let selection = Selection {
        prefix: arguments.only,
        parallelism: arguments.parallelism,
        crash_every: arguments.crash_every,
        unaligned: arguments.unaligned,
        rescale: arguments.rescale,
        rocksdb: arguments.state == State::Rocksdb,
    };
    let report = match Suite::read(&arguments.dir) {
        Ok(suite) => suite.run(&selection),
        Err(error) => {
            eprintln!("golden: {error}");
            return ExitCode::from(2);
        }
    };
    if report.is_empty() {
        eprintln!("golden: nothing to run: no scenario's id or kind starts with what --only says");
        return ExitCode::from(2);
    }
    // Whoever closed the pipe does not want the rest; the exit code still tells.
    let _ = write!(std::io::stdout(), "{}", report.display(arguments.details));
    if report.failed() > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
