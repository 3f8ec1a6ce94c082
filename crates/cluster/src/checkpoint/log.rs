//! The log of a job: which generations there were, and which checkpoints are complete.
//!
//! Invariant: record *k* is written by one who has read all records before it, and exists once. A
//! generation that is not the newest in the log owns nothing: its next record would have to be the
//! one that the newer began with. So records of generations are never deleted; those of checkpoints
//! go with their checkpoints, except the last record.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::numbered::Numbered;
use super::storage::CheckpointStorage;

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The input has ended, and everything is committed.
    Finished,
    /// It was told to stop, and can be resumed.
    Stopped,
    /// It failed or was cancelled, and its checkpoints are not to be kept: it begins afresh.
    Discarded,
}

/// A checkpoint, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// Its number.
    pub checkpoint: u64,
    /// The generation that took it.
    pub generation: u64,
    /// Its folder.
    pub path: String,
    /// When it was complete, in milliseconds since the epoch.
    pub completed_at: i64,
}

/// A savepoint, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavepointRecord {
    /// Its number, among those of the checkpoints.
    pub checkpoint: u64,
    /// The generation that took it.
    pub generation: u64,
    /// Where it is.
    pub location: String,
    /// Whether the job stopped with it: then it is what the job goes on from.
    pub stops: bool,
    /// When it was complete, in milliseconds since the epoch.
    pub completed_at: i64,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A generation begins.
    Generation {
        /// Its number.
        generation: u64,
        /// Drawn by the process that begins it, so that those of two are never alike.
        owner: String,
        /// The job's history.
        lineage: String,
        /// The checkpoint that it goes on from.
        from: Option<String>,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
    /// A checkpoint is complete.
    Checkpoint(CheckpointRecord),
    /// A savepoint is complete. It stays in the log when it is deleted: its number is not used again.
    Savepoint(SavepointRecord),
    /// A generation ended in good order.
    Ended {
        /// Its number.
        generation: u64,
        /// How.
        how: Ending,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
}

impl Record {
    fn generation(&self) -> u64 {
        match self {
            Self::Generation { generation, .. } | Self::Ended { generation, .. } => *generation,
            Self::Checkpoint(record) => record.generation,
            Self::Savepoint(record) => record.generation,
        }
    }

    /// Whether one makes the other unnecessary: they are the same, or the same process begins the same
    /// generation, perhaps at another time.
    fn says_as_much_as(&self, other: &Self) -> bool {
        let begins = |record: &Self| match record {
            Self::Generation {
                generation,
                owner,
                from,
                ..
            } => Some((*generation, owner.clone(), from.clone())),
            _ => None,
        };
        self == other || (begins(self).is_some() && begins(self) == begins(other))
    }
}

/// The log, as far as it has been read.
pub struct JobLog {
    storage: Arc<dyn CheckpointStorage>,
    /// By number.
    records: Vec<(u64, Record)>,
}

const RECORDS: Numbered = Numbered {
    folder: "log",
    what: "a log",
    remedy: "",
};

impl JobLog {
    /// Reads the log.
    ///
    /// # Errors
    /// What the storage says, or a record that can't be read.
    pub fn read(storage: Arc<dyn CheckpointStorage>) -> Result<Self, CheckpointError> {
        let mut log = Self {
            storage,
            records: Vec::new(),
        };
        for number in RECORDS.numbers(&*log.storage)? {
            // One that has gone meanwhile was that of an old checkpoint.
            if let Some(record) = log.get(number)? {
                log.records.push((number, record));
            }
        }
        Ok(log)
    }

    /// The log, of which nothing has been read: for whoever writes no records.
    pub fn unread(storage: Arc<dyn CheckpointStorage>) -> Self {
        Self {
            storage,
            records: Vec::new(),
        }
    }

    fn get(&self, number: u64) -> Result<Option<Record>, CheckpointError> {
        RECORDS.get(&*self.storage, number)
    }

    /// The greatest generation.
    pub fn generation(&self) -> u64 {
        let generations = self.records.iter().map(|(_, record)| record.generation());
        generations.max().unwrap_or(0)
    }

    /// The complete checkpoints, the newest last.
    pub fn checkpoints(&self) -> impl DoubleEndedIterator<Item = &CheckpointRecord> {
        self.records.iter().filter_map(|(_, record)| match record {
            Record::Checkpoint(record) => Some(record),
            _ => None,
        })
    }

    /// The savepoints, the newest last.
    pub fn savepoints(&self) -> impl DoubleEndedIterator<Item = &SavepointRecord> {
        self.records.iter().filter_map(|(_, record)| match record {
            Record::Savepoint(record) => Some(record),
            _ => None,
        })
    }

    /// The greatest number of a checkpoint or savepoint.
    pub fn highest(&self) -> u64 {
        let checkpoints = self.checkpoints().map(|record| record.checkpoint);
        let savepoints = self.savepoints().map(|record| record.checkpoint);
        checkpoints.chain(savepoints).max().unwrap_or(0)
    }

    /// The savepoint that the job stopped with, if nothing newer is complete.
    pub fn stopped_with(&self) -> Option<&SavepointRecord> {
        // What was before the checkpoints were discarded is not what the job goes on from.
        let discarded = self.records.iter().rposition(|(_, record)| {
            let how = match record {
                Record::Ended { how, .. } => Some(how),
                _ => None,
            };
            how == Some(&Ending::Discarded)
        });
        let since = self.records.iter().skip(discarded.map_or(0, |at| at + 1));
        let mut savepoints = since.filter_map(|(_, record)| match record {
            Record::Savepoint(record) => Some(record),
            _ => None,
        });
        let last = savepoints.rfind(|record| record.stops)?;
        let newest = self.checkpoints().map(|record| record.checkpoint).max();
        (newest.unwrap_or(0) < last.checkpoint).then_some(last)
    }

    /// How the last generation ended; none if it did not, or not in good order.
    pub fn ending(&self) -> Option<Ending> {
        match self.records.last() {
            Some((_, Record::Ended { how, .. })) => Some(*how),
            _ => None,
        }
    }

    /// Whether the job has ever been started.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record of a generation.
    ///
    /// A storage that gives no answer may have written it all the same, now or later: what is found in
    /// the record's place the next time decides.
    ///
    /// # Errors
    /// What the storage says, and then the record may be there; [`CheckpointError::Superseded`] if
    /// another generation has begun.
    pub fn append(&mut self, record: Record) -> Result<(), CheckpointError> {
        let own = record.generation();
        let newer = self.generation();
        if newer > own {
            return Err(CheckpointError::Superseded { own, newer });
        }
        let text = serde_json::to_vec_pretty(&record).map_err(|error| {
            CheckpointError::Setting(format!("a record can't be written: {error}"))
        })?;
        loop {
            let number = self.last().map_or(1, |number| number + 1);
            let unanswered = match self.storage.put_if_absent(&RECORDS.name_of(number), &text) {
                Ok(true) => {
                    self.records.push((number, record));
                    return Ok(());
                }
                Ok(false) => None,
                Err(error) => Some(error),
            };
            let Some(there) = self.get(number)? else {
                match unanswered {
                    Some(error) => return Err(error),
                    None => continue,
                }
            };
            self.records.push((number, there.clone()));
            if there.says_as_much_as(&record) {
                // Written, though the storage had said nothing, now or an earlier time.
                return Ok(());
            }
            let newer = there.generation();
            // Of its own generation there is what it wrote itself and never had an answer to.
            if newer > own || (newer == own && matches!(there, Record::Generation { .. })) {
                return Err(CheckpointError::Superseded { own, newer });
            }
        }
    }

    /// Adds the record that begins a generation: whether this log was all there was before it. If others
    /// have written meanwhile, it has been read anew, and what the generation goes on from may be gone.
    ///
    /// That a record's place is free does not say that it is the log's end: the record that was there
    /// may have gone with its checkpoint. The last record is never deleted, so whoever has gone on behind
    /// that place is seen afterwards; and nobody can go on behind the end but by a record in its place.
    ///
    /// # Errors
    /// As [`JobLog::append`].
    pub fn claim(&mut self, record: &Record) -> Result<bool, CheckpointError> {
        let mut alone = true;
        loop {
            let known = self.records.len();
            self.append(record.clone())?;
            alone &= self.records.len() == known + 1;
            let own = self.last().unwrap_or(0);
            let numbers = RECORDS.numbers(&*self.storage)?;
            if !numbers.iter().any(|number| *number > own) {
                return Ok(alone);
            }
            alone = false;
            *self = Self::read(self.storage.clone())?;
        }
    }

    /// Whether others have written since it was read; it is read anew then.
    ///
    /// # Errors
    /// What the storage says, or a record that can't be read.
    pub fn has_moved(&mut self) -> Result<bool, CheckpointError> {
        let now = Self::read(self.storage.clone())?;
        let moved = now.last() != self.last();
        if moved {
            *self = now;
        }
        Ok(moved)
    }

    fn last(&self) -> Option<u64> {
        self.records.last().map(|(number, _)| *number)
    }

    /// Deletes the records of checkpoints for which `gone` holds.
    ///
    /// # Errors
    /// What the storage says.
    pub fn forget(
        &mut self,
        gone: impl Fn(&CheckpointRecord) -> bool,
    ) -> Result<(), CheckpointError> {
        let last = self.last();
        let goes = |number: u64, record: &Record| {
            matches!(record, Record::Checkpoint(record) if gone(record)) && Some(number) != last
        };
        while let Some(at) = self.records.iter().position(|(n, r)| goes(*n, r)) {
            if let Some((number, _)) = self.records.get(at) {
                self.storage.delete(&RECORDS.name_of(*number))?;
            }
            self.records.remove(at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStorage;
    use super::*;

    fn generation(generation: u64, owner: &str) -> Record {
        Record::Generation {
            generation,
            owner: owner.to_owned(),
            lineage: "l".to_owned(),
            from: None,
            at: 0,
        }
    }

    fn checkpoint(generation: u64, checkpoint: u64) -> Record {
        Record::Checkpoint(CheckpointRecord {
            checkpoint,
            generation,
            path: format!("g{generation}/chk-{checkpoint}"),
            completed_at: 0,
        })
    }

    #[test]
    fn who_was_thought_dead_completes_no_checkpoint() {
        let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
        let mut old = JobLog::read(storage.clone()).unwrap();
        old.append(generation(1, "a")).unwrap();
        old.append(checkpoint(1, 1)).unwrap();
        let mut new = JobLog::read(storage.clone()).unwrap();
        assert_eq!(new.generation(), 1);
        new.append(generation(2, "b")).unwrap();
        new.append(checkpoint(2, 2)).unwrap();
        new.append(checkpoint(2, 3)).unwrap();
        new.forget(|record| record.checkpoint < 3).unwrap();
        let refused = old.append(checkpoint(1, 2)).unwrap_err();
        assert!(matches!(
            refused,
            CheckpointError::Superseded { own: 1, newer: 2 }
        ));
        let read = JobLog::read(storage).unwrap();
        let numbers: Vec<u64> = read.checkpoints().map(|record| record.checkpoint).collect();
        assert_eq!(numbers, [3]);
    }

    /// Has its effect, and gives no answer, while it is told to.
    struct Silent(MemoryStorage, std::sync::atomic::AtomicBool);

    impl Silent {
        fn answer<T>(&self, done: T) -> Result<T, CheckpointError> {
            match self.1.load(std::sync::atomic::Ordering::Relaxed) {
                false => Ok(done),
                true => Err(CheckpointError::Storage {
                    location: "here".to_owned(),
                    what: "asking",
                    name: "it".to_owned(),
                    error: std::io::ErrorKind::TimedOut.into(),
                }),
            }
        }
    }

    impl CheckpointStorage for Silent {
        fn location(&self) -> String {
            self.0.location()
        }
        fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
            self.0.put(name, bytes).and_then(|()| self.answer(()))
        }
        fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
            let done = self.0.put_if_absent(name, bytes)?;
            self.answer(done)
        }
        fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
            self.0.get(name).and_then(|bytes| self.answer(bytes))
        }
        fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
            self.0.list(folder).and_then(|names| self.answer(names))
        }
        fn delete(&self, name: &str) -> Result<(), CheckpointError> {
            // Without an answer it has no effect: those are the hard ones here.
            self.answer(())?;
            self.0.delete(name)
        }
    }

    #[test]
    fn a_record_without_an_answer_is_found_in_its_place() {
        let silent = Arc::new(Silent(MemoryStorage::default(), false.into()));
        let hush = |on: bool| silent.1.store(on, std::sync::atomic::Ordering::Relaxed);
        let mut log = JobLog::read(silent.clone()).unwrap();
        hush(true);
        log.append(generation(1, "a")).unwrap_err();
        hush(false);
        log.append(generation(1, "a")).unwrap();
        hush(true);
        log.append(checkpoint(1, 1)).unwrap_err();
        hush(false);
        log.append(checkpoint(1, 2)).unwrap();
        let numbers = |log: &JobLog| -> Vec<u64> {
            let checkpoints = log.checkpoints();
            checkpoints.map(|record| record.checkpoint).collect()
        };
        assert_eq!(numbers(&log), [1, 2], "the first had been written");
        // A record that can't be deleted stays, and so do those behind it.
        hush(true);
        log.forget(|record| record.checkpoint == 1).unwrap_err();
        hush(false);
        assert_eq!(numbers(&log), [1, 2]);
        log.append(checkpoint(1, 3)).unwrap();
        log.forget(|record| record.checkpoint < 3).unwrap();
        assert_eq!(numbers(&JobLog::read(silent.clone()).unwrap()), [3]);
    }

    #[test]
    fn of_two_that_begin_a_generation_one_does() {
        let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
        let mut one = JobLog::read(storage.clone()).unwrap();
        let mut other = JobLog::read(storage).unwrap();
        one.append(generation(1, "a")).unwrap();
        assert!(other.append(generation(1, "b")).is_err());
        other.append(generation(2, "b")).unwrap();
        assert!(one.append(checkpoint(1, 1)).is_err());
    }
}
