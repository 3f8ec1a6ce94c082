//! A source of the rows in files.

use std::path::PathBuf;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::source::reader::{
    Boundedness, ReaderContext, Source, SourceReader, SplitEnumerator,
};

use super::compression::Compression;
use super::enumerator::FileEnumerator;
use super::reader::{FileReader, ReadOptions};
use super::split::FileSplit;
use crate::bad_records::{BadRecordHandler, BadRecords, Direction};
use crate::error::ConnectorError;
use crate::format::DecodingFormat;

/// Reads files, of which each is a split with watermarks of its own. Flink's `FileSource`.
///
/// A path is a file, a folder with all that is below it, or a glob. In folders and globs, names that
/// begin with `.` or `_` or hold `.inprogress` are left alone, so a file that is renamed to its name
/// when it is complete is never read before that. Files are read once, and not as they grow.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{Csv, FileSource};
///
/// #[derive(Row, Clone)]
/// struct Event {
///     id: u64,
///     value: Option<f64>,
/// }
///
/// let env = StreamEnv::default();
/// let source = FileSource::new(Csv::new().null_value("NA"), "events/*.csv.gz");
/// let events: DataStream<Event> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "events");
/// ```
#[derive(Debug, Clone)]
pub struct FileSource<F> {
    format: F,
    paths: Vec<PathBuf>,
    monitor: Option<Duration>,
    options: ReadOptions,
    bad_records: BadRecords,
}

impl<F> FileSource<F> {
    /// Reads this path.
    pub fn new(format: F, path: impl Into<PathBuf>) -> Self {
        Self {
            format,
            paths: vec![path.into()],
            monitor: None,
            options: ReadOptions::default(),
            bad_records: BadRecords::Fail,
        }
    }

    /// Reads this path too.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Looks for new files at this interval, until the job is stopped.
    #[must_use]
    pub fn monitor_continuously(mut self, interval: Duration) -> Self {
        self.monitor = Some(interval);
        self
    }

    /// How the files are compressed; by their names' endings unless told.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// What becomes of records that can't be read, and of files that vanished or whose compressed
    /// bytes are damaged. The first ends the job unless told otherwise.
    #[must_use]
    pub fn bad_records(mut self, bad_records: BadRecords) -> Self {
        self.bad_records = bad_records;
        self
    }

    /// Bytes of the longest record; a longer one is bad. 16 MiB unless told.
    #[must_use]
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.options.max_record_bytes = bytes.max(1);
        self
    }
}

impl<T: Row, F: DecodingFormat<T>> Source<T> for FileSource<F> {
    type Split = FileSplit;

    fn boundedness(&self) -> Boundedness {
        if self.monitor.is_some() {
            Boundedness::Unbounded
        } else {
            Boundedness::Bounded
        }
    }

    fn enumerator(
        &self,
        _parallelism: u32,
    ) -> Result<Box<dyn SplitEnumerator<FileSplit>>, BoxError> {
        if self
            .monitor
            .is_some_and(|interval| interval.as_millis() == 0)
        {
            let problem = "files can't be monitored at an interval of less than a millisecond";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        }
        self.options.compression.check()?;
        Ok(Box::new(FileEnumerator::new(
            self.paths.clone(),
            self.monitor,
        )?))
    }

    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<T, FileSplit>>, BoxError> {
        let bad_records = BadRecordHandler::new(
            self.bad_records,
            Direction::In,
            &context.side_outputs,
            context.metrics.clone(),
            context.clock.clone(),
        )?;
        Ok(Box::new(FileReader::new(
            self.format.clone(),
            self.options.clone(),
            bad_records,
        )))
    }
}
