//! The files of stores in checkpoints: a file that does not change is written once, to the job's folder
//! `shared/`, and every checkpoint that holds it names it; small ones and those that change are packed
//! into one file of the checkpoint.
//!
//! A shared file goes when no checkpoint that is kept names it and none that is under way may.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use rheos_core::id::OperatorId;
use rheos_runtime::checkpoint::snapshot::TaskSnapshot;
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::manifest::Part;
use super::storage::CheckpointStorage;

/// The folder of shared files, below the job's.
pub const SHARED: &str = "shared";
/// Files with fewer bytes are packed.
const SMALL: u64 = 64 * 1024;

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name within the store.
    pub name: String,
    /// Where it is: in the checkpoint's folder, or in the job's, if it is shared.
    pub part: Part,
    /// Whether other checkpoints may name it too.
    pub shared: bool,
}

/// The store of one subtask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreManifest {
    /// Its files.
    pub files: Vec<StoredFile>,
}

/// Where files of stores have been written by this process.
#[derive(Debug, Default)]
pub struct StoreFiles {
    generation: u64,
    written: u64,
    /// By the store's folder and the file's name.
    kept: BTreeMap<(PathBuf, String), Part>,
    /// The newest checkpoint that named a shared file.
    named: BTreeMap<String, u64>,
}

/// What was written of the stores of a task.
#[derive(Debug, Default)]
pub struct WrittenStores {
    /// By operator.
    pub stores: Vec<(OperatorId, StoreManifest)>,
    /// Bytes written; files that were there already do not count.
    pub bytes: u64,
}

impl StoreFiles {
    /// A generation begins; its files have names of their own.
    pub fn begin(&mut self, generation: u64) {
        self.generation = generation;
        self.written = 0;
        self.kept.clear();
    }

    /// Writes the stores of a task.
    ///
    /// # Errors
    /// What a store or the storage says.
    pub fn write(
        &mut self,
        snapshot: &TaskSnapshot,
        (checkpoint, task, name): (u64, usize, &str),
        (storage, folder): (&dyn CheckpointStorage, &str),
    ) -> Result<WrittenStores, CheckpointError> {
        let mut all = WrittenStores::default();
        let pack = format!("task-{task:04}.store");
        let mut packed = Vec::new();
        for (operator, seal) in &snapshot.stores {
            let sealed = seal.seal().map_err(|error| CheckpointError::Store {
                checkpoint,
                task: name.to_owned(),
                error: Box::new(error),
            })?;
            let store = sealed.folder.parent().unwrap_or(&sealed.folder).to_owned();
            let mut manifest = StoreManifest::default();
            let mut live = BTreeSet::new();
            for file in &sealed.files {
                let read = || {
                    fs::read(&file.path).map_err(|error| CheckpointError::Storage {
                        location: file.path.display().to_string(),
                        what: "reading",
                        name: file.name.clone(),
                        error,
                    })
                };
                let shared = file.immutable && file.bytes >= SMALL;
                let part = if shared {
                    let key = (store.clone(), file.name.clone());
                    let restored = file.kept.as_ref();
                    let restored = restored.and_then(|text| serde_json::from_str(text).ok());
                    let part = match self.kept.get(&key).cloned().or(restored) {
                        Some(part) => part,
                        None => {
                            let bytes = read()?;
                            let part = self.write_shared(&bytes, storage)?;
                            all.bytes += bytes.len() as u64;
                            part
                        }
                    };
                    self.named.insert(part.file.clone(), checkpoint);
                    self.kept.insert(key, part.clone());
                    live.insert(file.name.clone());
                    part
                } else {
                    let bytes = read()?;
                    let part = Part::of(&pack, packed.len(), &bytes);
                    packed.extend_from_slice(&bytes);
                    part
                };
                manifest.files.push(StoredFile {
                    name: file.name.clone(),
                    part,
                    shared,
                });
            }
            self.kept
                .retain(|(of, name), _| *of != store || live.contains(name));
            all.stores.push((*operator, manifest));
        }
        if !all.stores.is_empty() {
            all.bytes += packed.len() as u64;
            storage.put(&format!("{folder}/{pack}"), &packed)?;
        }
        Ok(all)
    }

    fn write_shared(
        &mut self,
        bytes: &[u8],
        storage: &dyn CheckpointStorage,
    ) -> Result<Part, CheckpointError> {
        let name = format!("{SHARED}/g{}-{:06}", self.generation, self.written);
        self.written += 1;
        storage.put(&name, bytes)?;
        Ok(Part::of(&name, 0, bytes))
    }

    /// Deletes shared files that none of `live` is, and that no checkpoint after `completed` has named.
    ///
    /// # Errors
    /// What the storage says.
    pub fn sweep(
        &mut self,
        live: &BTreeSet<String>,
        completed: u64,
        storage: &dyn CheckpointStorage,
    ) -> Result<(), CheckpointError> {
        for name in storage.list(SHARED)? {
            let under_way = self.named.get(&name).is_some_and(|last| *last > completed);
            // What a newer generation, in another process, has written is not ours to judge.
            let foreign = generation_of(&name).is_none_or(|of| of > self.generation);
            if !live.contains(&name) && !under_way && !foreign {
                storage.delete(&name)?;
                self.named.remove(&name);
            }
        }
        Ok(())
    }
}

fn generation_of(name: &str) -> Option<u64> {
    let file = name.rsplit('/').next()?;
    file.strip_prefix('g')?.split('-').next()?.parse().ok()
}
