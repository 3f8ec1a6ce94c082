//! Leaves out what transactions wrote that were aborted.

use std::collections::{BTreeSet, VecDeque};

use crate::kafka::batch::{Batch, RecordCursor};

/// The aborted transactions of one answer, whose batches come in the order of their offsets.
#[derive(Debug, Default)]
pub(in crate::kafka) struct AbortedTransactions {
    /// Producer and first offset of those that have not begun yet, by that offset.
    coming: VecDeque<(i64, i64)>,
    /// Producers whose transaction is under way and will be aborted.
    open: BTreeSet<i64>,
}

impl AbortedTransactions {
    pub fn new(mut aborted: Vec<(i64, i64)>) -> Self {
        aborted.sort_unstable_by_key(|(_, first)| *first);
        Self {
            coming: aborted.into(),
            open: BTreeSet::new(),
        }
    }

    /// Whether the records of the next batch are to be read.
    pub fn admits(&mut self, batch: &Batch) -> bool {
        while let Some((producer, _)) = self
            .coming
            .pop_front_if(|(_, first)| *first <= batch.last_offset)
        {
            self.open.insert(producer);
        }
        if batch.control {
            if is_abort(batch) {
                self.open.remove(&batch.producer_id);
            }
            return false;
        }
        !(batch.transactional && self.open.contains(&batch.producer_id))
    }
}

/// Whether a control batch is the mark of an aborted transaction.
fn is_abort(batch: &Batch) -> bool {
    let mut cursor = RecordCursor::new(batch.clone());
    match cursor.record() {
        // Version, then kind: 0 is an abort, 1 a commit.
        Ok(Some(record)) => record.key.and_then(|key| key.get(2..4)) == Some(&[0, 0]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(producer_id: i64, base_offset: i64, transactional: bool) -> Batch {
        Batch {
            base_offset,
            last_offset: base_offset,
            base_timestamp: 0,
            append_time: None,
            producer_id,
            transactional,
            control: false,
            count: 1,
            records: bytes::Bytes::new(),
        }
    }

    fn mark(producer_id: i64, base_offset: i64, kind: u8) -> Batch {
        // length 12, attributes, time, offset, key of 4 bytes, value none, no headers.
        let records = [20, 0, 0, 0, 8, 0, 0, 0, kind, 1, 0];
        Batch {
            control: true,
            records: bytes::Bytes::copy_from_slice(&records),
            ..batch(producer_id, base_offset, true)
        }
    }

    #[test]
    fn only_what_lies_between_the_first_offset_and_the_mark_is_left_out() {
        let mut aborted = AbortedTransactions::new(vec![(7, 3)]);
        assert!(aborted.admits(&batch(7, 1, true)));
        assert!(!aborted.admits(&mark(7, 2, 1)));
        assert!(!aborted.admits(&batch(7, 3, true)));
        assert!(aborted.admits(&batch(8, 4, true)));
        assert!(aborted.admits(&batch(7, 5, false)));
        assert!(!aborted.admits(&mark(7, 6, 0)));
        assert!(aborted.admits(&batch(7, 7, true)));
    }
}
