//! A job whose input a test turns on and off.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rheos::prelude::*;

/// A tap: numbers run out of it up to a limit, and it ends when it is closed.
#[derive(Clone, Default)]
pub struct Tap {
    limit: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
}

impl Tap {
    pub fn up_to(limit: u64) -> Self {
        let tap = Self::default();
        tap.open_to(limit);
        tap
    }

    pub fn open_to(&self, limit: u64) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Has one split, the next number.
struct OneSplit(bool);

impl SplitEnumerator<u64> for OneSplit {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        match std::mem::replace(&mut self.0, false) {
            true => Ok(Assignment::Splits(vec![0])),
            false => Ok(Assignment::NoMore),
        }
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(vec![u8::from(self.0)])
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        self.0 = snapshot == [1];
        Ok(())
    }
}

struct TapReader {
    tap: Tap,
    next: Option<u64>,
    context_micros: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Source<u64> for Tap {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(OneSplit(true)))
    }

    fn reader(&self, of: &ReaderContext) -> Result<Box<dyn SourceReader<u64, u64>>, BoxError> {
        let clock = of.clock.clone();
        Ok(Box::new(TapReader {
            tap: self.clone(),
            next: None,
            context_micros: Arc::new(move || clock.monotonic_micros()),
        }))
    }
}

impl SourceReader<u64, u64> for TapReader {
    fn add_splits(&mut self, splits: Vec<u64>) {
        self.next = splits.first().copied();
    }

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        let Some(next) = &mut self.next else {
            return Ok(ReaderStatus::WantsSplit);
        };
        let limit = self.tap.limit.load(Ordering::SeqCst);
        for _ in 0..budget.min(100) {
            if *next >= limit {
                break;
            }
            out.emit_at(0, *next, *next as i64);
            *next += 1;
        }
        if *next < limit {
            return Ok(ReaderStatus::More);
        }
        if self.tap.closed.load(Ordering::SeqCst) {
            self.next = None;
            return Ok(ReaderStatus::WantsSplit);
        }
        Ok(ReaderStatus::Pending {
            until: Some((self.context_micros)() + 2_000),
        })
    }

    fn splits(&self) -> Vec<u64> {
        self.next.into_iter().collect()
    }
}

/// Keeps what it is given; of rows that came twice both.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u64>>>);

impl Kept {
    pub fn rows(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink<u64> for Kept {
    fn writer(&self, _: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter<u64> for Kept {
    fn write(&mut self, row: u64, _timestamp: i64) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(row);
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Where a test's job keeps its checkpoints; it goes when the test ends.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn of(test: &str) -> Self {
        let name = format!("{}-{test}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits for a condition, for a minute.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
