//! A checkpoint store in memory that fails before or after the effect.
//!
//! A file is whole or not there, as a store promises; what a crash tears is a checkpoint of several.

use std::io;

use rheos_cluster::checkpoint::CheckpointError;
use rheos_cluster::checkpoint::memory::MemoryStorage;
use rheos_cluster::checkpoint::storage::CheckpointStorage;

use crate::chaos::{Chaos, Fate};

/// See the [module](self).
pub struct FailingStorage {
    files: MemoryStorage,
    chaos: Chaos,
}

/// The kind of a file, for the names of places.
fn kind(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.split_once('-') {
        Some((kind, _)) => kind,
        None if name.starts_with("log") => "log",
        None => file,
    }
}

impl FailingStorage {
    /// An empty one.
    pub fn new(chaos: Chaos) -> Self {
        Self {
            files: MemoryStorage::default(),
            chaos,
        }
    }

    /// Whether `effect` happens, and whether its caller is told.
    fn attempt<T>(
        &self,
        what: &'static str,
        name: &str,
        effect: impl FnOnce(&MemoryStorage) -> Result<T, CheckpointError>,
    ) -> Result<T, CheckpointError> {
        let fate = self.chaos.fate(&format!("{what} {}", kind(name)));
        let done = match fate {
            Fate::Lost => None,
            Fate::Done | Fate::Unknown => Some(effect(&self.files)?),
        };
        match (fate, done) {
            (Fate::Done, Some(done)) => Ok(done),
            _ => Err(CheckpointError::Storage {
                location: self.location(),
                what,
                name: name.to_owned(),
                error: io::Error::new(io::ErrorKind::TimedOut, "no answer"),
            }),
        }
    }
}

impl CheckpointStorage for FailingStorage {
    fn location(&self) -> String {
        "simulated".to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.attempt("writing", name, |files| files.put(name, bytes))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        self.attempt("claiming", name, |files| files.put_if_absent(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.attempt("reading", name, |files| files.get(name))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.attempt("listing", folder, |files| files.list(folder))
    }

    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        self.attempt("deleting", name, |files| files.delete(name))
    }
}
