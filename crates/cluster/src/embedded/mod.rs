//! JobManager and TaskManager in one process: the default way to run a job.
//!
//! Life cycle of a job: deployed → running → (stopping: its sources end, the rest drains) →
//! finished; or the first failure cancels all tasks, and once all have ended the job is deployed
//! again from its latest checkpoint, or has failed.

mod attempt;
mod checkpoints;
mod events;
mod job;
mod launch;

pub use job::{JobControl, JobHandle, JobReport};
pub use launch::{EmbeddedCluster, Threading};
