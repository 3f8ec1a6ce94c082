//! The source of the benchmark: subtask *s* of *p* makes the events *s*, *s + p*, *s + 2p* …

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use rheos::core::clock::SharedClock;
use rheos::prelude::*;

use crate::stream::{Event, event};

/// When the windows became due: by window end, the latest emission (in ns) of the events that told
/// a subtask so.
#[derive(Default)]
pub struct Triggers {
    by_end: Mutex<BTreeMap<i64, i64>>,
    /// The clock's reading when the first subtask started, in ns.
    started: OnceLock<i64>,
}

impl Triggers {
    fn raise(&self, end: i64, emit_ns: i64) {
        let mut by_end = self
            .by_end
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let latest = by_end.entry(end).or_insert(emit_ns);
        *latest = (*latest).max(emit_ns);
    }

    /// When the window that ends at `end` became due, in ns.
    pub fn of(&self, end: i64) -> Option<i64> {
        self.by_end
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .get(&end)
            .copied()
    }
}

/// What to make.
#[derive(Clone)]
pub struct EventSource {
    pub events: u64,
    pub step_us: i64,
    /// Events a second over all subtasks; 0 as fast as possible.
    pub rate: u64,
    /// Notes when windows become due, if latency is measured.
    pub triggers: Option<Arc<Triggers>>,
}

struct NoSplits;

impl SplitEnumerator<u64> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(Assignment::NoMore)
    }

    /// A run may take checkpoints, to see what they cost; it is not gone on with.
    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(Vec::new())
    }

    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), BoxError> {
        Err("a benchmark is not gone on with: let it begin anew".into())
    }
}

impl Source<Event> for EventSource {
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
    ) -> Result<Box<dyn SourceReader<Event, u64>>, BoxError> {
        let now = context.clock.monotonic_micros() * 1000;
        let started = match &self.triggers {
            Some(triggers) => *triggers.started.get_or_init(|| now),
            None => now,
        };
        Ok(Box::new(EventReader {
            spec: self.clone(),
            clock: context.clock.clone(),
            started,
            next: u64::from(context.place.subtask),
            step: u64::from(context.place.parallelism),
            greatest: i64::MIN,
            next_end: None,
        }))
    }
}

struct EventReader {
    spec: EventSource,
    clock: SharedClock,
    started: i64,
    next: u64,
    step: u64,
    greatest: i64,
    next_end: Option<i64>,
}

/// Bounded out-of-orderness of the benchmark, in milliseconds.
pub const OUT_OF_ORDERNESS: i64 = 10_000;
/// Size of its windows, in milliseconds.
pub const WINDOW: i64 = 300_000;

impl EventReader {
    /// Notes the event that makes a window due.
    fn watch(&mut self, ts: i64, emit_ns: i64) {
        let Some(triggers) = &self.spec.triggers else {
            return;
        };
        if ts <= self.greatest {
            return;
        }
        self.greatest = ts;
        let mut end = self.next_end.unwrap_or((ts / WINDOW + 1) * WINDOW);
        while ts >= end + OUT_OF_ORDERNESS {
            triggers.raise(end, emit_ns);
            end += WINDOW;
        }
        self.next_end = Some(end);
    }
}

impl SourceReader<Event, u64> for EventReader {
    fn add_splits(&mut self, _splits: Vec<u64>) {}

    fn poll(
        &mut self,
        out: &mut SourceOutput<Event>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        let now = self.clock.monotonic_micros() * 1000;
        let rate = self.spec.rate;
        let mut end = self.spec.events.min(self.next + budget as u64 * self.step);
        if rate > 0 {
            let due = ((now - self.started) as f64 * rate as f64 / 1e9) as u64;
            end = end.min(due);
        }
        let watched = self.spec.triggers.is_some();
        while self.next < end {
            let k = self.next;
            let emit_ns = match rate {
                0 => now,
                rate => self.started + (k as f64 * 1e9 / rate as f64) as i64,
            };
            let event = event(k, self.spec.step_us, emit_ns);
            if watched {
                self.watch(event.ts, emit_ns);
            }
            let ts = event.ts;
            out.emit_at(0, event, ts);
            self.next += self.step;
        }
        if self.next >= self.spec.events {
            return Ok(ReaderStatus::WantsSplit);
        }
        if rate > 0 && out.is_empty() {
            let next_ns = self.started + (self.next as f64 * 1e9 / rate as f64) as i64;
            // At the latest; a task that wakes later finds more events due and sends them together.
            return Ok(ReaderStatus::Pending {
                until: Some(next_ns / 1000 + 1_000),
            });
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<u64> {
        vec![self.next]
    }
}
