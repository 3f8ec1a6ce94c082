//! A job whose JobManager a session has started: what it asks and tells that.

use std::net::SocketAddr;
use std::sync::Arc;

use rheos_cluster::JobError;
use rheos_cluster::checkpoint::{CheckpointSettings, folder_of};
use rheos_cluster::embedded::JobHandle;
use rheos_cluster::remote::Supply;
use rheos_cluster::rest::RestServer;
use rheos_cluster::session::Tether;
use rheos_cluster::session::tether::ToParent;
use rheos_core::config::Configuration;
use rheos_core::id::JobId;
use rheos_runtime::deploy::program::Program;

use crate::error::ApiError;

pub(super) struct InSession(pub Tether);

impl InSession {
    /// Says where this JobManager is, and asks whether the job may begin.
    ///
    /// # Errors
    /// If it may not.
    pub fn may_begin(
        &self,
        program: &Program,
        configuration: &Configuration,
        (rest, rpc): (SocketAddr, String),
    ) -> Result<(), ApiError> {
        let settings = CheckpointSettings::from_configuration(configuration);
        let settings = settings.map_err(|error| ApiError::from(JobError::Checkpoint(error)))?;
        let name = &program.graph.name;
        let history = settings
            .and_then(|settings| settings.location)
            .map(|location| {
                let location = location.to_string();
                format!("{}/{}", location.trim_end_matches('/'), folder_of(name))
            });
        let rest = rest.to_string();
        self.0.tell(&ToParent::Serves { rest, rpc });
        let verdict = self.0.may_begin(name, history);
        verdict.map_err(|why| ApiError::Refused {
            job: name.clone(),
            why,
        })
    }

    /// Whether the job had begun before.
    pub fn goes_on(&self) -> bool {
        self.0.mandate().goes_on
    }

    /// The job has begun: the next JobManager of it goes on.
    pub fn begun(&self) {
        self.0.tell(&ToParent::Begun);
    }

    /// The job's id.
    pub fn job(&self) -> Option<JobId> {
        self.0.mandate().job.parse().ok()
    }

    /// Where it asks for slots.
    pub fn supply(&self) -> Arc<Supply> {
        self.0.supply()
    }

    /// It runs; when it has ended, the session keeps what REST says of it then.
    pub fn runs(self, handle: &JobHandle, rest: &Arc<RestServer>) {
        let (tether, job, kept) = (self.0.clone(), handle.clone(), rest.clone());
        handle.at_end(move || tether.tell(&ToParent::Ended(kept.archive(&job))));
        self.0.tell(&ToParent::Runs);
    }
}
