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
    /// The place that a record was tried to be written to, without an answer, until it is known to be there.
    doubtful: Option<u64>,
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
            doubtful: None,
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
            doubtful: None,
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
    /// the record's place the next time decides. But another may have gone on from it meanwhile, and have
    /// deleted it with its checkpoint: then its place is free, and is not the log's end. So whoever has
    /// written to such a place looks for records behind it.
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
                    self.settle(number, own)?;
                    self.records.push((number, record));
                    return Ok(());
                }
                Ok(false) => None,
                Err(error) => {
                    self.doubtful = Some(number);
                    Some(error)
                }
            };
            let Some(there) = self.get(number)? else {
                match unanswered {
                    Some(error) => return Err(error),
                    None => continue,
                }
            };
            let says_as_much = there.says_as_much_as(&record);
            if says_as_much {
                self.settle(number, own)?;
            }
            self.records.push((number, there.clone()));
            if says_as_much {
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

    /// A record of this generation is in this place: if that was doubtful, nobody must have gone on behind it.
    fn settle(&mut self, number: u64, own: u64) -> Result<(), CheckpointError> {
        if self.doubtful != Some(number) {
            return Ok(());
        }
        if self.goes_on_behind(number)? {
            // Only who has begun a newer generation deletes a record that another has written.
            *self = Self::read(self.storage.clone())?;
            let newer = self.generation();
            return Err(CheckpointError::Superseded { own, newer });
        }
        self.doubtful = None;
        Ok(())
    }

    /// Whether there are records behind this place. A listing may lag behind a little; what was written
    /// meanwhile is found by its name, for as long as no second checkpoint has followed.
    fn goes_on_behind(&self, number: u64) -> Result<bool, CheckpointError> {
        if self.get(number + 1)?.is_some() {
            return Ok(true);
        }
        let numbers = RECORDS.numbers(&*self.storage)?;
        Ok(numbers.iter().any(|there| *there > number))
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
            if !self.goes_on_behind(own)? {
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
mod tests;
