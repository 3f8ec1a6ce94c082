//! Finds the files of a source.
//!
//! Files are given out in the order of their paths, each once in the life of the source. Those whose
//! names say that they are hidden or not complete are left alone, unless the user named them.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rheos_core::Row;
use rheos_core::row::{Reader, Str, Writer};
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::source::reader::{Assignment, SplitEnumerator};

use super::split::FileSplit;
use crate::error::ConnectorError;

/// Whether a name says that the file is hidden, or still being written.
fn is_ignored(name: &str) -> bool {
    name.starts_with(['.', '_']) || name.contains(".inprogress")
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The enumerator of a [`super::FileSource`].
pub(super) struct FileEnumerator {
    paths: Vec<PathBuf>,
    interval: Option<Duration>,
    seen: BTreeSet<String>,
    pending: VecDeque<FileSplit>,
}

impl FileEnumerator {
    /// Finds the files that are there; with an interval, looks for more again and again.
    ///
    /// # Errors
    /// If a path that must be there is not.
    pub fn new(paths: Vec<PathBuf>, interval: Option<Duration>) -> Result<Self, ConnectorError> {
        let mut found = Self {
            paths,
            interval,
            seen: BTreeSet::new(),
            pending: VecDeque::new(),
        };
        found.find()?;
        Ok(found)
    }

    fn find(&mut self) -> Result<(), ConnectorError> {
        let mut files = BTreeSet::new();
        for path in &self.paths {
            let text = text_of(path)?;
            // A file whose name looks like a glob is that file.
            if path.exists() || !is_glob(text) {
                self.look_at(path, &mut files)?;
            } else {
                self.expand(text, &mut files)?;
            }
        }
        for file in files {
            if self.seen.insert(file.clone()) {
                self.pending.push_back(FileSplit::whole(&file));
            }
        }
        Ok(())
    }

    /// A path that the user named.
    fn look_at(&self, path: &Path, files: &mut BTreeSet<String>) -> Result<(), ConnectorError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, files),
            Ok(_) => {
                files.insert(text_of(path)?.to_owned());
                Ok(())
            }
            // It may come yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.interval.is_some() => {
                Ok(())
            }
            Err(error) => Err(ConnectorError::file("looking for the input", path, error)),
        }
    }

    fn expand(&self, pattern: &str, files: &mut BTreeSet<String>) -> Result<(), ConnectorError> {
        let matches = glob::glob(pattern).map_err(|error| {
            ConnectorError::Setting(format!("the glob '{pattern}' can't be read: {error}"))
        })?;
        let mut any = false;
        for entry in matches {
            let path = match entry {
                Ok(path) => path,
                Err(error) => {
                    let path = error.path().to_owned();
                    return Err(ConnectorError::file("looking into", path, error.into()));
                }
            };
            if path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_ignored)
            {
                continue;
            }
            any = true;
            self.look_at(&path, files)?;
        }
        if any || self.interval.is_some() {
            return Ok(());
        }
        Err(ConnectorError::Setting(format!(
            "no file matches '{pattern}'; mend the glob, or monitor it continuously if files are \
             yet to come"
        )))
    }
}

fn text_of(path: &Path) -> Result<&str, ConnectorError> {
    path.to_str().ok_or_else(|| {
        ConnectorError::Setting(format!(
            "the path {} is not UTF-8; rename the file or its folder",
            path.display()
        ))
    })
}

/// Adds the files of a folder and of the folders below it.
fn walk(folder: &Path, files: &mut BTreeSet<String>) -> Result<(), ConnectorError> {
    let failed = |error| ConnectorError::file("listing the folder", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_ignored)
        {
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, files)?,
            Ok(_) => {
                files.insert(text_of(&path)?.to_owned());
            }
            // Gone since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ConnectorError::file("looking at", path, error)),
        }
    }
    Ok(())
}

impl SplitEnumerator<FileSplit> for FileEnumerator {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<FileSplit>, BoxError> {
        Ok(match self.pending.pop_front() {
            Some(split) => Assignment::Splits(vec![split]),
            None if self.interval.is_some() => Assignment::Later,
            None => Assignment::NoMore,
        })
    }

    fn discover(&mut self) -> Result<(), BoxError> {
        Ok(self.find()?)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let seen: Vec<Str> = self
            .seen
            .iter()
            .map(|path| Str::from(path.as_str()))
            .collect();
        let pending: Vec<FileSplit> = self.pending.iter().cloned().collect();
        let mut out = Writer::new();
        (seen, pending).encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        type Kept = (Vec<Str>, Vec<FileSplit>);
        let (seen, pending) = Kept::decode(&mut Reader::new(snapshot))?;
        // Files that came after the checkpoint are new, those before it are not.
        let found: Vec<String> = std::mem::take(&mut self.seen).into_iter().collect();
        self.seen = seen.iter().map(|path| path.to_string()).collect();
        self.pending = pending.into();
        if self.interval.is_some() {
            for path in found {
                if self.seen.insert(path.clone()) {
                    self.pending.push_back(FileSplit::whole(&path));
                }
            }
        }
        Ok(())
    }

    fn discovery_interval_millis(&self) -> Option<Millis> {
        self.interval
            .map(|interval| Millis::try_from(interval.as_millis()).unwrap_or(Millis::MAX))
    }
}
