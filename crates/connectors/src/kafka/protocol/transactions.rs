//! Transactions, between the identity they are written under and the records in them.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Tells the coordinator which partitions a transaction will write to; the first begins it.
#[derive(Debug)]
pub struct AddPartitionsToTxnRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer's number and epoch.
    pub identity: (i64, i16),
    /// The partitions.
    pub partitions: Vec<(String, i32)>,
}

impl Request for AddPartitionsToTxnRequest {
    /// What is wrong with the first partition that something is wrong with.
    type Response = Result<(), (String, i32, ErrorCode)>;
    const KEY: i16 = 24;
    const VERSION: i16 = 1;
    const NAME: &'static str = "AddPartitionsToTxn";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.transactional_id);
        out.i64(self.identity.0);
        out.i16(self.identity.1);
        let topics: Vec<_> = self.partitions.chunk_by(|a, b| a.0 == b.0).collect();
        out.list(topics.into_iter(), |out, partitions| {
            out.str(partitions.first().map_or("", |(topic, _)| topic));
            out.list(partitions.iter(), |out, (_, partition)| out.i32(*partition));
        });
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let topics = input.list(|input| {
            let topic = input.str()?;
            input.list(|input| {
                let (partition, error) = (input.i32()?, ErrorCode(input.i16()?));
                Ok((topic.clone(), partition, error))
            })
        })?;
        let answers = topics.into_iter().flatten();
        // Where one partition is wrong, the others are only said not to have been attempted.
        let wrong = answers
            .filter(|(_, _, code)| *code != ErrorCode::NONE)
            .min_by_key(|(_, _, code)| *code == ErrorCode::OPERATION_NOT_ATTEMPTED);
        Ok(wrong.map_or(Ok(()), Err))
    }
}

/// Ends a transaction.
#[derive(Debug)]
pub struct EndTxnRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer's number and epoch.
    pub identity: (i64, i16),
    /// Whether it is committed; aborted if not.
    pub commit: bool,
}

impl Request for EndTxnRequest {
    type Response = Result<(), ErrorCode>;
    const KEY: i16 = 26;
    const VERSION: i16 = 1;
    const NAME: &'static str = "EndTxn";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.transactional_id);
        out.i64(self.identity.0);
        out.i16(self.identity.1);
        out.bool(self.commit);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        Ok(ErrorCode(input.i16()?).check())
    }
}
