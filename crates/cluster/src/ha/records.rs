//! The records of the lease in a checkpoint storage.

use std::sync::Arc;

use super::record::LeaseRecord;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::numbered::Numbered;
use crate::checkpoint::storage::CheckpointStorage;

const RECORDS: Numbered = Numbered {
    folder: "lease",
    what: "a lease",
    remedy: "; if no JobManager of the job runs, delete it",
};

/// So many stay behind the newest: who reads on by number finds the next one.
const KEPT: u64 = 16;

/// See the [module](self). Clones are the same.
#[derive(Clone)]
pub struct LeaseRecords {
    storage: Arc<dyn CheckpointStorage>,
}

impl LeaseRecords {
    /// Those of the job whose folder this storage is.
    pub fn new(storage: Arc<dyn CheckpointStorage>) -> Self {
        Self { storage }
    }

    /// Where they are, for messages.
    pub fn location(&self) -> String {
        format!("{}/{}", self.storage.location(), RECORDS.folder)
    }

    /// Finds out whether of several who create a record one does.
    ///
    /// # Errors
    /// If the storage does not hold to that, and what it says.
    pub fn check(&self) -> Result<(), CheckpointError> {
        self.storage.check_exclusive()
    }

    fn get(&self, number: u64) -> Result<Option<LeaseRecord>, CheckpointError> {
        RECORDS.get(&*self.storage, number)
    }

    fn numbers(&self) -> Result<Vec<u64>, CheckpointError> {
        RECORDS.numbers(&*self.storage)
    }

    /// The greatest number; 0 if there is none.
    pub(super) fn greatest(&self) -> Result<u64, CheckpointError> {
        Ok(self.numbers()?.into_iter().max().unwrap_or(0))
    }

    /// The newest record.
    ///
    /// # Errors
    /// What the storage says, or a record that can't be read.
    pub fn newest(&self) -> Result<Option<(u64, LeaseRecord)>, CheckpointError> {
        loop {
            let number = self.greatest()?;
            if number == 0 {
                return Ok(None);
            }
            // One that is gone by now is so because there are newer ones.
            if let Some(record) = self.get(number)? {
                return Ok(Some((number, record)));
            }
        }
    }

    /// The newest record behind one that is known. Costs one request where there is none, and does not
    /// find one that so many have followed that those between are gone.
    pub(super) fn behind(&self, known: u64) -> Result<Option<(u64, LeaseRecord)>, CheckpointError> {
        let mut newest = None;
        let mut number = known + 1;
        while let Some(record) = self.get(number)? {
            newest = Some((number, record));
            number += 1;
        }
        Ok(newest)
    }

    /// Creates a record; what is there in its place if there is one, or none if that is gone again.
    pub(super) fn create(
        &self,
        number: u64,
        record: &LeaseRecord,
    ) -> Result<Created, CheckpointError> {
        let text = serde_json::to_vec_pretty(record).map_err(|error| {
            CheckpointError::Setting(format!("a record can't be written: {error}"))
        })?;
        let written = self
            .storage
            .put_if_absent(&RECORDS.name_of(number), &text)?;
        Ok(match written {
            true => Created::Written,
            false => Created::Taken(self.get(number)?),
        })
    }

    /// Removes the record that is so many behind this one.
    pub(super) fn forget_one(&self, newest: u64) -> Result<(), CheckpointError> {
        match newest.checked_sub(KEPT) {
            Some(old @ 1..) => self.storage.delete(&RECORDS.name_of(old)),
            _ => Ok(()),
        }
    }

    /// Removes all records that are so many or more behind this one.
    pub(super) fn forget(&self, newest: u64) -> Result<(), CheckpointError> {
        for number in self.numbers()? {
            if number + KEPT <= newest {
                self.storage.delete(&RECORDS.name_of(number))?;
            }
        }
        Ok(())
    }
}

/// What came of creating a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Created {
    /// It is there.
    Written,
    /// There was one.
    Taken(Option<LeaseRecord>),
}
