//! The input: splits of events, each with the position reached in it.

use std::sync::Arc;

use rheos::prelude::*;
use rheos_core::row::{Reader, Writer};

/// An event.
#[derive(Row, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Its split,
    pub split: u32,
    /// and its number there.
    pub number: u64,
    /// Its key.
    pub key: u32,
    /// When it happened.
    pub at: Millis,
}

/// A split, and how many of its events have been read.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct Position {
    split: u32,
    next: u64,
}

/// Events by split.
#[derive(Debug, Clone)]
pub struct Splits {
    /// They.
    pub events: Arc<Vec<Vec<Event>>>,
    /// How many a poll gives at most.
    pub budget: usize,
}

/// Hands out splits once, those that equal a subtask modulo their number first of all.
struct Handout {
    left: Vec<u32>,
    parallelism: u32,
}

impl SplitEnumerator<Position> for Handout {
    fn request(&mut self, subtask: u32) -> Result<Assignment<Position>, BoxError> {
        let parallelism = self.parallelism.max(1);
        let (own, left): (Vec<u32>, Vec<u32>) = self
            .left
            .iter()
            .partition(|split| **split % parallelism == subtask);
        self.left = left;
        Ok(match own.is_empty() {
            true => Assignment::NoMore,
            false => Assignment::Splits(
                own.into_iter()
                    .map(|split| Position { split, next: 0 })
                    .collect(),
            ),
        })
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut out = Writer::new();
        self.left.encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        self.left = Vec::decode(&mut Reader::new(snapshot))?;
        Ok(())
    }
}

impl Source<Event> for Splits {
    type Split = Position;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, parallelism: u32) -> Result<Box<dyn SplitEnumerator<Position>>, BoxError> {
        let count = u32::try_from(self.events.len())?;
        Ok(Box::new(Handout {
            left: (0..count).collect(),
            parallelism,
        }))
    }

    fn reader(
        &self,
        _context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<Event, Position>>, BoxError> {
        Ok(Box::new(SplitReader {
            splits: self.clone(),
            positions: Vec::new(),
            turn: 0,
        }))
    }
}

/// Reads its splits in turn.
struct SplitReader {
    splits: Splits,
    positions: Vec<Position>,
    turn: usize,
}

impl SourceReader<Event, Position> for SplitReader {
    fn add_splits(&mut self, splits: Vec<Position>) {
        self.positions.extend(splits);
    }

    fn poll(
        &mut self,
        out: &mut SourceOutput<Event>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        if self.positions.is_empty() {
            return Ok(ReaderStatus::WantsSplit);
        }
        for position in &self.positions {
            out.start_split(position.split);
        }
        self.turn = (self.turn + 1) % self.positions.len();
        let Some(position) = self.positions.get_mut(self.turn) else {
            return Ok(ReaderStatus::WantsSplit);
        };
        let events = self.splits.events.get(position.split as usize);
        for _ in 0..budget.min(self.splits.budget) {
            let at = usize::try_from(position.next)?;
            let Some(event) = events.and_then(|events| events.get(at)) else {
                out.finish_split(position.split);
                self.positions.remove(self.turn);
                break;
            };
            out.emit_at(position.split, event.clone(), event.at);
            position.next += 1;
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<Position> {
        self.positions.clone()
    }
}
