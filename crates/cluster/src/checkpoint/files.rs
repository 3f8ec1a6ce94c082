//! Reading the files of a checkpoint, each byte of which is checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::key_group::hash_bytes;
use rheos_runtime::checkpoint::snapshot::OperatorSnapshot;

use super::error::CheckpointError;
use super::manifest::{Part, Reading, SubtaskManifest, join};
use super::storage::CheckpointStorage;

/// Where a checkpoint lies, and how it is read.
#[derive(Clone)]
pub(super) struct Place {
    pub storage: Arc<dyn CheckpointStorage>,
    pub folder: String,
    pub reading: Arc<Reading>,
}

impl Place {
    /// The folder, for people.
    pub fn name(&self) -> String {
        join(&self.storage.location(), &self.folder)
            .trim_end_matches('/')
            .to_owned()
    }

    pub fn damaged(&self, file: &str, problem: String) -> CheckpointError {
        CheckpointError::Damaged {
            checkpoint: self.name(),
            file: file.to_owned(),
            problem,
            older: self.reading.older,
        }
    }
}

/// Files of a checkpoint, each read once.
pub(super) struct Files {
    place: Place,
    read: BTreeMap<String, Vec<u8>>,
}

impl Files {
    pub fn of(place: Place) -> Self {
        Self {
            place,
            read: BTreeMap::new(),
        }
    }

    pub fn part(&mut self, part: &Part) -> Result<&[u8], CheckpointError> {
        if !self.read.contains_key(&part.file) {
            let name = join(&self.place.folder, &part.file);
            let bytes = self
                .place
                .storage
                .get(&name)?
                .ok_or_else(|| self.place.damaged(&part.file, "is missing".to_owned()))?;
            self.read.insert(part.file.clone(), bytes);
        }
        let from = usize::try_from(part.offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(usize::try_from(part.length).unwrap_or(usize::MAX));
        let Some(bytes) = self
            .read
            .get(&part.file)
            .and_then(|file| file.get(from..to))
        else {
            let length = self.read.get(&part.file).map_or(0, Vec::len);
            return Err(self.place.damaged(
                &part.file,
                format!("is truncated: it has {length} bytes, and the manifest speaks of {to}"),
            ));
        };
        let found = format!("{:016x}", hash_bytes(bytes));
        if found != part.xxh3 {
            return Err(self.place.damaged(
                &part.file,
                format!(
                    "is not what was written: bytes {from} to {to} have the checksum {found}, and \
                     the manifest says {}",
                    part.xxh3
                ),
            ));
        }
        Ok(bytes)
    }

    /// What a subtask remembers, with the records of its keys or without.
    pub fn snapshot(
        &mut self,
        subtask: &SubtaskManifest,
        keyed: bool,
    ) -> Result<OperatorSnapshot, CheckpointError> {
        let part = &subtask.part;
        let read = OperatorSnapshot::from_bytes(self.part(part)?);
        let mut snapshot = read.map_err(|error| {
            self.place
                .damaged(&part.file, format!("can't be read: {error}"))
        })?;
        for piece in subtask.keyed.iter().filter(|_| keyed) {
            snapshot.add_keyed(self.part(piece)?);
        }
        Ok(snapshot)
    }
}
