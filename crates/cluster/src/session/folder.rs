//! The folder that a process of a session works in: that of one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rheos_core::config::{ConfigError, ConfigOption, Configuration, options};

/// Held as long as it is.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    _lock: File,
}

/// How many TaskManagers of one machine may work below one folder.
const MOST: usize = 1_000;

impl Folder {
    /// Takes a folder, which is made.
    ///
    /// # Errors
    /// If it is another's, or the system refuses it.
    pub fn take(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        // Arguments of jobs and logs may hold what is not for everybody.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        let lock = File::create(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("{} is another process's", path.display()),
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the first folder that is nobody's of `PATH-0`, `PATH-1` and so on.
    ///
    /// # Errors
    /// If all are others', or the system refuses it.
    pub fn take_one(path: &Path) -> io::Result<Self> {
        let mut busy = io::Error::other("there is none");
        for number in 0..MOST {
            match Self::take(PathBuf::from(format!("{}-{number}", path.display()))) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => busy = error,
                taken => return taken,
            }
        }
        Err(busy)
    }
}

/// The folder that a configuration says, by `key` or for all kinds of processes, else one for what is
/// temporary.
///
/// # Errors
/// If a value can't be used.
pub fn configured(
    configuration: &Configuration,
    key: &ConfigOption<String>,
) -> Result<PathBuf, ConfigError> {
    let own = configuration.get_set(key)?;
    if let Some(folder) = own.or(configuration.get_set(&options::PROCESS_WORKING_DIR)?) {
        return Ok(folder.into());
    }
    let temporary = configuration.get_set(&options::IO_TMP_DIRS)?;
    // As Flink: several, parted by commas or colons.
    let first = temporary
        .as_deref()
        .and_then(|folders| folders.split([',', ':']).find(|folder| !folder.is_empty()));
    let base = first.map_or_else(std::env::temp_dir, PathBuf::from);
    Ok(base.join("rheos-session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_process_s() {
        let base = tempfile::tempdir().unwrap();
        let first = Folder::take_one(&base.path().join("t")).unwrap();
        let second = Folder::take_one(&base.path().join("t")).unwrap();
        assert!(first.path.ends_with("t-0") && second.path.ends_with("t-1"));
        let mode = fs::metadata(&first.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let error = Folder::take(first.path.clone()).unwrap_err().to_string();
        assert!(error.contains("t-0"), "{error}");
        drop(first);
        let again = Folder::take_one(&base.path().join("t")).unwrap();
        assert!(again.path.ends_with("t-0"));
    }

    #[test]
    fn where_it_is_can_be_said() {
        let mut configuration = Configuration::new();
        let of = |configuration: &Configuration| {
            configured(configuration, &options::PROCESS_JOBMANAGER_WORKING_DIR).unwrap()
        };
        configuration.set("io.tmp.dirs", "/a,/b");
        assert_eq!(of(&configuration), PathBuf::from("/a/rheos-session"));
        configuration.set("process.working-dir", "/w");
        assert_eq!(of(&configuration), PathBuf::from("/w"));
        configuration.set("process.jobmanager.working-dir", "/j");
        assert_eq!(of(&configuration), PathBuf::from("/j"));
    }
}
