//! JobManager and TaskManager in one process: the default way to run a job.
//!
//! A job has a thread of its own, the JobMaster's: it deploys the tasks, takes checkpoints, and starts
//! the job again after a failure, whether anybody waits for the job or not. What it is at is read, and
//! what it is to do is said, through handles.

pub(crate) mod attempt;
mod checkpoints;
pub(crate) mod deployed;
pub(crate) mod events;
mod handle;
pub(crate) mod launch;
mod master;
mod stepped;
pub(crate) mod workers;

pub use handle::{JobControl, JobHandle, JobReport, JobResult, JobView, RescaleRefused};
pub use launch::{EmbeddedCluster, Threading};
pub use stepped::SteppedJob;
