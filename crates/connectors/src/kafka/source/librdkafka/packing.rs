//! Batches out of single messages.

use std::collections::VecDeque;

use rdkafka::message::{BorrowedMessage, Headers, Message as _};

use crate::kafka::batch::{Batch, BatchBuilder};

/// Messages, and bytes of them, that make a chunk at most.
const CHUNK_MESSAGES: usize = 10_000;
const CHUNK_BYTES: usize = 1 << 20;

/// Messages of one split on their way into a chunk.
#[derive(Default)]
pub(super) struct Packing {
    pub batches: VecDeque<Batch>,
    /// Of the batches.
    pub bytes: usize,
    messages: usize,
    open: BatchBuilder,
    /// The offset of the first message of the open batch.
    base: i64,
}

impl Packing {
    pub fn is_full(&self) -> bool {
        self.messages >= CHUNK_MESSAGES || self.bytes + self.open.len() >= CHUNK_BYTES
    }

    pub fn push(&mut self, message: &BorrowedMessage<'_>) {
        let offset = message.offset();
        // The offsets within a batch follow one another.
        if offset != self.base + i64::from(self.open.count()) {
            self.close();
        }
        if self.open.is_empty() {
            self.base = offset;
        }
        let headers = message.headers();
        let count = headers.map_or(0, Headers::count);
        let pairs = (0..count).map(|index| match headers {
            Some(headers) => {
                let header = headers.get(index);
                (header.key, header.value)
            }
            None => ("", None),
        });
        let time = message.timestamp().to_millis().unwrap_or(-1);
        self.open
            .push_of(time, message.key(), message.payload(), pairs);
        self.messages += 1;
    }

    /// Ends the open batch.
    pub fn close(&mut self) {
        if !self.open.is_empty() {
            let batch = self.open.take(self.base);
            self.bytes += batch.records.len();
            self.batches.push_back(batch);
        }
    }
}
