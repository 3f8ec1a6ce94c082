//! A sink that writes files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::compression::Compression;
use super::writer::{FileCommitter, FileWriter};
use crate::bad_records::{BadRecordHandler, BadRecords, Direction};
use crate::error::ConnectorError;
use crate::format::EncodingFormat;

/// When a file is complete, besides at a barrier and at the end of the data: whatever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    /// Bytes, before compression.
    pub max_bytes: u64,
    /// Time since its first row.
    pub max_age: Duration,
    /// Rows.
    pub max_rows: u64,
}

impl Default for Rolling {
    /// 128 MiB, one minute, any number of rows: Flink's.
    fn default() -> Self {
        Self {
            max_bytes: 128 * 1024 * 1024,
            max_age: Duration::from_secs(60),
            max_rows: u64::MAX,
        }
    }
}

/// What the name of a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Rises from file to file of a subtask, also from run to run.
    pub epoch: u64,
    /// The subtask that writes it.
    pub subtask: u32,
    /// How often the job had been started before.
    pub attempt: u32,
    /// How the name should end, with its dot: the format's and the compression's ending.
    pub extension: String,
}

pub(super) type NameFunction = Arc<dyn Fn(&FileName) -> String + Send + Sync>;

/// What a writer is told.
#[derive(Clone)]
pub(super) struct WriteOptions {
    pub folder: PathBuf,
    pub compression: Compression,
    pub rolling: Rolling,
    pub name: NameFunction,
}

/// Writes files that appear, under names `part-{epoch}-{subtask}.jsonl` or the like, when they are
/// complete. Flink's `FileSink`.
///
/// In a job that takes checkpoints it is exactly once: a file is complete before the barrier of a
/// checkpoint passes, and appears once that checkpoint is complete. Without checkpoints files appear
/// as they are complete.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{FileSink, JsonLines};
///
/// fn write(windows: &DataStream<(String, u64)>) {
///     windows.sink_to(FileSink::new(JsonLines, "out/").prefix("windows"));
/// }
/// ```
#[derive(Clone)]
pub struct FileSink<F> {
    format: F,
    options: WriteOptions,
    bad_records: BadRecords,
}

impl<F> FileSink<F> {
    /// Writes into this folder, which is made if it is not there.
    pub fn new(format: F, folder: impl Into<PathBuf>) -> Self {
        let options = WriteOptions {
            folder: folder.into(),
            compression: Compression::None,
            rolling: Rolling::default(),
            name: prefixed("part".to_owned()),
        };
        Self {
            format,
            options,
            bad_records: BadRecords::Fail,
        }
    }

    /// What names begin with; `part` unless told.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.name = prefixed(prefix.into());
        self
    }

    /// Names files by a function. Names of different epochs and subtasks must differ.
    #[must_use]
    pub fn name(mut self, name: impl Fn(&FileName) -> String + Send + Sync + 'static) -> Self {
        self.options.name = Arc::new(name);
        self
    }

    /// When files are complete.
    #[must_use]
    pub fn rolling(mut self, rolling: Rolling) -> Self {
        self.options.rolling = rolling;
        self
    }

    /// How files are compressed.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// What becomes of rows that the format can't say. The first ends the job unless told
    /// otherwise.
    #[must_use]
    pub fn bad_records(mut self, bad_records: BadRecords) -> Self {
        self.bad_records = bad_records;
        self
    }
}

fn prefixed(prefix: String) -> NameFunction {
    Arc::new(move |name| format!("{prefix}-{}-{}{}", name.epoch, name.subtask, name.extension))
}

impl<T: Row, F: EncodingFormat<T>> Sink<T> for FileSink<F> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        self.options.compression.check()?;
        let folder = &self.options.folder;
        std::fs::create_dir_all(folder)
            .map_err(|error| ConnectorError::file("making the folder", folder, error))?;
        let bad_records = BadRecordHandler::new(
            self.bad_records,
            Direction::Out,
            &context.side_outputs,
            context.metrics.clone(),
            context.clock.clone(),
        )?;
        let writer = FileWriter::new(
            &self.format,
            self.options.clone(),
            bad_records,
            &context.place,
            (context.attempt, context.checkpointed),
            context.clock.clone(),
        )?;
        Ok(Box::new(writer))
    }

    fn committer(
        &self,
        _context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        Ok(Some(Box::new(FileCommitter)))
    }
}
