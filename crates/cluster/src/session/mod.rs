//! Several jobs in one cluster: a JobManager that any job can be submitted to, and TaskManagers whose slots
//! jobs share.
//!
//! A job runs in processes of its own, of its own program: its JobManager is a child of the session's
//! ([`dispatcher`]), its TaskManagers, called workers here, are children of the session's
//! ([`task_manager`]). So a job can hurt no other, and is run by the code that runs a job alone. What is
//! new is who starts what: [`slots`] says whose slots are whose, [`artifacts`] keeps programs by their
//! hash, [`journal`] the jobs, [`child`] and [`tether`] are the two ends of the line between a process
//! and the child that it has started, [`message`] what the session's processes tell each other.
//! [`control_group`] is what the system holds them to their memory by, where it can. `rest::session` answers
//! for all jobs.

pub mod artifacts;
mod child;
mod control_group;
pub mod dispatcher;
pub mod folder;
pub mod job;
pub mod journal;
pub mod message;
pub mod settings;
pub mod slots;
pub mod task_manager;
pub mod tether;

pub use dispatcher::Dispatcher;
pub use settings::{DispatcherSettings, SessionError};
pub use task_manager::SessionTaskManager;
pub use tether::Tether;
