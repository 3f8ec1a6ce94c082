//! The local folder of a database: made when it is opened, gone when it is closed.
//!
//! Nothing in it outlives the process: what is to be kept is in checkpoints. What a killed process
//! left behind is removed by the next that uses the same place.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// What the folders of a process begin with, before its number.
const PREFIX: &str = "rheos-state-";

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub struct LocalFolder {
    path: PathBuf,
}

impl LocalFolder {
    /// Makes a folder that nobody else has, below the process's own in `root`.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(root: &Path, name: &str) -> io::Result<Self> {
        let process = root.join(format!("{PREFIX}{}", std::process::id()));
        let random = RandomState::new().hash_one(name);
        let safe: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(48)
            .collect();
        let path = process.join(format!("{safe}-{random:016x}"));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalFolder {
    fn drop(&mut self) {
        // What can't be removed is removed by the next process.
        let _ = fs::remove_dir_all(&self.path);
        if let Some(process) = self.path.parent() {
            // Goes with the last database.
            let _ = fs::remove_dir(process);
        }
    }
}

/// Removes what processes that are no more have left in `root`.
pub fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) else {
            continue;
        };
        // Only where the system can tell that the process is gone.
        if Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{number}")).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
