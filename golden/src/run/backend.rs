//! Where the jobs of scenarios keep their state.

use std::cell::Cell;

use rheos::harness::Harness;
use rheos::prelude::Configuration;

thread_local! {
    /// Whether in RocksDB; jobs of scenarios run on the thread that asked for them.
    static ROCKSDB: Cell<bool> = const { Cell::new(false) };
}

/// From now on jobs keep their state in RocksDB, or on the heap.
pub(crate) fn set_rocksdb(rocksdb: bool) {
    ROCKSDB.set(rocksdb);
}

/// A harness for a scenario's job.
pub(super) fn harness() -> Harness {
    let mut configuration = Configuration::default();
    if ROCKSDB.get() {
        configuration.set("state.backend.type", "rocksdb");
        // Scenarios have few keys: all but one go to the store after each row.
        configuration.set("rheos.state.resident-keys", 1);
    }
    Harness::with_configuration(configuration)
}
