//! `rheos savepoint`: a job is changed in every way at once, and `diff` says beforehand what becomes of
//! its state.
//!
//! Without the harness of tests: the program is the changed job when it is told to show its plan.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rheos::cluster::checkpoint::savepoint::{SavepointRequest, SavepointStatus};
use rheos::execute::{RunningJob, StartOptions, start_with};
use rheos::prelude::*;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};
use serde_json::Value;

const KEYS: u64 = 101;
const ROWS: u64 = 20_000;

/// What is kept of a key, as it was,
mod before {
    #[derive(rheos::core::Row, Clone, Debug, Default)]
    pub struct Seen {
        pub rows: u64,
        pub last: u32,
    }
}

/// and as it is: a field more, and a wider one.
mod after {
    #[derive(rheos::core::Row, Clone, Debug, Default)]
    pub struct Seen {
        pub rows: u64,
        pub last: u64,
        #[row(default = "none")]
        pub note: String,
    }
}

/// Neither of them.
mod never {
    #[derive(rheos::core::Row, Clone, Debug, Default)]
    pub struct Seen {
        pub rows: bool,
    }
}

#[derive(Row, Clone, Debug)]
struct Line {
    row: u64,
    count: u64,
    note: String,
    migrated: i64,
}

struct Old {
    seen: ValueState<before::Seen>,
    words: ValueState<String>,
}

impl KeyedProcessFunction<u64, u64, Line> for Old {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Line>,
    ) -> Result<(), BoxError> {
        let mut seen = self.seen.get().unwrap_or_default();
        seen.rows += 1;
        seen.last = row as u32;
        let count = seen.rows;
        self.seen.update(seen);
        self.words.update(format!("{count} rows"));
        out.collect(Line {
            row,
            count,
            note: "old".into(),
            migrated: -1,
        });
        Ok(())
    }
}

struct New {
    seen: ValueState<after::Seen>,
    words: ValueState<i64>,
    fresh: ValueState<u64>,
}

impl KeyedProcessFunction<u64, u64, Line> for New {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Line>,
    ) -> Result<(), BoxError> {
        let mut seen = self.seen.get().unwrap_or_default();
        let first = self.fresh.get().is_none();
        self.fresh.update(1);
        let migrated = self.words.get().unwrap_or(0);
        if first && seen.rows > 0 {
            // What was there has come over, each in its way.
            assert_eq!(seen.note, "none");
            assert_eq!(seen.last % KEYS, row % KEYS);
            assert_eq!(migrated, seen.rows as i64);
        }
        seen.rows += 1;
        seen.last = row;
        let count = seen.rows;
        self.words.update(count as i64);
        out.collect(Line {
            row,
            count,
            note: seen.note.clone(),
            migrated,
        });
        self.seen.update(seen);
        Ok(())
    }
}

/// Lets each row through once.
struct Once {
    seen: ValueState<u64>,
}

impl KeyedProcessFunction<u64, u64, u64> for Once {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        self.seen.update(row);
        out.collect(row);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Old,
    New,
    Wrong,
}

fn describe(env: &StreamEnv, out: &Path, version: Version) {
    env.name("evolving");
    let source = DataGeneratorSource::new(|k| k, ROWS).strided();
    let numbers = env
        .from_source_with_rate(
            source,
            WatermarkStrategy::no_watermarks(),
            "numbers",
            10_000.0,
        )
        .uid("numbers");
    // An operator that only one of the jobs has, with its own state.
    let (name, uid) = match version {
        Version::Old => ("removed", "removed"),
        _ => ("added", "added"),
    };
    let once = numbers
        .key_by(|k: &u64| k % 7)
        .process(|open| {
            Ok(Once {
                seen: open.value_state("seen")?,
            })
        })
        .name(name)
        .uid(uid);
    let keyed = once.key_by(|k: &u64| k % KEYS);
    let lines = match version {
        Version::Old => keyed.process(|open| {
            Ok(Old {
                seen: open.value_state("seen")?,
                words: open.value_state("words")?,
            })
        }),
        Version::New => keyed.process(|open| {
            let words = ValueStateDescriptor::<i64>::new("words").migrate(|written| {
                let text = written.to_string();
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                digits.parse().map_err(|_| format!("{text} has no number"))
            });
            Ok(New {
                seen: open.value_state("seen")?,
                words: open.value_state(words)?,
                fresh: open.value_state("fresh")?,
            })
        }),
        Version::Wrong => keyed.process(|open| {
            let _seen: ValueState<never::Seen> = open.value_state("seen")?;
            Ok(New {
                seen: open.value_state("other")?,
                words: open.value_state("words")?,
                fresh: open.value_state("fresh")?,
            })
        }),
    };
    lines
        .name("counting")
        .uid("counting")
        .sink_to(FileSink::new(JsonLines, out));
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("plan") {
        let version = match std::env::var("EVOLVING").as_deref() {
            Ok("wrong") => Version::Wrong,
            _ => Version::New,
        };
        return rheos::main(|env| {
            env.parallelism(5);
            describe(env, Path::new("nowhere"), version);
            Ok(())
        });
    }
    println!("\nrunning 2 tests");
    a_changed_job_goes_on_and_diff_says_how();
    println!("test a_changed_job_goes_on_and_diff_says_how ... ok");
    a_changed_job_goes_on_from_files_of_rocksdb();
    println!("test a_changed_job_goes_on_from_files_of_rocksdb ... ok");
    println!("\ntest result: ok. 2 passed; 0 failed; 0 ignored\n");
    ExitCode::SUCCESS
}

fn start(
    conf: &Configuration,
    parallelism: u32,
    out: &Path,
    version: Version,
) -> Result<RunningJob, ApiError> {
    let env = StreamEnv::new(conf.clone());
    env.parallelism(parallelism);
    describe(&env, out, version);
    let program = env.program().unwrap();
    start_with(&program, conf.clone(), StartOptions::default())
}

fn read(job: &RunningJob) -> u64 {
    let metrics = job.handle.metrics();
    let tasks = metrics.tasks.iter();
    let operators = tasks.flat_map(|task| &task.operators);
    let sources = operators.filter(|operator| operator.is_source);
    sources.map(|source| source.metrics.records_in()).sum()
}

fn rheos(arguments: &[&str], version: &str) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rheos"))
        .args(["savepoint"])
        .args(arguments)
        .env("EVOLVING", version)
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// What `diff` says of each state.
fn becomes(diff: &str) -> BTreeMap<(String, String), String> {
    let diff: Value = serde_json::from_str(diff).unwrap();
    let states = diff["states"].as_array().unwrap().iter();
    states
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            ((text("uid"), text("state")), text("becomes"))
        })
        .collect()
}

fn a_changed_job_goes_on_and_diff_says_how() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = Configuration::default();
    conf.set("execution.checkpointing.interval", "50 ms");
    conf.set("restart-strategy.type", "none");
    let savepoints = folder.path().join("savepoints");
    conf.set("state.savepoints.dir", savepoints.display());
    conf.set("state.backend.type", "hashmap");
    let job = start(&conf, 2, &out, Version::Old).unwrap();
    let began = Instant::now();
    while read(&job) < ROWS / 2 {
        assert!(began.elapsed() < Duration::from_secs(300));
        std::thread::sleep(Duration::from_millis(5));
    }
    let stop = SavepointRequest {
        stop: Some(false),
        ..SavepointRequest::default()
    };
    let id = job.handle.savepoint(stop).unwrap();
    job.wait().unwrap();
    let Some(SavepointStatus::Completed { location }) = job.handle.savepoints().status(&id) else {
        panic!("{:?}", job.handle.savepoints().status(&id));
    };
    let taken = lines(&out).len() as u64;

    // What is in it.
    let (ok, text, error) = rheos(&["inspect", &location], "new");
    assert!(ok, "{error}");
    for part in [
        "savepoint",
        "'evolving'",
        "counting",
        "Seen {rows, last}",
        "removed",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let (ok, text, error) = rheos(&["inspect", "--json", &location], "new");
    assert!(ok, "{error}");
    let found: Value = serde_json::from_str(&text).unwrap();
    let operators = found["operators"].as_array().unwrap();
    let counting = operators.iter().find(|o| o["uid"] == "counting").unwrap();
    assert_eq!(counting["parallelism"], 2);
    let seen = counting["states"].as_array().unwrap().iter();
    let seen = seen.clone().find(|s| s["name"] == "seen").unwrap();
    assert_eq!(
        (&seen["keys"], &seen["entries"]),
        (&KEYS.into(), &KEYS.into())
    );
    let (ok, text, error) = rheos(
        &["read", &location, "--uid", "counting", "--state", "seen"],
        "new",
    );
    assert!(ok, "{error}");
    let mut rows = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let last = line["value"]["last"].as_u64().unwrap();
        assert_eq!(last % KEYS, line["key"].as_u64().unwrap());
        rows += line["value"]["rows"].as_u64().unwrap();
    }
    assert_eq!((text.lines().count() as u64, rows), (KEYS, taken));
    let (ok, _, error) = rheos(
        &["read", &location, "--uid", "counting", "--state", "sen"],
        "new",
    );
    assert!(!ok && error.contains("seen"), "{error}");

    // What would become of it.
    let this = std::env::current_exe().unwrap();
    let this = this.to_str().unwrap();
    let (ok, text, error) = rheos(&["diff", "--json", &location, this], "new");
    assert!(!ok, "an operator is gone: {text} {error}");
    let expected = [
        ("removed", "seen", "dropped"),
        ("counting", "seen", "migrated"),
        ("counting", "words", "migrated"),
        ("counting", "fresh", "started empty"),
        ("added", "seen", "started empty"),
    ];
    let said = becomes(&text);
    for (uid, state, becomes) in expected {
        let found = said.get(&(uid.to_owned(), state.to_owned()));
        assert_eq!(found.map(String::as_str), Some(becomes), "{uid} {state}");
    }
    let (ok, text, _) = rheos(
        &["diff", "--allow-non-restored-state", &location, this],
        "new",
    );
    assert!(ok, "{text}");
    assert!(
        text.contains("2 → 5") && text.contains("would start"),
        "{text}"
    );
    let (ok, text, _) = rheos(
        &["diff", "--allow-non-restored-state", &location, this],
        "wrong",
    );
    assert!(!ok && text.contains("INCOMPATIBLE"), "{text}");

    // And so it becomes.
    let mut rocks = Configuration::default();
    rocks.set("state.backend.type", "rocksdb");
    let backend = match BackendKind::from_configuration(&rocks) {
        Ok(_) => "rocksdb",
        Err(_) => {
            println!("skipped test of RocksDB: built without the feature; the heap instead");
            "hashmap"
        }
    };
    conf.set("state.backend.type", backend);
    conf.set("rheos.state.resident-keys", 10);
    let local = folder.path().join("local");
    conf.set("state.backend.rocksdb.localdir", local.display());
    conf.set("execution.state-recovery.path", &location);
    let refused =
        |conf: &Configuration, version| start(conf, 5, &out, version).err().unwrap().to_string();
    let error = refused(&conf, Version::New);
    assert!(error.contains("removed"), "{error}");
    conf.set("execution.state-recovery.ignore-unclaimed-state", true);
    let error = refused(&conf, Version::Wrong);
    assert!(
        error.contains("counting") && error.contains("`seen`"),
        "{error}"
    );
    start(&conf, 5, &out, Version::New).unwrap().wait().unwrap();
    check(&out, taken);
}

/// Each row is there once, what is counted of a key rises without a gap, and so many rows were written by
/// the job as it was.
fn check(out: &Path, taken: u64) {
    let lines = lines(out);
    let rows: Vec<u64> = lines.keys().copied().collect();
    assert_eq!(rows, (0..ROWS).collect::<Vec<_>>(), "each row once");
    let mut counts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (row, (count, _)) in &lines {
        counts.entry(row % KEYS).or_default().push(*count);
    }
    for (key, mut counts) in counts {
        counts.sort_unstable();
        let expected: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, expected, "key {key}");
    }
    let notes: Vec<&str> = lines.values().map(|(_, note)| note.as_str()).collect();
    let old = notes.iter().filter(|note| **note == "old").count() as u64;
    assert_eq!(old, taken);
    assert!(
        notes
            .iter()
            .all(|note| matches!(*note, "old" | "none" | ""))
    );
}

/// From the checkpoint that it stopped with, in files of RocksDB, which are rewritten.
fn a_changed_job_goes_on_from_files_of_rocksdb() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = Configuration::default();
    conf.set("execution.checkpointing.interval", "50 ms");
    conf.set("restart-strategy.type", "none");
    conf.set("state.backend.type", "rocksdb");
    if BackendKind::from_configuration(&conf).is_err() {
        println!("skipped test of RocksDB: built without the feature");
        return;
    }
    let (store, local) = (folder.path().join("store"), folder.path().join("local"));
    conf.set("execution.checkpointing.dir", store.display());
    conf.set("state.backend.rocksdb.localdir", local.display());
    conf.set("rheos.state.resident-keys", 10);
    let job = start(&conf, 2, &out, Version::Old).unwrap();
    let began = Instant::now();
    while read(&job) < ROWS / 2 {
        assert!(began.elapsed() < Duration::from_secs(300));
        std::thread::sleep(Duration::from_millis(5));
    }
    job.handle.control().stop(false);
    job.wait().unwrap();
    let taken = lines(&out).len() as u64;
    conf.set("execution.state-recovery.ignore-unclaimed-state", true);
    let error = start(&conf, 3, &out, Version::Wrong).err().unwrap();
    let error = error.to_string();
    assert!(
        error.contains("counting") && error.contains("`seen`"),
        "{error}"
    );
    let job = start(&conf, 3, &out, Version::New).unwrap();
    while read(&job) < ROWS * 3 / 4 {
        assert!(began.elapsed() < Duration::from_secs(300));
        std::thread::sleep(Duration::from_millis(5));
    }
    job.handle.control().stop(false);
    job.wait().unwrap();
    // And on from what that has written.
    start(&conf, 2, &out, Version::New).unwrap().wait().unwrap();
    check(&out, taken);
}

/// By row: its count and its note.
fn lines(out: &Path) -> BTreeMap<u64, (u64, String)> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(out).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let (row, count) = (
                line["row"].as_u64().unwrap(),
                line["count"].as_u64().unwrap(),
            );
            let note = line["note"].as_str().unwrap().to_owned();
            assert_eq!(found.insert(row, (count, note)), None, "row {row} twice");
        }
    }
    found
}
