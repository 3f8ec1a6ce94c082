//! Rows on their way into batches, and those that can't be put into one yet because something has to be
//! known first: how many partitions a topic has, or under which id a registry has a schema.
//!
//! Invariant: rows go into batches in the order in which they came, so while one is held, all behind it
//! are.

use std::collections::VecDeque;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::error::BoxError;

use super::serializer::{OutRecord, RowSerializer, Serialized};

/// Where records are put. Implemented by the writers of this module, which call [`HeldRows`] with it on
/// the task's thread.
pub(super) trait Batches {
    /// Puts a record into its batch; false, and nothing is done, if its topic is not known yet.
    fn add(&mut self, record: &OutRecord, timestamp: Millis) -> Result<bool, BoxError>;

    /// Whether what was asked about topics has been answered.
    fn is_ready(&self) -> bool;
}

/// See the [module](self).
pub(super) struct HeldRows<T, S> {
    serializer: S,
    /// The oldest first.
    held: VecDeque<(T, Millis)>,
}

impl<T, S> HeldRows<T, S> {
    pub fn new(serializer: S) -> Self {
        Self {
            serializer,
            held: VecDeque::new(),
        }
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl<T: Row, S: RowSerializer<T>> HeldRows<T, S> {
    fn put(
        &mut self,
        row: &T,
        timestamp: Millis,
        batches: &mut impl Batches,
    ) -> Result<bool, BoxError> {
        match self.serializer.serialize(row, timestamp)? {
            Serialized::Record(record) => batches.add(&record, timestamp),
            Serialized::Nothing => Ok(true),
            Serialized::Later => Ok(false),
        }
    }

    /// Puts a row into its batch, or holds it.
    pub fn write(
        &mut self,
        row: T,
        timestamp: Millis,
        batches: &mut impl Batches,
    ) -> Result<(), BoxError> {
        if !self.held.is_empty() || !self.put(&row, timestamp, batches)? {
            self.held.push_back((row, timestamp));
        }
        Ok(())
    }

    /// Writes rows until one has to be held.
    pub fn write_batch(
        &mut self,
        rows: &mut Cursor<T>,
        batches: &mut impl Batches,
    ) -> Result<(), BoxError> {
        while self.held.is_empty()
            && let Some((row, timestamp)) = rows.next()
        {
            self.write(row, timestamp, batches)?;
        }
        Ok(())
    }

    /// Whether there are held rows that may be put into batches now.
    pub fn can_go_on(&self, batches: &impl Batches) -> bool {
        !self.held.is_empty() && self.serializer.is_ready() && batches.is_ready()
    }

    /// Puts held rows into batches, up to one that has to wait on.
    pub fn go_on(&mut self, batches: &mut impl Batches) -> Result<(), BoxError> {
        while let Some((row, timestamp)) = self.held.pop_front() {
            if !self.put(&row, timestamp, batches)? {
                self.held.push_front((row, timestamp));
                break;
            }
        }
        Ok(())
    }
}
