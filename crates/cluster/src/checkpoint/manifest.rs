//! What a checkpoint consists of, as a file that a person can read; and reading it back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rheos_core::id::{CheckpointId, OperatorId};
use rheos_core::job_graph::JobGraph;
use rheos_core::key_group::hash_bytes;
use rheos_runtime::checkpoint::restore::{RestoredJob, RestoredOperator, RestoredStore};
use rheos_runtime::checkpoint::snapshot::OperatorSnapshot;
use rheos_state::store::OriginFile;
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::restore_folder::RestoreFolder;
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
    storage: Arc<dyn CheckpointStorage>,
    folder: String,
    /// Whether the job that goes on from it may name its files in checkpoints of its own.
    pub same_job: bool,
    /// What it says.
    pub manifest: Manifest,
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
        let damaged = |problem: String| CheckpointError::Damaged {
            checkpoint: place_of(storage.as_ref(), folder),
            file: MANIFEST.to_owned(),
            problem,
            older,
        };
        let bytes = storage
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
        Ok(Self {
            storage,
            folder: folder.to_owned(),
            same_job: false,
            manifest,
        })
    }

    /// The files of stores that other checkpoints of the job may name too.
    pub fn shared_files(&self) -> impl Iterator<Item = &StoredFile> {
        let operators = self.manifest.operators.iter();
        let stores = operators.flat_map(|operator| operator.stores.iter().flatten());
        let files = stores.flat_map(|store| &store.files);
        files.filter(|file| file.shared)
    }

    /// What the job remembered, for a job of this graph; every byte is checked.
    ///
    /// # Errors
    /// If a file is missing or not what was written, or there is state that no operator claims.
    pub fn load(
        &self,
        graph: &JobGraph,
        ignore_unclaimed: bool,
        older: Option<u64>,
    ) -> Result<RestoredJob, CheckpointError> {
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
        let mut files = Files {
            checkpoint: self,
            older,
            read: BTreeMap::new(),
            same_job: self.same_job,
            folder: None,
        };
        let mut operators = BTreeMap::new();
        for operator in manifest
            .operators
            .iter()
            .filter(|operator| claimed(operator))
        {
            let mut restored = RestoredOperator::default();
            if let Some(part) = &operator.enumerator {
                restored.enumerator = Some(Arc::new(files.part(part)?.to_vec()));
            }
            for subtask in &operator.subtasks {
                let part = match subtask {
                    Some(subtask) => Some(Arc::new(files.snapshot(subtask)?)),
                    None => None,
                };
                restored.parts.push(part);
            }
            for store in &operator.stores {
                let store = match store {
                    Some(store) => Some(files.store(store)?),
                    None => None,
                };
                restored.stores.push(store);
            }
            let id = u64::from_str_radix(&operator.id, 16).map_err(|_| {
                files.damaged(MANIFEST, format!("'{}' is no operator's id", operator.id))
            })?;
            operators.insert(OperatorId(id), Arc::new(restored));
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
        let mut files = Files {
            checkpoint: self,
            older: None,
            read: BTreeMap::new(),
            same_job: false,
            folder: None,
        };
        let subtasks = operator.subtasks.iter();
        subtasks
            .map(|subtask| match subtask {
                Some(subtask) => files.snapshot(subtask).map(Some),
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

fn place_of(storage: &dyn CheckpointStorage, folder: &str) -> String {
    join(&storage.location(), folder)
        .trim_end_matches('/')
        .to_owned()
}

/// Files of a checkpoint, each read once.
struct Files<'a> {
    checkpoint: &'a Checkpoint,
    older: Option<u64>,
    read: BTreeMap<String, Vec<u8>>,
    /// Whether the job's own checkpoints may name the files too.
    same_job: bool,
    /// For files that can't be used where they lie.
    folder: Option<Arc<RestoreFolder>>,
}

impl Files<'_> {
    fn damaged(&self, file: &str, problem: String) -> CheckpointError {
        let Checkpoint {
            storage, folder, ..
        } = self.checkpoint;
        CheckpointError::Damaged {
            checkpoint: place_of(storage.as_ref(), folder),
            file: file.to_owned(),
            problem,
            older: self.older,
        }
    }

    fn part(&mut self, part: &Part) -> Result<&[u8], CheckpointError> {
        if !self.read.contains_key(&part.file) {
            let name = join(&self.checkpoint.folder, &part.file);
            let bytes = self
                .checkpoint
                .storage
                .get(&name)?
                .ok_or_else(|| self.damaged(&part.file, "is missing".to_owned()))?;
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
            return Err(self.damaged(
                &part.file,
                format!("is truncated: it has {length} bytes, and the manifest speaks of {to}"),
            ));
        };
        let found = format!("{:016x}", hash_bytes(bytes));
        if found != part.xxh3 {
            return Err(self.damaged(
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

    /// The files of a store, each checked.
    fn store(&mut self, manifest: &StoreManifest) -> Result<RestoredStore, CheckpointError> {
        let mut files = Vec::new();
        for file in &manifest.files {
            files.push(OriginFile {
                path: self.stored_file(file)?,
                kept: (self.same_job && file.shared)
                    .then(|| serde_json::to_string(&file.part).ok())
                    .flatten()
                    .map(Arc::from),
                name: file.name.clone(),
            });
        }
        Ok(RestoredStore {
            files,
            keep: Arc::new(self.folder.clone()),
        })
    }

    /// A file of a store on this machine.
    fn stored_file(&mut self, file: &StoredFile) -> Result<PathBuf, CheckpointError> {
        let storage = self.checkpoint.storage.clone();
        if !file.shared {
            let bytes = self.part(&file.part)?.to_vec();
            return self.put_aside(&file.name, &bytes);
        }
        let shared = &file.part.file;
        let root = match self.checkpoint.folder.as_str() {
            // Named by its own folder, a checkpoint is two below the job's.
            "" => "../..",
            _ => "",
        };
        let name = join(root, shared);
        let bytes = storage
            .get(&name)?
            .ok_or_else(|| self.damaged(shared, "is missing".to_owned()))?;
        if !file.part.is(&bytes) {
            let found = format!("{:016x}", hash_bytes(&bytes));
            return Err(self.damaged(
                shared,
                format!(
                    "is not what was written: its {} bytes have the checksum {found}, and the \
                     manifest speaks of {} with {}",
                    bytes.len(),
                    file.part.length,
                    file.part.xxh3
                ),
            ));
        }
        match storage.local_path(&name) {
            Some(path) => Ok(path),
            None => self.put_aside(&file.name, &bytes),
        }
    }

    /// Writes a file to where a store can use it.
    fn put_aside(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, CheckpointError> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let folder = Arc::new(RestoreFolder::make()?);
                self.folder = Some(folder.clone());
                folder
            }
        };
        folder.put(name, bytes)
    }

    fn snapshot(&mut self, subtask: &SubtaskManifest) -> Result<OperatorSnapshot, CheckpointError> {
        let part = &subtask.part;
        let read = OperatorSnapshot::from_bytes(self.part(part)?);
        let mut snapshot =
            read.map_err(|error| self.damaged(&part.file, format!("can't be read: {error}")))?;
        for piece in &subtask.keyed {
            snapshot.add_keyed(self.part(piece)?);
        }
        Ok(snapshot)
    }
}
