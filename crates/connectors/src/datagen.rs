//! A source that makes its rows: row *k* is a function of *k*.
//!
//! The indices `0..count` are divided into one split a subtask, contiguous ranges or strides; a
//! split's position is the next index, so a row is made again exactly if it was not emitted before.
//! The loop that makes rows is monomorphic in the user's function, and leaves off after a slice of
//! time, so that a slow function holds up neither barriers nor mail.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::row::{Reader, Writer};
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_runtime::BoxError;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{
    Assignment, Boundedness, ReaderContext, ReaderStatus, Source, SourceReader, SplitEnumerator,
};

/// Rows made between two looks at the clock.
const CHUNK: u64 = 256;
/// What one poll may cost, in microseconds.
const POLL_MICROS: i64 = 2_000;

/// Makes rows and their timestamps. Implemented by [`Untimed`] and [`Timed`]; called on the thread
/// of each subtask, on a copy of its own.
pub trait Generate<T>: Clone + Send + Sync + 'static {
    /// The row of an index with its timestamp, [`MIN_TIMESTAMP`] for none.
    fn generate(&mut self, index: u64) -> (T, Millis);
}

/// A function of the index that gives a row. Its timestamp comes from the watermark strategy.
#[derive(Debug, Clone)]
pub struct Untimed<F>(F);

impl<T, F: FnMut(u64) -> T + Clone + Send + Sync + 'static> Generate<T> for Untimed<F> {
    #[inline]
    fn generate(&mut self, index: u64) -> (T, Millis) {
        ((self.0)(index), MIN_TIMESTAMP)
    }
}

/// A function of the index that gives a row and its timestamp.
#[derive(Debug, Clone)]
pub struct Timed<F>(F);

impl<T, F: FnMut(u64) -> (T, Millis) + Clone + Send + Sync + 'static> Generate<T> for Timed<F> {
    #[inline]
    fn generate(&mut self, index: u64) -> (T, Millis) {
        (self.0)(index)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Division {
    Contiguous,
    Strided,
}

/// Makes rows. Flink's `DataGeneratorSource`; for a rate, read it by
/// `StreamEnv::from_source_with_rate`.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{BlackholeSink, DataGeneratorSource};
///
/// let env = StreamEnv::default();
/// let source = DataGeneratorSource::new(|k| k * k, 1_000_000);
/// let squares: DataStream<u64> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "squares");
/// squares.sink_to(BlackholeSink);
/// ```
#[derive(Debug, Clone)]
pub struct DataGeneratorSource<G> {
    generate: G,
    count: u64,
    division: Division,
}

impl<F> DataGeneratorSource<Untimed<F>> {
    /// The rows `function(0)` … `function(count - 1)`, of which each subtask makes a contiguous
    /// range. Each subtask has a copy of the function.
    pub fn new(function: F, count: u64) -> Self {
        Self {
            generate: Untimed(function),
            count,
            division: Division::Contiguous,
        }
    }

    /// The rows `function(0)`, `function(1)` … without end, strided.
    pub fn unbounded(function: F) -> Self {
        Self::new(function, u64::MAX).strided()
    }
}

impl<F> DataGeneratorSource<Timed<F>> {
    /// As [`DataGeneratorSource::new`] by a function that gives rows with their timestamps, which
    /// saves the strategy a pass over them.
    pub fn with_timestamps(function: F, count: u64) -> Self {
        Self {
            generate: Timed(function),
            count,
            division: Division::Contiguous,
        }
    }
}

impl<G> DataGeneratorSource<G> {
    /// Subtask *s* of *p* makes the rows *s*, *s + p*, *s + 2p* …: rows whose timestamps rise with
    /// the index then come out of all subtasks at about the same event time.
    #[must_use]
    pub fn strided(mut self) -> Self {
        self.division = Division::Strided;
        self
    }
}

/// What a subtask has yet to make: the indices `next`, `next + step` … below `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row)]
pub struct GeneratorSplit {
    /// Which of the splits, from 0.
    pub number: u32,
    /// The next index.
    pub next: u64,
    /// Behind the last index.
    pub end: u64,
    /// From an index to the next.
    pub step: u64,
}

/// The splits of `0..count` for this many subtasks.
fn divide(count: u64, parallelism: u32, division: Division) -> Vec<GeneratorSplit> {
    let parts = u64::from(parallelism.max(1));
    (0..parts)
        .map(|part| {
            let at = |part: u64| {
                u64::try_from(u128::from(count) * u128::from(part) / u128::from(parts))
                    .unwrap_or(count)
            };
            let number = u32::try_from(part).unwrap_or(u32::MAX);
            match division {
                Division::Contiguous => GeneratorSplit {
                    number,
                    next: at(part),
                    end: at(part + 1),
                    step: 1,
                },
                Division::Strided => GeneratorSplit {
                    number,
                    next: part,
                    end: count,
                    step: parts,
                },
            }
        })
        .filter(|split| split.next < split.end)
        .collect()
}

/// Gives each subtask the split of its number.
struct GeneratorEnumerator {
    readers: u32,
    splits: BTreeMap<u32, GeneratorSplit>,
}

impl SplitEnumerator<GeneratorSplit> for GeneratorEnumerator {
    fn request(&mut self, subtask: u32) -> Result<Assignment<GeneratorSplit>, BoxError> {
        Ok(match self.splits.remove(&subtask) {
            Some(split) => Assignment::Splits(vec![split]),
            // Of another number of readers, before a restore.
            None => match self.splits.pop_last() {
                Some((number, split)) if number >= self.readers => Assignment::Splits(vec![split]),
                Some((number, split)) => {
                    self.splits.insert(number, split);
                    Assignment::NoMore
                }
                None => Assignment::NoMore,
            },
        })
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let splits: Vec<GeneratorSplit> = self.splits.values().copied().collect();
        let mut out = Writer::new();
        splits.encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        let splits = Vec::<GeneratorSplit>::decode(&mut Reader::new(snapshot))?;
        self.splits = splits
            .into_iter()
            .map(|split| (split.number, split))
            .collect();
        Ok(())
    }
}

impl<T: Row, G: Generate<T>> Source<T> for DataGeneratorSource<G> {
    type Split = GeneratorSplit;

    fn boundedness(&self) -> Boundedness {
        if self.count == u64::MAX {
            Boundedness::Unbounded
        } else {
            Boundedness::Bounded
        }
    }

    fn enumerator(
        &self,
        parallelism: u32,
    ) -> Result<Box<dyn SplitEnumerator<GeneratorSplit>>, BoxError> {
        let splits = divide(self.count, parallelism, self.division)
            .into_iter()
            .map(|split| (split.number, split))
            .collect();
        Ok(Box::new(GeneratorEnumerator {
            readers: parallelism.max(1),
            splits,
        }))
    }

    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<T, GeneratorSplit>>, BoxError> {
        Ok(Box::new(GeneratorReader {
            generate: self.generate.clone(),
            clock: context.clock.clone(),
            splits: VecDeque::new(),
            fresh: Vec::new(),
            row: PhantomData,
        }))
    }
}

struct GeneratorReader<T, G> {
    generate: G,
    clock: SharedClock,
    /// Those not used up; several after a restore by fewer readers, who then take turns at them.
    splits: VecDeque<GeneratorSplit>,
    /// Those that the stage has not heard of: each holds the watermark back.
    fresh: Vec<u32>,
    row: PhantomData<fn() -> T>,
}

impl<T: Row, G: Generate<T>> SourceReader<T, GeneratorSplit> for GeneratorReader<T, G> {
    fn add_splits(&mut self, splits: Vec<GeneratorSplit>) {
        self.fresh.extend(splits.iter().map(|split| split.number));
        self.splits.extend(splits);
    }

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        for number in self.fresh.drain(..) {
            out.start_split(number);
        }
        let Some(mut split) = self.splits.pop_front() else {
            return Ok(ReaderStatus::WantsSplit);
        };
        let mut left = budget as u64;
        let leave_off = self.clock.monotonic_micros().saturating_add(POLL_MICROS);
        loop {
            let ahead = (split.end - split.next).div_ceil(split.step);
            let count = ahead.min(left).min(CHUNK);
            let (first, step) = (split.next, split.step);
            let generate = &mut self.generate;
            out.emit_run(
                split.number,
                (0..count).map(|i| generate.generate(first + i * step)),
            );
            left -= count;
            if count == ahead {
                out.finish_split(split.number);
                break;
            }
            split.next += count * step;
            if left == 0 || self.clock.monotonic_micros() >= leave_off {
                self.splits.push_back(split);
                break;
            }
        }
        Ok(if self.splits.is_empty() {
            ReaderStatus::WantsSplit
        } else {
            ReaderStatus::More
        })
    }

    fn splits(&self) -> Vec<GeneratorSplit> {
        self.splits.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(split: &GeneratorSplit) -> Vec<u64> {
        (split.next..split.end)
            .step_by(split.step as usize)
            .collect()
    }

    #[test]
    fn splits_cover_every_index_once() {
        for division in [Division::Contiguous, Division::Strided] {
            for count in [0, 1, 2, 3, 10, 1_001] {
                for parallelism in 1..=5 {
                    let splits = divide(count, parallelism, division);
                    let mut all: Vec<u64> = splits.iter().flat_map(indices).collect();
                    all.sort_unstable();
                    assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} {parallelism}");
                }
            }
        }
    }

    #[test]
    fn the_greatest_count_does_not_overflow() {
        let splits = divide(u64::MAX, 3, Division::Contiguous);
        assert_eq!(splits.last().unwrap().end, u64::MAX);
        assert_eq!(divide(u64::MAX, 3, Division::Strided).len(), 3);
    }
}
