//! RocksDB state.

use super::Area::RocksDb;
use super::Kind::{Bool, Duration, Enum, Float, Int, List, MemorySize, Str};
use super::Verdict::{Later, NoMeaning};
use super::reason::NO_JAVA_CLASS;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("state.backend.rocksdb.block.blocksize", &[], MemorySize, "4 kb", Later(RocksDb)),
    opt("state.backend.rocksdb.block.cache-size", &[], MemorySize, "8 mb", Later(RocksDb)),
    opt("state.backend.rocksdb.block.metadata-blocksize", &[], MemorySize, "4 kb", Later(RocksDb)),
    opt("state.backend.rocksdb.bloom-filter.bits-per-key", &[], Float, "10.0", Later(RocksDb)),
    opt("state.backend.rocksdb.bloom-filter.block-based-mode", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.checkpoint.transfer.thread.num", &["state.backend.rocksdb.checkpoint.transfer-thread-num"], Int, "4", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.filter.periodic-compaction-time", &[], Duration, "30 d", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.filter.query-time-after-num-entries", &[], Int, "1000", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.level.max-size-level-base", &[], MemorySize, "256 mb", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.level.target-file-size-base", &[], MemorySize, "64 mb", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.level.use-dynamic-size", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.compaction.style", &[], Enum(&["LEVEL", "UNIVERSAL", "FIFO", "NONE"]), "LEVEL", Later(RocksDb)),
    opt("state.backend.rocksdb.compression.per.level", &[], List, "SNAPPY_COMPRESSION", Later(RocksDb)),
    opt("state.backend.rocksdb.files.open", &[], Int, "-1", Later(RocksDb)),
    opt("state.backend.rocksdb.incremental-restore-async-compact-after-rescale", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.localdir", &[], Str, "", Later(RocksDb)),
    opt("state.backend.rocksdb.log.dir", &[], Str, "", Later(RocksDb)),
    opt("state.backend.rocksdb.log.file-num", &[], Int, "4", Later(RocksDb)),
    opt("state.backend.rocksdb.log.level", &[], Str, "INFO_LEVEL", Later(RocksDb)),
    opt("state.backend.rocksdb.log.max-file-size", &[], MemorySize, "25 mb", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.fixed-per-slot", &[], MemorySize, "", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.fixed-per-tm", &[], MemorySize, "", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.high-prio-pool-ratio", &[], Float, "0.1", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.managed", &[], Bool, "true", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.partitioned-index-filters", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.memory.write-buffer-ratio", &[], Float, "0.5", Later(RocksDb)),
    opt("state.backend.rocksdb.options-factory", &[], Str, "", NoMeaning(NO_JAVA_CLASS)),
    opt("state.backend.rocksdb.predefined-options", &[], Str, "DEFAULT", Later(RocksDb)),
    opt("state.backend.rocksdb.rescaling.use-delete-files-in-range", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.restore-overlap-fraction-threshold", &[], Float, "0.0", Later(RocksDb)),
    opt("state.backend.rocksdb.thread.num", &[], Int, "2", Later(RocksDb)),
    opt("state.backend.rocksdb.timer-service.cache-size", &[], Int, "128", Later(RocksDb)),
    opt("state.backend.rocksdb.timer-service.factory", &[], Enum(&["HEAP", "ROCKSDB"]), "ROCKSDB", Later(RocksDb)),
    opt("state.backend.rocksdb.ttl.compaction.filter.enabled", &[], Bool, "true", Later(RocksDb)),
    opt("state.backend.rocksdb.use-bloom-filter", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.use-ingest-db-restore-mode", &[], Bool, "false", Later(RocksDb)),
    opt("state.backend.rocksdb.write-batch-size", &[], MemorySize, "2 mb", Later(RocksDb)),
    opt("state.backend.rocksdb.writebuffer.count", &["state.backend.rocksdb.write-buffer-count"], Int, "2", Later(RocksDb)),
    opt("state.backend.rocksdb.writebuffer.number-to-merge", &[], Int, "1", Later(RocksDb)),
    opt("state.backend.rocksdb.writebuffer.size", &["state.backend.rocksdb.write-buffer-size"], MemorySize, "64 mb", Later(RocksDb)),
];
