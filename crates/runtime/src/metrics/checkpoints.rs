//! What became of a job's checkpoints: written by the JobManager, read by whoever watches. It outlives
//! the attempts of the job.

use std::sync::{Arc, Mutex, MutexGuard};

/// The counts of a job's checkpoints; clones share them.
#[derive(Debug, Clone, Default)]
pub struct CheckpointStats {
    counts: Arc<Mutex<Option<CheckpointCounts>>>,
}

/// How many checkpoints there were, since the job was started in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckpointCounts {
    /// Begun and not ended.
    pub in_progress: usize,
    /// Complete.
    pub completed: u64,
    /// Failed, expired or given up.
    pub failed: u64,
    /// The last that was completed.
    pub last: Option<CompletedCheckpoint>,
    /// When the job last went on from one, by the wall clock in milliseconds.
    pub restored_at: Option<i64>,
    /// Its copies, if there is a second place for them.
    pub copies: Option<CopyCounts>,
}

/// What became of the copies of a job's checkpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyCounts {
    /// Made.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Checkpoints that are complete and newer than the last copy.
    pub behind: u64,
    /// The checkpoint that was copied last: its number, and when it was complete, by the wall clock in
    /// milliseconds.
    pub last: Option<(u64, i64)>,
}

/// A completed checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedCheckpoint {
    /// Its number.
    pub number: u64,
    /// From its trigger to its completion, in milliseconds.
    pub duration_millis: i64,
    /// What it holds.
    pub bytes: u64,
    /// When it was complete, by the wall clock in milliseconds.
    pub completed_at: i64,
}

impl CheckpointStats {
    fn lock(&self) -> MutexGuard<'_, Option<CheckpointCounts>> {
        self.counts
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes the counts, which are there from the first change on.
    pub fn update(&self, change: impl FnOnce(&mut CheckpointCounts)) {
        change(self.lock().get_or_insert_default());
    }

    /// The counts; none of a job that takes no checkpoints.
    pub fn counts(&self) -> Option<CheckpointCounts> {
        *self.lock()
    }
}
