//! What a configuration says of RocksDB, under Flink's keys, and RocksDB's own options made of it.

use std::path::PathBuf;
use std::time::Duration;

use rheos_core::config::options as keys;
use rheos_core::config::{ConfigError, Configuration};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, LogLevel,
    Options,
};

use crate::local_folder::roots_of;

const MB: usize = 1 << 20;

/// The settings of the databases of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct RocksOptions {
    /// Folders between which databases are dealt out; the system's for temporary files without any.
    pub folders: Vec<PathBuf>,
    /// Bytes of memory that all of them share with the tables in front of them; none if each has its
    /// own.
    pub shared_memory: Option<u64>,
    pub(super) resident_keys: Option<usize>,
    pub(super) write_buffer_ratio: f64,
    pub(super) block_cache: usize,
    pub(super) write_batch: usize,
    pub(super) ttl_filter: bool,
    pub(super) delete_files_in_range: bool,
    pub(super) overlap_threshold: f64,
    block: usize,
    metadata_block: usize,
    bloom_bits: Option<f64>,
    partitioned: bool,
    periodic: Duration,
    level_base: u64,
    file_size: u64,
    dynamic_levels: bool,
    style: Style,
    compression: Vec<DBCompressionType>,
    files_open: i32,
    threads: u32,
    write_buffer: usize,
    write_buffers: i32,
    write_buffers_to_merge: i32,
    log_dir: Option<PathBuf>,
    log_files: usize,
    log_level: LogLevel,
    log_file_size: usize,
    fsync: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Level,
    Universal,
    None,
}

fn compression_of(
    conf: &Configuration,
    names: &[String],
) -> Result<Vec<DBCompressionType>, ConfigError> {
    let one = |name: &String| match name.trim().to_ascii_uppercase().as_str() {
        "NO_COMPRESSION" => Ok(DBCompressionType::None),
        "SNAPPY_COMPRESSION" => Ok(DBCompressionType::Snappy),
        "LZ4_COMPRESSION" => Ok(DBCompressionType::Lz4),
        "LZ4HC_COMPRESSION" => Ok(DBCompressionType::Lz4hc),
        "ZSTD_COMPRESSION" => Ok(DBCompressionType::Zstd),
        _ => Err(conf.bad_value(
            keys::ROCKSDB_COMPRESSION.key,
            "a list of NO_COMPRESSION, SNAPPY_COMPRESSION, LZ4_COMPRESSION, LZ4HC_COMPRESSION and \
             ZSTD_COMPRESSION (others are not built in)",
        )),
    };
    names.iter().map(one).collect()
}

impl RocksOptions {
    /// What a configuration says; `managed` is the managed memory of the process.
    ///
    /// # Errors
    /// If a value is not of its type or out of its range.
    pub fn from_configuration(conf: &Configuration, managed: u64) -> Result<Self, ConfigError> {
        let bytes =
            |size: rheos_core::config::MemorySize| usize::try_from(size.0).unwrap_or(usize::MAX);
        let predefined = Predefined::of(conf)?;
        let share = |option: &rheos_core::config::ConfigOption<f64>| match conf.get(option)? {
            ratio if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err(conf.bad_value(option.key, "a number from 0 to 1")),
        };
        let slots = u64::from(conf.task_slots()?);
        let per_slot = conf.get_set(&keys::ROCKSDB_MEMORY_PER_SLOT)?;
        let per_tm = conf.get_set(&keys::ROCKSDB_MEMORY_PER_TM)?;
        let managed_is_set = conf.get_set(&keys::ROCKSDB_MEMORY_MANAGED)?;
        let shared_memory = match (per_slot, managed_is_set, per_tm) {
            (Some(size), _, _) => Some(size.bytes().saturating_mul(slots)),
            (None, Some(true), _) | (None, None, None) => Some(managed),
            (None, _, Some(size)) => Some(size.bytes()),
            (None, Some(false), None) => None,
        };
        let style = match conf
            .get(&keys::ROCKSDB_COMPACTION_STYLE)?
            .to_ascii_uppercase()
            .as_str()
        {
            "LEVEL" => Style::Level,
            "UNIVERSAL" => Style::Universal,
            "NONE" => Style::None,
            _ => {
                let expected = "LEVEL, UNIVERSAL or NONE (FIFO drops the oldest files, which for \
                                state is a loss)";
                return Err(conf.bad_value(keys::ROCKSDB_COMPACTION_STYLE.key, expected));
            }
        };
        let log_level = match conf
            .get(&keys::ROCKSDB_LOG_LEVEL)?
            .to_ascii_uppercase()
            .as_str()
        {
            "DEBUG_LEVEL" => LogLevel::Debug,
            "INFO_LEVEL" => LogLevel::Info,
            "WARN_LEVEL" => LogLevel::Warn,
            "ERROR_LEVEL" => LogLevel::Error,
            "FATAL_LEVEL" => LogLevel::Fatal,
            "HEADER_LEVEL" => LogLevel::Header,
            _ => {
                let expected =
                    "DEBUG_LEVEL, INFO_LEVEL, WARN_LEVEL, ERROR_LEVEL, FATAL_LEVEL or HEADER_LEVEL";
                return Err(conf.bad_value(keys::ROCKSDB_LOG_LEVEL.key, expected));
            }
        };
        let use_bloom = conf.get(&keys::ROCKSDB_USE_BLOOM)?;
        let or =
            |set: Option<rheos_core::config::MemorySize>, other: usize| set.map_or(other, bytes);
        let compression = match conf.get_set(&keys::ROCKSDB_COMPRESSION)? {
            Some(names) => compression_of(conf, &names)?,
            None => vec![DBCompressionType::Snappy],
        };
        Ok(Self {
            folders: roots_of(conf)?,
            shared_memory,
            resident_keys: conf
                .get_set(&keys::STATE_RESIDENT_KEYS)?
                .map(|keys| usize::try_from(keys).unwrap_or(usize::MAX)),
            write_buffer_ratio: share(&keys::ROCKSDB_WRITE_BUFFER_RATIO)?,
            block_cache: or(
                conf.get_set(&keys::ROCKSDB_BLOCK_CACHE_SIZE)?,
                predefined.block_cache,
            ),
            write_batch: bytes(conf.get(&keys::ROCKSDB_WRITE_BATCH_SIZE)?),
            ttl_filter: conf.get(&keys::ROCKSDB_TTL_FILTER)?,
            delete_files_in_range: conf.get(&keys::ROCKSDB_DELETE_FILES_IN_RANGE)?,
            overlap_threshold: share(&keys::ROCKSDB_OVERLAP_THRESHOLD)?,
            block: or(conf.get_set(&keys::ROCKSDB_BLOCK_SIZE)?, predefined.block),
            metadata_block: bytes(conf.get(&keys::ROCKSDB_METADATA_BLOCK_SIZE)?),
            bloom_bits: match use_bloom {
                true => Some(conf.get(&keys::ROCKSDB_BLOOM_BITS)?),
                false => None,
            },
            partitioned: conf.get(&keys::ROCKSDB_PARTITIONED_INDEX)?,
            periodic: conf.get(&keys::ROCKSDB_PERIODIC_COMPACTION)?,
            level_base: or(
                conf.get_set(&keys::ROCKSDB_LEVEL_BASE_SIZE)?,
                predefined.level_base,
            ) as u64,
            file_size: or(
                conf.get_set(&keys::ROCKSDB_TARGET_FILE_SIZE)?,
                predefined.file_size,
            ) as u64,
            dynamic_levels: conf
                .get_set(&keys::ROCKSDB_DYNAMIC_LEVELS)?
                .unwrap_or(predefined.dynamic_levels),
            style,
            compression,
            files_open: conf.get(&keys::ROCKSDB_FILES_OPEN)?,
            threads: conf
                .get_set(&keys::ROCKSDB_THREADS)?
                .unwrap_or(predefined.threads)
                .max(1),
            write_buffer: or(
                conf.get_set(&keys::ROCKSDB_WRITE_BUFFER_SIZE)?,
                predefined.write_buffer,
            ),
            write_buffers: conf
                .get_set(&keys::ROCKSDB_WRITE_BUFFERS)?
                .unwrap_or(predefined.write_buffers),
            write_buffers_to_merge: conf
                .get_set(&keys::ROCKSDB_WRITE_BUFFERS_TO_MERGE)?
                .unwrap_or(predefined.to_merge),
            log_dir: conf.get_set(&keys::ROCKSDB_LOG_DIR)?.map(PathBuf::from),
            log_files: conf.get(&keys::ROCKSDB_LOG_FILES)?.max(1) as usize,
            log_level,
            log_file_size: bytes(conf.get(&keys::ROCKSDB_LOG_FILE_SIZE)?),
            fsync: false,
        })
    }

    /// The options of a database.
    pub(super) fn database(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_open_files(self.files_open);
        let threads = i32::try_from(self.threads).unwrap_or(i32::MAX);
        options.set_max_background_jobs(threads);
        options.set_use_fsync(self.fsync);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_keep_log_file_num(self.log_files);
        options.set_log_level(self.log_level);
        options.set_max_log_file_size(self.log_file_size);
        if let Some(folder) = &self.log_dir {
            options.set_db_log_dir(folder);
        }
        options
    }

    /// The options of a column family. Write buffers are at most `write_buffer_bound`, so that those
    /// of all families fit into what they share.
    pub(super) fn family(&self, cache: &Cache, write_buffer_bound: usize) -> Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(cache);
        blocks.set_block_size(self.block);
        blocks.set_metadata_block_size(self.metadata_block);
        blocks.set_format_version(5);
        if let Some(bits) = self.bloom_bits {
            blocks.set_bloom_filter(bits, false);
            blocks.set_whole_key_filtering(true);
        }
        // Indexes and filters are charged to the budget like blocks.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        if self.partitioned {
            blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
            blocks.set_partition_filters(self.bloom_bits.is_some());
            blocks.set_pin_top_level_index_and_filter(true);
        }
        let mut options = Options::default();
        options.set_block_based_table_factory(&blocks);
        let write_buffer = self.write_buffer.min(write_buffer_bound).max(64 << 10);
        options.set_write_buffer_size(write_buffer);
        // Arenas are charged as they are reserved.
        options.set_arena_block_size((write_buffer / 8).clamp(4 << 10, MB));
        options.set_max_write_buffer_number(self.write_buffers.max(2));
        options.set_min_write_buffer_number_to_merge(self.write_buffers_to_merge.max(1));
        options.set_max_bytes_for_level_base(self.level_base);
        options.set_target_file_size_base(self.file_size);
        options.set_level_compaction_dynamic_level_bytes(self.dynamic_levels);
        match self.style {
            Style::Level => options.set_compaction_style(DBCompactionStyle::Level),
            Style::Universal => options.set_compaction_style(DBCompactionStyle::Universal),
            Style::None => options.set_disable_auto_compactions(true),
        }
        match self.compression.as_slice() {
            [] => options.set_compression_type(DBCompressionType::None),
            [only] => options.set_compression_type(*only),
            levels => {
                let last = levels.last().copied().unwrap_or(DBCompressionType::None);
                let mut all = levels.to_vec();
                all.resize(LEVELS.max(all.len()), last);
                all.truncate(LEVELS);
                options.set_compression_per_level(&all);
            }
        }
        options
    }

    /// After how many seconds files are compacted because of their age; none if never.
    pub(super) fn periodic_seconds(&self) -> Option<u64> {
        (!self.periodic.is_zero()).then(|| self.periodic.as_secs().max(1))
    }
}

/// Levels of a database.
const LEVELS: usize = 7;

/// What Flink's predefined settings give.
struct Predefined {
    block: usize,
    block_cache: usize,
    level_base: usize,
    file_size: usize,
    dynamic_levels: bool,
    threads: u32,
    write_buffer: usize,
    write_buffers: i32,
    to_merge: i32,
}

impl Predefined {
    fn of(conf: &Configuration) -> Result<Self, ConfigError> {
        let default = Self {
            block: 4 << 10,
            block_cache: 8 * MB,
            level_base: 256 * MB,
            file_size: 64 * MB,
            dynamic_levels: false,
            threads: 2,
            write_buffer: 64 * MB,
            write_buffers: 2,
            to_merge: 1,
        };
        let name = conf.get(&keys::ROCKSDB_PREDEFINED)?.to_ascii_uppercase();
        Ok(match name.as_str() {
            "DEFAULT" => default,
            "SPINNING_DISK_OPTIMIZED" => Self {
                dynamic_levels: true,
                threads: 4,
                ..default
            },
            "SPINNING_DISK_OPTIMIZED_HIGH_MEM" => Self {
                block: 128 << 10,
                block_cache: 256 * MB,
                level_base: 1024 * MB,
                file_size: 256 * MB,
                dynamic_levels: true,
                threads: 4,
                write_buffer: 64 * MB,
                write_buffers: 4,
                to_merge: 3,
            },
            "FLASH_SSD_OPTIMIZED" => Self {
                threads: 4,
                ..default
            },
            _ => {
                let expected = "DEFAULT, SPINNING_DISK_OPTIMIZED, SPINNING_DISK_OPTIMIZED_HIGH_MEM \
                                or FLASH_SSD_OPTIMIZED";
                return Err(conf.bad_value(keys::ROCKSDB_PREDEFINED.key, expected));
            }
        })
    }
}
