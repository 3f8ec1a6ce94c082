//! Rows that arrive whether they are read or not, as in a topic: row *k* is there from *k* ⁄ rate
//! seconds on. What has arrived and was not read is the lag.

use rheos::core::clock::SharedClock;
use rheos::prelude::*;

/// A source of row numbers.
#[derive(Debug, Clone)]
pub struct Arrivals {
    /// Rows a second, of all subtasks.
    pub per_second: u64,
    /// When the first row arrives, in microseconds of the job's clock.
    pub from_micros: i64,
}

/// The rows of one subtask: those whose number leaves `offset` when divided by `stride`.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Lane {
    offset: u64,
    stride: u64,
    next: u64,
}

impl Arrivals {
    /// Rows that have arrived.
    pub fn arrived(&self, now_micros: i64) -> u64 {
        let passed = u64::try_from(now_micros - self.from_micros).unwrap_or(0);
        passed.saturating_mul(self.per_second) / 1_000_000
    }
}

impl Source<u64> for Arrivals {
    type Split = Lane;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn enumerator(&self, parallelism: u32) -> Result<Box<dyn SplitEnumerator<Lane>>, BoxError> {
        let stride = u64::from(parallelism);
        let lane = |offset| Lane {
            offset,
            stride,
            next: 0,
        };
        Ok(Box::new(Lanes {
            left: (0..stride).map(lane).collect(),
        }))
    }

    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<u64, Lane>>, BoxError> {
        Ok(Box::new(Reader {
            arrivals: self.clone(),
            clock: context.clock.clone(),
            lanes: Vec::new(),
        }))
    }
}

struct Lanes {
    left: Vec<Lane>,
}

impl SplitEnumerator<Lane> for Lanes {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<Lane>, BoxError> {
        Ok(match self.left.pop() {
            Some(lane) => Assignment::Splits(vec![lane]),
            None => Assignment::Later,
        })
    }
}

struct Reader {
    arrivals: Arrivals,
    clock: SharedClock,
    lanes: Vec<Lane>,
}

impl SourceReader<u64, Lane> for Reader {
    fn add_splits(&mut self, splits: Vec<Lane>) {
        self.lanes.extend(splits);
    }

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        if self.lanes.is_empty() {
            return Ok(ReaderStatus::WantsSplit);
        }
        let now = self.clock.monotonic_micros();
        let arrived = self.arrivals.arrived(now);
        for lane in &mut self.lanes {
            loop {
                let number = lane.next * lane.stride + lane.offset;
                if number >= arrived {
                    break;
                }
                if out.len() >= budget {
                    return Ok(ReaderStatus::More);
                }
                out.emit(u32::try_from(lane.offset)?, number);
                lane.next += 1;
            }
        }
        Ok(ReaderStatus::Pending {
            until: Some(now + 5_000),
        })
    }

    fn splits(&self) -> Vec<Lane> {
        self.lanes.clone()
    }
}
