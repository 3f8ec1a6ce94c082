//! Which state backend a configuration asks for.

use std::sync::Arc;

use rheos_core::config::options::STATE_BACKEND;
use rheos_core::config::{ConfigError, Configuration};

use super::StoreBackend;

/// Where keyed state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendKind {
    /// In memory.
    #[default]
    Heap,
    /// In RocksDB, with memory in front of it.
    RocksDb,
}

impl BackendKind {
    /// What a configuration asks for: `hashmap`, Flink 1.x's names for it, or `rocksdb`.
    ///
    /// # Errors
    /// If it is neither, or `rocksdb` in a build without it.
    pub fn from_configuration(conf: &Configuration) -> Result<Self, ConfigError> {
        let name = conf.get(&STATE_BACKEND)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "hashmap" | "filesystem" | "jobmanager" => Ok(Self::Heap),
            "rocksdb" if cfg!(feature = "rocksdb") => Ok(Self::RocksDb),
            "rocksdb" => Err(ConfigError::Conflict {
                detail: format!(
                    "`{}: rocksdb`: this program is built without it; build it with the feature \
                     `rocksdb` of `rheos`",
                    STATE_BACKEND.key
                ),
            }),
            _ => Err(conf.bad_value(STATE_BACKEND.key, "`hashmap` or `rocksdb`")),
        }
    }
}

/// What opens the stores of a job, where its configuration asks for stores; they share as many bytes of
/// memory as `managed` says.
///
/// # Errors
/// As [`BackendKind::from_configuration`]; or if a setting of RocksDB is out of its range.
pub fn store_backend(
    conf: &Configuration,
    managed: impl FnOnce() -> Result<u64, ConfigError>,
) -> Result<Option<Arc<dyn StoreBackend>>, ConfigError> {
    match BackendKind::from_configuration(conf)? {
        BackendKind::Heap => Ok(None),
        BackendKind::RocksDb => rocks(conf, managed()?),
    }
}

#[cfg(feature = "rocksdb")]
fn rocks(conf: &Configuration, managed: u64) -> Result<Option<Arc<dyn StoreBackend>>, ConfigError> {
    let options = crate::rocks::RocksOptions::from_configuration(conf, managed)?;
    Ok(Some(Arc::new(crate::rocks::RocksBackend::new(options))))
}

#[cfg(not(feature = "rocksdb"))]
fn rocks(_: &Configuration, _: u64) -> Result<Option<Arc<dyn StoreBackend>>, ConfigError> {
    Ok(None)
}
