//! A staged epoch: batches of columns, as the commit writes them.

use rheos_core::Row;

use super::cell::Column;
use super::courier::Batch;
use crate::{handle, outbox};

/// The first byte of a handle: how the rest is to be read.
const VERSION: u8 = 1;

/// A batch of an epoch.
#[derive(Row, Debug, Clone, PartialEq)]
struct StagedBatch {
    rows: u64,
    columns: Vec<Column>,
}

/// The batches of an epoch, in their order.
#[derive(Row, Debug, Clone, PartialEq, Default)]
pub(super) struct Epoch {
    batches: Vec<StagedBatch>,
}

impl outbox::Epoch for Epoch {
    type Batch = Batch;

    fn push(&mut self, batch: Batch) {
        self.batches.push(StagedBatch {
            rows: batch.rows as u64,
            columns: batch.columns,
        });
    }

    fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn to_handle(&self) -> Vec<u8> {
        handle::to_handle(VERSION, self, 0)
    }
}

impl Epoch {
    pub fn into_batches(self) -> Vec<Batch> {
        let batches = self.batches.into_iter().map(|batch| Batch {
            columns: batch.columns,
            rows: usize::try_from(batch.rows).unwrap_or(usize::MAX),
            bytes: 0,
        });
        batches.collect()
    }

    pub fn from_handle(handle: &[u8]) -> Result<Self, String> {
        handle::from_handle(VERSION, handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Epoch as _;
    use crate::postgres::cell::{Cell, CellType};

    #[test]
    fn an_epoch_comes_back_from_its_handle_and_anything_else_is_refused() {
        let kinds = [
            (CellType::Boolean, Cell::Boolean(true)),
            (CellType::Bigint, Cell::Bigint(-7)),
            (CellType::Double, Cell::Double(0.5)),
            (CellType::Text, Cell::Text("a".into())),
            (CellType::Bytea, Cell::Bytea(vec![0, 255])),
            (CellType::Timestamptz, Cell::Timestamptz(1)),
        ];
        let columns = kinds.map(|(kind, cell)| {
            let mut column = Column::of(kind);
            column.put(0, cell).unwrap();
            column.put(1, Cell::Null).unwrap();
            column
        });
        let mut epoch = Epoch::default();
        epoch.push(Batch {
            columns: columns.into(),
            rows: 2,
            bytes: 0,
        });
        let handle = epoch.to_handle();
        assert_eq!(Epoch::from_handle(&handle).unwrap(), epoch);
        for len in 0..handle.len() {
            assert!(Epoch::from_handle(&handle[..len]).is_err(), "{len}");
        }
        let mut newer = handle;
        newer[0] = 2;
        assert!(Epoch::from_handle(&newer).unwrap_err().contains("format 2"));
    }
}
