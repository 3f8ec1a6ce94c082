//! Savepoints of running jobs: taken while rows go on, by REST and by the handle; with a stop; gone on
//! from at other parallelisms and in other backends. Nothing is lost and nothing doubled. And copies of
//! checkpoints in a second place, gone on from when the first is lost.

use crate::common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use common::shown::lines_shown;
use common::wait_until;
use rheos::cluster::checkpoint::CheckpointSettings;
use rheos::cluster::checkpoint::savepoint::{SavepointRequest, SavepointStatus};
use rheos::execute::{RunningJob, StartOptions, start_with};
use rheos::prelude::*;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};
use serde_json::{Value, json};

const KEYS: u64 = 307;
const ROWS: u64 = 40_000;

/// Each row, with what there has been of its key.
#[derive(Row, Clone, Debug)]
struct Counted {
    row: u64,
    count: u64,
    kinds: u64,
    listed: u64,
}

/// A value, a map, a list, and a timer far away.
struct Counting {
    rows: ValueState<u64>,
    kinds: MapState<u64, u64>,
    listed: ListState<u64>,
}

impl KeyedProcessFunction<u64, u64, Counted> for Counting {
    fn process(
        &mut self,
        row: u64,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Counted>,
    ) -> Result<(), BoxError> {
        let count = self.rows.get().unwrap_or(0) + 1;
        if count == 1 {
            context.register_event_time_timer(1 << 40);
        }
        self.rows.update(count);
        self.kinds.upsert(row % 3, 0, |n| *n += 1);
        self.listed.add(row);
        let mut listed = 0;
        for row in self.listed.get() {
            listed += u64::from(row % KEYS == *context.key());
        }
        out.collect(Counted {
            row,
            count,
            kinds: self.kinds.values().iter().sum(),
            listed,
        });
        Ok(())
    }
}

fn describe(env: &StreamEnv, out: &Path) {
    env.name("counts");
    let source = DataGeneratorSource::with_timestamps(|k| (k, k as i64), ROWS).strided();
    let strategy = WatermarkStrategy::for_monotonous_timestamps();
    env.from_source_with_rate(source, strategy, "numbers", 20_000.0)
        .uid("numbers")
        .key_by(|k: &u64| k % KEYS)
        .process(|open| {
            Ok(Counting {
                rows: open.value_state("rows")?,
                kinds: open.map_state("kinds")?,
                listed: open.list_state("listed")?,
            })
        })
        .uid("counting")
        .sink_to(FileSink::new(JsonLines, out));
}

/// Every row is there once, and what is counted of a key rises without a gap.
fn check(out: &Path) {
    let mut rows = Vec::new();
    let mut counts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (_, line) in lines_shown(out) {
        let number = |field: &str| line[field].as_u64().unwrap();
        rows.push(number("row"));
        assert_eq!(number("count"), number("kinds"), "{line}");
        assert_eq!(number("count"), number("listed"), "{line}");
        let key = number("row") % KEYS;
        counts.entry(key).or_default().push(number("count"));
    }
    rows.sort_unstable();
    assert_eq!(rows, (0..ROWS).collect::<Vec<_>>(), "each row once");
    for (key, mut counts) in counts {
        counts.sort_unstable();
        let expected: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, expected, "key {key}");
    }
}

fn configuration(folder: &Path, backend: &str) -> Configuration {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", backend);
    conf.set("rheos.state.resident-keys", 40);
    conf.set(
        "state.backend.rocksdb.localdir",
        folder.join("local").display(),
    );
    conf.set("execution.checkpointing.interval", "40 ms");
    conf.set("restart-strategy.type", "none");
    conf.set(
        "execution.checkpointing.savepoint-dir",
        folder.join("savepoints").display(),
    );
    conf
}

fn start(conf: &Configuration, parallelism: u32, out: &Path) -> RunningJob {
    let env = StreamEnv::new(conf.clone());
    env.parallelism(parallelism);
    describe(&env, out);
    let program = env.program().unwrap();
    start_with(&program, conf.clone(), StartOptions::default()).unwrap()
}

fn read(job: &RunningJob) -> u64 {
    let metrics = job.handle.metrics();
    let tasks = metrics.tasks.iter();
    let operators = tasks.flat_map(|task| &task.operators);
    let sources = operators.filter(|operator| operator.is_source);
    sources.map(|source| source.metrics.records_in()).sum()
}

fn is_built_in(backend: &str) -> bool {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", backend);
    let built = BackendKind::from_configuration(&conf).is_ok();
    if !built {
        println!("skipped test of savepoints: built without the feature `rocksdb` of rheos");
    }
    built
}

fn location(status: Option<SavepointStatus>) -> String {
    match status {
        Some(SavepointStatus::Completed { location }) => location,
        other => panic!("{other:?}"),
    }
}

/// Takes a savepoint in the middle, stops with another at another parallelism, and so on, through these
/// backends; the last life reads to the end.
fn through(lives: &[(&str, u32)]) {
    if !lives.iter().all(|(backend, _)| is_built_in(backend)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut from: Option<String> = None;
    let share = ROWS / lives.len() as u64;
    for (life, (backend, parallelism)) in lives.iter().enumerate() {
        let mut conf = configuration(folder.path(), backend);
        if let Some(from) = &from {
            conf.set("execution.state-recovery.path", from);
        }
        let job = start(&conf, *parallelism, &out);
        if life + 1 == lives.len() {
            job.wait().unwrap();
            break;
        }
        let goal = share * life as u64 + share / 2;
        wait_until("rows are read", || read(&job) > goal);
        // One that nothing goes on from.
        let aside = job.handle.savepoint(SavepointRequest::default()).unwrap();
        let waited = job
            .handle
            .savepoints()
            .wait(&aside, Duration::from_secs(60));
        let aside = location(waited);
        assert!(Path::new(&aside).join("manifest.json").exists());
        assert!(!Path::new(&aside).join("unfinished.json").exists());
        let stop = SavepointRequest {
            stop: Some(false),
            ..SavepointRequest::default()
        };
        let id = job.handle.savepoint(stop).unwrap();
        job.wait().unwrap();
        from = Some(location(job.handle.savepoints().status(&id)));
    }
    check(&out);
}

#[test]
fn a_savepoint_of_the_heap_goes_on_at_another_parallelism() {
    through(&[("hashmap", 2), ("hashmap", 5), ("hashmap", 1)]);
}

#[test]
fn savepoints_go_from_one_backend_to_the_other_and_back() {
    through(&[
        ("hashmap", 2),
        ("rocksdb", 3),
        ("hashmap", 1),
        ("rocksdb", 2),
    ]);
}

#[test]
fn savepoints_of_rocksdb_go_on_in_rocksdb() {
    through(&[("rocksdb", 2), ("rocksdb", 5)]);
}

/// A savepoint in the middle of a run is gone on from, though the job that took it went on: what was in
/// the output then is there again, and nothing is missing.
#[test]
fn a_job_that_went_on_does_not_spoil_its_savepoint() {
    let folder = tempfile::tempdir().unwrap();
    let conf = configuration(folder.path(), "hashmap");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let job = start(&conf, 2, &first);
    wait_until("rows are read", || read(&job) > 5_000);
    let id = job.handle.savepoint(SavepointRequest::default()).unwrap();
    let waited = job.handle.savepoints().wait(&id, Duration::from_secs(60));
    let from = location(waited);
    job.wait().unwrap();
    check(&first);
    let mut conf = conf;
    conf.set("execution.state-recovery.path", &from);
    start(&conf, 3, &second).wait().unwrap();
    // Behind the savepoint each row is there once.
    let mut rows = Vec::new();
    for file in std::fs::read_dir(&second).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            rows.push(line["row"].as_u64().unwrap());
        }
    }
    rows.sort_unstable();
    let last: Vec<u64> = (20_000..ROWS).collect();
    let tail: Vec<u64> = rows.iter().copied().filter(|row| *row >= 20_000).collect();
    assert_eq!(tail, last);
    let mut once = rows.clone();
    once.dedup();
    assert_eq!(once, rows);
}

/// Without saying from what, a job that was stopped with a savepoint goes on from that.
#[test]
fn a_job_that_was_stopped_with_a_savepoint_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = configuration(folder.path(), "hashmap");
    let store = folder.path().join("store");
    conf.set("execution.checkpointing.dir", store.display());
    let job = start(&conf, 2, &out);
    wait_until("rows are read", || read(&job) > 5_000);
    let stop = SavepointRequest {
        stop: Some(false),
        ..SavepointRequest::default()
    };
    let id = job.handle.savepoint(stop).unwrap();
    job.wait().unwrap();
    let place = location(job.handle.savepoints().status(&id));
    start(&conf, 3, &out).wait().unwrap();
    check(&out);
    let log = std::fs::read_dir(store.join("counts/log")).unwrap();
    let text: String = log
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(text.contains(&place), "the log says where: {text}");
}

#[test]
fn a_savepoint_that_can_not_be_written_fails_by_name_and_the_job_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let conf = configuration(folder.path(), "hashmap");
    let job = start(&conf, 2, &out);
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    let request = SavepointRequest {
        directory: Some(folder.path().join("file/below").display().to_string()),
        stop: Some(false),
        ..SavepointRequest::default()
    };
    let id = job.handle.savepoint(request).unwrap();
    let status = job.handle.savepoints().wait(&id, Duration::from_secs(60));
    let Some(SavepointStatus::Failed { cause }) = status else {
        panic!("{status:?}");
    };
    assert!(cause.contains("file/below"), "{cause}");
    job.wait().unwrap();
    check(&out);
}

fn ask(address: SocketAddr, request: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// As a script made for Flink does it.
#[test]
fn savepoints_by_rest() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = configuration(folder.path(), "hashmap");
    conf.set("rest.port", "0");
    let job = start(&conf, 2, &out);
    let rest = job.rest_address().unwrap();
    let base = format!("/jobs/{}", job.handle.id());
    let ended = |id: &str| {
        let request = format!("GET {base}/savepoints/{id}");
        let mut answer = Value::Null;
        wait_until("the savepoint is there", || {
            answer = ask(rest, &request, "").1;
            answer["status"]["id"] == "COMPLETED"
        });
        answer["operation"].clone()
    };
    wait_until("rows are read", || read(&job) > 2_000);
    let target = folder.path().join("mine").display().to_string();
    let body = json!({ "target-directory": target, "cancel-job": false }).to_string();
    let (status, answer) = ask(rest, &format!("POST {base}/savepoints"), &body);
    assert_eq!(status, 202, "{answer}");
    let id = answer["request-id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let operation = ended(&id);
    let place = operation["location"].as_str().unwrap();
    assert!(place.starts_with(&target), "{operation}");
    let (status, answer) = ask(
        rest,
        &format!("GET {base}/savepoints/{}", "0".repeat(32)),
        "",
    );
    assert_eq!(status, 404, "{answer}");
    for (wrong, said) in [
        (json!({ "formatType": "NATIVE" }), "CANONICAL"),
        (json!({ "target-directory": 5 }), "text"),
        (json!({ "target-directory": "hdfs://x" }), "hdfs"),
    ] {
        let request = format!("POST {base}/savepoints");
        let (status, answer) = ask(rest, &request, &wrong.to_string());
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains(said), "{answer}");
    }
    let trigger = "cd".repeat(16);
    let body = json!({ "targetDirectory": target, "drain": false, "triggerId": trigger });
    let (status, answer) = ask(rest, &format!("POST {base}/stop"), &body.to_string());
    assert_eq!((status, &answer["request-id"]), (202, &json!(trigger)));
    let operation = ended(&trigger);
    let place = operation["location"].as_str().unwrap().to_owned();
    job.wait().unwrap();
    let mut conf = configuration(folder.path(), "hashmap");
    conf.set("execution.state-recovery.path", place);
    start(&conf, 1, &out).wait().unwrap();
    check(&out);
}

/// One that would be due in an hour is taken when it is asked for.
#[test]
fn checkpoints_by_request() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = configuration(folder.path(), "hashmap");
    conf.set("execution.checkpointing.interval", "1 h");
    conf.set("rest.port", "0");
    let job = start(&conf, 2, &out);
    let rest = job.rest_address().unwrap();
    let base = format!("/jobs/{}/checkpoints", job.handle.id());
    wait_until("rows are read", || read(&job) > 2_000);
    let mut numbers = Vec::new();
    for trigger in [json!({}), json!({ "triggerId": "ef".repeat(16) })] {
        let (status, answer) = ask(rest, &format!("POST {base}"), &trigger.to_string());
        assert_eq!(status, 202, "{answer}");
        let id = answer["request-id"].as_str().unwrap().to_owned();
        let mut answer = Value::Null;
        wait_until("the checkpoint is there", || {
            answer = ask(rest, &format!("GET {base}/{id}"), "").1;
            answer["status"]["id"] == "COMPLETED"
        });
        numbers.push(answer["operation"]["checkpointId"].as_u64().unwrap());
    }
    assert_eq!(numbers, [1, 2]);
    let (_, seen) = ask(rest, &format!("GET {base}"), "");
    assert_eq!(seen["latest"]["completed"]["id"], 2, "{seen}");
    let full = json!({ "checkpointType": "FULL" }).to_string();
    let (status, answer) = ask(rest, &format!("POST {base}"), &full);
    assert_eq!(status, 400, "{answer}");
    // What is asked for when there is nothing left to take says so, and does not stay open.
    let late = loop {
        match job.handle.checkpoint(None) {
            Ok(id) if job.handle.wait_for(Duration::from_millis(50)).is_some() => break id,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let status = job.handle.savepoints().status(&late).unwrap();
    assert_ne!(status, SavepointStatus::InProgress);
    check(&out);
}

/// With draining, timers fire at the end of time, and there is nothing to go on with.
#[test]
fn a_job_that_drains_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let conf = configuration(folder.path(), "hashmap");
    let job = start(&conf, 2, &out);
    wait_until("rows are read", || read(&job) > 2_000);
    let request = SavepointRequest {
        stop: Some(true),
        ..SavepointRequest::default()
    };
    let id = job.handle.savepoint(request).unwrap();
    job.wait().unwrap();
    let place = location(job.handle.savepoints().status(&id));
    assert!(Path::new(&place).join("manifest.json").exists());
}

/// The first place is lost with all that is in it, and the job goes on from the second.
fn lose_the_first_place(backend: &str) {
    if !is_built_in(backend) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (out, first) = (folder.path().join("out"), folder.path().join("first"));
    let second = folder.path().join("second");
    let mut conf = configuration(folder.path(), backend);
    conf.set("execution.checkpointing.dir", first.display());
    conf.set("rheos.checkpointing.copies.dir", second.display());
    let job = start(&conf, 2, &out);
    let copies = || job.handle.metrics().checkpoints.counts().unwrap().copies;
    wait_until("copies", || copies().unwrap().completed > 2);
    wait_until("rows are read", || read(&job) > 10_000);
    job.handle.control().stop(false);
    job.wait().unwrap();
    let counts = job.handle.metrics().checkpoints.counts().unwrap();
    let (last, copies) = (counts.last.unwrap(), counts.copies.unwrap());
    assert_eq!((copies.behind, copies.failed), (0, 0));
    assert_eq!(copies.last.map(|(number, _)| number), Some(last.number));
    std::fs::remove_dir_all(&first).unwrap();
    std::fs::remove_dir_all(folder.path().join("local")).ok();
    // The newest copy by the job's folder there; another life takes one by its own.
    let mut conf = configuration(folder.path(), backend);
    let third = folder.path().join("third");
    conf.set("execution.checkpointing.dir", third.display());
    conf.set(
        "execution.state-recovery.path",
        second.join("counts").display(),
    );
    let job = start(&conf, 3, &out);
    wait_until("rows are read", || read(&job) > 20_000);
    job.handle.control().stop(false);
    job.wait().unwrap();
    let log = third.join("counts/log");
    let newest = std::fs::read_dir(log).unwrap().filter_map(|file| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        let number = record["checkpoint"].as_u64()?;
        Some((number, record["path"].as_str()?.to_owned()))
    });
    let (_, newest) = newest.max().unwrap();
    conf.set("execution.checkpointing.dir", first.display());
    conf.set(
        "execution.state-recovery.path",
        third.join("counts").join(newest).display(),
    );
    start(&conf, 1, &out).wait().unwrap();
    check(&out);
}

#[test]
fn a_job_whose_first_place_is_lost_goes_on_from_the_second() {
    lose_the_first_place("hashmap");
}

#[test]
fn a_job_in_rocksdb_whose_first_place_is_lost_goes_on_from_the_second() {
    lose_the_first_place("rocksdb");
}

#[test]
fn a_second_place_that_fails_is_counted_and_never_felt() {
    let folder = tempfile::tempdir().unwrap();
    let (out, first) = (folder.path().join("out"), folder.path().join("first"));
    let second = folder.path().join("second");
    std::fs::write(&second, "in the way").unwrap();
    let mut conf = configuration(folder.path(), "hashmap");
    conf.set("execution.checkpointing.dir", first.display());
    conf.set("rheos.checkpointing.copies.dir", second.display());
    let job = start(&conf, 2, &out);
    let report = job.wait().unwrap();
    assert_eq!(report.restarts, 0);
    check(&out);
    let counts = report.metrics.checkpoints.counts().unwrap();
    let copies = counts.copies.unwrap();
    assert!(copies.failed > 0 && copies.behind > 1, "{copies:?}");
    assert_eq!((copies.completed, counts.failed), (0, 0));
    // What was held back while it was tried went when a newer one came: one is kept.
    let kept = std::fs::read_dir(first.join("counts/g1")).unwrap();
    let whole = kept.filter(|folder| {
        let folder = folder.as_ref().unwrap().path();
        folder.join("manifest.json").exists()
    });
    assert!(whole.count() <= 2);
    for (key, value) in [
        (
            "rheos.checkpointing.copies.dir",
            first.display().to_string(),
        ),
        ("rheos.checkpointing.copies.dir", "hdfs://x".to_owned()),
        (
            "rheos.checkpointing.copies.s3.access-key",
            "alone".to_owned(),
        ),
    ] {
        let mut conf = conf.clone();
        conf.set(key, value);
        let settings = CheckpointSettings::from_configuration(&conf);
        let error = settings.unwrap_err().to_string();
        assert!(
            error.contains("rheos.checkpointing") || error.contains("hdfs"),
            "{error}"
        );
    }
}
