//! Checkpoints under full back-pressure: a sink that takes a thousand rows a second behind a source that
//! could give millions. Prints what each checkpoint cost (`--nocapture`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::wait_until;
use rheos::prelude::*;
use rheos_connectors::DataGeneratorSource;
use serde_json::Value;

/// Takes a millisecond a row, in user code.
#[derive(Clone)]
struct SlowSink(Arc<AtomicU64>);

impl Sink<u64> for SlowSink {
    fn writer(&self, _: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter<u64> for SlowSink {
    fn write(&mut self, _row: u64, _timestamp: i64) -> Result<(), BoxError> {
        std::thread::sleep(Duration::from_millis(1));
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Lets rows through, by key.
struct Through;

impl KeyedProcessFunction<u64, u64, u64> for Through {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        out.collect(row);
        Ok(())
    }
}

/// The manifests of the job's checkpoints, by their numbers.
fn manifests(folder: &Path) -> Vec<Value> {
    let list = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let jobs = list(folder).into_iter().flat_map(|job| list(&job));
    let checkpoints = jobs.flat_map(|generation| list(&generation));
    // The oldest may go while this looks at it.
    let read = checkpoints.filter_map(|folder| std::fs::read(folder.join("manifest.json")).ok());
    let mut manifests: Vec<Value> = read
        .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
        .collect();
    manifests.sort_by_key(|manifest| manifest["checkpoint"].as_u64());
    manifests
}

/// Runs until there are some checkpoints, and gives their manifests.
fn checkpoints(settings: &[(&str, &str)], count: u64) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut conf = Configuration::default();
    let path = folder.path().to_str().unwrap();
    for (key, value) in [
        ("execution.checkpointing.interval", "500 ms"),
        ("execution.checkpointing.num-retained", "100"),
        ("execution.checkpointing.dir", path),
    ]
    .iter()
    .chain(settings)
    {
        conf.set(key, value);
    }
    let taken = Arc::new(AtomicU64::new(0));
    let env = StreamEnv::new(conf.clone());
    env.name("pressure").parallelism(2);
    env.from_source(
        DataGeneratorSource::unbounded(|n| n),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .key_by(|n| n % 97)
    .process(|_| Ok(Through))
    .name("through")
    .key_by(|n| n % 89)
    .process(|_| Ok(Through))
    .name("again")
    .rebalance()
    .sink_to(SlowSink(taken.clone()))
    .name("slow-sink")
    .parallelism(1);
    let job = rheos::execute::start(&env.program().unwrap(), conf).unwrap();
    let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
    let waiting = std::thread::spawn(move || job.wait().map(drop).map_err(|e| e.to_string()));
    let completed = || {
        let counts = metrics.checkpoints.counts();
        counts.map_or(0, |counts| counts.completed)
    };
    wait_until("checkpoints don't complete", || completed() >= count);
    control.cancel();
    assert!(waiting.join().unwrap().is_err(), "cancelled");
    let manifests = manifests(folder.path());
    assert!(manifests.len() as u64 >= count);
    manifests
}

struct Cost {
    unaligned: usize,
    millis: f64,
    alignment_millis: f64,
    sync_millis: f64,
    persisted: u64,
}

fn cost(manifest: &Value) -> Cost {
    let tasks = manifest["tasks"].as_array().unwrap();
    let most = |field: &str| {
        let micros = tasks.iter().map(|task| task[field].as_f64().unwrap());
        micros.fold(0.0, f64::max) / 1_000.0
    };
    Cost {
        unaligned: tasks
            .iter()
            .filter(|task| task["unaligned"] == true)
            .count(),
        millis: most("end_to_end_micros"),
        alignment_millis: most("alignment_micros"),
        sync_millis: most("sync_micros"),
        persisted: tasks
            .iter()
            .map(|task| task["bytes_persisted"].as_u64().unwrap())
            .sum(),
    }
}

fn costs(what: &str, manifests: &[Value]) -> Vec<Cost> {
    let costs: Vec<Cost> = manifests.iter().map(cost).collect();
    for cost in &costs {
        println!(
            "{what}: {:.0} ms end to end, aligned for {:.0} ms, a task stood still for {:.2} ms, {} \
             tasks overtaken, {} bytes in flight",
            cost.millis, cost.alignment_millis, cost.sync_millis, cost.unaligned, cost.persisted
        );
    }
    costs
}

/// What may be in flight: of each of the exchanges, 200 ms of a sink of 1,000 rows of 24 bytes a second,
/// and what fast exchanges had before they knew of it.
const LITTLE: u64 = 8 << 20;

#[test]
fn unaligned_checkpoints_complete_before_a_slow_sink() {
    let settings = [("execution.checkpointing.aligned-checkpoint-timeout", "0 ms")];
    let manifests = checkpoints(&settings, 8);
    let costs = costs("unaligned", &manifests);
    for cost in &costs {
        assert!(cost.unaligned > 0, "nothing was overtaken");
        assert!(cost.persisted < LITTLE, "{} bytes", cost.persisted);
    }
    let persisted: u64 = costs.iter().map(|cost| cost.persisted).sum();
    assert!(persisted > 0, "nothing was in flight");
}

#[test]
fn aligned_checkpoints_switch_when_their_time_is_up() {
    let settings = [(
        "execution.checkpointing.aligned-checkpoint-timeout",
        "50 ms",
    )];
    let manifests = checkpoints(&settings, 5);
    let costs = costs("after 50 ms", &manifests);
    assert!(costs.iter().any(|cost| cost.unaligned > 0));
    assert!(costs.iter().all(|cost| cost.persisted < LITTLE));
}

#[test]
fn aligned_checkpoints_wait_and_keep_nothing_that_is_in_flight() {
    let settings = [("execution.checkpointing.unaligned.enabled", "false")];
    let manifests = checkpoints(&settings, 3);
    for cost in costs("aligned", &manifests) {
        assert_eq!((cost.unaligned, cost.persisted), (0, 0));
    }
}
