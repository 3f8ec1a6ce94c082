//! Writes rows to one file after the other.
//!
//! Rows are gathered in memory and written in pieces. A file is begun by its first row, so there are
//! no files without rows, and completed when it is large, old or many-rowed enough, before a barrier
//! passes and at the end. In a job that takes checkpoints it then stays hidden, until the checkpoint
//! that it belongs to is complete and [`FileCommitter`] shows it.

use std::path::Path;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_core::row::{Reader, Writer as RowWriter};
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, StagedEpoch};
use rheos_runtime::sink::writer::SinkWriter;

use super::in_progress::{InProgressFile, commit};
use super::sink::{FileName, WriteOptions};
use crate::bad_records::BadRecordHandler;
use crate::error::ConnectorError;
use crate::format::{Encoder, EncodingFormat};

/// Bytes gathered before they are written.
const GATHER: usize = 256 * 1024;

/// The file at work.
struct Current<E> {
    file: InProgressFile,
    encoder: E,
    rows: u64,
    bytes: u64,
    /// When it must be complete.
    due: Millis,
}

/// Shows the files of complete checkpoints. A file that shows is one that has been committed: the
/// rename is its own fence.
pub(super) struct FileCommitter;

/// The files of an epoch: their folder, which may not be the one that the sink writes to by now, and
/// which they are.
type Staged = (String, Vec<String>);

impl Committer for FileCommitter {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        for epoch in epochs {
            let (folder, names) = Staged::decode(&mut Reader::new(&epoch.handle))?;
            commit(Path::new(&folder), &names)?;
        }
        Ok(())
    }
}

/// The writer of a [`super::FileSink`] in one subtask.
pub(super) struct FileWriter<F, E> {
    format: F,
    options: WriteOptions,
    bad_records: BadRecordHandler,
    clock: SharedClock,
    name: FileName,
    /// For messages.
    sink: String,
    current: Option<Current<E>>,
    gathered: Vec<u8>,
    rows: u64,
    /// In a job that takes checkpoints: the files that are complete and wait for one.
    staged: Option<Vec<String>>,
}

impl<F, E> FileWriter<F, E> {
    /// A writer that has begun no file yet.
    ///
    /// # Errors
    /// If the names that the user's function gives can't be used.
    pub fn new<T>(
        format: &F,
        options: WriteOptions,
        bad_records: BadRecordHandler,
        place: &Place,
        (attempt, checkpointed): (u32, bool),
        clock: SharedClock,
    ) -> Result<Self, ConnectorError>
    where
        F: EncodingFormat<T, Encoder = E>,
    {
        let ending = options.compression.ending();
        let name = FileName {
            epoch: 0,
            subtask: place.subtask,
            attempt,
            extension: format!(".{}{ending}", format.extension()),
        };
        let first = (options.name)(&name);
        let second = (options.name)(&FileName {
            epoch: 1,
            ..name.clone()
        });
        if first == second {
            return Err(ConnectorError::Setting(format!(
                "the files of epoch 0 and 1 would both be named '{first}'; names must hold the \
                 epoch, or a file would write over another"
            )));
        }
        if first.is_empty() || first.contains(['/', '\0']) {
            return Err(ConnectorError::Setting(format!(
                "'{first}' is no name for a file in a folder; leave '/' out"
            )));
        }
        let sink = format!("{place} into {}", options.folder.display());
        let format = format.clone();
        Ok(Self {
            format,
            options,
            bad_records,
            clock,
            name,
            sink,
            current: None,
            gathered: Vec::new(),
            rows: 0,
            staged: checkpointed.then(Vec::new),
        })
    }

    /// Begins a file, if none is at work.
    fn begin<T>(&mut self) -> Result<(), ConnectorError>
    where
        F: EncodingFormat<T, Encoder = E>,
        E: Encoder<T>,
    {
        if self.current.is_none() {
            // A name that is taken was completed by an earlier run or attempt.
            let mut name = (self.options.name)(&self.name);
            while self.options.folder.join(&name).exists() {
                self.name.epoch += 1;
                name = (self.options.name)(&self.name);
            }
            let folder = &self.options.folder;
            let file = InProgressFile::create(folder, &name, self.options.compression)?;
            let mut encoder = self.format.encoder();
            self.gathered.clear();
            encoder.start(&mut self.gathered);
            let age = Millis::try_from(self.options.rolling.max_age.as_millis());
            let due = self
                .clock
                .wall_millis()
                .saturating_add(age.unwrap_or(Millis::MAX));
            self.current = Some(Current {
                file,
                encoder,
                rows: 0,
                bytes: 0,
                due,
            });
        }
        Ok(())
    }

    fn put(&mut self) -> Result<(), ConnectorError> {
        if let Some(current) = &mut self.current {
            current.bytes += self.gathered.len() as u64;
            current.file.write(&self.gathered)?;
        }
        self.gathered.clear();
        Ok(())
    }

    fn complete<T>(&mut self) -> Result<(), ConnectorError>
    where
        E: Encoder<T>,
    {
        if let Some(current) = &mut self.current
            && current.rows > 0
        {
            let finished = current.encoder.finish(&mut self.gathered);
            finished.map_err(|error| ConnectorError::NotWritten {
                sink: self.sink.clone(),
                row: self.rows + 1 - current.rows,
                message: error.to_string(),
            })?;
        }
        self.put()?;
        if let Some(current) = self.current.take() {
            match &mut self.staged {
                _ if current.rows == 0 => {}
                None => current.file.finish()?,
                Some(staged) => staged.push(current.file.stage()?),
            }
            self.name.epoch += 1;
        }
        Ok(())
    }
}

impl<T, F, E> SinkWriter<T> for FileWriter<F, E>
where
    T: Row,
    F: EncodingFormat<T, Encoder = E>,
    E: Encoder<T> + 'static,
{
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.begin()?;
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        self.rows += 1;
        let start = self.gathered.len();
        if let Err(error) = current.encoder.encode(&row, &mut self.gathered) {
            self.gathered.truncate(start);
            let binary = || {
                let mut bytes = RowWriter::new();
                row.encode(&mut bytes);
                bytes.as_slice().to_vec()
            };
            self.bad_records
                .handle(&self.sink, self.rows, 0, binary, error.to_string())?;
            return Ok(());
        }
        current.rows += 1;
        let rolling = &self.options.rolling;
        let bytes = current.bytes + self.gathered.len() as u64;
        if current.rows >= rolling.max_rows || bytes >= rolling.max_bytes {
            self.complete::<T>()?;
        } else if self.gathered.len() >= GATHER {
            self.put()?;
        }
        Ok(())
    }

    fn flush_deadline(&self) -> Option<Millis> {
        self.current.as_ref().map(|current| current.due)
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(self.complete::<T>()?)
    }

    fn stage(&mut self, _barrier: &Barrier) -> Result<Option<Vec<u8>>, BoxError> {
        self.complete::<T>()?;
        let staged = self.staged.as_mut().map(std::mem::take).unwrap_or_default();
        if staged.is_empty() {
            return Ok(None);
        }
        let folder = self.options.folder.to_str().map(str::to_owned);
        let folder = folder.ok_or_else(|| {
            let folder = self.options.folder.display();
            ConnectorError::Setting(format!(
                "the folder {folder} is not UTF-8, and can't be in a checkpoint; rename it"
            ))
        })?;
        let staged: Staged = (folder, staged);
        let mut handle = RowWriter::new();
        staged.encode(&mut handle);
        Ok(Some(handle.into_vec()))
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut next = RowWriter::new();
        self.name.epoch.encode(&mut next);
        Some(next.into_vec())
    }

    fn restore(&mut self, snapshots: Vec<Vec<u8>>) -> Result<(), BoxError> {
        for snapshot in snapshots {
            let next = u64::decode(&mut Reader::new(&snapshot))?;
            self.name.epoch = self.name.epoch.max(next);
        }
        Ok(())
    }

    fn close(&mut self) {
        // Not completed: the rows in it will be written again, or were not to be.
        self.current = None;
    }
}
