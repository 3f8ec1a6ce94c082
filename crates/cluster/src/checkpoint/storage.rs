//! Where the files of checkpoints lie.

use std::path::PathBuf;

use super::error::CheckpointError;

/// A place for files. Implemented by [`super::folder::FolderStorage`] and
/// [`super::memory::MemoryStorage`]; called by the writer's thread, and by whoever starts a job.
///
/// Names are relative, with `/` between folders. What `put` or `put_if_absent` has returned from is
/// durable and whole; what it has not returned from is whole or not there.
pub trait CheckpointStorage: Send + Sync {
    /// For messages.
    fn location(&self) -> String;

    /// Writes a file; one of that name is replaced.
    ///
    /// # Errors
    /// What the system says.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError>;

    /// Writes a file if there is none of that name: of several who try, one succeeds.
    ///
    /// # Errors
    /// What the system says.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError>;

    /// Reads a file; none if it is not there.
    ///
    /// # Errors
    /// What the system says.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError>;

    /// Where a file lies on this machine, for whoever can use it there; none of a storage elsewhere.
    fn local_path(&self, name: &str) -> Option<PathBuf> {
        let _ = name;
        None
    }

    /// The names of the files in a folder and below, in order; none if it is not there.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError>;

    /// Removes a file; that it is not there is no error.
    ///
    /// # Errors
    /// What the system says.
    fn delete(&self, name: &str) -> Result<(), CheckpointError>;
}
