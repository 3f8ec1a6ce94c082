//! REST under Flink's paths, with Flink's fields: what tools and people ask a JobManager.
//!
//! Life of a server: [`RestSettings::of`] a configuration → [`RestServer::start`] binds its port, or
//! says why it can't → jobs are [added](RestServer::add) → it answers, from what is so at that moment →
//! it ends when it is dropped. It has a thread and a runtime of its own: a user's future that blocks
//! does not take the answers away.
//!
//! [`route`] says how a request finds its handler, [`routes`] which there are; the handlers are in
//! files named by what they answer about. What of Flink's paths is left out, and why, is in
//! [`routes::LEFT_OUT`].

mod aggregate;
mod answer;
mod archive;
mod checkpoints;
mod cluster;
mod exceptions;
mod guard;
mod io_metrics;
mod job;
mod jobs;
mod logs;
mod metrics;
mod openapi;
mod plan;
mod rescales;
pub mod route;
pub mod routes;
mod savepoints;
mod server;
mod session;
mod settings;
mod standby;
mod state;
mod subtask;
mod task_manager;
mod vertex;

pub use logs::LogTail;
pub use openapi::document as openapi;
pub use server::{RestServer, Served};
pub use session::SessionRest;
pub use settings::RestSettings;

/// Why there is no REST.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The configuration can't be used: mend it.
    #[error("{0}")]
    Configuration(String),
    /// No port of those that are configured can be had: free one, or give others.
    #[error(
        "rest.port: none of {host}:{ports} can be listened on: {error}; give another port, or a \
         range in rest.bind-port such as 8081-8090"
    )]
    Port {
        /// Where it should listen.
        host: String,
        /// The ports, as configured.
        ports: String,
        /// What the system said of the last of them.
        error: std::io::Error,
    },
    /// The system refused a thread, or what it needs.
    #[error("REST: starting its thread: {0}")]
    System(std::io::Error),
}
