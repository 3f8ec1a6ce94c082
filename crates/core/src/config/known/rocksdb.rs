//! RocksDB state.

use super::Kind::{Bool, Duration, Enum, Float, Int, List, MemorySize, Str};
use super::Verdict::{Honoured, NoMeaning};
use super::reason::{
    NO_JAVA_CLASS, ROCKS_CLOCK, ROCKS_FILTERS, ROCKS_PRIO, ROCKS_RANGES, ROCKS_TIMERS,
    ROCKS_TRANSFER,
};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("state.backend.rocksdb.block.blocksize", &[], MemorySize, "4 kb", Honoured),
    opt("state.backend.rocksdb.block.cache-size", &[], MemorySize, "8 mb", Honoured),
    opt("state.backend.rocksdb.block.metadata-blocksize", &[], MemorySize, "4 kb", Honoured),
    opt("state.backend.rocksdb.bloom-filter.bits-per-key", &[], Float, "10.0", Honoured),
    opt("state.backend.rocksdb.bloom-filter.block-based-mode", &[], Bool, "false", NoMeaning(ROCKS_FILTERS)),
    opt("state.backend.rocksdb.checkpoint.transfer.thread.num", &["state.backend.rocksdb.checkpoint.transfer-thread-num"], Int, "4", NoMeaning(ROCKS_TRANSFER)),
    opt("state.backend.rocksdb.compaction.filter.periodic-compaction-time", &[], Duration, "30 d", Honoured),
    opt("state.backend.rocksdb.compaction.filter.query-time-after-num-entries", &[], Int, "1000", NoMeaning(ROCKS_CLOCK)),
    opt("state.backend.rocksdb.compaction.level.max-size-level-base", &[], MemorySize, "256 mb", Honoured),
    opt("state.backend.rocksdb.compaction.level.target-file-size-base", &[], MemorySize, "64 mb", Honoured),
    opt("state.backend.rocksdb.compaction.level.use-dynamic-size", &[], Bool, "false", Honoured),
    opt("state.backend.rocksdb.compaction.style", &[], Enum(&["LEVEL", "UNIVERSAL", "FIFO", "NONE"]), "LEVEL", Honoured),
    opt("state.backend.rocksdb.compression.per.level", &[], List, "SNAPPY_COMPRESSION", Honoured),
    opt("state.backend.rocksdb.files.open", &[], Int, "-1", Honoured),
    opt("state.backend.rocksdb.incremental-restore-async-compact-after-rescale", &[], Bool, "false", NoMeaning(ROCKS_RANGES)),
    opt("state.backend.rocksdb.localdir", &[], Str, "", Honoured),
    opt("state.backend.rocksdb.log.dir", &[], Str, "", Honoured),
    opt("state.backend.rocksdb.log.file-num", &[], Int, "4", Honoured),
    opt("state.backend.rocksdb.log.level", &[], Str, "INFO_LEVEL", Honoured),
    opt("state.backend.rocksdb.log.max-file-size", &[], MemorySize, "25 mb", Honoured),
    opt("state.backend.rocksdb.memory.fixed-per-slot", &[], MemorySize, "", Honoured),
    opt("state.backend.rocksdb.memory.fixed-per-tm", &[], MemorySize, "", Honoured),
    opt("state.backend.rocksdb.memory.high-prio-pool-ratio", &[], Float, "0.1", NoMeaning(ROCKS_PRIO)),
    opt("state.backend.rocksdb.memory.managed", &[], Bool, "true", Honoured),
    opt("state.backend.rocksdb.memory.partitioned-index-filters", &[], Bool, "false", Honoured),
    opt("state.backend.rocksdb.memory.write-buffer-ratio", &[], Float, "0.5", Honoured),
    opt("state.backend.rocksdb.options-factory", &[], Str, "", NoMeaning(NO_JAVA_CLASS)),
    opt("state.backend.rocksdb.predefined-options", &[], Str, "DEFAULT", Honoured),
    opt("state.backend.rocksdb.rescaling.use-delete-files-in-range", &[], Bool, "false", Honoured),
    opt("state.backend.rocksdb.restore-overlap-fraction-threshold", &[], Float, "0.0", Honoured),
    opt("state.backend.rocksdb.thread.num", &[], Int, "2", Honoured),
    opt("state.backend.rocksdb.timer-service.cache-size", &[], Int, "128", NoMeaning(ROCKS_TIMERS)),
    opt("state.backend.rocksdb.timer-service.factory", &[], Enum(&["HEAP", "ROCKSDB"]), "ROCKSDB", NoMeaning(ROCKS_TIMERS)),
    opt("state.backend.rocksdb.ttl.compaction.filter.enabled", &[], Bool, "true", Honoured),
    opt("state.backend.rocksdb.use-bloom-filter", &[], Bool, "false", Honoured).ours("true"),
    opt("state.backend.rocksdb.use-ingest-db-restore-mode", &[], Bool, "false", NoMeaning(ROCKS_RANGES)),
    opt("state.backend.rocksdb.write-batch-size", &[], MemorySize, "2 mb", Honoured).ours("128 kb"),
    opt("state.backend.rocksdb.writebuffer.count", &["state.backend.rocksdb.write-buffer-count"], Int, "2", Honoured),
    opt("state.backend.rocksdb.writebuffer.number-to-merge", &[], Int, "1", Honoured),
    opt("state.backend.rocksdb.writebuffer.size", &["state.backend.rocksdb.write-buffer-size"], MemorySize, "64 mb", Honoured),
];
