//! Crashes in the middle of a scenario: after some items the job takes a checkpoint, is thrown away, and
//! another goes on from the checkpoint. What comes out must be the same.
//!
//! With unaligned checkpoints it crashes before an item has been processed: what the sources have made
//! of it is in flight then, and in the checkpoint.
//!
//! With rescaling the job that goes on has another parallelism each time, where it has one above 1.

use std::cell::Cell;

use rheos::harness::{Harness, HarnessError, TestCheckpoint, TestJob};

thread_local! {
    /// After how many items; jobs of scenarios run on the thread that asked for them.
    static EVERY: Cell<Option<usize>> = const { Cell::new(None) };
    static UNALIGNED: Cell<bool> = const { Cell::new(false) };
    static RESCALE: Cell<bool> = const { Cell::new(false) };
    /// That of the job that runs.
    static PARALLELISM: Cell<u32> = const { Cell::new(1) };
}

/// After how many items jobs crash from now on, never without a number; whether from unaligned
/// checkpoints; and whether they go on at another parallelism.
pub(crate) fn set_every(items: Option<usize>, unaligned: bool, rescale: bool) {
    EVERY.set(items.filter(|items| *items > 0));
    UNALIGNED.set(unaligned);
    RESCALE.set(rescale);
}

/// A scenario begins, at this parallelism.
pub(super) fn begin(parallelism: u32) {
    PARALLELISM.set(parallelism);
}

fn restore(harness: &Harness, kept: &TestCheckpoint) -> Result<TestJob, HarnessError> {
    let before = PARALLELISM.get();
    if RESCALE.get() && before > 1 {
        // Never 1 in between, which the sources and sinks have too.
        let next = match before {
            2 => 5,
            5 => 3,
            _ => 2,
        };
        harness.rescale(before, next);
        PARALLELISM.set(next);
    }
    harness.restore(kept)
}

fn is_due(index: usize) -> bool {
    EVERY
        .get()
        .is_some_and(|every| (index + 1).is_multiple_of(every))
}

/// Whether jobs that crash have gone on behind their checkpoint, and forget that.
pub(super) fn forgets() -> bool {
    EVERY.get().is_some() && UNALIGNED.get()
}

/// Lets the job crash if it is time, when the item of this index is in flight.
pub(super) fn within(
    index: usize,
    harness: &Harness,
    mut job: TestJob,
) -> Result<TestJob, HarnessError> {
    if !is_due(index) || !UNALIGNED.get() {
        return Ok(job);
    }
    job.step_sources()?;
    let kept = job.unaligned_checkpoint()?;
    drop(job);
    restore(harness, &kept)
}

/// Lets the job crash if it is time, after the item of this index.
pub(super) fn after(
    index: usize,
    harness: &Harness,
    mut job: TestJob,
) -> Result<TestJob, HarnessError> {
    if !is_due(index) || UNALIGNED.get() || job.is_finished() {
        return Ok(job);
    }
    let kept = job.checkpoint()?;
    drop(job);
    restore(harness, &kept)
}
