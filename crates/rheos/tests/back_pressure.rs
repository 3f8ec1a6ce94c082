//! A sink that takes a thousand rows a second behind a source that could give millions: what is in
//! flight is a short time's worth, the sink shows as the bottleneck, and the job stops in good order.
//!
//! A program of its own: the memory of the process is looked at.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rheos::cluster::bottleneck::{Bottleneck, TaskLoad, bottleneck};
use rheos::cluster::deploy::JobMetrics;
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;

/// Gives numbers as fast as they are taken.
struct Numbers;

struct NumbersReader(u64);

struct NoSplits;

impl SplitEnumerator<u64> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(Assignment::NoMore)
    }
}

impl Source<u64> for Numbers {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(NoSplits))
    }

    fn reader(&self, _: &ReaderContext) -> Result<Box<dyn SourceReader<u64, u64>>, BoxError> {
        Ok(Box::new(NumbersReader(0)))
    }
}

impl SourceReader<u64, u64> for NumbersReader {
    fn add_splits(&mut self, _splits: Vec<u64>) {}

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        for _ in 0..budget {
            out.emit_at(0, self.0, 0);
            self.0 += 1;
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<u64> {
        vec![self.0]
    }
}

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

fn records_out(metrics: &JobMetrics, operator: &str) -> u64 {
    let operators = metrics.tasks.iter().flat_map(|task| &task.operators);
    operators
        .filter(|o| o.name == operator)
        .map(|o| o.metrics.records_out())
        .sum()
}

/// Loads of the tasks over the coming second.
fn loads(metrics: &JobMetrics) -> Vec<TaskLoad> {
    let before: Vec<_> = metrics.tasks.iter().map(|task| task.times.read()).collect();
    std::thread::sleep(Duration::from_secs(1));
    let tasks = metrics.tasks.iter().zip(before);
    tasks
        .map(|(task, before)| TaskLoad::between(task, &before))
        .collect()
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

struct Slow {
    job: RunningJob,
    metrics: JobMetrics,
    taken: Arc<AtomicU64>,
}

fn run(describe: impl FnOnce(&StreamEnv, SlowSink)) -> Slow {
    let env = StreamEnv::default();
    env.parallelism(1);
    let taken = Arc::new(AtomicU64::new(0));
    describe(&env, SlowSink(taken.clone()));
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    let metrics = job.handle.metrics().clone();
    Slow {
        job,
        metrics,
        taken,
    }
}

#[test]
fn little_is_in_flight_before_a_slow_sink_and_it_stops_in_good_order() {
    let slow = run(|env, sink| {
        let numbers = env.from_source(Numbers, WatermarkStrategy::no_watermarks(), "numbers");
        // In the source's chain: what lies between them is in flight too.
        let same = numbers.map(|n| n).name("same");
        let plus = same.rebalance().map(|n| n + 1).name("plus");
        plus.rebalance().sink_to(sink).name("slow-sink");
    });
    std::thread::sleep(Duration::from_secs(1));
    let before = resident_mb();
    let loads = loads(&slow.metrics);
    let emitted = records_out(&slow.metrics, "Source: numbers");
    let taken = slow.taken.load(Ordering::SeqCst);
    assert!(
        emitted - taken <= 2_000,
        "{} rows are in flight",
        emitted - taken
    );
    let found = bottleneck(&slow.metrics.graph, &loads).unwrap();
    assert_eq!(found.vertex_name, "slow-sink", "{found:?} of {loads:?}");
    assert!(found.busy > 900.0, "{found:?}");
    for load in loads.iter().filter(|load| load.vertex != found.vertex) {
        assert!(load.back_pressured > 900.0, "{load:?}");
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(
        resident_mb() <= before + 16,
        "{before} MB grew to {} MB",
        resident_mb()
    );

    slow.job.handle.control().stop(true);
    let stopping = Instant::now();
    std::thread::sleep(Duration::from_millis(100));
    let stopped_at = records_out(&slow.metrics, "Source: numbers");
    slow.job.wait().unwrap();
    let emitted = records_out(&slow.metrics, "Source: numbers");
    assert_eq!(emitted, stopped_at, "the source went on after 100 ms");
    assert_eq!(emitted, slow.taken.load(Ordering::SeqCst), "rows were lost");
    assert!(
        stopping.elapsed() < Duration::from_secs(4),
        "{:?}",
        stopping.elapsed()
    );
}

#[test]
fn a_row_that_becomes_a_million_breaks_none_of_it() {
    let slow = run(|env, sink| {
        env.from_source(Numbers, WatermarkStrategy::no_watermarks(), "numbers")
            .flat_map(|n| (0..1_000_000u64).map(move |i| n + i))
            .name("million")
            .rebalance()
            .sink_to(sink)
            .name("slow-sink");
    });
    std::thread::sleep(Duration::from_secs(1));
    let before = resident_mb();
    let loads = loads(&slow.metrics);
    let made = records_out(&slow.metrics, "million");
    let taken = slow.taken.load(Ordering::SeqCst);
    assert!(made - taken <= 2_000, "{} rows are in flight", made - taken);
    let found = bottleneck(&slow.metrics.graph, &loads).unwrap();
    assert_eq!(found.vertex_name, "slow-sink", "{loads:?}");
    assert!(
        resident_mb() <= before + 16,
        "{before} MB grew to {} MB",
        resident_mb()
    );
    slow.job.handle.control().cancel();
    let cancelled = Instant::now();
    assert!(slow.job.wait().is_err());
    assert!(
        cancelled.elapsed() < Duration::from_secs(1),
        "{:?}",
        cancelled.elapsed()
    );
}

#[test]
fn a_slow_sink_in_the_source_s_chain_is_the_bottleneck_too() {
    let slow = run(|env, sink| {
        env.from_source(Numbers, WatermarkStrategy::no_watermarks(), "numbers")
            .sink_to(sink)
            .name("slow-sink");
    });
    std::thread::sleep(Duration::from_millis(500));
    let loads = loads(&slow.metrics);
    let emitted = records_out(&slow.metrics, "Source: numbers");
    let taken = slow.taken.load(Ordering::SeqCst);
    assert!(
        emitted - taken <= 2_000,
        "{} rows are in flight",
        emitted - taken
    );
    let found = bottleneck(&slow.metrics.graph, &loads);
    assert!(
        matches!(found, Some(Bottleneck { busy, .. }) if busy > 900.0),
        "{loads:?}"
    );
    slow.job.handle.control().stop(true);
    slow.job.wait().unwrap();
    let emitted = records_out(&slow.metrics, "Source: numbers");
    assert_eq!(emitted, slow.taken.load(Ordering::SeqCst), "rows were lost");
}
