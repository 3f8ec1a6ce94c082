//! Files that are numbered: each holds a record, and is created once, by one of those who try. The log of a
//! job is such a series, and so is its lease.

use serde::de::DeserializeOwned;

use super::error::CheckpointError;
use super::storage::CheckpointStorage;

/// A series of records: the folder that it lies in, and what it is, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    pub folder: &'static str,
    /// What a file that can't be read is not, as "a log".
    pub what: &'static str,
    /// What is to be done about one, behind the error.
    pub remedy: &'static str,
}

impl Numbered {
    /// The file of this number.
    pub fn name_of(self, number: u64) -> String {
        format!("{}/{number:012}.json", self.folder)
    }

    fn number_of(self, name: &str) -> Option<u64> {
        let name = name.strip_prefix(self.folder)?.strip_prefix('/')?;
        name.strip_suffix(".json")?.parse().ok()
    }

    /// The numbers that there are, ascending.
    pub fn numbers(self, storage: &dyn CheckpointStorage) -> Result<Vec<u64>, CheckpointError> {
        let names = storage.list(self.folder)?;
        let numbers = names.iter().filter_map(|name| self.number_of(name));
        Ok(numbers.collect())
    }

    /// The record of this number; none if it is not there.
    pub fn get<R: DeserializeOwned>(
        self,
        storage: &dyn CheckpointStorage,
        number: u64,
    ) -> Result<Option<R>, CheckpointError> {
        let name = self.name_of(number);
        let Some(bytes) = storage.get(&name)? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&bytes);
        record.map(Some).map_err(|error| CheckpointError::Damaged {
            checkpoint: storage.location(),
            file: name,
            problem: format!("is no record of {}: {error}{}", self.what, self.remedy),
            older: None,
        })
    }
}
