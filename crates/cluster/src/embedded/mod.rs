//! JobManager and TaskManager in one process: the default way to run a job.
//!
//! A job has a thread of its own, the JobMaster's: it deploys the tasks, takes checkpoints, and starts
//! the job again after a failure, whether anybody waits for the job or not. What it is at is read, and
//! what it is to do is said, through handles.

mod attempt;
mod checkpoints;
mod deployed;
mod events;
mod handle;
mod launch;
mod master;
mod stepped;

pub use handle::{JobControl, JobHandle, JobReport, JobResult, JobView};
pub use launch::{EmbeddedCluster, Threading};
pub use stepped::SteppedJob;
