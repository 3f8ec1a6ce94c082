//! The options of the RocksDB state backend; they belong to [`super::options`], which shows them.

use std::time::Duration;

use super::memory_size::MemorySize;
use super::option::ConfigOption;

macro_rules! options {
    ($($name:ident: $type:ty = $key:literal, $old:expr, $default:expr, $text:literal;)*) => {$(
        #[doc = $text]
        pub const $name: ConfigOption<$type> = {
            let option = ConfigOption::new($key, $text).old_keys(&$old);
            match $default {
                Some(default) => option.default(default),
                None => option,
            }
        };
    )*};
}

const NONE: Option<&str> = None;

options! {
    STATE_BACKEND: String = "state.backend.type", ["state.backend"], Some("hashmap"),
        "Where keyed state is kept: `hashmap` or `rocksdb`.";
    ROCKSDB_BLOCK_SIZE: MemorySize = "state.backend.rocksdb.block.blocksize", [], Some("4 kb"),
        "Bytes of rows in a block.";
    ROCKSDB_BLOCK_CACHE_SIZE: MemorySize = "state.backend.rocksdb.block.cache-size", [], Some("8 mb"),
        "The block cache of one operator, where memory is not shared.";
    ROCKSDB_METADATA_BLOCK_SIZE: MemorySize = "state.backend.rocksdb.block.metadata-blocksize", [], Some("4 kb"),
        "Bytes of a block of a partitioned index or filter.";
    ROCKSDB_BLOOM_BITS: f64 = "state.backend.rocksdb.bloom-filter.bits-per-key", [], Some("10.0"),
        "Bits that a bloom filter has for each key.";
    ROCKSDB_PERIODIC_COMPACTION: Duration = "state.backend.rocksdb.compaction.filter.periodic-compaction-time", [], Some("30 d"),
        "Files older than this are compacted, so that what is expired goes; 0 turns it off.";
    ROCKSDB_LEVEL_BASE_SIZE: MemorySize = "state.backend.rocksdb.compaction.level.max-size-level-base", [], Some("256 mb"),
        "Bytes of the first level below the newest files.";
    ROCKSDB_TARGET_FILE_SIZE: MemorySize = "state.backend.rocksdb.compaction.level.target-file-size-base", [], Some("64 mb"),
        "Bytes of a file of that level.";
    ROCKSDB_DYNAMIC_LEVELS: bool = "state.backend.rocksdb.compaction.level.use-dynamic-size", [], Some("false"),
        "Whether the sizes of levels follow that of the last one.";
    ROCKSDB_COMPACTION_STYLE: String = "state.backend.rocksdb.compaction.style", [], Some("LEVEL"),
        "How files are compacted: LEVEL, UNIVERSAL or NONE.";
    ROCKSDB_COMPRESSION: Vec<String> = "state.backend.rocksdb.compression.per.level", [], Some("SNAPPY_COMPRESSION"),
        "Compression by level, from the newest files; the last one holds for all that follow.";
    ROCKSDB_FILES_OPEN: i32 = "state.backend.rocksdb.files.open", [], Some("-1"),
        "Files that one operator keeps open; -1 for all.";
    ROCKSDB_LOCAL_DIR: String = "state.backend.rocksdb.localdir", [], NONE,
        "Where the files lie while the job runs: one folder, or several between which operators are dealt out.";
    ROCKSDB_LOG_DIR: String = "state.backend.rocksdb.log.dir", [], NONE,
        "Where RocksDB writes its own log; unset means with its files.";
    ROCKSDB_LOG_FILES: u32 = "state.backend.rocksdb.log.file-num", [], Some("4"),
        "Files of its log that are kept.";
    ROCKSDB_LOG_LEVEL: String = "state.backend.rocksdb.log.level", [], Some("INFO_LEVEL"),
        "What is in its log.";
    ROCKSDB_LOG_FILE_SIZE: MemorySize = "state.backend.rocksdb.log.max-file-size", [], Some("25 mb"),
        "Bytes of a file of its log; 0 for no bound.";
    ROCKSDB_MEMORY_PER_SLOT: MemorySize = "state.backend.rocksdb.memory.fixed-per-slot", [], NONE,
        "Memory for state a slot, instead of managed memory.";
    ROCKSDB_MEMORY_PER_TM: MemorySize = "state.backend.rocksdb.memory.fixed-per-tm", [], NONE,
        "Memory for state of the process, where managed memory is not used.";
    ROCKSDB_MEMORY_MANAGED: bool = "state.backend.rocksdb.memory.managed", [], Some("true"),
        "Whether state has the managed memory of the process.";
    ROCKSDB_PARTITIONED_INDEX: bool = "state.backend.rocksdb.memory.partitioned-index-filters", [], Some("false"),
        "Whether indexes and filters are in blocks of their own, of which only those in use are in memory.";
    ROCKSDB_WRITE_BUFFER_RATIO: f64 = "state.backend.rocksdb.memory.write-buffer-ratio", [], Some("0.5"),
        "The share of write buffers in RocksDB's part of the memory.";
    ROCKSDB_PREDEFINED: String = "state.backend.rocksdb.predefined-options", [], Some("DEFAULT"),
        "Settings for a kind of disk, below those that are given by key.";
    ROCKSDB_DELETE_FILES_IN_RANGE: bool = "state.backend.rocksdb.rescaling.use-delete-files-in-range", [], Some("false"),
        "Whether files with other subtasks' key groups alone are deleted at once after a change of parallelism.";
    ROCKSDB_OVERLAP_THRESHOLD: f64 = "state.backend.rocksdb.restore-overlap-fraction-threshold", [], Some("0.0"),
        "The least share of its key groups that a former subtask's files must give for being taken over whole.";
    ROCKSDB_THREADS: u32 = "state.backend.rocksdb.thread.num", [], Some("2"),
        "Flushes and compactions of one operator at one time.";
    ROCKSDB_TTL_FILTER: bool = "state.backend.rocksdb.ttl.compaction.filter.enabled", [], Some("true"),
        "Whether compaction drops what is expired.";
    ROCKSDB_USE_BLOOM: bool = "state.backend.rocksdb.use-bloom-filter", [], Some("true"),
        "Whether files have bloom filters.";
    ROCKSDB_WRITE_BATCH_SIZE: MemorySize = "state.backend.rocksdb.write-batch-size", [], Some("128 kb"),
        "Bytes that a task writes to RocksDB at one time, which no row overtakes: 2 MB of small records take it some 60 ms. 0 for a bound by number alone.";
    ROCKSDB_WRITE_BUFFERS: i32 = "state.backend.rocksdb.writebuffer.count", ["state.backend.rocksdb.write-buffer-count"], Some("2"),
        "Write buffers of a state.";
    ROCKSDB_WRITE_BUFFERS_TO_MERGE: i32 = "state.backend.rocksdb.writebuffer.number-to-merge", [], Some("1"),
        "Write buffers that are merged before they are written.";
    ROCKSDB_WRITE_BUFFER_SIZE: MemorySize = "state.backend.rocksdb.writebuffer.size", ["state.backend.rocksdb.write-buffer-size"], Some("64 mb"),
        "Bytes of a write buffer.";
    IO_TMP_DIRS: String = "io.tmp.dirs", ["taskmanager.tmp.dirs"], NONE,
        "Folders for files that a run needs; unset means the system's.";
}
