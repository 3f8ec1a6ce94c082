//! Where the files of checkpoints lie.

use std::path::PathBuf;

use super::error::CheckpointError;

/// A place for files. Implemented by [`super::folder::FolderStorage`],
/// [`super::memory::MemoryStorage`] and `super::s3::S3Storage`; called by the writer's thread, and by
/// whoever starts a job.
///
/// Names are relative, with `/` between folders. What `put` or `put_if_absent` has returned from is
/// durable and whole; what it has not returned from is whole or not there.
pub trait CheckpointStorage: Send + Sync {
    /// For messages.
    fn location(&self) -> String;

    /// Tries whether [`CheckpointStorage::put_if_absent`] holds while many write at one time, where that
    /// is not certain. Called once, before a job's log is kept there.
    ///
    /// # Errors
    /// If it does not hold, and what the system says.
    fn check_exclusive(&self) -> Result<(), CheckpointError> {
        Ok(())
    }

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

    /// The names of the files in a folder and below, in order; none if it is not there. They may be those
    /// of a moment ago: the job's log bears a quarter of the time from a checkpoint to the next, which the
    /// simulation of leaders tries.
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
