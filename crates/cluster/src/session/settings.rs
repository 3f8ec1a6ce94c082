//! What a configuration says of a session.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rheos_core::config::{ConfigError, Configuration, options};

use super::artifacts::ArtifactError;
use super::folder;
use crate::remote::RemoteSettings;

/// Why a process of a session can't start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The configuration can't be used: mend it.
    #[error("{0}")]
    Configuration(String),
    /// The JobManager is not found, or refuses this process.
    #[error("{0}")]
    JobManager(String),
    /// The folder of programs can't be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The system refused something.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What it said.
        error: std::io::Error,
    },
}

impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

/// Of a session's configuration, what is about its own processes: it is not the jobs'.
const OWN: [&str; 10] = [
    "rest.",
    "rheos.rest.",
    "security.ssl.rest.",
    "jobmanager.rpc.",
    "high-availability",
    "rheos.high-availability",
    "process.",
    "jobstore.",
    "taskmanager.host",
    "taskmanager.data.port",
];

/// What holds for the jobs of a session where they say nothing themselves.
pub(super) fn of_jobs(configuration: &Configuration) -> BTreeMap<String, String> {
    let all = configuration.iter();
    // Memory of a TaskManager is shared by the jobs in it, by their slots; what it is for is theirs.
    let size = |key: &str| key.starts_with("taskmanager.memory.") && !key.ends_with(".fraction");
    let of_jobs = all.filter(|(key, _)| {
        !OWN.iter().any(|own| key.starts_with(own))
            && *key != options::TASKMANAGER_NUM_TASK_SLOTS.key
            && !size(key)
    });
    of_jobs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What a session's JobManager does.
#[derive(Debug, Clone)]
pub struct DispatcherSettings {
    /// Addresses and times.
    pub remote: RemoteSettings,
    /// Where it keeps programs, jobs and their logs.
    pub folder: PathBuf,
    /// What holds for jobs that say nothing themselves.
    pub defaults: BTreeMap<String, String>,
    /// How many jobs that have ended it remembers.
    pub most_ended: usize,
    /// For how long.
    pub expiration: Duration,
}

impl DispatcherSettings {
    /// What a configuration says.
    ///
    /// # Errors
    /// If a value can't be used.
    pub fn of(configuration: &Configuration) -> Result<Self, SessionError> {
        let remote = RemoteSettings::of(configuration)?;
        remote.findable().map_err(SessionError::Configuration)?;
        let folder = folder::configured(configuration, &options::PROCESS_JOBMANAGER_WORKING_DIR)?;
        Ok(Self {
            remote,
            folder: folder.join("jobmanager"),
            defaults: of_jobs(configuration),
            most_ended: configuration.get(&options::JOBSTORE_MAX_CAPACITY)? as usize,
            expiration: configuration.get(&options::JOBSTORE_EXPIRATION_TIME)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_session_s_processes_is_not_the_jobs() {
        let mut configuration = Configuration::new();
        for (key, value) in [
            ("rest.port", "8081"),
            ("rheos.rest.token", "secret"),
            ("security.ssl.rest.enabled", "true"),
            ("jobmanager.rpc.port", "1"),
            ("taskmanager.numberOfTaskSlots", "8"),
            ("restart-strategy.type", "fixed-delay"),
            ("execution.checkpointing.dir", "/c"),
            ("taskmanager.memory.process.size", "4g"),
            ("taskmanager.memory.managed.fraction", "0.5"),
        ] {
            configuration.set(key, value);
        }
        let of_jobs: Vec<String> = of_jobs(&configuration).into_keys().collect();
        assert_eq!(
            of_jobs,
            [
                "execution.checkpointing.dir",
                "restart-strategy.type",
                "taskmanager.memory.managed.fraction"
            ]
        );
        configuration.set("jobmanager.rpc.address", "0.0.0.0");
        let error = DispatcherSettings::of(&configuration).unwrap_err();
        assert!(
            error.to_string().contains("jobmanager.rpc.address"),
            "{error}"
        );
    }
}
