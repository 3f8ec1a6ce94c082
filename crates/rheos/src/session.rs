//! The processes of a session, as commands: a JobManager that jobs are submitted to, and TaskManagers whose
//! slots they share. What a session is stands in [`rheos_cluster::session`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rheos_cluster::rest::SessionRest;
use rheos_cluster::session::{Dispatcher, DispatcherSettings, SessionTaskManager};
use rheos_core::clock::SystemClock;
use rheos_core::config::{Configuration, Level};
use rheos_core::spawn::{OsSpawner, SharedSpawner};
use rheos_runtime::BoxError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime::Runtime;

use crate::command::{LogFormat, exit_status, logging};

/// How long the jobs may take for a last checkpoint when the session ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Flags of a session's processes.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Configuration: a `flink-conf.yaml`, a `config.yaml`, or a folder that holds one.
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// One key of the configuration; goes before the file.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// Logs more: -v what happens inside, -vv everything. `RUST_LOG` goes before it.
    #[arg(short = 'v', action = clap::ArgAction::Count)]
    verbose: u8,
}

fn configuration(arguments: &Arguments) -> Result<Configuration, BoxError> {
    let configuration = crate::configuration::read(arguments.conf.as_deref(), &arguments.define)?;
    for (level, line) in configuration.check()?.lines() {
        match level {
            Level::Warn => tracing::warn!("{line}"),
            Level::Info => tracing::info!("{line}"),
            Level::Error => tracing::error!("{line}"),
        }
    }
    Ok(configuration)
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("rheos-io")
        .enable_all()
        .build()
}

/// Runs a session's JobManager, until a signal: SIGTERM and SIGINT end it, with a last checkpoint of its jobs;
/// a second one at once.
///
/// # Errors
/// If the configuration, the folder or an address can't be used.
pub fn jobmanager(arguments: &Arguments) -> Result<ExitCode, BoxError> {
    let logs = logging::install(arguments.log_format, arguments.verbose);
    let configuration = configuration(arguments)?;
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let io = runtime()?;
    let (clock, spawner) = (SystemClock::shared(), Arc::new(OsSpawner) as SharedSpawner);
    let settings = DispatcherSettings::of(&configuration)?;
    let dispatcher = Dispatcher::open(settings, clock.clone(), spawner.clone(), io.handle())?;
    tracing::info!("TaskManagers are taken at {}", dispatcher.address());
    let configuration = Arc::new(configuration);
    let rest = SessionRest::start(dispatcher.clone(), configuration, clock, logs, io.handle())?;
    let mut told = false;
    for signal in signals.forever() {
        let status = exit_status(signal);
        if std::mem::replace(&mut told, true) {
            tracing::warn!("a second signal: ending at once");
            signal_hook::low_level::exit(i32::from(status));
        }
        tracing::info!(
            "the session ends once its jobs have taken a last checkpoint; a second signal ends it at once"
        );
        let closing = dispatcher.clone();
        let body = move || {
            closing.close(PATIENCE);
            signal_hook::low_level::exit(i32::from(status));
        };
        spawner.spawn("rheos-closing".to_owned(), Box::new(body))?;
    }
    drop(rest);
    Ok(ExitCode::SUCCESS)
}

/// Runs a TaskManager of a session, as long as there is a JobManager.
///
/// # Errors
/// If the configuration can't be used, or no JobManager is found or it refuses this process.
pub fn taskmanager(arguments: &Arguments) -> Result<ExitCode, BoxError> {
    let _kept = logging::install(arguments.log_format, arguments.verbose);
    let configuration = configuration(arguments)?;
    let io = runtime()?;
    let (clock, spawner) = (SystemClock::shared(), Arc::new(OsSpawner));
    let manager = SessionTaskManager::of(&configuration, clock, spawner, io.handle())?;
    manager.run()?;
    Ok(ExitCode::SUCCESS)
}
