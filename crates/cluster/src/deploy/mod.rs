//! From a program to the tasks of one attempt: who runs where, and the channels between them.

mod channels;
mod plan;

pub use plan::{DeployedTask, Deployment, JobMetrics, SourceDeployment, deploy};
pub use rheos_runtime::metrics::handle::{OperatorHandle, TaskHandle};
