//! A store behind the tables of a backend: where keyed state goes that does not fit into memory.
//!
//! The typed tables stay what user code touches; they hold the keys in use. A key that a batch of rows
//! names and the tables don't have is loaded, many at a time; what has changed is written back at
//! barriers, and when a key is evicted because memory is short. What the store holds of a key in one
//! state is one [record](record), under its key group and its bytes.
//!
//! ```text
//! resolve_batch ─▶ keys that are not in the tables ─▶ StateStore::get ─▶ tables ─▶ user function
//! barrier ─▶ freeze ─▶ StateStore::write … ─▶ StateStore::seal ─▶ files of the checkpoint
//! end of a batch, memory short ─▶ StateStore::write ─▶ the keys go from the tables
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | a key's entries in one state as bytes, and back; keys as bytes |
//! | [`settings`] | which backend a job's configuration asks for |
//! | [`seal`] | a store that waits for its files to be made |
//! | `saver` | writing keys |
//! | `export` | all rows in canonical form, for a savepoint |
//!
//! The tables and the store together, loading, writing back and checkpoints, are in
//! `backend/stored.rs`.

mod export;
pub mod record;
pub(crate) mod saver;
pub mod seal;
pub mod settings;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use rheos_core::time::Millis;

use crate::error::StateError;

/// A state as its store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The state's name.
    pub name: String,
    /// After how long an entry is expired, of a state with a time to live.
    pub ttl: Option<Millis>,
}

/// Byte strings one after the other.
#[derive(Debug, Default, Clone)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// Forgets them, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds one, which `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// They, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |&end| {
            let start = std::mem::replace(&mut from, end);
            self.bytes.get(start..end).unwrap_or_default()
        })
    }
}

/// Changes of a store, in order.
#[derive(Debug, Default, Clone)]
pub struct Writes {
    bytes: Vec<u8>,
    /// The family, the end of the key, the end of the value; a deletion has none.
    changes: Vec<(usize, usize, Option<usize>)>,
}

/// A change of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The number of the family.
    pub family: usize,
    /// The key.
    pub key: &'a [u8],
    /// The value; none to delete it.
    pub value: Option<&'a [u8]>,
}

impl Writes {
    /// Forgets them, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Their bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Sets a key to a value.
    pub fn put(&mut self, family: usize, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.changes.push((family, key_end, Some(self.bytes.len())));
    }

    /// Deletes a key.
    pub fn delete(&mut self, family: usize, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.changes.push((family, self.bytes.len(), None));
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        let mut from = 0;
        self.changes.iter().map(move |&(family, key_end, end)| {
            let start = std::mem::replace(&mut from, end.unwrap_or(key_end));
            Change {
                family,
                key: self.bytes.get(start..key_end).unwrap_or_default(),
                value: end.map(|end| self.bytes.get(key_end..end).unwrap_or_default()),
            }
        })
    }
}

/// A file of a store, as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Its name within the store.
    pub name: String,
    /// Where it lies until the seal is dropped.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Whether a file of that name never changes, so that one that has been kept is kept.
    pub immutable: bool,
    /// Where it is kept already, in the words of whoever gave it to the store: see [`OriginFile`].
    pub kept: Option<Arc<str>>,
}

/// The files that hold a store as it was at a moment. Dropping it gives them up.
#[derive(Debug)]
pub struct Sealed {
    /// They, by name.
    pub files: Vec<StoreFile>,
    /// The folder that goes with it.
    pub folder: PathBuf,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        // Links only: what can't be removed goes with the store's folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Keeps bytes by key, ordered, in families. Implemented by [`crate::rocks::RocksStore`] (with the
/// feature `rocksdb`); called on the task's thread, but for `seal`, which the thread that writes
/// checkpoints calls, while the task reads and does not write, and `export`, which it calls too.
///
/// What `write` has returned from is seen by every later `get` and `scan`, and is in every later seal.
pub trait StateStore: Send + Sync {
    /// Shows what is under each of `keys`, with its number; nothing of those that are not there.
    ///
    /// # Errors
    /// What the store says, or `show`.
    fn get(
        &self,
        family: usize,
        keys: &Keys,
        show: &mut dyn FnMut(usize, &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError>;

    /// Carries out changes.
    ///
    /// # Errors
    /// What the store says.
    fn write(&self, writes: &Writes) -> Result<(), StateError>;

    /// Shows each key of these key groups with its value, in the order of their bytes.
    ///
    /// # Errors
    /// What the store says, or `show`.
    fn scan(
        &self,
        family: usize,
        groups: &Range<u32>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError>;

    /// Shows every key of every family with its value, as they are when `pinned` is called: from then on
    /// the task may write again. For a thread other than the task's.
    ///
    /// # Errors
    /// What the store says, or `show`.
    fn export(
        &self,
        pinned: &dyn Fn(),
        show: &mut dyn FnMut(usize, &[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError>;

    /// Tells it the time by which entries expire.
    fn set_now(&self, now: Millis);

    /// Links the files that hold all that has been written; may take as long as writing it.
    ///
    /// # Errors
    /// What the store says.
    fn seal(&self, number: u64) -> Result<Sealed, StateError>;

    /// Bytes of its files.
    fn bytes(&self) -> u64;

    /// Rewrites its files without what is deleted or expired: whoever drives it, as tests do, need not
    /// wait until it does so by itself.
    ///
    /// # Errors
    /// What the store says.
    fn compact(&self) -> Result<(), StateError>;
}

/// A file that a store goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFile {
    /// Its name within the store.
    pub name: String,
    /// Where it lies now.
    pub path: PathBuf,
    /// Where it is kept: what checkpoints of the store say of it while it is unchanged, so that it
    /// need not be kept again.
    pub kept: Option<Arc<str>>,
}

/// What a store goes on from: the files of one subtask, and the key groups that are wanted of them.
#[derive(Debug, Clone)]
pub struct StoreOrigin {
    /// The files.
    pub files: Vec<OriginFile>,
    /// The key groups that they hold.
    pub held: Range<u32>,
    /// Those that are wanted.
    pub wanted: Range<u32>,
}

/// Whose a store is, for the names of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOwner {
    /// The operator's name, or its number.
    pub operator: String,
    /// The subtask.
    pub subtask: u32,
}

/// Opens stores. Implemented by [`crate::rocks::RocksBackend`]; called on tasks' threads.
pub trait StoreBackend: Send + Sync {
    /// Opens a store with these families, empty or as `origins` are.
    ///
    /// # Errors
    /// What the system says; files that are damaged.
    fn open(
        &self,
        owner: &StoreOwner,
        families: &[Family],
        origins: &[StoreOrigin],
    ) -> Result<Arc<dyn StateStore>, StateError>;

    /// Bytes of memory that the tables of one operator's subtask may use, as things are now.
    fn table_share(&self) -> usize;

    /// How many keys the tables may hold whatever memory there is, where that is set: for tests.
    fn resident_keys(&self) -> Option<usize>;

    /// Bytes after which a batch of writes is carried out.
    fn write_batch_bytes(&self) -> usize;
}
