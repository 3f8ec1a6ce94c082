//! A folder for files of a checkpoint that can't be used where they lie: they are packed, or elsewhere.
//! It goes once nobody restores from it.

use std::fs;
use std::path::PathBuf;

use rheos_state::local_folder::{LocalFolder, LocalFolders};

use super::error::CheckpointError;

/// See the [module](self).
#[derive(Debug)]
pub struct RestoreFolder {
    folder: LocalFolder,
    count: usize,
}

impl RestoreFolder {
    /// Makes one below one of these folders, where the databases are that use it.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(roots: &[PathBuf]) -> Result<Self, CheckpointError> {
        let made = LocalFolders::below(roots.to_vec()).make("restore");
        let folder = made.map_err(|error| CheckpointError::Storage {
            location: "the local folder for restored files".to_owned(),
            what: "making",
            name: "restore".to_owned(),
            error,
        })?;
        Ok(Self { folder, count: 0 })
    }

    /// Writes a file; where it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, CheckpointError> {
        self.count += 1;
        let path = self.folder.path().join(format!("{}-{name}", self.count));
        fs::write(&path, bytes).map_err(|error| CheckpointError::Storage {
            location: self.folder.path().display().to_string(),
            what: "writing",
            name: name.to_owned(),
            error,
        })?;
        Ok(path)
    }
}
