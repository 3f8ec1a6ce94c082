//! Crashes in the middle of a scenario: after some items the job takes a checkpoint, is thrown away, and
//! another goes on from the checkpoint. What comes out must be the same.

use std::cell::Cell;

use rheos::harness::{Harness, HarnessError, TestJob};

thread_local! {
    /// After how many items; jobs of scenarios run on the thread that asked for them.
    static EVERY: Cell<Option<usize>> = const { Cell::new(None) };
}

/// After how many items jobs crash from now on; never without a number.
pub(crate) fn set_every(items: Option<usize>) {
    EVERY.set(items.filter(|items| *items > 0));
}

/// Lets the job crash if it is time, after the item of this index.
pub(super) fn after(
    index: usize,
    harness: &Harness,
    mut job: TestJob,
) -> Result<TestJob, HarnessError> {
    let due = EVERY
        .get()
        .is_some_and(|every| (index + 1).is_multiple_of(every));
    if !due || job.is_finished() {
        return Ok(job);
    }
    let kept = job.checkpoint()?;
    drop(job);
    harness.restore(&kept)
}
