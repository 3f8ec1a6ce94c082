//! A JobManager among several: it waits until it leads before it touches the job.

use std::sync::Arc;

use rheos_cluster::JobError;
use rheos_cluster::ha::{Campaign, Candidate, HaSettings, LeaderAt, Standing, Tenure};
use rheos_cluster::remote::{Agents, RemoteSettings};
use rheos_cluster::rest::RestServer;
use rheos_core::clock::SharedClock;
use rheos_core::config::{Configuration, options};
use rheos_core::spawn::SharedSpawner;

use crate::error::ApiError;

/// Says which signal has told the process to end, if one has.
pub type Interrupted = Arc<dyn Fn() -> Option<i32> + Send + Sync>;

fn refused(error: rheos_core::config::ConfigError) -> ApiError {
    ApiError::Configuration(error.to_string())
}

/// A JobManager that is to lead.
pub(super) struct Leading<'a> {
    pub job: &'a str,
    pub configuration: &'a Configuration,
    pub settings: &'a RemoteSettings,
    pub agents: &'a Agents,
    pub rest: Option<&'a RestServer>,
    pub clock: SharedClock,
    pub spawner: &'a SharedSpawner,
    pub interrupted: &'a Interrupted,
}

impl Leading<'_> {
    /// Stands by until this process leads; whether it goes on with a job that has begun.
    ///
    /// # Errors
    /// If the configuration or the storage can't be used, the job has ended meanwhile, or the process is
    /// told to end.
    pub(super) fn wait(
        self,
        ha: HaSettings,
        standing: Standing,
    ) -> Result<(Tenure, bool), ApiError> {
        let host = self.settings.jobmanager.as_str();
        self.settings.findable().map_err(ApiError::Configuration)?;
        let records = ha.records(self.job, self.configuration)?;
        let told = self.configuration.get_set(&options::REST_ADDRESS);
        let told = told.map_err(refused)?;
        let rest = self.rest.map(|rest| match (&told, rest.address().ip()) {
            (told, bound) if bound.is_unspecified() => rest.url_at(told.as_deref().unwrap_or(host)),
            (_, bound) => rest.url_at(&bound.to_string()),
        });
        let rpc = format!("{host}:{}", self.agents.address().port());
        tracing::info!("stands by at {rpc} until it leads: {}", records.location());
        let candidate = Candidate::draw(rpc, rest);
        let stood = candidate.stand(&ha, &records, &self.clock, &standing, &|| {
            (self.interrupted)().is_some()
        });
        let (holding, goes_on) = match stood.map_err(JobError::Checkpoint)? {
            Campaign::Leads(holding, goes_on) => (holding, goes_on),
            Campaign::Over(how) => {
                let job = self.job.to_owned();
                return Err(ApiError::OverElsewhere { job, how });
            }
            Campaign::Interrupted => {
                return Err(ApiError::Interrupted((self.interrupted)().unwrap_or(0)));
            }
        };
        let tenure = Tenure::start(
            (candidate, holding, goes_on),
            ha,
            (records, standing),
            self.clock,
            self.spawner,
        );
        let tenure = tenure.map_err(|error| ApiError::System {
            what: "starting the lease's thread".to_owned(),
            error,
        })?;
        // Until the job runs: then it is told too.
        let closed = self.agents.clone();
        tenure.on_lost(move |_| closed.stand_by(None));
        self.agents.lead();
        Ok((tenure, goes_on))
    }
}

/// High availability, as the configuration of a JobManager or TaskManager has it.
pub(super) fn settings(configuration: &Configuration) -> Result<Option<HaSettings>, ApiError> {
    HaSettings::of(configuration).map_err(refused)
}

/// Where a TaskManager finds its JobManager.
pub(super) fn leader_at(
    job: &str,
    settings: &RemoteSettings,
    configuration: &Configuration,
) -> Result<LeaderAt, ApiError> {
    Ok(match self::settings(configuration)? {
        Some(ha) => LeaderAt::Lease(ha.records(job, configuration)?),
        None => LeaderAt::Address(format!("{}:{}", settings.jobmanager, settings.port)),
    })
}
