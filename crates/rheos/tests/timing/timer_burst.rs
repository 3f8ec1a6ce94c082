//! A burst of ten million timers does not hold a barrier up: 10,000 keys with 1,000 timers each, all
//! due at one watermark.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rheos::core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos::core::id::{CheckpointId, Generation, Place};
use rheos::execute::{StartOptions, start_with};
use rheos::prelude::*;
use rheos::runtime::task::task::TaskListener;

const KEYS: u64 = 10_000;
const TIMERS: i64 = 1_000;

/// Emits each key once, then the watermark that all timers are due at, then nothing.
struct Keys;

struct KeysReader {
    next: u64,
    told: bool,
}

struct NoSplits;

impl SplitEnumerator<u64> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(Assignment::NoMore)
    }
}

impl Source<u64> for Keys {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(NoSplits))
    }

    fn reader(&self, _: &ReaderContext) -> Result<Box<dyn SourceReader<u64, u64>>, BoxError> {
        Ok(Box::new(KeysReader {
            next: 0,
            told: false,
        }))
    }
}

impl SourceReader<u64, u64> for KeysReader {
    fn add_splits(&mut self, _splits: Vec<u64>) {}

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        while self.next < KEYS && out.len() < budget {
            out.emit_at(0, self.next, 0);
            self.next += 1;
        }
        if self.next < KEYS {
            return Ok(ReaderStatus::More);
        }
        if !self.told {
            self.told = true;
            out.emit_watermark(TIMERS + 1);
            return Ok(ReaderStatus::More);
        }
        Ok(ReaderStatus::Pending { until: None })
    }

    fn splits(&self) -> Vec<u64> {
        Vec::new()
    }
}

#[derive(Default)]
struct Fired {
    count: AtomicU64,
    /// The greatest time so far: timers fire in order.
    last: AtomicI64,
    disorder: AtomicU64,
}

struct Timers(Arc<Fired>);

impl KeyedProcessFunction<u64, u64, u64> for Timers {
    fn process(
        &mut self,
        _row: u64,
        context: &KeyedContext<'_, u64>,
        _out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        for at in 1..=TIMERS {
            context.register_event_time_timer(at);
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: i64,
        _domain: TimeDomain,
        _context: &KeyedContext<'_, u64>,
        _out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        if self.0.last.fetch_max(timestamp, Ordering::SeqCst) > timestamp {
            self.0.disorder.fetch_add(1, Ordering::SeqCst);
        }
        self.0.count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Default)]
struct Passed(Mutex<Vec<(CheckpointId, String, Instant)>>);

impl TaskListener for Passed {
    fn barrier_passed(&self, place: &Place, barrier: &Barrier) {
        let name = place.operator.clone();
        self.0
            .lock()
            .unwrap()
            .push((barrier.checkpoint, name, Instant::now()));
    }
}

#[test]
fn a_barrier_gets_through_a_burst_of_ten_million_timers() {
    let env = StreamEnv::default();
    env.parallelism(1);
    let fired = Arc::new(Fired::default());
    let seen = fired.clone();
    env.from_source(Keys, WatermarkStrategy::no_watermarks(), "keys")
        .key_by(|key| *key)
        .process(move |_| Ok(Timers(seen.clone())))
        .name("timers");
    let passed = Arc::new(Passed::default());
    let options = StartOptions {
        listener: passed.clone(),
        ..StartOptions::default()
    };
    let job = start_with(&env.program().unwrap(), Configuration::default(), options).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let wait_for = |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(
                Instant::now() < deadline,
                "it did not happen within a minute"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    wait_for(&|| fired.count.load(Ordering::SeqCst) > 0);
    let mut slowest = Duration::ZERO;
    let mut within_burst = 0;
    for checkpoint in 1..=5 {
        let triggered = Instant::now();
        let checkpoint = CheckpointId(checkpoint);
        job.handle.trigger(Barrier {
            checkpoint,
            generation: Generation(1),
            triggered_at: 0,
            kind: SnapshotKind::Checkpoint,
            alignment: Alignment::Aligned,
        });
        let at = || {
            let passed = passed.0.lock().unwrap();
            passed
                .iter()
                .find(|(id, name, _)| *id == checkpoint && name == "timers")
                .map(|p| p.2)
        };
        wait_for(&|| at().is_some());
        slowest = slowest.max(at().unwrap().duration_since(triggered));
        within_burst += usize::from(fired.count.load(Ordering::SeqCst) < KEYS * TIMERS as u64);
    }
    let total = KEYS * TIMERS as u64;
    wait_for(&|| fired.count.load(Ordering::SeqCst) == total);
    assert_eq!(
        fired.disorder.load(Ordering::SeqCst),
        0,
        "timers fired out of order"
    );
    assert!(
        within_burst > 0,
        "the burst was over before the first barrier had passed"
    );
    assert!(
        slowest < Duration::from_millis(100),
        "a barrier took {slowest:?}"
    );
    job.handle.control().cancel();
    assert!(job.wait().is_err(), "a cancelled job says so");
}
