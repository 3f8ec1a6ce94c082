//! A database as the store of one subtask of an operator.
//!
//! Opened (empty or from files) → read, written, sealed → closed with its folder. There is no
//! write-ahead log: after a failure the database is made anew from a checkpoint's files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rheos_core::key_group::KEY_GROUPS;
use rheos_core::time::Millis;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{ColumnFamily, DB, ReadOptions, WriteBatch, WriteOptions};

use super::backend::OpenCount;
use super::failed;
use crate::error::StateError;
use crate::local_folder::LocalFolder;
use crate::store::{Keys, Sealed, StateStore, StoreFile, Writes};

/// The name of a state's column family: RocksDB keeps `default` for itself.
pub(super) fn family_name(state: &str) -> String {
    format!("state {state}")
}

/// The first key of a key group; none behind the last.
pub(super) fn group_start(group: u32) -> Option<[u8; 2]> {
    let last = KEY_GROUPS - 1;
    (group <= last).then(|| (group as u16).to_be_bytes())
}

/// See the [module](self). The fields are dropped in this order.
pub struct RocksStore {
    db: DB,
    families: Vec<String>,
    now: Arc<AtomicI64>,
    /// Where files that were restored are kept.
    kept: BTreeMap<String, Arc<str>>,
    no_log: WriteOptions,
    folder: LocalFolder,
    _count: OpenCount,
}

impl RocksStore {
    pub(super) fn new(
        db: DB,
        families: Vec<String>,
        now: Arc<AtomicI64>,
        kept: BTreeMap<String, Arc<str>>,
        folder: LocalFolder,
        count: OpenCount,
    ) -> Self {
        let mut no_log = WriteOptions::default();
        no_log.disable_wal(true);
        Self {
            db,
            families,
            now,
            kept,
            no_log,
            folder,
            _count: count,
        }
    }

    fn failed(&self, what: &'static str, reason: impl ToString) -> StateError {
        failed(self.folder.path(), what, reason)
    }

    fn family(&self, number: usize) -> Result<&ColumnFamily, StateError> {
        let name = self.families.get(number);
        name.and_then(|name| self.db.cf_handle(name))
            .ok_or_else(|| {
                self.failed(
                    "looking for a state",
                    format!("number {number} is not there"),
                )
            })
    }
}

impl StateStore for RocksStore {
    fn get(
        &self,
        family: usize,
        keys: &Keys,
        show: &mut dyn FnMut(usize, &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let family = self.family(family)?;
        let found = self.db.batched_multi_get_cf(family, keys.iter(), false);
        for (number, value) in found.into_iter().enumerate() {
            let value = value.map_err(|error| self.failed("reading", error))?;
            if let Some(value) = value {
                show(number, &value)?;
            }
        }
        Ok(())
    }

    fn write(&self, writes: &Writes) -> Result<(), StateError> {
        let mut batch = WriteBatch::default();
        for change in writes.iter() {
            let family = self.family(change.family)?;
            match change.value {
                Some(value) => batch.put_cf(family, change.key, value),
                None => batch.delete_cf(family, change.key),
            }
        }
        self.db
            .write_opt(batch, &self.no_log)
            .map_err(|error| self.failed("writing", error))
    }

    fn scan(
        &self,
        family: usize,
        groups: &Range<u32>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        if let Some(end) = group_start(groups.end) {
            options.set_iterate_upper_bound(end);
        }
        let mut at = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        match group_start(groups.start) {
            Some(start) => at.seek(start),
            None => return Ok(()),
        }
        while let Some((key, value)) = at.item() {
            show(key, value)?;
            at.next();
        }
        at.status().map_err(|error| self.failed("reading", error))
    }

    fn export(
        &self,
        pinned: &dyn Fn(),
        show: &mut dyn FnMut(usize, &[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        // An iterator sees what there was when it was made.
        let mut iterators = Vec::new();
        for number in 0..self.families.len() {
            let mut options = ReadOptions::default();
            options.fill_cache(false);
            iterators.push(self.db.raw_iterator_cf_opt(self.family(number)?, options));
        }
        pinned();
        for (number, mut at) in iterators.into_iter().enumerate() {
            at.seek_to_first();
            while let Some((key, value)) = at.item() {
                show(number, key, value)?;
                at.next();
            }
            at.status().map_err(|error| self.failed("reading", error))?;
        }
        Ok(())
    }

    fn set_now(&self, now: Millis) {
        self.now.store(now, Ordering::Relaxed);
    }

    fn seal(&self, number: u64) -> Result<Sealed, StateError> {
        let folder = self.folder.path().join(format!("sealed-{number}"));
        // Of a checkpoint of this number that came to nothing.
        let _ = std::fs::remove_dir_all(&folder);
        let mut sealed = Sealed {
            files: Vec::new(),
            folder: folder.clone(),
        };
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(&folder))
            .map_err(|error| self.failed("linking the files of a checkpoint", error))?;
        let listed =
            |error: std::io::Error| self.failed("listing the files of a checkpoint", error);
        for entry in std::fs::read_dir(&folder).map_err(listed)? {
            let entry = entry.map_err(listed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let immutable = name.ends_with(".sst");
            let kept = self.kept.get(&name).filter(|_| immutable);
            sealed.files.push(StoreFile {
                immutable,
                kept: kept.cloned(),
                path: entry.path(),
                bytes: entry.metadata().map_err(listed)?.len(),
                name,
            });
        }
        sealed.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sealed)
    }

    fn bytes(&self) -> u64 {
        let files = self.db.live_files().unwrap_or_default();
        files.iter().map(|file| file.size as u64).sum()
    }

    fn compact(&self) -> Result<(), StateError> {
        for number in 0..self.families.len() {
            let family = self.family(number)?;
            let mut options = rocksdb::CompactOptions::default();
            options.set_bottommost_level_compaction(rocksdb::BottommostLevelCompaction::Force);
            self.db
                .flush_cf(family)
                .map_err(|error| self.failed("flushing", error))?;
            self.db
                .compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
        }
        Ok(())
    }
}
