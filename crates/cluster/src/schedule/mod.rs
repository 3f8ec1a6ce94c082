//! Where and as which attempt a job's tasks run: the [states](execution_state) of a task, and the
//! [graph](execution_graph) of all of them; [how wide](requirements) the job is with the slots there
//! are, [when](scaling) others change that, what of it is
//! [kept](kept_width); and where each task runs, of several TaskManagers ([`placement`]). Pure; the one who deploys
//! tells it what happens.

pub mod execution_graph;
pub mod execution_state;
pub mod kept_width;
pub mod placement;
pub mod requirements;
pub mod scaling;

pub use execution_graph::{Execution, ExecutionGraph};
pub use execution_state::ExecutionState;
pub use requirements::{Bounds, Requirements, RequirementsError};
