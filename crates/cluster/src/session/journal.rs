//! The jobs of a session on disk: who starts again with the same folder knows them.
//!
//! A job has a folder, `jobs/ID/`: `submission.json`, from before anything of it runs; `ended.json`, from when it
//! has ended; and the log of its JobManager. Both files appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rheos_core::id::JobId;
use serde::{Deserialize, Serialize};

use super::tether::Archive;

/// A job that was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its program, by the hash.
    pub artifact: String,
    /// What the program's file was called.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// When, in milliseconds since the epoch.
    pub submitted_at: i64,
    /// Whether the job has begun: from then on it goes on from its latest checkpoint.
    pub begun: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What is kept of it.
    pub archive: Archive,
}

/// A job that was found.
pub struct Kept {
    /// Its id.
    pub id: JobId,
    /// What was submitted.
    pub submission: Submission,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
}

/// See the [module](self).
pub struct Journal {
    folder: PathBuf,
}

const SUBMISSION: &str = "submission.json";
const ENDED: &str = "ended.json";

/// Writes a file so that it is there whole, or not at all.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Journal {
    /// The journal in a folder, which is made, and the jobs in it, in the order in which they were submitted.
    ///
    /// # Errors
    /// If the system refuses something, or a file of a job is none: it says which.
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<Kept>)> {
        let journal = Self {
            folder: folder.to_owned(),
        };
        fs::create_dir_all(folder)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse::<JobId>().ok()) else {
                continue;
            };
            let named = |error: io::Error| {
                let path = journal.folder_of(id);
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            let file = |name: &str| journal.folder_of(id).join(name);
            // A folder without it is of a job that nobody was told of.
            if let Some(submission) = read(&file(SUBMISSION)).map_err(named)? {
                kept.push(Kept {
                    id,
                    submission,
                    ended: read(&file(ENDED)).map_err(named)?,
                });
            }
        }
        kept.sort_by_key(|kept| (kept.submission.submitted_at, kept.id));
        Ok((journal, kept))
    }

    /// A job's folder.
    pub fn folder_of(&self, id: JobId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// The log of a job's JobManager.
    pub fn log_of(&self, id: JobId) -> PathBuf {
        self.folder_of(id).join("jobmanager.log")
    }

    /// Keeps a job, or what has changed of its submission.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn keep(&self, id: JobId, submission: &Submission) -> io::Result<()> {
        fs::create_dir_all(self.folder_of(id))?;
        write(&self.folder_of(id).join(SUBMISSION), submission)?;
        File::open(&self.folder)?.sync_all()
    }

    /// A job has ended.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn end(&self, id: JobId, ended: &Ended) -> io::Result<()> {
        write(&self.folder_of(id).join(ENDED), ended)
    }

    /// Forgets a job.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn forget(&self, id: JobId) -> io::Result<()> {
        fs::remove_dir_all(self.folder_of(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_found_again_as_they_were_left() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open(&folder.path().join("jobs")).unwrap();
        let (journal, kept) = open();
        assert!(kept.is_empty());
        let submission = |submitted_at| Submission {
            artifact: "abc".to_owned(),
            program: "job".to_owned(),
            arguments: vec!["--rows".to_owned(), "3".to_owned()],
            submitted_at,
            begun: false,
        };
        let (first, second) = (JobId(9), JobId(3));
        journal.keep(second, &submission(20)).unwrap();
        journal.keep(first, &submission(10)).unwrap();
        let begun = Submission {
            begun: true,
            ..submission(10)
        };
        journal.keep(first, &begun).unwrap();
        let ended = Ended {
            at: 30,
            archive: Archive {
                state: "FAILED".to_owned(),
                ..Archive::default()
            },
        };
        journal.end(second, &ended).unwrap();
        // What a crash may leave is no job.
        fs::create_dir_all(journal.folder_of(JobId(5))).unwrap();
        fs::write(journal.folder_of(JobId(5)).join("submission.new"), "{").unwrap();
        let (_, kept) = open();
        let ids: Vec<JobId> = kept.iter().map(|kept| kept.id).collect();
        assert_eq!(ids, [first, second]);
        assert_eq!((&kept[0].submission, &kept[0].ended), (&begun, &None));
        assert_eq!(kept[1].ended, Some(ended));
        journal.forget(second).unwrap();
        assert_eq!(open().1.len(), 1);
        // A file that can't be read is said by its name: the job must not be lost silently.
        fs::write(journal.folder_of(first).join(SUBMISSION), "{").unwrap();
        let error = Journal::open(&folder.path().join("jobs")).err().unwrap();
        assert!(error.to_string().contains(&first.to_string()), "{error}");
    }
}
