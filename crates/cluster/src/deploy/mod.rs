//! From a program to the tasks of one attempt: who runs where, and the channels between them.

mod channels;
mod placement;
mod plan;

pub use placement::Placement;
pub use plan::{DeployedTask, Deployment, JobMetrics, SourceDeployment, Sources, deploy};
pub use rheos_runtime::metrics::handle::{OperatorHandle, TaskHandle};
