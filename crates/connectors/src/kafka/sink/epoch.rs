//! A staged epoch: finished record batches, as the commit sends them.

use rheos_core::Row;

use crate::handle;
use crate::kafka::error::KafkaError;

/// The first byte of a handle: how the rest is to be read.
const VERSION: u8 = 1;

/// A batch of an epoch.
#[derive(Row, Debug, Clone, PartialEq)]
pub(super) struct StagedBatch {
    pub topic: String,
    pub partition: i32,
    pub records: i32,
    pub bytes: Vec<u8>,
}

/// The batches of an epoch, those of a partition in their order.
#[derive(Row, Debug, Clone, PartialEq, Default)]
pub(super) struct Epoch {
    pub batches: Vec<StagedBatch>,
}

impl Epoch {
    pub fn to_handle(&self) -> Vec<u8> {
        let len = |batch: &StagedBatch| batch.bytes.len() + batch.topic.len() + 16;
        let len = 16 + self.batches.iter().map(len).sum::<usize>();
        handle::to_handle(VERSION, self, len)
    }

    pub fn from_handle(handle: &[u8]) -> Result<Self, KafkaError> {
        handle::from_handle(VERSION, handle).map_err(|what| {
            KafkaError::setting(format!("an epoch in the checkpoint can't be read: {what}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_comes_back_from_its_handle_and_anything_else_is_refused() {
        let epoch = Epoch {
            batches: vec![StagedBatch {
                topic: "t".into(),
                partition: 3,
                records: 2,
                bytes: vec![1, 2, 3],
            }],
        };
        let handle = epoch.to_handle();
        assert_eq!(Epoch::from_handle(&handle).unwrap(), epoch);
        for len in 0..handle.len() {
            assert!(Epoch::from_handle(&handle[..len]).is_err(), "{len}");
        }
        let mut newer = handle;
        newer[0] = 2;
        let error = Epoch::from_handle(&newer).unwrap_err().to_string();
        assert!(error.contains("format 2"), "{error}");
    }
}
