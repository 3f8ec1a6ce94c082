//! Where and as which attempt a job's tasks run: the [states](execution_state) of a task, and the
//! [graph](execution_graph) of all of them; and where each runs, of several TaskManagers
//! ([`placement`]). Pure; the one who deploys tells it what happens.

pub mod execution_graph;
pub mod execution_state;
pub mod placement;
pub mod slots;

pub use execution_graph::{Execution, ExecutionGraph};
pub use execution_state::ExecutionState;
