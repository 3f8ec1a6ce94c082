//! Where the tasks of an attempt run, seen from one of the processes.

use rheos_runtime::network::JobNetwork;

/// See the [module](self).
pub struct Placement<'a> {
    /// This process, among the TaskManagers.
    pub own: u32,
    /// The TaskManager of each task, by the task's index in the job.
    pub runs_in: &'a [u32],
    /// The connections to the others.
    pub network: &'a JobNetwork,
}

impl Placement<'_> {
    /// Where the task of this index runs.
    pub(super) fn of(&self, task: usize) -> u32 {
        self.runs_in.get(task).copied().unwrap_or(0)
    }
}
