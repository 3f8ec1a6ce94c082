//! What a checkpoint consists of, as a file that a person can read; and reading it back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use rheos_core::id::{CheckpointId, OperatorId};
use rheos_core::job_graph::JobGraph;
use rheos_core::key_group::{hash_bytes, range_of};
use rheos_runtime::checkpoint::restore::{RestoredJob, RestoredOperator, RestoredStore};
use rheos_runtime::checkpoint::snapshot::OperatorSnapshot;
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::files::{Files, Place};
use super::kept_store::KeptStore;
use super::storage::CheckpointStorage;
use super::store_files::{StoreManifest, StoredFile};
use crate::schedule::kept_width::KeptWidth;

/// The version of everything in a checkpoint's folder.
pub const FORMAT: u32 = 1;
/// The name of the manifest.
pub const MANIFEST: &str = "manifest.json";

/// A run of bytes in a file of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file, in the checkpoint's folder.
    pub file: String,
    /// Bytes before it.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// Their xxh3-64, in hexadecimal.
    pub xxh3: String,
}

impl Part {
    /// The part that these bytes are.
    pub fn of(file: &str, offset: usize, bytes: &[u8]) -> Self {
        Self {
            file: file.to_owned(),
            offset: offset as u64,
            length: bytes.len() as u64,
            xxh3: format!("{:016x}", hash_bytes(bytes)),
        }
    }

    /// Whether these bytes are the part.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.length && format!("{:016x}", hash_bytes(bytes)) == self.xxh3
    }
}

/// What one subtask of an operator remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtaskManifest {
    /// All but the records of its keyed state.
    #[serde(flatten)]
    pub part: Part,
    /// The records, in pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyed: Vec<Part>,
}

/// An operator's part of a checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorManifest {
    /// Its identity, in hexadecimal: the hash of its uid.
    pub id: String,
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Whether a job without it would lose something.
    pub has_state: bool,
    /// What its enumerator remembers, if it is a source.
    pub enumerator: Option<Part>,
    /// What its subtasks remember; none of one that had finished.
    pub subtasks: Vec<Option<SubtaskManifest>>,
    /// The stores of its subtasks, where it has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<Option<StoreManifest>>,
}

/// What a checkpoint cost a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskManifest {
    /// The chain and the subtask.
    pub task: String,
    /// From the first input's barrier to the last one's, in microseconds.
    pub alignment_micros: i64,
    /// How long the task stood still, in microseconds.
    pub sync_micros: i64,
    /// From the trigger to the first input's barrier, in microseconds.
    #[serde(default)]
    pub start_delay_micros: i64,
    /// Bytes of rows that the task took in during alignment.
    #[serde(default)]
    pub bytes_processed: u64,
    /// Bytes of elements in flight that are in the checkpoint.
    #[serde(default)]
    pub bytes_persisted: u64,
    /// Whether the barrier overtook what was in flight.
    #[serde(default)]
    pub unaligned: bool,
    /// From the trigger until its part was written, in microseconds.
    pub end_to_end_micros: i64,
    /// Bytes written.
    pub bytes: u64,
}

/// A complete checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// The job's name.
    pub job: String,
    /// Its number.
    pub checkpoint: u64,
    /// The generation that took it.
    pub generation: u64,
    /// The job's history.
    pub lineage: String,
    /// When it was triggered, in milliseconds since the epoch.
    pub triggered_at: i64,
    /// Whether it is a savepoint: whole, in canonical form, and of its own folder alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub savepoint: bool,
    /// How long the job had run by then, over all generations, in milliseconds.
    pub run_millis: i64,
    /// How wide the job is to be, where somebody has asked for another parallelism than it was started
    /// with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<KeptWidth>,
    /// By operator.
    pub operators: Vec<OperatorManifest>,
    /// By task.
    pub tasks: Vec<TaskManifest>,
}

/// A manifest, and where it lies.
pub struct Checkpoint {
    place: Place,
    /// What it says.
    pub manifest: Manifest,
}

/// Of which subtasks the state of keys is read: most of a checkpoint.
#[derive(Debug, Clone, Default)]
pub enum Keyed {
    /// Of all, the files of their stores too.
    #[default]
    All,
    /// Of none: the tasks run elsewhere.
    None,
    /// Of those with key groups of tasks that run here, by operator; the files of stores are left to the
    /// tasks.
    Of(BTreeMap<OperatorId, Vec<Range<u32>>>),
}

impl Keyed {
    /// Whether the files of stores are left to the tasks that want them; else they are read and checked
    /// with all else.
    pub fn stores_later(&self) -> bool {
        !matches!(self, Self::All)
    }

    /// Whether that of a subtask is, of so many.
    fn wants(&self, operator: OperatorId, subtask: usize, of: usize) -> bool {
        let here = match self {
            Self::All => return true,
            Self::None => return false,
            Self::Of(here) => here.get(&operator),
        };
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let held = range_of(number(subtask), number(of));
        let mut here = here.into_iter().flatten();
        here.any(|wanted| wanted.start < held.end && held.start < wanted.end)
    }
}

/// How a checkpoint is read by a job that goes on from it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Whether state that no operator claims is dropped, and not refused.
    pub ignore_unclaimed: bool,
    /// The next older checkpoint, for errors.
    pub older: Option<u64>,
    /// Whether the job may name its files in checkpoints of its own.
    pub same_job: bool,
    /// Whose state of keys.
    pub keyed: Keyed,
    /// Folders of this machine for what can't be used where it lies.
    pub local: Vec<PathBuf>,
}

impl Checkpoint {
    /// Reads the manifest in a folder; `older` is the next older checkpoint, for an error.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn open(
        storage: Arc<dyn CheckpointStorage>,
        folder: &str,
        older: Option<u64>,
    ) -> Result<Self, CheckpointError> {
        let place = Place {
            storage,
            folder: folder.to_owned(),
            reading: Arc::new(Reading {
                older,
                ..Reading::default()
            }),
        };
        let damaged = |problem: String| place.damaged(MANIFEST, problem);
        let bytes = place
            .storage
            .get(&join(folder, MANIFEST))?
            .ok_or_else(|| damaged("is missing".to_owned()))?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("is no manifest: {error}")))?;
        if manifest.format != FORMAT {
            return Err(damaged(format!(
                "is of format {}, and this version reads {FORMAT}",
                manifest.format
            )));
        }
        Ok(Self { place, manifest })
    }

    /// The files of stores that other checkpoints of the job may name too.
    pub fn shared_files(&self) -> impl Iterator<Item = &StoredFile> {
        let operators = self.manifest.operators.iter();
        let stores = operators.flat_map(|operator| operator.stores.iter().flatten());
        stores.flat_map(StoreManifest::shared)
    }

    /// What the job remembered, for a job of this graph; every byte that is read is checked.
    ///
    /// # Errors
    /// If a file is missing or not what was written, or there is state that no operator claims.
    pub fn load(&self, graph: &JobGraph, reading: Reading) -> Result<RestoredJob, CheckpointError> {
        let ignore_unclaimed = reading.ignore_unclaimed;
        let manifest = &self.manifest;
        let claimed = |operator: &OperatorManifest| {
            let mut operators = graph.operators.iter();
            operators.any(|node| node.id().to_string() == operator.id)
        };
        let unclaimed: Vec<String> = manifest
            .operators
            .iter()
            .filter(|operator| operator.has_state && !claimed(operator))
            .map(|operator| format!("'{}' (uid '{}')", operator.name, operator.uid))
            .collect();
        if !unclaimed.is_empty() && !ignore_unclaimed {
            return Err(CheckpointError::Unclaimed {
                checkpoint: manifest.checkpoint,
                operators: unclaimed.join(", "),
            });
        }
        let place = Place {
            reading: Arc::new(reading),
            ..self.place.clone()
        };
        let mut files = Files::of(place.clone());
        let mut operators = BTreeMap::new();
        for operator in manifest
            .operators
            .iter()
            .filter(|operator| claimed(operator))
        {
            let id = u64::from_str_radix(&operator.id, 16).map(OperatorId);
            let id = id.map_err(|_| {
                place.damaged(MANIFEST, format!("'{}' is no operator's id", operator.id))
            })?;
            let mut restored = RestoredOperator::default();
            if let Some(part) = &operator.enumerator {
                restored.enumerator = Some(Arc::new(files.part(part)?.to_vec()));
            }
            let of = operator.subtasks.len();
            for (number, subtask) in operator.subtasks.iter().enumerate() {
                let keyed = place.reading.keyed.wants(id, number, of);
                let part = match subtask {
                    Some(subtask) => Some(Arc::new(files.snapshot(subtask, keyed)?)),
                    None => None,
                };
                restored.parts.push(part);
            }
            for store in &operator.stores {
                let store = store.as_ref().map(|store| KeptStore::open(&place, store));
                let store = store
                    .transpose()?
                    .map(|store| RestoredStore(Arc::new(store)));
                restored.stores.push(store);
            }
            operators.insert(id, Arc::new(restored));
        }
        Ok(RestoredJob {
            checkpoint: CheckpointId(manifest.checkpoint),
            operators,
            ignore_unclaimed,
        })
    }
}

impl Checkpoint {
    /// What the subtasks of an operator remember; none of one that had finished. Every byte is checked.
    ///
    /// # Errors
    /// If a file is missing or not what was written.
    pub fn parts(
        &self,
        operator: &OperatorManifest,
    ) -> Result<Vec<Option<OperatorSnapshot>>, CheckpointError> {
        let mut files = Files::of(self.place.clone());
        let subtasks = operator.subtasks.iter();
        subtasks
            .map(|subtask| match subtask {
                Some(subtask) => files.snapshot(subtask, true).map(Some),
                None => Ok(None),
            })
            .collect()
    }
}

/// A file of a folder, which may be the storage's own.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_the_keys_of_its_own_tasks() {
        let operator = OperatorId(7);
        let wants = |here: &[u32], of: u32, old: usize| -> Vec<bool> {
            let groups = here.iter().map(|subtask| range_of(*subtask, of)).collect();
            let keyed = Keyed::Of(BTreeMap::from([(operator, groups)]));
            let subtasks = 0..old;
            subtasks
                .map(|subtask| keyed.wants(operator, subtask, old))
                .collect()
        };
        assert_eq!(wants(&[0], 2, 2), [true, false]);
        assert_eq!(wants(&[0], 3, 2), [true, false]);
        assert_eq!(wants(&[1], 3, 2), [true, true]);
        assert_eq!(wants(&[0, 3], 4, 4), [true, false, false, true]);
        assert_eq!(wants(&[], 4, 2), [false, false]);
        let others = Keyed::Of(BTreeMap::from([(operator, vec![range_of(0, 1)])]));
        assert!(!others.wants(OperatorId(8), 0, 1));
        assert!(Keyed::All.wants(operator, 1, 2) && !Keyed::None.wants(operator, 1, 2));
    }
}
