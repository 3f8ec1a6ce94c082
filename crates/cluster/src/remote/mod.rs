//! Tasks in other processes: the control plane between a JobManager and its TaskManagers.
//!
//! A TaskManager attaches to the JobManager ([`service`]) and stays attached for as long as both live: its
//! [`message`]s go one way, orders the other, each in their order. The JobManager's side ([`agents`])
//! knows who is there and finds out who is not any more; [`launch`] starts attempts on them, for the
//! same JobMaster that runs jobs in one process. The TaskManager's side is [`agent`].
//!
//! Every message about a job carries the generation; what is of another one is ignored. A TaskManager
//! is lost when its stream ends, or when it has not been heard of for the heartbeat's time-out; its
//! tasks have failed then, and the job goes on as after every failure. A TaskManager that has lost the
//! JobManager ends its tasks and attaches anew. All of it may go over TLS ([`link`]).

pub mod agent;
pub mod agents;
pub(crate) mod attached;
mod attempt;
mod launch;
mod link;
pub(crate) mod listening;
pub mod message;
pub(crate) mod outbox;
pub(crate) mod service;
pub mod settings;
pub mod supply;
mod written;

pub use agent::{TaskManager, WorkerEnd};
pub use agents::{AgentView, Agents};
pub use launch::{LeaderTenure, RemoteCluster};
pub use settings::RemoteSettings;
pub use supply::Supply;
