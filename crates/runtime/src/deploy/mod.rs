//! From what the JobManager decided to a running task: builders are sent to the thread that will
//! run the task, and make its stages there, so that nothing in a stage needs to be shared.

pub mod declared;
pub mod edge_builder;
pub mod operator_builder;
pub mod program;
pub mod side_outputs;
pub mod task_deployment;
