//! What the databases of a process share: memory, folders, settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocksdb::{Cache, WriteBufferManager};

use super::database::RocksStore;
use super::import;
use super::options::RocksOptions;
use crate::error::StateError;
use crate::local_folder::LocalFolders;
use crate::store::{Family, StateStore, StoreBackend, StoreOrigin, StoreOwner};

/// The share of the tables in the memory for state; the rest is RocksDB's block cache, which the write
/// buffers are charged to.
const TABLES: f64 = 0.5;
/// What the tables of an operator may use where memory is not shared.
const TABLES_UNSHARED: usize = 64 << 20;

/// Opens databases that share one budget.
pub struct RocksBackend {
    options: RocksOptions,
    shared: Option<(Cache, WriteBufferManager)>,
    /// Bytes that all tables may use.
    tables: usize,
    open: Arc<AtomicUsize>,
    folders: LocalFolders,
}

impl RocksBackend {
    /// The databases of one process.
    pub fn new(options: RocksOptions) -> Self {
        let folders = LocalFolders::below(options.folders.clone());
        folders.sweep();
        let all = options.shared_memory.unwrap_or(0);
        let tables = (all as f64 * TABLES) as usize;
        let shared = options.shared_memory.map(|all| {
            let blocks = usize::try_from(all).unwrap_or(usize::MAX) - tables;
            let cache = Cache::new_lru_cache(blocks);
            let writes = (blocks as f64 * options.write_buffer_ratio) as usize;
            let manager = WriteBufferManager::new_write_buffer_manager_with_cache(
                writes.max(1),
                false,
                cache.clone(),
            );
            (cache, manager)
        });
        Self {
            options,
            shared,
            tables,
            open: Arc::default(),
            folders,
        }
    }
}

/// Counts a database that is open.
pub(super) struct OpenCount(Arc<AtomicUsize>);

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl StoreBackend for RocksBackend {
    fn open(
        &self,
        owner: &StoreOwner,
        families: &[Family],
        origins: &[StoreOrigin],
    ) -> Result<Arc<dyn StateStore>, StateError> {
        let name = format!("{}-{}", owner.operator, owner.subtask);
        let folder = self.folders.make(&name);
        let folder = folder.map_err(|error| StateError::Store {
            location: "a folder of this machine".to_owned(),
            what: "making it",
            reason: error.to_string(),
        })?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let count = OpenCount(self.open.clone());
        let (cache, manager) = match &self.shared {
            Some((cache, manager)) => (cache.clone(), Some(manager)),
            None => (Cache::new_lru_cache(self.options.block_cache), None),
        };
        let setting = import::Setting {
            options: &self.options,
            cache,
            manager,
            families,
        };
        let store: RocksStore = import::open(folder, count, &setting, origins)?;
        Ok(Arc::new(store))
    }

    fn table_share(&self) -> usize {
        match &self.shared {
            Some(_) => self.tables / self.open.load(Ordering::Relaxed).max(1),
            None => TABLES_UNSHARED,
        }
    }

    fn resident_keys(&self) -> Option<usize> {
        self.options.resident_keys
    }

    fn write_batch_bytes(&self) -> usize {
        match self.options.write_batch {
            0 => usize::MAX,
            bytes => bytes,
        }
    }
}
