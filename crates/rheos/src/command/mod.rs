//! A job as a command: `run`, the default, runs it in this process; `plan` shows what would run;
//! `jobmanager` and `taskmanager` run it in several processes of this same binary.
//!
//! Life of a run: the command line and the configuration file are read and answered key by key → the
//! job is described → everything wrong with it is told → it runs → it finishes, fails, or is told to
//! stop by SIGTERM or SIGINT: its sources end, what they emitted is processed, open windows fire. A
//! second signal ends the process at once.
//!
//! Exit status: 0 when the job has finished; 1 when it failed or could not start; 143 and 130 when it
//! was stopped by SIGTERM and SIGINT; 2 when the command line is wrong.

mod arguments;
mod failure;
mod json_log;
pub(crate) mod logging;
mod plan;
mod resume;
mod run;
mod signals;
mod states;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use rheos_cluster::session::Tether;
use rheos_core::spawn::{OsSpawner, SharedSpawner};
use rheos_runtime::BoxError;

pub use arguments::LogFormat;

pub(crate) use signals::exit_status;

pub use plan::draw;
pub use resume::time_in_utc;
pub use run::{Finished, RunOptions, run_job};
pub use states::{OperatorStates, StateOfPlan, StatesOfPlan};

use crate::env::StreamEnv;

/// No flags of the job's own.
#[derive(Debug, Clone, Default, Args)]
pub struct NoArguments {}

/// Makes a command of a job that has no flags of its own.
///
/// ```no_run
/// use rheos::prelude::*;
///
/// fn main() -> std::process::ExitCode {
///     rheos::main(|env| {
///         # let _ = env;
///         // env.from_source(…).map(…).sink_to(…);
///         Ok(())
///     })
/// }
/// ```
pub fn main<F>(describe: F) -> ExitCode
where
    F: FnOnce(&StreamEnv) -> Result<(), BoxError>,
{
    main_with(|env, _: NoArguments| describe(env))
}

/// Makes a command of a job with flags of its own: they join those of `run` and `plan`.
pub fn main_with<A, F>(describe: F) -> ExitCode
where
    A: Args,
    F: FnOnce(&StreamEnv, A) -> Result<(), BoxError>,
{
    main_then(describe, |(), _| Ok(()))
}

/// As [`main_with`], and calls `finish` when the job has ended well, with what `describe` returned:
/// to sum up, or to check. If it fails, so does the command.
pub fn main_then<A, X, F, G>(describe: F, finish: G) -> ExitCode
where
    A: Args,
    F: FnOnce(&StreamEnv, A) -> Result<X, BoxError>,
    G: FnOnce(X, &Finished) -> Result<(), BoxError>,
{
    let (command, common, own) = match arguments::parse::<A>() {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    let logs = logging::install(common.log_format, common.verbose);
    let spawner: SharedSpawner = Arc::new(OsSpawner);
    let tether = match Tether::of_process(&spawner) {
        Ok(tether) => tether,
        Err(error) => {
            eprintln!("error: the session that has started this process: {error}");
            return ExitCode::FAILURE;
        }
    };
    let configured = run::configuration(&common, tether.as_ref());
    let configured = configured.and_then(|configuration| {
        if let Some(tether) = &tether {
            run::say_memory(tether, command, &configuration)?;
        }
        Ok(configuration)
    });
    let result = configured.and_then(|configuration| match command {
        arguments::Command::Plan { json, states } => {
            let describe = |env: &StreamEnv| describe(env, own).map(|_| ());
            let printed = match states {
                true => states::print(configuration, &common, json, describe),
                false => plan::print(configuration, &common, json, describe),
            };
            printed.map(|()| ExitCode::SUCCESS)
        }
        arguments::Command::TaskManager => {
            run::work(configuration, &common, |env| describe(env, own).map(|_| ()))
        }
        arguments::Command::Run | arguments::Command::JobManager => {
            let jobmanager = matches!(command, arguments::Command::JobManager);
            let with = (&common, logs, jobmanager);
            let tether = tether.filter(|_| jobmanager);
            run::run(
                configuration,
                with,
                tether,
                |env| describe(env, own),
                finish,
            )
        }
    });
    result.unwrap_or_else(|error| {
        eprint!("error: {}", failure::told(error.as_ref()));
        ExitCode::FAILURE
    })
}
