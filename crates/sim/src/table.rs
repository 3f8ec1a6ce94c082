//! A system outside that takes epochs behind a fence, as PostgreSQL, Kafka and the others do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos::prelude::*;
use rheos_core::barrier::Barrier;
use rheos_core::row::{Reader, Writer};

use crate::chaos::{Chaos, Fate};

/// Whose epochs: lineage, sink, writer.
type FenceKey = (String, String, u32);

struct Contents<T> {
    fences: BTreeMap<FenceKey, u64>,
    rows: Vec<T>,
}

/// Its table, and the sink that writes to it.
pub struct Table<T> {
    name: &'static str,
    contents: Arc<Mutex<Contents<T>>>,
    chaos: Chaos,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            contents: self.contents.clone(),
            chaos: self.chaos.clone(),
        }
    }
}

fn lock<T>(contents: &Mutex<Contents<T>>) -> MutexGuard<'_, Contents<T>> {
    contents
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<T: Row> Table<T> {
    /// An empty table.
    pub fn new(name: &'static str, chaos: Chaos) -> Self {
        let contents = Contents {
            fences: BTreeMap::new(),
            rows: Vec::new(),
        };
        Self {
            name,
            contents: Arc::new(Mutex::new(contents)),
            chaos,
        }
    }

    /// What was committed, in that order.
    pub fn rows(&self) -> Vec<T> {
        lock(&self.contents).rows.clone()
    }
}

impl<T: Row> Sink<T> for Table<T> {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(EpochWriter { rows: Vec::new() }))
    }

    fn committer(
        &self,
        _context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        Ok(Some(Box::new(self.clone())))
    }
}

/// Keeps an epoch's rows for its handle.
struct EpochWriter<T> {
    rows: Vec<T>,
}

impl<T: Row> SinkWriter<T> for EpochWriter<T> {
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.rows.push(row);
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }

    fn stage(&mut self, _barrier: &Barrier) -> Result<Option<Vec<u8>>, BoxError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut out = Writer::new();
        std::mem::take(&mut self.rows).encode(&mut out);
        Ok(Some(out.into_vec()))
    }
}

impl<T: Row> Committer for Table<T> {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        for epoch in epochs {
            let fence = &epoch.fence;
            let fate = self.chaos.fate(&format!("committing to {}", self.name));
            if fate != Fate::Lost {
                let key = (fence.lineage.clone(), fence.sink.clone(), fence.writer);
                let mut contents = lock(&self.contents);
                let reached = contents.fences.entry(key).or_insert(0);
                if *reached < fence.epoch {
                    *reached = fence.epoch;
                    let rows = Vec::<T>::decode(&mut Reader::new(&epoch.handle))?;
                    contents.rows.extend(rows);
                }
            }
            if fate != Fate::Done {
                return Err(format!("{}: no answer", self.name).into());
            }
        }
        Ok(())
    }
}
