//! The store of one subtask, as a checkpoint keeps it: its files come to this machine when a task wants
//! them, and stay while one uses them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rheos_core::key_group::hash_bytes;
use rheos_runtime::checkpoint::restore::{FilesHere, GetFiles};
use rheos_state::StateError;
use rheos_state::store::OriginFile;

use super::error::CheckpointError;
use super::files::{Files, Place};
use super::manifest::join;
use super::restore_folder::RestoreFolder;
use super::store_files::{StoreManifest, StoredFile};

/// What holds files that were put aside.
type Aside = Option<RestoreFolder>;

/// See the [module](self).
pub(super) struct KeptStore {
    place: Place,
    manifest: StoreManifest,
    /// As they were got last: several tasks may want them at one time.
    got: Mutex<Option<(Vec<OriginFile>, Weak<Aside>)>>,
    /// Of one that was read at once.
    held: Option<FilesHere>,
}

impl KeptStore {
    /// The store of this manifest; unless it is left to tasks, its files are got now.
    pub fn open(place: &Place, manifest: &StoreManifest) -> Result<Self, CheckpointError> {
        let mut kept = Self {
            place: place.clone(),
            manifest: manifest.clone(),
            got: Mutex::default(),
            held: None,
        };
        if !place.reading.keyed.stores_later() {
            kept.held = Some(kept.get()?);
        }
        Ok(kept)
    }

    fn get(&self) -> Result<FilesHere, CheckpointError> {
        // Whoever comes meanwhile waits, and has them too.
        let mut got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((files, aside)) = &*got
            && let Some(keep) = aside.upgrade()
        {
            let files = files.clone();
            return Ok(FilesHere { files, keep });
        }
        let mut files = Vec::new();
        let mut packs = Files::of(self.place.clone());
        let mut aside = None;
        for file in &self.manifest.files {
            let kept = self.place.reading.same_job && file.shared;
            files.push(OriginFile {
                path: self.file(file, &mut packs, &mut aside)?,
                kept: kept
                    .then(|| serde_json::to_string(&file.part).ok())
                    .flatten()
                    .map(Arc::from),
                name: file.name.clone(),
            });
        }
        let keep = Arc::new(aside);
        *got = Some((files.clone(), Arc::downgrade(&keep)));
        Ok(FilesHere { files, keep })
    }

    /// A file on this machine.
    fn file(
        &self,
        file: &StoredFile,
        packs: &mut Files,
        aside: &mut Aside,
    ) -> Result<PathBuf, CheckpointError> {
        if !file.shared {
            let bytes = packs.part(&file.part)?;
            return self.put_aside(&file.name, bytes, aside);
        }
        let (place, shared) = (&self.place, &file.part.file);
        let root = match place.folder.as_str() {
            // Named by its own folder, a checkpoint is two below the job's.
            "" => "../..",
            _ => "",
        };
        let name = join(root, shared);
        let bytes = place
            .storage
            .get(&name)?
            .ok_or_else(|| place.damaged(shared, "is missing".to_owned()))?;
        if !file.part.is(&bytes) {
            let found = format!("{:016x}", hash_bytes(&bytes));
            return Err(place.damaged(
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
        match place.storage.local_path(&name) {
            Some(path) => Ok(path),
            None => self.put_aside(&file.name, &bytes, aside),
        }
    }

    /// Writes a file to where a store can use it.
    fn put_aside(
        &self,
        name: &str,
        bytes: &[u8],
        aside: &mut Aside,
    ) -> Result<PathBuf, CheckpointError> {
        let folder = match aside {
            Some(folder) => folder,
            None => aside.insert(RestoreFolder::make(&self.place.reading.local)?),
        };
        folder.put(name, bytes)
    }
}

impl GetFiles for KeptStore {
    fn files(&self) -> Result<FilesHere, StateError> {
        if let Some(held) = &self.held {
            return Ok(held.clone());
        }
        self.get().map_err(|error| StateError::Store {
            location: self.place.name(),
            what: "restoring it",
            reason: error.to_string(),
        })
    }
}
