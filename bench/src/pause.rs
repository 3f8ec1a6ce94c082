//! The job `pause`: how long a checkpoint makes a task stand still, and what memory it takes.
//!
//! source → a value of some 100 bytes by key → an hour's sums by key → nothing. Each key comes once,
//! then keys at random, each row changing what there is of its key, so the state neither grows nor
//! shrinks. What is measured begins then, in the first two seconds after a barrier and otherwise:
//!
//! - for every 64 rows how long they took by the wall clock, whoever had the cores meanwhile;
//! - each turn of a task's loop, by the CPU time of its thread: what rows, barriers and mail wait for. A
//!   task asks the clock once a turn, so that a clock that looks at the thread's time sees them all;
//! - the memory of the process since the barrier.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hdrhistogram::Histogram;
use rheos::core::clock::{Clock, SharedClock};
use rheos::core::id::CheckpointId;
use rheos::core::rng::splitmix64;
use rheos::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::jobs::Outputs;
use crate::measure::{MeasureSink, Measured};
use crate::report::status_kib;

/// Rows between two looks at the clocks.
const ROWS: u32 = 64;
/// For how long after a barrier the figures are kept apart, in microseconds.
const AFTER: i64 = 2_000_000;

/// Times of 64 rows or of a turn, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Times {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
    samples: u64,
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Self {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e6,
            samples: histogram.len(),
        }
    }
}

/// What a run comes to.
#[derive(Debug, Serialize)]
pub struct Pauses {
    /// Barriers that were measured.
    barriers: u64,
    rows_wall_ms_after_barrier: Times,
    rows_wall_ms_otherwise: Times,
    turn_cpu_ms_after_barrier: Times,
    turn_cpu_ms_otherwise: Times,
    /// Resident memory at the first measured barrier, and the most that was added after one.
    rss_mb_at_barrier: f64,
    extra_rss_mb: f64,
}

struct Kept {
    /// After a barrier, then otherwise; in nanoseconds.
    wall: [Histogram<u64>; 2],
    cpu: [Histogram<u64>; 2],
    rss_at_barrier: f64,
    extra_rss: f64,
}

/// What is measured, by all that take part.
pub struct Probe {
    /// All keys are there.
    loaded: AtomicBool,
    /// The last barrier that was measured, in microseconds; none at 0.
    barrier: AtomicI64,
    barriers: AtomicU64,
    kept: Mutex<Kept>,
}

impl Probe {
    pub fn new() -> Result<Arc<Self>, BoxError> {
        let histogram = || Histogram::new(3);
        Ok(Arc::new(Self {
            loaded: AtomicBool::new(false),
            barrier: AtomicI64::new(0),
            barriers: AtomicU64::new(0),
            kept: Mutex::new(Kept {
                wall: [histogram()?, histogram()?],
                cpu: [histogram()?, histogram()?],
                rss_at_barrier: 0.0,
                extra_rss: 0.0,
            }),
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn watch(&self, ended: &AtomicBool) {
        let (mut seen, mut before) = (0, 0.0);
        while !ended.load(Ordering::Relaxed) {
            let (barriers, rss) = (self.barriers.load(Ordering::Relaxed), status_kib("VmRSS:"));
            let mut kept = self.kept();
            if barriers > seen {
                (seen, before) = (barriers, rss);
                if kept.rss_at_barrier == 0.0 {
                    kept.rss_at_barrier = rss;
                }
            } else if seen > 0 {
                kept.extra_rss = kept.extra_rss.max(rss - before);
            }
            drop(kept);
            #[allow(
                clippy::disallowed_methods,
                reason = "a thread that samples the process, beside the job"
            )]
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub fn pauses(&self) -> Pauses {
        let kept = self.kept();
        let [wall_after, wall] = &kept.wall;
        let [cpu_after, cpu] = &kept.cpu;
        Pauses {
            barriers: self.barriers.load(Ordering::Relaxed),
            rows_wall_ms_after_barrier: Times::of(wall_after),
            rows_wall_ms_otherwise: Times::of(wall),
            turn_cpu_ms_after_barrier: Times::of(cpu_after),
            turn_cpu_ms_otherwise: Times::of(cpu),
            rss_mb_at_barrier: kept.rss_at_barrier / 1024.0,
            extra_rss_mb: kept.extra_rss / 1024.0,
        }
    }
}

/// Looks at the memory of the process, on a thread of its own, until it is ended.
pub struct Watch {
    ended: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    #[allow(
        clippy::disallowed_methods,
        reason = "a benchmark's own thread, beside the job"
    )]
    pub fn start(probe: &Arc<Probe>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (probe, told) = (probe.clone(), ended.clone());
        let thread = std::thread::spawn(move || probe.watch(&told));
        Self { ended, thread }
    }

    pub fn end(self, probe: &Probe) -> Pauses {
        self.ended.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            eprintln!("rheos-bench: the memory was not watched to the end");
        }
        probe.pauses()
    }
}

#[derive(Row, Clone, Debug)]
struct Touch {
    key: u64,
    number: i64,
}

/// The keys, first one after the other, then at random.
#[derive(Clone)]
struct Touches {
    keys: u64,
    events: u64,
    probe: Arc<Probe>,
}

struct NoSplits;

impl SplitEnumerator<u64> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(Assignment::NoMore)
    }

    /// A run takes checkpoints, to see what they cost; it is not gone on with.
    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), BoxError> {
        Err("a benchmark is not gone on with: let it begin anew".into())
    }
}

impl Source<Touch> for Touches {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(NoSplits))
    }

    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<Touch, u64>>, BoxError> {
        Ok(Box::new(TouchReader {
            spec: self.clone(),
            next: u64::from(context.place.subtask),
            step: u64::from(context.place.parallelism),
        }))
    }
}

struct TouchReader {
    spec: Touches,
    next: u64,
    step: u64,
}

impl SourceReader<Touch, u64> for TouchReader {
    fn add_splits(&mut self, _splits: Vec<u64>) {}

    fn poll(
        &mut self,
        out: &mut SourceOutput<Touch>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        let Touches { keys, events, .. } = self.spec;
        let end = events.min(self.next + budget as u64 * self.step);
        while self.next < end {
            let key = match self.next {
                first if first < keys => first,
                later => splitmix64(later) % keys,
            };
            let touch = Touch {
                key,
                number: self.next as i64,
            };
            // All in the same hour.
            out.emit_at(0, touch, 1 + (self.next % 3_000_000) as i64);
            self.next += self.step;
        }
        if self.next > keys + keys / 4 {
            self.spec.probe.loaded.store(true, Ordering::Relaxed);
        }
        if self.next >= events {
            // To drop the state of a job that ends makes nobody wait.
            self.spec.probe.barrier.store(0, Ordering::Relaxed);
            return Ok(ReaderStatus::WantsSplit);
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<u64> {
        vec![self.next]
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Vec<u64> {
        let probe = &self.spec.probe;
        if probe.loaded.load(Ordering::Relaxed) && self.next < self.spec.events {
            let now = nanos(ClockId::Monotonic) / 1000;
            // The sources' barriers come together.
            if now - probe.barrier.swap(now, Ordering::Relaxed) > AFTER / 2 {
                probe.barriers.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.splits()
    }
}

/// What is kept by key: some 100 bytes.
#[derive(Row, Clone, Debug, Default)]
struct Held {
    count: i64,
    text: String,
}

struct Holding {
    held: ValueState<Held>,
    probe: Arc<Probe>,
}

impl KeyedProcessFunction<u64, Touch, Touch> for Holding {
    fn process(
        &mut self,
        touch: Touch,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Touch>,
    ) -> Result<(), BoxError> {
        self.probe.row();
        let mut held = self.held.get_or_insert_with(|| Held {
            count: 0,
            text: format!("{:0>80}", touch.key),
        });
        held.count += 1;
        drop(held);
        out.collect(touch);
        Ok(())
    }
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What is known of the task on a thread.
#[derive(Clone, Copy, Default)]
struct Meter {
    /// Rows since the last look at the wall clock, and what it showed.
    rows: u32,
    wall: i64,
    /// The thread's CPU time at the end of the last turn; none before the first row.
    cpu: i64,
}

thread_local! {
    static METER: Cell<Meter> = const { Cell::new(Meter { rows: 0, wall: 0, cpu: 0 }) };
}

impl Probe {
    /// A row of the task on this thread.
    fn row(&self) {
        let mut meter = METER.get();
        meter.rows += 1;
        if meter.rows >= ROWS && self.loaded.load(Ordering::Relaxed) {
            let now = nanos(ClockId::Monotonic);
            let took = (meter.wall > 0).then(|| now - meter.wall);
            (meter.rows, meter.wall) = (0, now);
            if meter.cpu == 0 {
                meter.cpu = nanos(ClockId::ThreadCPUTime);
            }
            self.record(took, |kept| &mut kept.wall);
        }
        METER.set(meter);
    }

    /// A turn of the task on this thread has ended, if there is one.
    fn turn(&self) {
        let meter = METER.get();
        if meter.cpu > 0 {
            let cpu = nanos(ClockId::ThreadCPUTime);
            METER.set(Meter { cpu, ..meter });
            self.record(Some(cpu - meter.cpu), |kept| &mut kept.cpu);
        }
    }

    fn record(&self, nanos_taken: Option<i64>, of: fn(&mut Kept) -> &mut [Histogram<u64>; 2]) {
        let barrier = self.barrier.load(Ordering::Relaxed);
        let Some(taken) = nanos_taken.filter(|_| barrier > 0) else {
            return;
        };
        let at = usize::from(nanos(ClockId::Monotonic) / 1000 - barrier > AFTER);
        if let Some(histogram) = of(&mut self.kept()).get_mut(at) {
            // It grows with what it is given.
            let recorded = histogram.record(u64::try_from(taken).unwrap_or(0));
            debug_assert!(recorded.is_ok());
        }
    }
}

/// The machine's clock, which sees the turns of tasks.
pub struct TurnClock {
    pub clock: SharedClock,
    pub probe: Arc<Probe>,
}

impl Clock for TurnClock {
    fn monotonic_micros(&self) -> i64 {
        self.probe.turn();
        self.clock.monotonic_micros()
    }

    fn wall_millis(&self) -> i64 {
        self.clock.wall_millis()
    }
}

struct Sum(Arc<Probe>);

impl AggregateFunction for Sum {
    type In = Touch;
    type Acc = i64;
    type Out = i64;

    fn create_accumulator(&self) -> i64 {
        0
    }

    fn add(&self, sum: &mut i64, touch: Touch) {
        self.0.row();
        *sum += touch.number;
    }

    fn get_result(&self, sum: &i64) -> i64 {
        *sum
    }

    fn merge(&self, into: &mut i64, from: i64) {
        *into += from;
    }
}

/// See the [module](self).
pub fn pause(env: &StreamEnv, keys: u64, events: u64, probe: &Arc<Probe>) -> Outputs {
    let source = Touches {
        keys,
        events,
        probe: probe.clone(),
    };
    let metered = probe.clone();
    let sums = env
        .from_source(
            source,
            WatermarkStrategy::for_monotonous_timestamps(),
            "touches",
        )
        .key_by(|touch| touch.key)
        .process(move |open| {
            Ok(Holding {
                held: open.value_state("held")?,
                probe: metered.clone(),
            })
        })
        .name("held")
        .key_by(|touch| touch.key)
        .window(TumblingEventTimeWindows::of(
            std::time::Duration::from_hours(1),
        ))
        .aggregate_apply(
            Sum(probe.clone()),
            |key: &u64,
             _: &TimeWindow,
             sum: i64,
             _: &WindowContext<'_>,
             out: &mut Collector<'_, (u64, i64)>| {
                out.collect((*key, sum));
                Ok(())
            },
        )
        .name("sums");
    let measured = Arc::new(Measured::default());
    sums.sink_to(MeasureSink {
        measured: measured.clone(),
        look: Arc::new(|row: &(u64, i64)| (row.1 as f64, None)),
        warm_up_millis: 0,
    });
    vec![("sums", measured)]
}
