//! Whether there are slots enough.

use rheos_core::job_graph::JobGraph;

use crate::error::JobError;

/// Finds out whether a job fits into the slots there are; `None` is as many as it wants.
///
/// # Errors
/// If there are too few.
pub fn check(graph: &JobGraph, slots: Option<u32>) -> Result<(), JobError> {
    let needed = graph.slots_needed();
    match slots {
        Some(available) if needed > available => Err(JobError::NoResource { needed, available }),
        _ => Ok(()),
    }
}
