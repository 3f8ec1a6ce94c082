//! A folder for files of a checkpoint that can't be used where they lie: they are packed, or elsewhere.
//! It goes once nobody restores from it.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::CheckpointError;

/// See the [module](self).
#[derive(Debug)]
pub struct RestoreFolder {
    path: PathBuf,
    count: AtomicUsize,
}

impl RestoreFolder {
    /// Makes one among the system's temporary files.
    ///
    /// # Errors
    /// What the system says.
    pub fn make() -> Result<Self, CheckpointError> {
        let process = std::process::id();
        let random = RandomState::new().hash_one(process);
        let path = std::env::temp_dir().join(format!("rheos-restore-{process}-{random:016x}"));
        let folder = Self {
            path,
            count: AtomicUsize::new(0),
        };
        match fs::create_dir_all(&folder.path) {
            Ok(()) => Ok(folder),
            Err(error) => Err(folder.failed("", error)),
        }
    }

    fn failed(&self, name: &str, error: std::io::Error) -> CheckpointError {
        CheckpointError::Storage {
            location: self.path.display().to_string(),
            what: "writing",
            name: name.to_owned(),
            error,
        }
    }

    /// Writes a file; where it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CheckpointError> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}-{name}"));
        fs::write(&path, bytes).map_err(|error| self.failed(name, error))?;
        Ok(path)
    }
}

impl Drop for RestoreFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), "files of a restore stay behind: {error}");
        }
    }
}
