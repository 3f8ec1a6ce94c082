//! The files of stores in checkpoints: a file that does not change is written once, to the job's folder
//! `shared/`, and every checkpoint that holds it names it; small ones and those that change are packed
//! into one file of the checkpoint.
//!
//! A shared file goes when no checkpoint that is kept names it and none that is under way may. Files of a
//! store come and go in the order of its checkpoints: one that was named, and is not named by a complete
//! checkpoint that is newer, is named by none that follows. Who completes checkpoints need not be who
//! writes their parts: a file of the generation at hand that has not been named yet is left alone.

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

/// Where files of stores have been written by this process, and which are named by whom.
#[derive(Debug, Default)]
pub struct StoreFiles {
    /// Files with fewer bytes are packed.
    small: u64,
    generation: u64,
    /// This process among those that write in the generation; none if it is the only one.
    member: Option<u32>,
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
    /// Those of a job, of which files with fewer bytes than this are packed.
    pub fn new(small: u64) -> Self {
        Self {
            small,
            ..Self::default()
        }
    }

    /// A generation begins; its files have names of their own, and so have those of each of several
    /// processes that write in it.
    pub fn begin(&mut self, generation: u64, member: Option<u32>) {
        self.generation = generation;
        self.member = member;
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
                let shared = file.immutable && file.bytes >= self.small;
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
        let member = self.member.map(|member| format!("m{member}-"));
        let (generation, member) = (self.generation, member.unwrap_or_default());
        let name = format!("{SHARED}/g{generation}-{member}{:06}", self.written);
        self.written += 1;
        storage.put(&name, bytes)?;
        Ok(Part::of(&name, 0, bytes))
    }

    /// A checkpoint, which is complete or may be yet, names these shared files, which another process has
    /// written.
    pub fn name(&mut self, checkpoint: u64, files: Vec<String>) {
        for file in files {
            let newest = self.named.entry(file).or_default();
            *newest = checkpoint.max(*newest);
        }
    }

    /// Deletes shared files that none of `live` is, and that no checkpoint after `completed` names or may
    /// name; without that, because there will be none.
    ///
    /// # Errors
    /// What the storage says.
    pub fn sweep(
        &mut self,
        live: &BTreeSet<String>,
        completed: Option<u64>,
        storage: &dyn CheckpointStorage,
    ) -> Result<(), CheckpointError> {
        for name in storage.list(SHARED)? {
            // What a newer generation, in another process, has written is not ours to judge.
            let Some(of) = generation_of(&name).filter(|of| *of <= self.generation) else {
                continue;
            };
            let under_way = completed.is_some_and(|completed| match self.named.get(&name) {
                Some(last) => *last > completed,
                None => of == self.generation,
            });
            if !live.contains(&name) && !under_way {
                storage.delete(&name)?;
                self.named.remove(&name);
            }
        }
        Ok(())
    }
}

impl StoreManifest {
    /// The files that other checkpoints may name too.
    pub fn shared(&self) -> impl Iterator<Item = &StoredFile> {
        self.files.iter().filter(|file| file.shared)
    }
}

fn generation_of(name: &str) -> Option<u64> {
    let file = name.rsplit('/').next()?;
    file.strip_prefix('g')?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::memory::MemoryStorage;

    #[test]
    fn files_that_others_write_stay_until_no_checkpoint_can_name_them() {
        let storage = MemoryStorage::default();
        let mut files = StoreFiles::default();
        files.begin(2, None);
        let shared = |name: &str| format!("{SHARED}/{name}");
        for name in [
            "g1-m0-000000",
            "g1-m1-000000",
            "g2-m0-000000",
            "g2-m1-000000",
        ] {
            storage.put(&shared(name), b"1").unwrap();
        }
        storage.put(&shared("g3-m0-000000"), b"1").unwrap();
        let swept = |files: &mut StoreFiles, live: &[&str], completed| {
            let live = live.iter().map(|name| shared(name)).collect();
            files.sweep(&live, completed, &storage).unwrap();
            storage.list(SHARED).unwrap()
        };
        // One of the former generation that no checkpoint names goes; of this one they may be named yet.
        let live = ["g1-m1-000000"];
        let left = [
            "g1-m1-000000",
            "g2-m0-000000",
            "g2-m1-000000",
            "g3-m0-000000",
        ]
        .map(shared);
        assert_eq!(swept(&mut files, &live, Some(4)), left);
        // A checkpoint under way names it, and completes; the next one does not name it.
        files.name(6, vec![shared("g2-m0-000000")]);
        files.name(5, vec![shared("g2-m0-000000")]);
        assert_eq!(swept(&mut files, &live, Some(5)), left);
        let left = ["g1-m1-000000", "g2-m1-000000", "g3-m0-000000"].map(shared);
        assert_eq!(swept(&mut files, &live, Some(7)), left);
        // The next generation begins: what was never named of this one never will be.
        files.begin(3, None);
        let left = ["g1-m1-000000", "g3-m0-000000"].map(shared);
        assert_eq!(swept(&mut files, &live, Some(8)), left);
        // The job ends, and keeps nothing.
        assert!(swept(&mut files, &[], None).is_empty());
    }
}
