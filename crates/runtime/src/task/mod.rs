//! Tasks: the state machine, its mailbox, the signal it sleeps on and the thread that drives it.

pub mod mailbox;
pub mod signal;
#[allow(
    clippy::module_inception,
    reason = "the folder holds what surrounds a task"
)]
pub mod task;
pub mod worker;
