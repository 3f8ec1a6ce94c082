//! Jobs whose checkpoints are in S3, on the real server: they fail, are taken over and are started
//! again, the server goes and comes back: nothing is lost and nothing doubled.

use crate::common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::own::Own;
use common::shown::lines_shown;
use common::{part, unique, wait_until};
use rheos::cluster::checkpoint::Location;
use rheos::cluster::checkpoint::s3::S3Settings;
use rheos::execute::{RunningJob, StartOptions, start_with};
use rheos::prelude::*;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

const KEYS: u64 = 211;

/// Each row, with how many of its key there have been.
#[derive(Row, Clone, Debug)]
struct Counted {
    row: u64,
    count: u64,
}

struct Counting {
    rows: ValueState<u64>,
}

impl KeyedProcessFunction<u64, u64, Counted> for Counting {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Counted>,
    ) -> Result<(), BoxError> {
        let count = self.rows.get().unwrap_or(0) + 1;
        self.rows.update(count);
        out.collect(Counted { row, count });
        Ok(())
    }
}

type Trouble = Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync>;

fn describe(env: &StreamEnv, out: &Path, rows: u64, rate: f64, trouble: Trouble) {
    env.name("counts");
    let source = DataGeneratorSource::new(|k| k, rows).strided();
    env.from_source_with_rate(source, WatermarkStrategy::no_watermarks(), "numbers", rate)
        .try_map(move |k: u64| trouble(k))
        .key_by(|k: &u64| k % KEYS)
        .process(|open| {
            Ok(Counting {
                rows: open.value_state("rows")?,
            })
        })
        .uid("counting")
        .sink_to(FileSink::new(JsonLines, out));
}

/// Every row is there once, and counts of a key rise without a gap.
fn check(out: &[&Path], rows: u64) {
    let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (name, row) in out.iter().flat_map(|out| lines_shown(out)) {
        let number = |field: &str| row[field].as_u64().unwrap();
        all.entry(number("row")).or_default().push(name);
        found
            .entry(number("row") % KEYS)
            .or_default()
            .push(number("count"));
    }
    let lost: Vec<u64> = (0..rows).filter(|row| !all.contains_key(row)).collect();
    let lost = lost.first().map(|first| (lost.len(), *first));
    assert_eq!(lost, None, "lost: how many, and the first");
    let doubled: Vec<_> = all.iter().filter(|(_, files)| files.len() > 1).collect();
    let count = doubled.len();
    let doubled = (doubled.first(), doubled.last());
    assert_eq!(count, 0, "doubled: the first and the last: {doubled:?}");
    for (key, mut counts) in found {
        counts.sort_unstable();
        let expected: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, expected, "key {key}");
    }
}

struct Server {
    endpoint: String,
    bucket: String,
    access_key: String,
    secret_key: String,
}

fn shared_server() -> Option<Server> {
    Some(Server {
        endpoint: part("RHEOS_S3")?,
        bucket: part("RHEOS_S3_BUCKET")?,
        access_key: part("RHEOS_S3_ACCESS_KEY")?,
        secret_key: part("RHEOS_S3_SECRET_KEY")?,
    })
}

fn configuration(server: &Server, folder: &str) -> Configuration {
    let mut conf = Configuration::default();
    let place = format!("s3://{}/{folder}", server.bucket);
    for (key, value) in [
        ("execution.checkpointing.interval", "50 ms"),
        ("execution.checkpointing.dir", place.as_str()),
        ("s3.endpoint", &server.endpoint),
        ("s3.access-key", &server.access_key),
        ("s3.secret-key", &server.secret_key),
        ("s3.path.style.access", "true"),
        ("restart-strategy.type", "none"),
    ] {
        conf.set(key, value);
    }
    conf
}

/// Whether this build has the feature, and RocksDB if that is asked for.
fn is_built_in(backend: &str) -> bool {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", backend);
    let place = Location::parse("s3://b/p").unwrap();
    let s3 = S3Settings {
        access_key: Some("a".to_owned()),
        secret_key: Some("s".to_owned()),
        ..S3Settings::default()
    };
    let built = BackendKind::from_configuration(&conf).is_ok() && place.open(&s3).is_ok();
    if !built {
        println!("skipped test of S3 with {backend}: built without the features of rheos");
    }
    built
}

fn none() -> Trouble {
    Arc::new(Ok)
}

fn failing(at: u64, times: u64) -> Trouble {
    let failed = AtomicU64::new(0);
    Arc::new(move |k| {
        if k == at && failed.fetch_add(1, Ordering::SeqCst) < times {
            return Err(format!("row {k} is one too many").into());
        }
        Ok(k)
    })
}

fn start(conf: &Configuration, parallelism: u32, describe: impl Fn(&StreamEnv)) -> RunningJob {
    let env = StreamEnv::new(conf.clone());
    env.parallelism(parallelism);
    describe(&env);
    let program = env.program().unwrap();
    start_with(&program, conf.clone(), StartOptions::default()).unwrap()
}

fn names(server: &Server, folder: &str) -> Vec<String> {
    let settings = S3Settings {
        endpoint: Some(server.endpoint.clone()),
        access_key: Some(server.access_key.clone()),
        secret_key: Some(server.secret_key.clone()),
        ..S3Settings::default()
    };
    let place = Location::parse(&format!("s3://{}/{folder}", server.bucket)).unwrap();
    place.open(&settings).unwrap().list("").unwrap()
}

/// Fails for good, goes on at another parallelism, fails and restarts, and finishes.
fn crash_and_restore(backend: &str) {
    if !is_built_in(backend) {
        return;
    }
    let Some(server) = shared_server() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let store = unique("crash");
    let mut conf = configuration(&server, &store);
    conf.set("state.backend.type", backend);
    conf.set(
        "state.backend.rocksdb.localdir",
        folder.path().join("local").display(),
    );
    conf.set("rheos.state.resident-keys", 20);
    let rows = 30_000;
    let run = |parallelism: u32, trouble: Trouble| {
        let job = start(&conf, parallelism, |env| {
            describe(env, &out, rows, 20_000.0, trouble.clone());
        });
        job.wait()
    };
    for (parallelism, at) in [(2, 9_000), (3, 20_000)] {
        let error = run(parallelism, failing(at, 1)).unwrap_err();
        assert!(error.to_string().contains("is one too many"), "{error}");
    }
    run(2, none()).unwrap();
    check(&[&out], rows);
    let kept = names(&server, &store);
    let manifests = kept.iter().filter(|name| name.ends_with("manifest.json"));
    assert_eq!(manifests.count(), 1, "one is kept: {kept:?}");
    assert!(
        !kept.iter().any(|name| name.contains("start-up-check")),
        "{kept:?}"
    );
}

#[test]
fn a_job_in_s3_goes_on_where_it_was() {
    crash_and_restore("hashmap");
}

#[test]
fn a_job_with_its_state_in_rocksdb_and_its_checkpoints_in_s3_goes_on_where_it_was() {
    crash_and_restore("rocksdb");
}

/// Checkpoints in a folder, copies in the bucket: the folder is lost, and the job goes on from the bucket.
#[test]
fn a_job_whose_folder_is_lost_goes_on_from_its_copies_in_s3() {
    if !is_built_in("rocksdb") {
        return;
    }
    let Some(server) = shared_server() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (out, first) = (folder.path().join("out"), folder.path().join("first"));
    let store = unique("copies");
    let second = format!("s3://{}/{store}", server.bucket);
    let mut conf = configuration(&server, &store);
    conf.set("state.backend.type", "rocksdb");
    let local = folder.path().join("local");
    conf.set("state.backend.rocksdb.localdir", local.display());
    conf.set("rheos.state.resident-keys", 20);
    conf.set("execution.checkpointing.dir", first.display());
    let rows = 40_000;
    let life = |conf: &Configuration, parallelism: u32| {
        start(conf, parallelism, |env| {
            describe(env, &out, rows, 20_000.0, none());
        })
    };
    // The server that the first place would be at is another one.
    let mut copied = conf.clone();
    copied.set("rheos.checkpointing.copies.dir", &second);
    copied.set("rheos.checkpointing.copies.s3.endpoint", &server.endpoint);
    copied.set("s3.endpoint", "http://127.0.0.1:1");
    let job = life(&copied, 2);
    let counts = || job.handle.metrics().checkpoints.counts().unwrap();
    wait_until("copies", || counts().copies.unwrap().completed > 2);
    job.handle.control().stop(false);
    job.wait().unwrap();
    let copies = counts().copies.unwrap();
    assert_eq!((copies.behind, copies.failed), (0, 0));
    std::fs::remove_dir_all(&first).unwrap();
    let kept = names(&server, &store);
    let manifests = kept.iter().filter(|name| name.ends_with("manifest.json"));
    assert_eq!(manifests.count(), 1, "one is kept: {kept:?}");
    conf.set("execution.state-recovery.path", format!("{second}/counts"));
    life(&conf, 3).wait().unwrap();
    check(&[&out], rows);
}

#[test]
fn a_zombie_loses_the_slot_of_the_log_and_ends() {
    if !is_built_in("hashmap") {
        return;
    }
    let Some(server) = shared_server() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Each writes to a folder of its own: what is staged says where it belongs.
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let conf = configuration(&server, &unique("zombie"));
    let rows = 40_000;
    let life = |out: &Path, rate: f64| {
        start(&conf, 2, |env| {
            describe(env, out, rows, rate, none());
        })
    };
    let zombie = life(&first, 4_000.0);
    let completed = || {
        zombie
            .handle
            .metrics()
            .checkpoints
            .counts()
            .unwrap()
            .completed
    };
    wait_until("the first checkpoints", || completed() >= 2);
    // It takes the job over while the other believes in itself.
    let heir = life(&second, 40_000.0);
    let error = zombie.wait().unwrap_err().to_string();
    assert!(
        error.contains("generation 2 of the job has begun"),
        "{error}"
    );
    heir.wait().unwrap();
    check(&[&first, &second], rows);
}

#[test]
fn a_server_that_is_killed_and_comes_back_holds_checkpoints_up_and_spoils_none() {
    if !is_built_in("hashmap") {
        return;
    }
    let Some(own) = Own::up("RHEOS_S3", &["s3"], &[]) else {
        return;
    };
    let server = Server {
        endpoint: own.variable("RHEOS_S3"),
        bucket: part("RHEOS_S3_BUCKET").unwrap(),
        access_key: part("RHEOS_S3_ACCESS_KEY").unwrap(),
        secret_key: part("RHEOS_S3_SECRET_KEY").unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let conf = configuration(&server, "killed");
    let rows = 120_000;
    let job = start(&conf, 2, |env| {
        describe(env, &out, rows, 10_000.0, none());
    });
    let completed = || job.handle.metrics().checkpoints.counts().unwrap().completed;
    for _ in 0..3 {
        let before = completed();
        wait_until("checkpoints go on", || completed() >= before + 3);
        own.services(&["kill", "s3"]);
        let at_kill = completed();
        std::thread::sleep(Duration::from_millis(700));
        assert!(completed() <= at_kill + 1, "nobody answers");
        own.services(&["up", "s3"]);
    }
    let report = job.wait().unwrap();
    assert_eq!(report.restarts, 0, "the job never noticed");
    check(&[&out], rows);
}
