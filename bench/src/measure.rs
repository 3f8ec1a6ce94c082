//! The sinks of the benchmark: they count, sum, and keep latencies.

use std::sync::{Arc, Mutex, MutexGuard};

use hdrhistogram::Histogram;
use rheos::core::clock::SharedClock;
use rheos::prelude::*;
use rheos::runtime::chain::inbox::Cursor;
use serde::Serialize;

/// What the sinks of one name saw, over all subtasks.
#[derive(Default)]
pub struct Measured {
    totals: Mutex<Totals>,
}

#[derive(Default)]
struct Totals {
    rows: u64,
    checksum: f64,
    latency_us: Option<Histogram<u64>>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    pub samples: u64,
}

impl Measured {
    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.totals
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds what the sinks of another process saw.
    pub fn add(&self, rows: u64, checksum: f64) {
        let mut totals = self.lock();
        totals.rows += rows;
        totals.checksum += checksum;
    }

    /// Rows that arrived.
    pub fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// The sum of what the sink adds up.
    pub fn checksum(&self) -> f64 {
        self.lock().checksum
    }

    /// Latencies, if any were kept.
    pub fn latency(&self) -> Option<Latency> {
        let totals = self.lock();
        let histogram = totals.latency_us.as_ref().filter(|h| !h.is_empty())?;
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Some(Latency {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
            samples: histogram.len(),
        })
    }
}

/// What a sink takes from a row: a number to add up, and when it was emitted (in ns), if its latency
/// counts.
pub type Look<T> = Arc<dyn Fn(&T) -> (f64, Option<i64>) + Send + Sync>;

/// Discards rows after a look at them.
pub struct MeasureSink<T> {
    pub measured: Arc<Measured>,
    pub look: Look<T>,
    /// Latencies of the first so many milliseconds are left out.
    pub warm_up_millis: i64,
}

impl<T: Row> Sink<T> for MeasureSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(MeasureWriter {
            measured: self.measured.clone(),
            look: self.look.clone(),
            clock: context.clock.clone(),
            from_ns: context.clock.monotonic_micros() * 1000 + self.warm_up_millis * 1_000_000,
            rows: 0,
            checksum: 0.0,
            latency_us: Histogram::new(3)?,
            unrecorded: 0,
        }))
    }
}

struct MeasureWriter<T> {
    measured: Arc<Measured>,
    look: Look<T>,
    clock: SharedClock,
    from_ns: i64,
    rows: u64,
    checksum: f64,
    latency_us: Histogram<u64>,
    /// Latencies that the histogram could not take.
    unrecorded: u64,
}

impl<T: Row> SinkWriter<T> for MeasureWriter<T> {
    fn write(&mut self, row: T, _timestamp: i64) -> Result<(), BoxError> {
        let now = self.clock.monotonic_micros() * 1000;
        self.take(&row, now);
        Ok(())
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        let now = self.clock.monotonic_micros() * 1000;
        for row in rows.rows() {
            self.take(row, now);
        }
        rows.skip_all();
        Ok(())
    }

    fn flush(&mut self, end: bool) -> Result<(), BoxError> {
        if end {
            if self.unrecorded > 0 {
                return Err(
                    format!("{} latencies were beyond the histogram", self.unrecorded).into(),
                );
            }
            let mut totals = self.measured.lock();
            totals.rows += self.rows;
            totals.checksum += self.checksum;
            match &mut totals.latency_us {
                Some(all) => all.add(&self.latency_us)?,
                none => *none = Some(self.latency_us.clone()),
            }
        }
        Ok(())
    }
}

impl<T> MeasureWriter<T> {
    #[inline]
    fn take(&mut self, row: &T, now: i64) {
        let (number, emitted) = (self.look)(row);
        self.rows += 1;
        self.checksum += number;
        if let Some(emitted) = emitted
            && now >= self.from_ns
        {
            // The histogram grows with what it is given; only `saturating_record` would not, and cut
            // every latency off at where it begins.
            let micros = u64::try_from((now - emitted) / 1000).unwrap_or(0);
            if self.latency_us.record(micros).is_err() {
                self.unrecorded += 1;
            }
        }
    }
}
