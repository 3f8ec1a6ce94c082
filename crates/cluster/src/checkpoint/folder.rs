//! Checkpoints in a folder, which may be a shared one.
//!
//! A file is written beside its place, flushed to the disk and renamed, or, where it must not be
//! there yet, linked: both happen wholly or not at all. Its folder is flushed too.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::CheckpointError;
use super::storage::CheckpointStorage;

/// What names of files that are being written end with.
const UNFINISHED: &str = ".unfinished";

/// A folder.
#[derive(Debug)]
pub struct FolderStorage {
    root: PathBuf,
    /// Whether what is written is to outlive the machine's failure.
    durable: bool,
    /// Tells apart what this process writes at one time.
    count: AtomicU64,
}

impl FolderStorage {
    /// Files below this folder, which is made when it is first written to.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            durable: true,
            count: AtomicU64::new(0),
        }
    }

    /// The same for what is of no use after a failure of the machine, and is not flushed to the disk:
    /// whole, and seen by all, it is all the same.
    pub fn fleeting(root: impl Into<PathBuf>) -> Self {
        Self {
            durable: false,
            ..Self::new(root)
        }
    }

    fn failed(&self, what: &'static str, name: &str, error: io::Error) -> CheckpointError {
        CheckpointError::Storage {
            location: self.location(),
            what,
            name: name.to_owned(),
            error,
        }
    }

    /// Writes the bytes beside their place.
    fn write_beside(&self, path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{number}{UNFINISHED}", std::process::id()));
        let beside = path.with_file_name(name);
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        if self.durable {
            file.sync_all()?;
        }
        Ok(beside)
    }

    /// Makes a folder's names durable. Some file systems can't, and need not, do this.
    fn sync_folder(&self, path: &Path) {
        if self.durable
            && let Some(folder) = path.parent()
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
    }
}

fn walk(root: &Path, folder: &Path, names: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, names)?;
        } else if let Ok(relative) = path.strip_prefix(root)
            && let Some(name) = relative.to_str()
            && !name.ends_with(UNFINISHED)
        {
            names.push(name.to_owned());
        }
    }
    Ok(())
}

impl CheckpointStorage for FolderStorage {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let path = self.root.join(name);
        self.write_beside(&path, bytes)
            .and_then(|beside| fs::rename(beside, &path))
            .map_err(|error| self.failed("writing", name, error))?;
        self.sync_folder(&path);
        Ok(())
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let path = self.root.join(name);
        let beside = self
            .write_beside(&path, bytes)
            .map_err(|error| self.failed("writing", name, error))?;
        let linked = fs::hard_link(&beside, &path);
        if let Err(error) = fs::remove_file(&beside) {
            tracing::warn!(path = %beside.display(), "an unfinished file stays behind: {error}");
        }
        match linked {
            Ok(()) => {
                self.sync_folder(&path);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.failed("linking", name, error)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        match fs::read(self.root.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("reading", name, error)),
        }
    }

    fn local_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        let mut names = Vec::new();
        walk(&self.root, &self.root.join(folder), &mut names)
            .map_err(|error| self.failed("listing", folder, error))?;
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed("deleting", name, error)),
        }
        // Its folder goes with its last file.
        if let Some(folder) = path.parent().filter(|folder| *folder != self.root) {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}
