//! Values, lists, the table's own consistency, and distance.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::known::{self, Area, Kind, KnownOption, Verdict};
use super::list::{parse_list, parse_map, quote};
use super::nearest::{Work, distance, nearest};
use super::*;

#[test]
fn durations_take_flinks_units_and_bare_milliseconds() {
    let cases = [
        ("10 s", 10_000),
        ("10s", 10_000),
        ("500 ms", 500),
        ("1 min", 60_000),
        ("2min", 120_000),
        ("1 h", 3_600_000),
        ("30 d", 2_592_000_000),
        ("60000", 60_000),
        ("0 ms", 0),
        ("7 SECONDS", 7_000),
    ];
    for (text, millis) in cases {
        let parsed = Duration::parse_value(text);
        assert_eq!(parsed, Some(Duration::from_millis(millis)), "{text}");
        let again = format_duration(parsed.unwrap());
        assert_eq!(Duration::parse_value(&again), parsed, "{again}");
    }
    for text in [
        "",
        "s",
        "-1",
        "10 parsecs",
        "1.5 s",
        "18446744073709551615 d",
        "1 s 2",
    ] {
        assert_eq!(Duration::parse_value(text), None, "{text}");
    }
}

#[test]
fn sizes_are_binary_and_bare_numbers_bytes() {
    let cases = [
        ("8g", 8 << 30),
        ("256mb", 256 << 20),
        ("2gb", 2 << 30),
        ("64 KB", 64 << 10),
        ("1 tebibytes", 1 << 40),
        ("256 bytes", 256),
        ("123", 123),
        ("0 bytes", 0),
    ];
    for (text, bytes) in cases {
        assert_eq!(MemorySize::parse(text), Some(MemorySize(bytes)), "{text}");
        assert_eq!(
            MemorySize::parse(&MemorySize(bytes).to_string()),
            Some(MemorySize(bytes))
        );
    }
    for text in ["", "g", "-1", "1.5g", "1 parsec", "99999999999 t"] {
        assert_eq!(MemorySize::parse(text), None, "{text}");
    }
}

#[test]
fn lists_and_maps_split_outside_quotes() {
    let list = |text: &str| parse_list(text).unwrap();
    assert_eq!(list("a;b ; c;"), ["a", "b", "c"]);
    assert_eq!(list("'a;b';\"c\"\"d\";it's"), ["a;b", "c\"d", "it's"]);
    assert_eq!(list("[a, b]"), ["a", "b"]);
    assert_eq!(list(""), Vec::<String>::new());
    assert_eq!(parse_list("'never closed"), None);

    let map = |text: &str| parse_map(text).unwrap().into_iter().collect::<Vec<_>>();
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect::<Vec<_>>()
    };
    let weights = pairs(&[("OPERATOR", "70"), ("STATE_BACKEND", "30")]);
    assert_eq!(map("OPERATOR:70,STATE_BACKEND:30"), weights);
    assert_eq!(map("{OPERATOR: 70, STATE_BACKEND: 30}"), weights);
    assert_eq!(
        map("k:'a,b',url:http://h:80"),
        pairs(&[("k", "a,b"), ("url", "http://h:80")])
    );
    assert_eq!(parse_map("novalue"), None);
    assert_eq!(parse_map(""), Some(BTreeMap::new()));
    for text in ["a;b", "it's", " padded ", "[x]", "plain", ""] {
        assert_eq!(list(&quote(text)), [text], "{text}");
    }
}

#[test]
fn choices_ignore_case() {
    let choices = [("EXACTLY_ONCE", 1), ("AT_LEAST_ONCE", 2)];
    assert_eq!(parse_choice("at_least_once", &choices), Some(2));
    assert_eq!(parse_choice("never", &choices), None);
}

#[test]
fn distance_counts_edits_and_swaps_up_to_its_limit() {
    for (a, b, edits) in [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("abc", "acb", 1),
        ("kitten", "sitting", 3),
        ("parallelism.default", "paralel1sm.defautl", 3),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            for limit in 0..20 {
                let found = distance(a.as_bytes(), b.as_bytes(), limit, &mut Work::default());
                assert_eq!(found, (edits <= limit).then_some(edits), "{a} {b} {limit}");
            }
        }
    }
}

#[test]
fn the_nearest_key_is_found_without_comparing_what_is_far() {
    let near = |key: &str, limit| {
        let mut work = Work::default();
        (nearest(key, limit, &mut work), work.0)
    };
    let (found, _) = near("paralelism.default", usize::MAX);
    assert_eq!(found, Some(("parallelism.default", 1)));
    let spellings: Vec<_> = known::all().flat_map(KnownOption::spellings).collect();
    for &key in &spellings {
        let found = near(key, 0).0.unwrap().0;
        assert!(known::find(key).any(|option| option.key == found), "{key}");
    }
    // Someone's own keys: what is looked at of each spelling is a band as wide as a slip of the pen.
    let own = "com.example.orders.enrichment.cache.expire-after-write.minutes";
    let (found, work) = near(own, 2);
    assert_eq!(found, None);
    assert!(work <= spellings.len() * 5 * own.len() / 4, "{work}");
    // However long a key is, no more of it is compared than the longest known one could have.
    let long = "taskmanager.".repeat(100_000);
    assert_eq!(near(&long, 2), (None, 0));
    let (found, work) = near(&long, usize::MAX);
    assert!(found.is_some_and(|(_, distance)| distance > 1_000_000));
    assert!(work <= spellings.len() * 160 * 80, "{work}");
}

#[test]
fn no_key_stands_twice_and_every_default_is_of_its_kind() {
    let mut seen = HashMap::new();
    for option in known::all() {
        assert!(
            seen.insert(option.key, ()).is_none(),
            "{} stands twice",
            option.key
        );
        for default in option.default().iter().chain(&option.our_default) {
            assert_eq!(
                option.kind.check(default),
                Ok(()),
                "{}: {default}",
                option.key
            );
        }
    }
    for option in known::all() {
        for old in option.old_keys {
            assert!(
                !seen.contains_key(old),
                "{old} is both a key and an old spelling"
            );
        }
    }
    assert!(seen.len() >= 338, "{}", seen.len());
    for section in known::SECTIONS {
        assert!(
            section.options.is_sorted_by_key(|option| option.key),
            "{}",
            section.title
        );
    }
}

/// A function of its own: two hundred times in one it took the compiler minutes.
fn agrees<T: ConfigValue>(option: &ConfigOption<T>) -> &'static str {
    let known = known::find(option.key).next().unwrap();
    assert_eq!(known.key, option.key);
    assert_eq!(known.old_keys, option.old_keys, "{}", option.key);
    assert_eq!(known.default(), option.default, "{}", option.key);
    assert!(option.default.is_none() || Configuration::new().get(option).is_ok());
    assert!(!option.description.is_empty());
    option.key
}

#[test]
fn constants_agree_with_the_table_and_every_honoured_key_has_one() {
    let mut read = Vec::new();
    macro_rules! agree {
        ($($option:ident),* $(,)?) => {$(read.push(agrees(&options::$option));)*};
    }
    agree!(
        PARALLELISM_DEFAULT,
        PIPELINE_MAX_PARALLELISM,
        PIPELINE_AUTO_WATERMARK_INTERVAL,
        PIPELINE_NAME,
        PIPELINE_OPERATOR_CHAINING,
        EXECUTION_BUFFER_TIMEOUT_ENABLED,
        EXECUTION_BUFFER_TIMEOUT_INTERVAL,
        METRICS_LATENCY_INTERVAL,
        TASKMANAGER_NUM_TASK_SLOTS,
        TASKMANAGER_MEMORY_PROCESS_SIZE,
        TASKMANAGER_MEMORY_FLINK_SIZE,
        TASKMANAGER_MEMORY_MANAGED_SIZE,
        TASKMANAGER_MEMORY_MANAGED_FRACTION,
        TASKMANAGER_MEMORY_NETWORK_SIZE,
        TASKMANAGER_MEMORY_NETWORK_FRACTION,
        TASKMANAGER_MEMORY_NETWORK_MIN,
        TASKMANAGER_MEMORY_NETWORK_MAX,
        BUFFER_DEBLOAT_ENABLED,
        BUFFER_DEBLOAT_TARGET,
        STATE_BACKEND,
        ROCKSDB_BLOCK_SIZE,
        ROCKSDB_BLOCK_CACHE_SIZE,
        ROCKSDB_METADATA_BLOCK_SIZE,
        ROCKSDB_BLOOM_BITS,
        ROCKSDB_PERIODIC_COMPACTION,
        ROCKSDB_LEVEL_BASE_SIZE,
        ROCKSDB_TARGET_FILE_SIZE,
        ROCKSDB_DYNAMIC_LEVELS,
        ROCKSDB_COMPACTION_STYLE,
        ROCKSDB_COMPRESSION,
        ROCKSDB_FILES_OPEN,
        ROCKSDB_LOCAL_DIR,
        ROCKSDB_LOG_DIR,
        ROCKSDB_LOG_FILES,
        ROCKSDB_LOG_LEVEL,
        ROCKSDB_LOG_FILE_SIZE,
        ROCKSDB_MEMORY_PER_SLOT,
        ROCKSDB_MEMORY_PER_TM,
        ROCKSDB_MEMORY_MANAGED,
        ROCKSDB_PARTITIONED_INDEX,
        ROCKSDB_WRITE_BUFFER_RATIO,
        ROCKSDB_PREDEFINED,
        ROCKSDB_DELETE_FILES_IN_RANGE,
        ROCKSDB_OVERLAP_THRESHOLD,
        ROCKSDB_THREADS,
        ROCKSDB_TTL_FILTER,
        ROCKSDB_USE_BLOOM,
        ROCKSDB_WRITE_BATCH_SIZE,
        ROCKSDB_WRITE_BUFFERS,
        ROCKSDB_WRITE_BUFFERS_TO_MERGE,
        ROCKSDB_WRITE_BUFFER_SIZE,
        IO_TMP_DIRS,
        REPORTERS,
        REPORTER_PROM_FACTORY_CLASS,
        REPORTER_PROM_PORT,
        REPORTER_PROM_HOST,
        REPORTER_PROM_FILTER,
        REST_PORT,
        REST_BIND_PORT,
        REST_BIND_ADDRESS,
        REST_ADDRESS,
        CHECKPOINTING_INTERVAL,
        CHECKPOINTING_MIN_PAUSE,
        CHECKPOINTING_TIMEOUT,
        CHECKPOINTING_MAX_CONCURRENT,
        CHECKPOINTING_TOLERABLE_FAILURES,
        CHECKPOINTING_NUM_RETAINED,
        CHECKPOINTING_INLINE_THRESHOLD,
        CHECKPOINTING_RETENTION,
        CHECKPOINTING_UNALIGNED,
        CHECKPOINTING_ALIGNED_TIMEOUT,
        CHECKPOINTING_DIR,
        CHECKPOINTING_STORAGE,
        CHECKPOINTING_SAVEPOINT_DIR,
        WEB_CHECKPOINTS_HISTORY,
        WEB_EXCEPTION_HISTORY_SIZE,
        RECOVERY_PATH,
        S3_ENDPOINT,
        S3_ACCESS_KEY,
        S3_SECRET_KEY,
        S3_PATH_STYLE_ACCESS,
        S3_ENDPOINT_REGION,
        RECOVERY_IGNORE_UNCLAIMED_STATE,
        TASK_CANCELLATION_TIMEOUT,
        RESTART_STRATEGY,
        FIXED_DELAY_ATTEMPTS,
        FIXED_DELAY_DELAY,
        FAILURE_RATE_MAX_FAILURES,
        FAILURE_RATE_INTERVAL,
        FAILURE_RATE_DELAY,
        EXPONENTIAL_DELAY_INITIAL_BACKOFF,
        EXPONENTIAL_DELAY_MAX_BACKOFF,
        EXPONENTIAL_DELAY_MULTIPLIER,
        EXPONENTIAL_DELAY_RESET_THRESHOLD,
        EXPONENTIAL_DELAY_JITTER_FACTOR,
        EXPONENTIAL_DELAY_ATTEMPTS,
        HA_TYPE,
        HEARTBEAT_INTERVAL,
        HEARTBEAT_TIMEOUT,
        JOBMANAGER_RPC_ADDRESS,
        JOBMANAGER_RPC_PORT,
        SLOT_REQUEST_TIMEOUT,
        JOBMANAGER_SCHEDULER,
        SCHEDULER_MODE,
        COOLDOWN_AFTER_RESCALING,
        EXECUTING_STABILIZATION,
        SUBMISSION_STABILIZATION,
        SUBMISSION_WAIT,
        TASKMANAGER_DATA_PORT,
        TASKMANAGER_HOST,
        TASKMANAGER_REGISTRATION_TIMEOUT,
        NETWORK_COMPRESSION_ENABLED,
        NETWORK_COMPRESSION_CODEC,
        SSL_INTERNAL_ENABLED,
        SSL_INTERNAL_KEYSTORE,
        SSL_INTERNAL_KEYSTORE_TYPE,
        SSL_INTERNAL_TRUSTSTORE,
        SSL_INTERNAL_TRUSTSTORE_TYPE,
        SSL_REST_ENABLED,
        SSL_REST_AUTHENTICATION_ENABLED,
        SSL_REST_KEYSTORE,
        SSL_REST_KEYSTORE_TYPE,
        SSL_REST_TRUSTSTORE,
        SSL_REST_TRUSTSTORE_TYPE,
        SSL_KEYSTORE,
        SSL_TRUSTSTORE,
        PROCESS_WORKING_DIR,
        PROCESS_JOBMANAGER_WORKING_DIR,
        PROCESS_TASKMANAGER_WORKING_DIR,
        JOBMANAGER_MEMORY_PROCESS_SIZE,
        JOBSTORE_EXPIRATION_TIME,
        JOBSTORE_MAX_CAPACITY,
        REST_SERVER_MAX_CONTENT_LENGTH,
        REST_TOKEN,
        REST_INSECURE,
        HA_LEASE_DURATION,
        HA_LEASE_RENEW_INTERVAL,
        COPIES_DIR,
        COPIES_S3_ENDPOINT,
        COPIES_S3_REGION,
        COPIES_S3_ACCESS_KEY,
        COPIES_S3_SECRET_KEY,
        COPIES_S3_PATH_STYLE_ACCESS,
        STATE_RESIDENT_KEYS,
        THREADS,
    );
    for option in known::all().filter(|option| option.verdict == Verdict::Honoured) {
        assert!(
            read.contains(&option.key),
            "{} is honoured and has no constant",
            option.key
        );
    }
}

#[test]
fn the_longest_family_decides() {
    let verdict = |key| known::family_of(key).map(|family| family.verdict);
    assert_eq!(verdict("taskmanager.nonsense"), Some(None));
    let netty = verdict("taskmanager.network.netty.anything").flatten();
    assert!(matches!(netty, Some(Verdict::NoMeaning(_))));
    let prom = verdict("metrics.reporter.prom.port").flatten();
    assert_eq!(prom, Some(Verdict::Later(Area::Metrics)));
    assert_eq!(verdict("s3.access-key"), None);
    assert_eq!(verdict("rheos.nonsense"), Some(None));
    assert!(Kind::Timeout.check("-1").is_ok() && Kind::Timeout.check("x").is_err());
}
