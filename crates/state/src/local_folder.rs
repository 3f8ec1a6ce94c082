//! Local folders of a process: made when something is put there, gone when it is not needed any more.
//!
//! Nothing in them outlives the process: what is to be kept is in checkpoints. A process holds a lock
//! within its own folder, so another can tell what a killed one left behind, and removes it: by the
//! lock and not by the number of the process, which is the same in two containers that share a disk.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rheos_core::config::{ConfigError, Configuration, options};

/// What the folders of processes begin with.
const PREFIX: &str = "rheos-state-";
/// The file in them that the process holds a lock on.
const LOCK: &str = "lock";

/// Where local folders are made.
#[derive(Debug)]
pub struct LocalFolders {
    roots: Vec<PathBuf>,
    made: AtomicUsize,
    /// The process's own folder in each root, while something is in it.
    own: Mutex<Vec<Weak<OwnFolder>>>,
}

/// The folders that a process makes its own in: `state.backend.rocksdb.localdir`, else `io.tmp.dirs`, else
/// the system's for temporary files.
///
/// # Errors
/// If a value is not of its type.
pub fn roots_of(conf: &Configuration) -> Result<Vec<PathBuf>, ConfigError> {
    let set = match conf.get_set(&options::ROCKSDB_LOCAL_DIR)? {
        Some(set) => Some(set),
        None => conf.get_set(&options::IO_TMP_DIRS)?,
    };
    let roots = set.iter().flat_map(|set| set.split([',', ':', ';']));
    let roots = roots.map(str::trim).filter(|root| !root.is_empty());
    Ok(roots.map(PathBuf::from).collect())
}

impl LocalFolders {
    /// Below these, in turn; among the system's temporary files without any.
    pub fn below(mut roots: Vec<PathBuf>) -> Self {
        if roots.is_empty() {
            roots.push(std::env::temp_dir());
        }
        Self {
            own: Mutex::new(roots.iter().map(|_| Weak::new()).collect()),
            made: AtomicUsize::new(0),
            roots,
        }
    }

    /// Makes a folder that nobody else has.
    ///
    /// # Errors
    /// What the system says, and where.
    pub fn make(&self, name: &str) -> io::Result<LocalFolder> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let safe: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(48)
            .collect();
        let own = self.own_folder(number % self.roots.len().max(1))?;
        let path = own.path.join(format!("{number}-{safe}"));
        fs::create_dir(&path).map_err(|error| told(&path, error))?;
        Ok(LocalFolder { path, _own: own })
    }

    fn own_folder(&self, at: usize) -> io::Result<Arc<OwnFolder>> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = own.get(at).and_then(Weak::upgrade) {
            return Ok(there);
        }
        let root = self.roots.get(at).cloned().unwrap_or_default();
        let made = Arc::new(OwnFolder::make(&root).map_err(|error| told(&root, error))?);
        if let Some(place) = own.get_mut(at) {
            *place = Arc::downgrade(&made);
        }
        Ok(made)
    }

    /// Removes what processes that are no more have left.
    pub fn sweep(&self) {
        for root in &self.roots {
            for entry in fs::read_dir(root).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                    sweep_one(&entry.path());
                }
            }
        }
    }
}

fn told(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn sweep_one(path: &Path) {
    let lock = match File::open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Killed before it had a lock, or about to have one: then it makes the folder anew.
            let _ = fs::remove_dir(path);
            return;
        }
        Err(_) => return,
    };
    // Where the system has no locks nobody can tell, and it stays.
    if lock.try_lock().is_ok() {
        // What can't be removed is tried by the next process.
        let _ = fs::remove_dir_all(path);
    }
}

/// The folder of a process in a root, with its lock.
#[derive(Debug)]
struct OwnFolder {
    path: PathBuf,
    _lock: File,
}

impl OwnFolder {
    fn make(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        loop {
            let process = std::process::id();
            let random = RandomState::new().hash_one(process);
            let path = root.join(format!("{PREFIX}{process}-{random:016x}"));
            fs::create_dir(&path)?;
            match Self::lock(&path)? {
                Some(lock) => return Ok(Self { path, _lock: lock }),
                // One that sweeps was there in between.
                None => continue,
            }
        }
    }

    /// The lock in a folder; none if another has it, or the folder has gone.
    fn lock(path: &Path) -> io::Result<Option<File>> {
        let name = path.join(LOCK);
        let lock = match File::create_new(&name) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Without locks nobody removes it either.
            Err(TryLockError::Error(_)) => return Ok(Some(lock)),
        }
        let same = fs::metadata(&name).is_ok_and(|there| {
            lock.metadata()
                .is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
        });
        Ok(same.then_some(lock))
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        // What can't be removed is removed by the next process.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub struct LocalFolder {
    path: PathBuf,
    /// Goes with the last in it.
    _own: Arc<OwnFolder>,
}

impl LocalFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_folder_goes_when_nothing_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("not there yet");
        let folders = LocalFolders::below(vec![place.clone()]);
        assert!(!place.exists(), "who needs none makes none");
        let one = folders.make("a/b").unwrap();
        let other = folders.make("a/b").unwrap();
        assert_ne!(one.path(), other.path());
        fs::write(one.path().join("file"), b"1").unwrap();
        drop(one);
        assert_eq!(names(&place).len(), 1);
        assert!(other.path().exists());
        drop(other);
        assert_eq!(names(&place).len(), 0);
        assert!(folders.make("again").unwrap().path().exists());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_one_that_lives_has_is_not() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(format!("{PREFIX}{name}"));
        // The number of a process says nothing: it may be one of another container.
        let left = place(&format!("{}-of-another", std::process::id()));
        fs::create_dir_all(left.join("0-counts")).unwrap();
        fs::write(left.join("0-counts/000012.sst"), b"1").unwrap();
        fs::write(left.join(LOCK), b"").unwrap();
        fs::create_dir(place("killed-at-once")).unwrap();
        let foreign = root.path().join("somebody-elses");
        fs::create_dir(&foreign).unwrap();
        let living = LocalFolders::below(vec![root.path().to_owned()]);
        let held = living.make("counts").unwrap();
        LocalFolders::below(vec![root.path().to_owned()]).sweep();
        assert!(!left.exists() && !place("killed-at-once").exists());
        assert!(held.path().exists() && foreign.exists());
        drop(held);
        assert_eq!(names(root.path()), ["somebody-elses"]);
    }
}
