//! What was in flight before one input when a barrier overtook it: rows and watermarks by channel,
//! in their order, on the way into a checkpoint.
//!
//! Rows are not copied for it. A batch that a barrier has overtaken is shared by the channel and the
//! checkpoint; whoever writes the checkpoint encodes it, on a thread of its own. Only a task that takes
//! the batch before that is done gets a copy of it.
//!
//! In the checkpoint it is one more list of the receiving operator: an entry a run of a channel, whose
//! key is its [`ChannelHeader`] and whose value its elements, each a tag and then timestamps and rows,
//! or a watermark.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rheos_core::Row;
use rheos_core::element::{Batch, Control, Element};
use rheos_core::row::{Reader, RowError, Writer};
use rheos_core::time::Millis;

use super::lane::LaneId;
use crate::checkpoint::snapshot::{Deal, ListEntry, ListImage};
use crate::network::rows::EncodedBatch;

/// A batch with two owners: the channel, and a checkpoint.
pub struct SharedBatch<T>(Arc<Mutex<Batch<T>>>);

impl<T> Clone for SharedBatch<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn lock<T>(batch: &Mutex<Batch<T>>) -> MutexGuard<'_, Batch<T>> {
    batch.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> SharedBatch<T> {
    /// Shares a batch.
    pub fn new(batch: Batch<T>) -> Self {
        Self(Arc::new(Mutex::new(batch)))
    }
}

impl<T: Clone> SharedBatch<T> {
    /// The batch: itself for the last owner, a copy before.
    pub fn take(self) -> Batch<T> {
        match Arc::try_unwrap(self.0) {
            Ok(batch) => batch.into_inner().unwrap_or_else(PoisonError::into_inner),
            Err(shared) => lock(&shared).clone(),
        }
    }
}

/// One element in flight. Idleness is not kept: who restores a channel begins with an active one, as
/// its sender does.
pub enum Item<T> {
    /// Rows.
    Rows(SharedBatch<T>),
    /// Rows as they came from another process.
    Encoded(EncodedBatch),
    /// A watermark.
    Watermark(Millis),
}

/// Which channel elements were on, and what its gate knew of it.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct ChannelHeader {
    /// The edge, see [`LaneId::edge`].
    pub edge: u64,
    /// The sending subtask.
    pub sender: u32,
    /// Of so many.
    pub senders: u32,
    /// The channel's watermark.
    pub watermark: Millis,
    /// The gate's, when the barrier passed.
    pub output: Millis,
}

impl ChannelHeader {
    /// Of a channel.
    pub fn new(lane: LaneId, watermark: Millis, output: Millis) -> Self {
        Self {
            edge: lane.edge,
            sender: lane.sender,
            senders: lane.senders,
            watermark,
            output,
        }
    }
}

/// What was in flight before one input of a task, its row type erased. Implemented by [`InFlight`];
/// called by whoever writes the checkpoint, on a thread of its own.
pub trait InFlightRows: Send + Sync {
    /// Its form in a checkpoint, as a list of the task's first operator.
    ///
    /// # Errors
    /// If a row can't be written.
    fn encode(&self) -> Result<ListImage, RowError>;
}

/// What was in flight before one input.
pub struct InFlight<T> {
    /// The input, of those of the task's first operator.
    pub input: usize,
    /// Runs of one channel, in the order in which they are to be read: first what the gate had taken in,
    /// then the channels. A channel may have several.
    pub channels: Vec<(ChannelHeader, Vec<Item<T>>)>,
}

/// What the lists of in-flight elements are called, before the number of the input.
const LIST: &str = "in-flight elements of input ";

/// The name of the list of an input.
pub fn list_name(input: usize) -> String {
    format!("{LIST}{input}")
}

/// The input whose in-flight elements a list of this name holds.
pub fn input_of(list: &str) -> Option<usize> {
    list.strip_prefix(LIST)?.parse().ok()
}

const ROWS: i64 = 0;
const WATERMARK: i64 = 1;

fn write_rows<T: Row>(batch: &Batch<T>, value: &mut Writer) {
    value.long(ROWS);
    batch.timestamps.encode(value);
    batch.rows.encode(value);
}

impl<T: Row> InFlightRows for InFlight<T> {
    fn encode(&self) -> Result<ListImage, RowError> {
        let mut entries = Vec::new();
        for (header, items) in &self.channels {
            let mut key = Writer::new();
            header.encode(&mut key);
            let mut value = Writer::new();
            for item in items {
                match item {
                    Item::Rows(batch) => write_rows(&lock(&batch.0), &mut value),
                    Item::Encoded(encoded) => {
                        let mut batch = Batch::<T>::default();
                        encoded.decode_into(&mut batch)?;
                        write_rows(&batch, &mut value);
                    }
                    Item::Watermark(watermark) => {
                        value.long(WATERMARK);
                        value.long(*watermark);
                    }
                }
            }
            value.check()?;
            entries.push(ListEntry {
                key: Some(key.into_vec()),
                value: value.into_vec(),
            });
        }
        Ok(ListImage {
            name: list_name(self.input),
            deal: Deal::Split,
            schema: T::schema().to_avro_json()?,
            entries,
        })
    }
}

/// Reads one channel's entry of a list.
///
/// # Errors
/// If it is none, or of other rows.
pub fn decode<T: Row>(entry: &ListEntry) -> Result<(ChannelHeader, Vec<Element<T>>), RowError> {
    let mut key = Reader::new(entry.key.as_deref().unwrap_or_default());
    let header = ChannelHeader::decode(&mut key)?;
    let mut value = Reader::new(&entry.value);
    let mut elements = Vec::new();
    while !value.is_empty() {
        elements.push(match value.index(2)? {
            0 => Element::Batch(Batch {
                timestamps: Vec::decode(&mut value)?,
                rows: Vec::decode(&mut value)?,
                hashes: Vec::new(),
            }),
            _ => Element::Control(Control::Watermark(value.long()?)),
        });
    }
    Ok((header, elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[&str]) -> Batch<String> {
        let mut batch = Batch::default();
        for (at, row) in (0i64..).zip(rows) {
            let row = (*row).to_owned();
            let hash = row.key_hash();
            batch.push_hashed(row, at, hash);
        }
        batch
    }

    #[test]
    fn what_is_written_is_read_in_its_order() {
        let lane = LaneId {
            edge: 7,
            sender: 1,
            senders: 3,
        };
        let header = ChannelHeader::new(lane, 40, 20);
        let shared = SharedBatch::new(batch(&["a", "b"]));
        let flight = InFlight {
            input: 1,
            channels: vec![(
                header.clone(),
                vec![
                    Item::Rows(shared.clone()),
                    Item::Watermark(50),
                    Item::Rows(SharedBatch::new(batch(&["c"]))),
                ],
            )],
        };
        let list = flight.encode().unwrap();
        assert_eq!(input_of(&list.name), Some(1));
        let (read, elements) = decode::<String>(&list.entries[0]).unwrap();
        assert_eq!(read, header);
        assert!(matches!(&elements[0], Element::Batch(batch)
            if batch.rows == ["a", "b"] && batch.timestamps == [0, 1] && batch.hashes.is_empty()));
        assert!(matches!(
            elements[1],
            Element::Control(Control::Watermark(50))
        ));
        assert!(matches!(&elements[2], Element::Batch(batch) if batch.rows == ["c"]));
        // The channel gets a copy while the checkpoint is being written, and then the batch itself.
        assert_eq!(shared.clone().take().rows, ["a", "b"]);
        drop(flight);
        assert_eq!(shared.take().hashes.len(), 2);
    }
}
