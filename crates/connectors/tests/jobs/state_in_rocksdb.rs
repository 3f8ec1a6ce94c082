//! A job with its keyed state in RocksDB fails, is stopped and is started again, at other parallelisms:
//! each row is counted once, whatever goes to the store and comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rheos::cluster::checkpoint::manifest::Manifest;
use rheos::prelude::*;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

use crate::common::shown::lines_shown;

/// What there was of a key when its timer fired.
#[derive(Row, Clone, Debug)]
struct Seen {
    key: u64,
    rows: u64,
    kinds: u64,
    last: u64,
}

/// Counts rows, and what they are modulo five, until a second after the key's first one.
struct Counting {
    rows: ValueState<u64>,
    kinds: MapState<u64, u64>,
    last: ListState<u64>,
}

impl KeyedProcessFunction<u64, u64, Seen> for Counting {
    fn process(
        &mut self,
        row: u64,
        context: &KeyedContext<'_, u64>,
        _out: &mut Collector<'_, Seen>,
    ) -> Result<(), BoxError> {
        if self.rows.get().is_none() {
            context.register_event_time_timer(row as i64 + 1_000);
        }
        self.rows.modify(|rows| *rows = Some(rows.unwrap_or(0) + 1));
        self.kinds.upsert(row % 5, 0, |count| *count += 1);
        self.last.add(row);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: i64,
        _domain: TimeDomain,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Seen>,
    ) -> Result<(), BoxError> {
        let rows = self.rows.take().unwrap_or(0);
        let kinds = self.kinds.values().iter().sum();
        let last = self.last.take();
        self.kinds.clear();
        assert_eq!(
            rows,
            last.len() as u64,
            "key {} at {timestamp}",
            context.key()
        );
        out.collect(Seen {
            key: *context.key(),
            rows,
            kinds,
            last: last.last().copied().unwrap_or(0),
        });
        Ok(())
    }
}

const KEYS: u64 = 1_013;
const ROWS: u64 = 30_000;

fn describe(
    env: &StreamEnv,
    out: &Path,
    trouble: Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync>,
) {
    env.name("counts");
    let source = DataGeneratorSource::with_timestamps(|k| (k, k as i64), ROWS).strided();
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(500));
    env.from_source_with_rate(source, strategy, "numbers", 40_000.0)
        .try_map(move |k: u64| trouble(k))
        .key_by(|k: &u64| k % KEYS)
        .process(|open| {
            Ok(Counting {
                rows: open.value_state("rows")?,
                kinds: open.map_state("kinds")?,
                last: open.list_state("last")?,
            })
        })
        .sink_to(FileSink::new(JsonLines, out));
}

/// Every row is in one of the lines of its key.
fn check(out: &Path) {
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, row) in lines_shown(out) {
        let number = |field: &str| row[field].as_u64().unwrap();
        assert_eq!(number("rows"), number("kinds"), "{row}");
        *found.entry(number("key")).or_default() += number("rows");
    }
    let mut expected: BTreeMap<u64, u64> = BTreeMap::new();
    for k in 0..ROWS {
        *expected.entry(k % KEYS).or_default() += 1;
    }
    assert_eq!(found, expected);
}

/// Whether this build has RocksDB.
fn is_built_in() -> bool {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", "rocksdb");
    let built = BackendKind::from_configuration(&conf).is_ok();
    if !built {
        println!("skipped test state_in_rocksdb: built without the feature `rocksdb` of rheos");
    }
    built
}

fn configuration(folder: &Path) -> Configuration {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", "rocksdb");
    conf.set("rheos.state.resident-keys", 50);
    conf.set(
        "state.backend.rocksdb.localdir",
        folder.join("local").display(),
    );
    conf.set("execution.checkpointing.interval", "20 ms");
    conf.set("execution.checkpointing.num-retained", 2);
    conf.set("restart-strategy.type", "fixed-delay");
    conf.set("restart-strategy.fixed-delay.delay", "1 ms");
    conf.set("restart-strategy.fixed-delay.attempts", 5);
    conf.set(
        "execution.checkpointing.dir",
        folder.join("store").display(),
    );
    conf
}

/// The row of this number fails the first so many times.
fn failing(at: u64, times: u64) -> Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync> {
    let failed = AtomicU64::new(0);
    Arc::new(move |k| {
        if k == at && failed.fetch_add(1, Ordering::SeqCst) < times {
            return Err(format!("row {k} is one too many").into());
        }
        Ok(k)
    })
}

/// Shared files that the manifests of a job's checkpoints name, and those that there are.
fn shared(job: &Path) -> (Vec<String>, Vec<String>) {
    let mut named = Vec::new();
    for generation in std::fs::read_dir(job).unwrap() {
        let generation = generation.unwrap().path();
        for checkpoint in std::fs::read_dir(&generation).unwrap() {
            let manifest = checkpoint.unwrap().path().join("manifest.json");
            let Ok(text) = std::fs::read(manifest) else {
                continue;
            };
            let manifest: Manifest = serde_json::from_slice(&text).unwrap();
            let stores = manifest.operators.into_iter().flat_map(|o| o.stores);
            let files = stores.flatten().flat_map(|store| store.files);
            named.extend(files.filter(|file| file.shared).map(|file| file.part.file));
        }
    }
    let there = std::fs::read_dir(job.join("shared"));
    let there = there.into_iter().flatten();
    let mut there: Vec<String> = there
        .map(|file| format!("shared/{}", file.unwrap().file_name().to_str().unwrap()))
        .collect();
    named.sort();
    named.dedup();
    there.sort();
    (named, there)
}

#[test]
fn a_job_in_rocksdb_that_fails_and_is_started_anew_counts_each_row_once() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (out, conf) = (folder.path().join("out"), configuration(folder.path()));
    let run = |parallelism: u32, trouble| {
        let env = StreamEnv::new(conf.clone());
        env.parallelism(parallelism);
        describe(&env, &out, trouble);
        rheos::run_job(&env, rheos::RunOptions::default())
    };
    let error = run(2, failing(9_000, 6)).unwrap_err();
    assert!(error.to_string().contains("is one too many"), "{error}");
    let error = run(3, failing(15_000, 6)).unwrap_err();
    assert!(error.to_string().contains("is one too many"), "{error}");
    let report = run(1, failing(20_000, 2)).unwrap().report;
    assert_eq!(report.restarts, 2);
    check(&out);
    let (named, there) = shared(&folder.path().join("store/counts"));
    assert_eq!(named, there, "what no checkpoint names is gone");
    let local = std::fs::read_dir(folder.path().join("local")).unwrap();
    assert_eq!(local.count(), 0, "nothing is left on the local disk");
}

/// Files from RocksDB are no heap's: the job says so, and what to do.
#[test]
fn a_checkpoint_of_rocksdb_is_refused_by_name_on_the_heap() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (out, conf) = (folder.path().join("out"), configuration(folder.path()));
    let run = |backend: &str, trouble| {
        let mut conf = conf.clone();
        conf.set("state.backend.type", backend);
        conf.set("restart-strategy.type", "none");
        let env = StreamEnv::new(conf);
        env.parallelism(2);
        describe(&env, &out, trouble);
        rheos::run_job(&env, rheos::RunOptions::default())
    };
    run("rocksdb", failing(9_000, 1)).unwrap_err();
    let error = run("hashmap", failing(0, 0)).unwrap_err().to_string();
    assert!(error.contains("state.backend.type: rocksdb"), "{error}");
    // The other way it goes on.
    run("rocksdb", failing(0, 0)).unwrap();
    check(&out);
}

#[test]
fn a_checkpoint_of_the_heap_goes_on_in_rocksdb() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (out, conf) = (folder.path().join("out"), configuration(folder.path()));
    for (backend, parallelism, trouble) in [
        ("hashmap", 2, failing(9_000, 1)),
        ("rocksdb", 2, failing(18_000, 1)),
        ("rocksdb", 3, failing(0, 0)),
    ] {
        let mut conf = conf.clone();
        conf.set("state.backend.type", backend);
        conf.set("restart-strategy.type", "none");
        let env = StreamEnv::new(conf);
        env.parallelism(parallelism);
        describe(&env, &out, trouble);
        let ended = rheos::run_job(&env, rheos::RunOptions::default());
        assert_eq!(ended.is_ok(), parallelism == 3);
    }
    check(&out);
}
