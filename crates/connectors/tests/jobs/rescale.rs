//! A job whose parallelism changes while it runs, with keyed state, windows and files: each row is
//! counted once, as if it had run straight.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use rheos::cluster::embedded::RescaleRefused;
use rheos::cluster::schedule::{Bounds, Requirements};
use rheos::cluster::submit::rescales::{Rescale, RescaleEnd};
use rheos::execute::{RunningJob, StartOptions, start_with};
use rheos::prelude::*;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{BlackholeSink, DataGeneratorSource, FileSink, JsonLines};

use crate::common::shown::lines_shown;

/// What there was of a key when its timer fired.
#[derive(Row, Clone, Debug)]
struct Seen {
    key: u64,
    rows: u64,
    sum: u64,
}

/// Counts and adds the rows of a key until a second after the first one.
struct Counting {
    rows: ValueState<u64>,
    seen: MapState<u64, u64>,
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
        self.seen.upsert(row, 0, |count| *count += 1);
        Ok(())
    }

    fn on_timer(
        &mut self,
        _timestamp: i64,
        _domain: TimeDomain,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Seen>,
    ) -> Result<(), BoxError> {
        let rows = self.rows.take().unwrap_or(0);
        let seen = self.seen.entries();
        self.seen.clear();
        assert!(seen.iter().all(|(_, times)| *times == 1), "{seen:?}");
        out.collect(Seen {
            key: *context.key(),
            rows,
            sum: seen.iter().map(|(row, _)| row).sum(),
        });
        Ok(())
    }
}

const KEYS: u64 = 1_013;
const ROWS: u64 = 60_000;
const RATE: f64 = 15_000.0;

fn start(folder: &Path, more: &[(&str, &str)], describe: impl FnOnce(&StreamEnv)) -> RunningJob {
    let mut conf = Configuration::default();
    conf.set("execution.checkpointing.interval", "50 ms");
    conf.set(
        "execution.checkpointing.dir",
        folder.join("checkpoints").display(),
    );
    conf.set("restart-strategy.type", "none");
    for (key, value) in more {
        conf.set(key, value);
    }
    let env = StreamEnv::new(conf.clone());
    describe(&env);
    // What is said first holds.
    env.parallelism(2);
    start_with(&env.program().unwrap(), conf, StartOptions::default()).unwrap()
}

fn counts(env: &StreamEnv, out: &Path) {
    env.name("counts");
    let source = DataGeneratorSource::with_timestamps(|k| (k, k as i64), ROWS).strided();
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(500));
    env.from_source_with_rate(source, strategy, "numbers", RATE)
        .key_by(|k: &u64| k % KEYS)
        .process(|open| {
            Ok(Counting {
                rows: open.value_state("rows")?,
                seen: open.map_state("seen")?,
            })
        })
        .sink_to(FileSink::new(JsonLines, out));
}

/// Every row is in one of the lines of its key.
fn check(out: &Path) {
    let mut found: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (_, row) in lines_shown(out) {
        let number = |field: &str| row[field].as_u64().unwrap();
        let sum = found.entry(number("key")).or_default();
        sum.0 += number("rows");
        sum.1 += number("sum");
    }
    let mut expected: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for k in 0..ROWS {
        let sum = expected.entry(k % KEYS).or_default();
        sum.0 += 1;
        sum.1 += k;
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}

/// Every vertex exactly so wide.
fn wide(job: &RunningJob, parallelism: u32) -> Requirements {
    let vertices = job.handle.graph().vertices.len();
    let (lower, upper) = (parallelism, parallelism);
    Requirements::new(vec![Bounds { lower, upper }; vertices])
}

/// What has become of a rescale.
fn ended(job: &RunningJob, id: &str) -> Rescale {
    let begun = Instant::now();
    loop {
        let view = job.handle.view();
        let mut last = view.rescales.last();
        let found = last.find(|rescale| rescale.id == id).unwrap();
        if found.end.is_some() {
            return Rescale::clone(found);
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{found:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn two_six_three(more: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let job = start(folder.path(), more, |env| counts(env, &out));
    let mut before = 2;
    for parallelism in [6, 3] {
        std::thread::sleep(Duration::from_millis(700));
        let id = job.handle.rescale(wide(&job, parallelism)).unwrap();
        let rescale = ended(&job, &id);
        assert_eq!(rescale.end, Some(RescaleEnd::Completed), "{rescale:?}");
        assert!(rescale.checkpoint.is_some(), "{rescale:?}");
        println!(
            "{before} -> {parallelism}: no row for {} ms at most, {} ms after it was asked for",
            rescale.pause_millis.unwrap(),
            rescale.ended_at.unwrap() - rescale.begun_at
        );
        assert!(
            job.handle
                .graph()
                .parallelism()
                .iter()
                .all(|p| *p == parallelism)
        );
        assert_eq!(job.handle.metrics().tasks.len(), 2 * parallelism as usize);
        assert_eq!(
            job.handle.view().execution.tasks().len(),
            2 * parallelism as usize
        );
        before = parallelism;
    }
    // The same once more is nothing.
    let id = job.handle.rescale(wide(&job, 3)).unwrap();
    assert_eq!(ended(&job, &id).end, Some(RescaleEnd::Unchanged));
    let report = job.wait().unwrap();
    assert_eq!(report.restarts, 0);
    let view = job.handle.view();
    assert_eq!(view.failures.total(), 0, "{:?}", view.failures);
    assert_eq!(view.rescales.counts(), (2, 0, 1));
    let sources = report.metrics.tasks.iter().flat_map(|task| &task.operators);
    let sources = sources.filter(|operator| operator.is_source);
    let read: u64 = sources.map(|operator| operator.metrics.records_in()).sum();
    assert_eq!(read, ROWS, "what was read again is not counted again");
    check(&out);
}

#[test]
fn a_job_goes_from_two_to_six_to_three_and_counts_each_row_once() {
    two_six_three(&[]);
}

#[test]
fn a_job_with_its_state_in_rocksdb_does_so_too() {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", "rocksdb");
    if BackendKind::from_configuration(&conf).is_err() {
        println!("skipped test rescale in RocksDB: built without the feature `rocksdb` of rheos");
        return;
    }
    two_six_three(&[("state.backend.type", "rocksdb")]);
}

#[test]
fn a_job_that_is_started_again_is_as_wide_as_it_was_asked_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let retained = "execution.checkpointing.externalized-checkpoint-retention";
    let more = [(retained, "RETAIN_ON_CANCELLATION")];
    let run = |env: &StreamEnv| slow(env, Arc::default());
    let job = start(folder.path(), &more, run);
    let id = job.handle.rescale(wide(&job, 3)).unwrap();
    assert_eq!(ended(&job, &id).end, Some(RescaleEnd::Completed));
    job.handle.control().cancel();
    assert!(job.wait().is_err());
    let job = start(folder.path(), &more, run);
    assert!(job.handle.graph().parallelism().iter().all(|p| *p == 3));
    assert_eq!(job.handle.view().requirements, wide(&job, 3));
    job.handle.control().cancel();
    assert!(job.wait().is_err());
    // Started in another way it is as wide as that says.
    let job = start(folder.path(), &more, |env| {
        env.parallelism(4);
        run(env);
    });
    assert!(job.handle.graph().parallelism().iter().all(|p| *p == 4));
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}

/// Remembers how often and when last a key was seen.
struct Remembering {
    seen: ValueState<(u64, String)>,
}

impl KeyedProcessFunction<u64, u64, u64> for Remembering {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        _out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        self.seen.modify(|seen| match seen {
            Some(seen) => seen.0 += 1,
            None => *seen = Some((1, format!("{row:064}"))),
        });
        Ok(())
    }
}

/// `cargo test --release -p rheos-connectors --features rheos/rocksdb --test jobs -- --ignored
/// --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_long_the_tasks_stand_still() {
    const KEYS: u64 = 500_000;
    for backend in ["hashmap", "rocksdb"] {
        let mut conf = Configuration::default();
        conf.set("state.backend.type", backend);
        if BackendKind::from_configuration(&conf).is_err() {
            println!("{backend}: built without the feature `rocksdb` of rheos");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let more = [
            ("state.backend.type", backend),
            ("execution.checkpointing.interval", "1 s"),
        ];
        let job = start(folder.path(), &more, |env| {
            let source = DataGeneratorSource::new(|k| k, 1_000_000_000).strided();
            env.from_source_with_rate(
                source,
                WatermarkStrategy::no_watermarks(),
                "rows",
                200_000.0,
            )
            .key_by(|k: &u64| k % KEYS)
            .process(|open| {
                Ok(Remembering {
                    seen: open.value_state("seen")?,
                })
            })
            .sink_to(BlackholeSink);
        });
        let mut pauses = Vec::new();
        let mut whole = Vec::new();
        std::thread::sleep(Duration::from_secs(5));
        for parallelism in [6, 3, 6, 2, 4] {
            std::thread::sleep(Duration::from_millis(1_500));
            let id = job.handle.rescale(wide(&job, parallelism)).unwrap();
            let rescale = ended(&job, &id);
            assert_eq!(rescale.end, Some(RescaleEnd::Completed), "{rescale:?}");
            pauses.push(rescale.pause_millis.unwrap());
            whole.push(rescale.ended_at.unwrap() - rescale.begun_at);
        }
        println!("{backend}: pauses {pauses:?} ms, from the request to the end {whole:?} ms");
        pauses.sort_unstable();
        println!("{backend}: {KEYS} keys, median pause {} ms", pauses[2]);
        job.handle.control().cancel();
        assert!(job.wait().is_err());
    }
}

/// Rows are passed on;
const GOES: u8 = 0;
/// a map is to stand still;
const TOLD: u8 = 1;
/// and one does.
const STANDS: u8 = 2;

/// A map that passes rows on, and stands still while it is told to.
fn slow(env: &StreamEnv, stands: Arc<AtomicU8>) {
    let source = DataGeneratorSource::new(|k| k, 100_000_000).strided();
    env.from_source_with_rate(
        source,
        WatermarkStrategy::no_watermarks(),
        "numbers",
        2_000.0,
    )
    .rebalance()
    .map(move |k: u64| {
        while stands.load(Ordering::Relaxed) != GOES {
            let (told, untold) = (Ordering::Relaxed, Ordering::Relaxed);
            let _seen = stands.compare_exchange(TOLD, STANDS, told, untold);
            std::thread::sleep(Duration::from_millis(5));
        }
        k
    })
    .name("slow")
    .sink_to(BlackholeSink);
}

/// Lets a map stand still, and waits until one does.
fn stand_still(stands: &AtomicU8) {
    stands.store(TOLD, Ordering::Relaxed);
    let begun = Instant::now();
    while stands.load(Ordering::Relaxed) != STANDS {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_checkpoint_that_fails_leaves_the_job_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let stands = Arc::new(AtomicU8::new(GOES));
    let more = [
        ("execution.checkpointing.interval", "1 h"),
        ("execution.checkpointing.timeout", "300 ms"),
    ];
    let job = start(folder.path(), &more, |env| slow(env, stands.clone()));
    stand_still(&stands);
    let id = job.handle.rescale(wide(&job, 3)).unwrap();
    let busy = job.handle.rescale(wide(&job, 4)).unwrap_err();
    assert_eq!(busy, RescaleRefused::UnderWay(id.clone()));
    let rescale = ended(&job, &id);
    stands.store(GOES, Ordering::Relaxed);
    match &rescale.end {
        Some(RescaleEnd::Failed(cause)) => assert!(cause.contains("slow"), "{cause}"),
        other => panic!("{other:?}"),
    }
    assert!(job.handle.graph().parallelism().iter().all(|p| *p == 2));
    let view = job.handle.view();
    assert_eq!((view.failures.total(), view.restarts), (0, 0));
    assert_eq!(view.requirements, wide(&job, 2), "what was in force before");
    // And it can be rescaled still.
    let id = job.handle.rescale(wide(&job, 3)).unwrap();
    assert_eq!(ended(&job, &id).end, Some(RescaleEnd::Completed));
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}

#[test]
fn a_job_that_is_to_stop_is_not_rescaled() {
    let folder = tempfile::tempdir().unwrap();
    let stands = Arc::new(AtomicU8::new(GOES));
    let more = [("execution.checkpointing.interval", "1 h")];
    let job = start(folder.path(), &more, |env| slow(env, stands.clone()));
    stand_still(&stands);
    let id = job.handle.rescale(wide(&job, 3)).unwrap();
    job.handle.control().stop(false);
    let late = job.handle.rescale(wide(&job, 4)).unwrap_err();
    assert_eq!(late, RescaleRefused::UnderWay(id.clone()));
    stands.store(GOES, Ordering::Relaxed);
    job.wait().unwrap();
    match ended(&job, &id).end {
        Some(RescaleEnd::Failed(cause)) => assert_eq!(cause, "the job is stopping"),
        Some(RescaleEnd::JobEnded(how)) => assert_eq!(how, "JOB_FINISHED"),
        other => panic!("{other:?}"),
    }
    assert!(job.handle.graph().parallelism().iter().all(|p| *p == 2));
}

#[test]
fn what_can_t_be_done_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let stands = Arc::new(AtomicU8::new(GOES));
    let more = [("pipeline.max-parallelism", "8")];
    let job = start(folder.path(), &more, |env| slow(env, stands.clone()));
    let many = job.handle.rescale(wide(&job, 9)).unwrap_err().to_string();
    assert!(
        many.contains("is 9") && many.contains("at most 8"),
        "{many}"
    );
    let none = job.handle.rescale(wide(&job, 0)).unwrap_err().to_string();
    assert!(none.contains("numbers") && none.contains("is 0"), "{none}");
    job.handle.control().cancel();
    assert!(job.wait().is_err());
    let ended = job.handle.rescale(wide(&job, 3)).unwrap_err();
    assert!(matches!(ended, RescaleRefused::Ended(_)), "{ended}");

    let mut conf = Configuration::default();
    conf.set("taskmanager.numberOfTaskSlots", "3");
    let env = StreamEnv::new(conf.clone());
    env.parallelism(2);
    slow(&env, stands);
    let program = env.program().unwrap();
    let job = start_with(&program, conf, StartOptions::default()).unwrap();
    let without = job.handle.rescale(wide(&job, 3)).unwrap_err();
    assert_eq!(without, RescaleRefused::NoCheckpoints);
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}

#[test]
fn slots_that_are_not_there_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let stands = Arc::new(AtomicU8::new(GOES));
    let more = [("taskmanager.numberOfTaskSlots", "4")];
    let job = start(folder.path(), &more, |env| slow(env, stands));
    let id = job.handle.rescale(wide(&job, 6)).unwrap();
    match ended(&job, &id).end {
        Some(RescaleEnd::Failed(cause)) => assert!(cause.contains("needs 6 slots"), "{cause}"),
        other => panic!("{other:?}"),
    }
    // Who says that fewer will do gets what there is.
    let wide = wide(&job, 6);
    let bounds = wide.bounds().iter();
    let bounds = bounds.map(|of| Bounds { lower: 3, ..*of }).collect();
    let id = job.handle.rescale(Requirements::new(bounds)).unwrap();
    let rescale = ended(&job, &id);
    assert_eq!(rescale.end, Some(RescaleEnd::Completed));
    assert!(job.handle.graph().parallelism().iter().all(|p| *p == 4));
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}
