//! The files that a task's part of a checkpoint is written to: pieces of keyed state as they come, then
//! what else its operators remember.
//!
//! A file is written when it has some MiB, so a large state is never whole in memory; a task with
//! little has one file.

use std::collections::BTreeMap;

use rheos_core::id::OperatorId;

use super::error::CheckpointError;
use super::manifest::{Part, join};
use super::storage::CheckpointStorage;

/// A file is written when it has so many bytes.
const FILE_BYTES: usize = 8 << 20;

/// The files of one task, and of one checkpoint.
#[derive(Debug)]
pub struct TaskFiles {
    folder: String,
    task: usize,
    /// How many files have been written.
    files: usize,
    /// The next one.
    buffer: Vec<u8>,
    pieces: BTreeMap<OperatorId, Vec<Part>>,
    bytes: u64,
}

impl TaskFiles {
    /// Files in the checkpoint's folder.
    pub fn new(folder: String, task: usize) -> Self {
        Self {
            folder,
            task,
            files: 0,
            buffer: Vec::new(),
            pieces: BTreeMap::new(),
            bytes: 0,
        }
    }

    fn file(&self) -> String {
        match self.files {
            0 => format!("task-{:04}.snap", self.task),
            more => format!("task-{:04}.{more}.snap", self.task),
        }
    }

    /// Adds bytes; where they will be.
    pub fn add(&mut self, bytes: &[u8]) -> Part {
        let part = Part::of(&self.file(), self.buffer.len(), bytes);
        self.buffer.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        part
    }

    /// Adds a piece of an operator's keyed state.
    ///
    /// # Errors
    /// What the storage says.
    pub fn add_piece(
        &mut self,
        operator: OperatorId,
        bytes: &[u8],
        storage: &dyn CheckpointStorage,
    ) -> Result<(), CheckpointError> {
        let part = self.add(bytes);
        self.pieces.entry(operator).or_default().push(part);
        match self.buffer.len() >= FILE_BYTES {
            true => self.write(storage),
            false => Ok(()),
        }
    }

    /// Writes what has not been.
    ///
    /// # Errors
    /// What the storage says.
    pub fn write(&mut self, storage: &dyn CheckpointStorage) -> Result<(), CheckpointError> {
        storage.put(&join(&self.folder, &self.file()), &self.buffer)?;
        self.files += 1;
        self.buffer.clear();
        Ok(())
    }

    /// The pieces of an operator, in order.
    pub fn pieces(&mut self, operator: OperatorId) -> Vec<Part> {
        self.pieces.remove(&operator).unwrap_or_default()
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
