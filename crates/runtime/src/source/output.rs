//! What a reader emits into: rows in runs, each run of one split.

use rheos_core::element::{Batch, StreamStatus};
use rheos_core::time::{MIN_TIMESTAMP, Millis};

/// Rows of one split in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The split, by the reader's number for it.
    pub split: u32,
    /// Index behind the last row of the run.
    pub end: usize,
}

/// Where a reader puts its rows.
#[derive(Debug)]
pub struct SourceOutput<T> {
    pub(crate) batch: Batch<T>,
    pub(crate) runs: Vec<Run>,
    pub(crate) started: Vec<u32>,
    pub(crate) watermark: Option<Millis>,
    pub(crate) status: Option<StreamStatus>,
    pub(crate) finished: Vec<u32>,
}

impl<T> Default for SourceOutput<T> {
    fn default() -> Self {
        Self {
            batch: Batch::default(),
            runs: Vec::new(),
            started: Vec::new(),
            watermark: None,
            status: None,
            finished: Vec::new(),
        }
    }
}

impl<T> SourceOutput<T> {
    /// Emits a row of a split without a timestamp.
    #[inline]
    pub fn emit(&mut self, split: u32, row: T) {
        self.emit_at(split, row, MIN_TIMESTAMP);
    }

    /// Emits a row of a split with the timestamp that its system recorded.
    #[inline]
    pub fn emit_at(&mut self, split: u32, row: T, timestamp: Millis) {
        self.batch.push(row, timestamp);
        let end = self.batch.len();
        match self.runs.last_mut() {
            Some(run) if run.split == split => run.end = end,
            _ => self.runs.push(Run { split, end }),
        }
    }

    /// Emits rows of a split with their timestamps, [`MIN_TIMESTAMP`] for none: as
    /// [`SourceOutput::emit_at`] for each, for sources whose rows cost next to nothing to make.
    #[inline]
    pub fn emit_run(&mut self, split: u32, rows: impl Iterator<Item = (T, Millis)>) {
        let before = self.batch.len();
        let (expected, _) = rows.size_hint();
        self.batch.reserve(expected);
        for (row, timestamp) in rows {
            self.batch.push(row, timestamp);
        }
        let end = self.batch.len();
        if end == before {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.split == split => run.end = end,
            _ => self.runs.push(Run { split, end }),
        }
    }

    /// A watermark that the source itself carries, behind the rows of this poll; it is the whole
    /// source's. For strategies without watermarks of their own.
    pub fn emit_watermark(&mut self, watermark: Millis) {
        self.watermark = Some(watermark);
    }

    /// The whole source becomes idle, or active, behind the rows of this poll.
    pub fn emit_status(&mut self, status: StreamStatus) {
        self.status = Some(status);
    }

    /// A split has been taken on: until its first watermark, or until it is idle, it holds the
    /// watermark back. A split that is not announced is taken on with its first row.
    pub fn start_split(&mut self, split: u32) {
        self.started.push(split);
    }

    /// A split has been read to its end; it holds the watermark back no longer.
    pub fn finish_split(&mut self, split: u32) {
        self.finished.push(split);
    }

    /// Rows emitted in this poll.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether nothing was emitted in this poll.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }
}
