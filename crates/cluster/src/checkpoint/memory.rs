//! Checkpoints in this process's memory: for a job that is to survive the failure of a task, and not
//! that of its process. Flink's `jobmanager` storage.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use super::error::CheckpointError;
use super::storage::CheckpointStorage;

/// Files by name.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryStorage {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl CheckpointStorage for MemoryStorage {
    fn location(&self) -> String {
        "in memory".to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.lock().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let mut files = self.lock();
        if files.contains_key(name) {
            return Ok(false);
        }
        files.insert(name.to_owned(), bytes.to_vec());
        Ok(true)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        Ok(self.lock().get(name).cloned())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let files = self.lock();
        let names = files.keys().filter(|name| name.starts_with(&prefix));
        Ok(names.cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        self.lock().remove(name);
        Ok(())
    }
}
