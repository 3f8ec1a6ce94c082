//! Runs a job as its command line says.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use rheos_cluster::checkpoint::Resume;
use rheos_cluster::embedded::JobReport;
use rheos_cluster::ha::HaSettings;
use rheos_cluster::memory::{jobmanager_memory, process_memory};
use rheos_cluster::rest::LogTail;
use rheos_cluster::session::Tether;
use rheos_cluster::session::tether::ToParent;
use rheos_core::config::{Configuration, Level, options};
use rheos_core::spawn::OsSpawner;
use rheos_runtime::BoxError;
use rheos_runtime::metrics::registry::MetricRegistry;

use super::arguments::{Command, Common, LogFormat};
use super::resume;
use super::signals::{self, SignalHandler};
use crate::env::StreamEnv;
use crate::error::ApiError;
use crate::execute::{StartOptions, start_with, work as work_for};
use crate::monitor::{Display, Monitor, screen, summary};

/// A job that has ended well.
#[derive(Debug)]
pub struct Finished {
    /// What it did.
    pub report: JobReport,
    /// The signal that stopped it, if one did.
    pub signal: Option<i32>,
    /// Whether it was stopped with a checkpoint to go on from: what is open is in that.
    pub goes_on: bool,
    /// Whether its tasks ran in TaskManagers of their own: those have reported rows in and out, and not what
    /// user code counts.
    pub apart: bool,
}

/// The configuration that a command line asks for, each key of it answered in the log.
pub(super) fn configuration(
    common: &Common,
    tether: Option<&Tether>,
) -> Result<Configuration, BoxError> {
    let mut configuration = crate::configuration::read(common.conf.as_deref(), &common.define)?;
    if let Some(tether) = tether {
        configuration = tether.mandate().configure(configuration);
    }
    let configuration = &mut configuration;
    if let Some(folder) = &common.checkpoints {
        let folder = folder
            .to_str()
            .ok_or("--checkpoints: the folder's name is not UTF-8")?;
        configuration.set(options::CHECKPOINTING_DIR.key, folder);
        if configuration
            .get_set(&options::CHECKPOINTING_INTERVAL)?
            .is_none()
        {
            configuration.set(options::CHECKPOINTING_INTERVAL.key, "10 s");
        }
    }
    if let Some(path) = &common.from_savepoint {
        configuration.set(options::RECOVERY_PATH.key, path);
    }
    if common.allow_non_restored_state {
        configuration.set(options::RECOVERY_IGNORE_UNCLAIMED_STATE.key, true);
    }
    let review = configuration.check()?;
    for (level, line) in review.lines() {
        match level {
            Level::Warn => tracing::warn!("{line}"),
            Level::Info => tracing::info!("{line}"),
            Level::Error => tracing::error!("{line}"),
        }
    }
    Ok(configuration.clone())
}

/// Says to the session how much memory this process may have.
pub(super) fn say_memory(
    tether: &Tether,
    command: Command,
    configuration: &Configuration,
) -> Result<(), BoxError> {
    let limit = match command {
        Command::JobManager => jobmanager_memory(configuration)?,
        _ => Some(process_memory(configuration)?),
    };
    if let Some(limit) = limit {
        tether.tell(&ToParent::Memory(limit));
    }
    Ok(())
}

/// An environment as the command line asks for.
pub(super) fn environment(configuration: Configuration, common: &Common) -> StreamEnv {
    let mut configuration = configuration;
    if let Some(name) = &common.job_name {
        configuration.set("pipeline.name", name);
    }
    let env = StreamEnv::new(configuration);
    if let Some(parallelism) = common.parallelism {
        env.parallelism(parallelism);
    }
    env
}

/// How a job is run from a program.
#[derive(Clone)]
pub struct RunOptions {
    /// What is shown while it runs.
    pub display: Display,
    /// Whether SIGTERM and SIGINT stop it: the first in good order, the second ends the process.
    pub signals: bool,
    /// Where its metrics are shown while it runs.
    pub metrics: MetricRegistry,
    /// What it goes on from, if it takes checkpoints.
    pub resume: Resume,
    /// Whether REST is served even if no port is configured.
    pub rest: bool,
    /// The end of the log, for REST to show.
    pub logs: Option<LogTail>,
    /// Whether its tasks run in TaskManagers of their own.
    pub jobmanager: bool,
    /// The session that has started this process.
    pub tether: Option<Tether>,
}

impl Default for RunOptions {
    /// Nothing is shown, and signals do what they did.
    fn default() -> Self {
        Self {
            display: Display::None,
            signals: false,
            metrics: MetricRegistry::default(),
            resume: Resume::default(),
            rest: false,
            logs: None,
            jobmanager: false,
            tether: None,
        }
    }
}

/// Runs the job that an environment describes, and waits for its end: what the `run` of a command
/// does, for programs that have a command line of their own, and for tests.
///
/// # Errors
/// What is wrong with the job, or why it did not finish.
pub fn run_job(env: &StreamEnv, options: RunOptions) -> Result<Finished, ApiError> {
    let program = env.program()?;
    let start = StartOptions {
        metrics: options.metrics,
        resume: options.resume,
        rest: options.rest,
        logs: options.logs,
        prepare: Some(env.preparation()),
        jobmanager: options.jobmanager,
        tether: options.tether,
        ..StartOptions::default()
    };
    let handler = options.signals.then(SignalHandler::install).transpose()?;
    let start = match &handler {
        Some(handler) => StartOptions {
            interrupted: handler.interrupted(),
            ..start
        },
        None => start,
    };
    let configuration = env.configuration();
    let apart = options.jobmanager;
    let among_several = apart && ha_of(&configuration)?;
    let job = start_with(&program, configuration, start)?;
    let checkpointed = job.handle.control().takes_checkpoints();
    if let Some(handler) = &handler {
        handler.started(job.handle.control());
    }
    let monitor = match Monitor::start(options.display, job.handle.clone(), &OsSpawner) {
        Ok(monitor) => monitor,
        Err(error) => {
            job.handle.control().cancel();
            let _cancelled = job.wait();
            return Err(ApiError::System {
                what: "watching the job".to_owned(),
                error,
            });
        }
    };
    let result = job.wait();
    monitor.finish();
    let signal = handler.and_then(|handler| handler.received());
    if let (Err(error), Some(signal), true) = (&result, signal, among_several) {
        tracing::warn!("the job could not be stopped in good order: {error}");
        return Err(ApiError::Interrupted(signal));
    }
    Ok(Finished {
        report: result?,
        signal,
        goes_on: checkpointed && signal.is_some(),
        apart,
    })
}

/// Whether there may be several JobManagers.
fn ha_of(configuration: &Configuration) -> Result<bool, ApiError> {
    let settings = HaSettings::of(configuration);
    let settings = settings.map_err(|error| ApiError::Configuration(error.to_string()))?;
    Ok(settings.is_some())
}

/// What a run shows: lines at the bottom of a terminal, or of the log.
fn display(common: &Common) -> Display {
    match common.log_format {
        LogFormat::Text if screen::is_there() => Display::Live,
        _ => Display::Lines,
    }
}

/// Runs tasks for the job's JobManager.
pub(super) fn work(
    configuration: Configuration,
    common: &Common,
    describe: impl FnOnce(&StreamEnv) -> Result<(), BoxError>,
) -> Result<ExitCode, BoxError> {
    let env = environment(configuration, common);
    describe(&env)?;
    let program = env.program()?;
    let end = work_for(&program, env.configuration(), &MetricRegistry::default())?;
    tracing::info!("the TaskManager ends: {}", end.reason);
    Ok(ExitCode::SUCCESS)
}

/// Puts a new process of the same program in the place of this one, of which nothing is left then: no
/// task, no thread, no port. Why the job ended here, if that can't be done.
fn begin_anew(ended: ApiError) -> BoxError {
    let Ok(program) = std::env::current_exe() else {
        return ended.into();
    };
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .exec();
    tracing::error!("it can't begin anew: {error}");
    ended.into()
}

pub(super) fn run<X>(
    configuration: Configuration,
    (common, logs, jobmanager): (&Common, Option<LogTail>, bool),
    tether: Option<Tether>,
    describe: impl FnOnce(&StreamEnv) -> Result<X, BoxError>,
    finish: impl FnOnce(X, &Finished) -> Result<(), BoxError>,
) -> Result<ExitCode, BoxError> {
    let resume = match &common.resume {
        Some(text) => resume::parse(text)?,
        None => Resume::Latest,
    };
    let stands_by = jobmanager && ha_of(&configuration)?;
    let env = environment(configuration, common);
    let described = describe(&env)?;
    let options = RunOptions {
        display: display(common),
        signals: true,
        resume,
        rest: common.rest,
        logs,
        jobmanager,
        tether,
        ..RunOptions::default()
    };
    let finished = match run_job(&env, options) {
        Err(finished @ ApiError::Finished { .. }) => {
            eprintln!("{finished}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(over @ ApiError::OverElsewhere { .. }) => {
            tracing::info!("{over}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(ApiError::Interrupted(signal)) => {
            tracing::info!("{}", ApiError::Interrupted(signal));
            return Ok(ExitCode::from(signals::exit_status(signal)));
        }
        Err(ApiError::Run(error)) if stands_by && error.is_superseded() => {
            tracing::warn!("{error}; this process begins anew, and stands by");
            return Err(begin_anew(ApiError::Run(error)));
        }
        finished => finished?,
    };
    let report = &finished.report;
    let how = if finished.signal.is_some() {
        "stopped"
    } else {
        "finished"
    };
    let (job, headline) = (&report.metrics.graph.name, summary::headline(report));
    tracing::info!(job = %job, "{how}: {headline}");
    let text = common.log_format == LogFormat::Text;
    if text && (common.verbose > 0 || screen::is_there()) {
        eprint!("{}", summary::table(report));
    }
    finish(described, &finished)?;
    Ok(finished.signal.map_or(ExitCode::SUCCESS, |signal| {
        ExitCode::from(signals::exit_status(signal))
    }))
}
