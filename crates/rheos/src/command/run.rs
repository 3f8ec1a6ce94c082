//! Runs a job as its command line says.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use rheos_cluster::embedded::JobReport;
use rheos_core::config::{Configuration, Level};
use rheos_runtime::BoxError;

use super::arguments::Common;
use super::signals;
use crate::env::StreamEnv;
use crate::error::ApiError;

/// A job that has ended well.
#[derive(Debug)]
pub struct Finished {
    /// What it did.
    pub report: JobReport,
    /// The signal that stopped it, if one did.
    pub signal: Option<i32>,
}

/// The configuration that a command line asks for, each key of it answered in the log.
pub(super) fn configuration(common: &Common) -> Result<Configuration, BoxError> {
    let mut configuration = match &common.conf {
        Some(path) => read(path)?,
        None => Configuration::new(),
    };
    configuration
        .override_with(Configuration::from_arguments(common.define.iter().map(String::as_str))?);
    let review = configuration.check()?;
    for (level, line) in review.lines() {
        match level {
            Level::Warn => tracing::warn!("{line}"),
            Level::Info => tracing::info!("{line}"),
            Level::Error => tracing::error!("{line}"),
        }
    }
    Ok(configuration)
}

fn read(path: &Path) -> Result<Configuration, BoxError> {
    let mut file = path.to_owned();
    if file.is_dir() {
        file = ["config.yaml", "flink-conf.yaml"]
            .iter()
            .map(|name| path.join(name))
            .find(|file| file.is_file())
            .ok_or_else(|| {
                format!("--conf {}: has neither config.yaml nor flink-conf.yaml", path.display())
            })?;
    }
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("--conf {}: {error}", file.display()))?;
    Ok(Configuration::parse(&file.to_string_lossy(), &text)?)
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

pub(super) fn run<X>(
    configuration: Configuration,
    common: &Common,
    describe: impl FnOnce(&StreamEnv) -> Result<X, BoxError>,
    finish: impl FnOnce(X, &Finished) -> Result<(), BoxError>,
) -> Result<ExitCode, BoxError> {
    let env = environment(configuration, common);
    let described = describe(&env)?;
    let program = env.program()?;
    tracing::info!(job = %program.graph.name, "the job starts");
    let job = crate::execute::start(&program, env.configuration())?;
    let received = signals::install(job.handle.control())?;
    let report = job.wait().map_err(|error: ApiError| Box::new(error) as BoxError)?;
    let signal = Some(received.load(Ordering::SeqCst)).filter(|signal| *signal != 0);
    let seconds = report.run_micros as f64 / 1e6;
    tracing::info!(job = %program.graph.name, seconds, "the job has finished");
    let finished = Finished { report, signal };
    finish(described, &finished)?;
    Ok(signal.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(signals::exit_status(signal))))
}
