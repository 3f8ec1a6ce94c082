//! Records into partitions.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Asks for the identity by which a broker knows repeated batches. Under a transactional id: ends the
/// transaction that its last user may have left open, and shuts that user out.
#[derive(Debug, Default)]
pub struct InitProducerIdRequest {
    /// The transactional id, if there is to be one.
    pub transactional_id: Option<String>,
    /// How long a transaction may stay open, in milliseconds.
    pub timeout_millis: i32,
}

impl Request for InitProducerIdRequest {
    /// The producer's number and epoch.
    type Response = Result<(i64, i16), ErrorCode>;
    const KEY: i16 = 22;
    const VERSION: i16 = 1;
    const NAME: &'static str = "InitProducerId";

    fn encode(&self, out: &mut Encoder) {
        out.nullable_str(self.transactional_id.as_deref());
        out.i32(self.timeout_millis);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let error = ErrorCode(input.i16()?);
        let identity = (input.i64()?, input.i16()?);
        Ok(error.check().map(|()| identity))
    }
}

/// One batch a partition.
#[derive(Debug)]
pub struct ProduceRequest<'a> {
    /// The transaction that the batches are part of, if they are.
    pub transactional_id: Option<&'a str>,
    /// 0, 1, or -1 for all replicas in sync.
    pub acks: i16,
    /// How long the leader may wait for replicas, in milliseconds.
    pub timeout_millis: i32,
    /// Topic, partition, and the batch in pieces.
    pub batches: Vec<(&'a str, i32, [&'a [u8]; 2])>,
}

/// What became of one batch.
#[derive(Debug)]
pub struct Produced {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What is wrong.
    pub error: ErrorCode,
    /// Positions in the batch of the records to blame, if the broker says so, with its words.
    pub record_errors: Vec<(i32, Option<String>)>,
    /// The broker's words.
    pub message: Option<String>,
}

impl Request for ProduceRequest<'_> {
    type Response = Vec<Produced>;
    const KEY: i16 = 0;
    const VERSION: i16 = 8;
    const NAME: &'static str = "Produce";

    fn encode(&self, out: &mut Encoder) {
        out.nullable_str(self.transactional_id);
        out.i16(self.acks);
        out.i32(self.timeout_millis);
        out.list(self.batches.iter(), |out, (topic, partition, pieces)| {
            out.str(topic);
            out.i32(1);
            out.i32(*partition);
            out.bytes_of(pieces);
        });
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        let topics = input.list(|input| {
            let topic = input.str()?;
            input.list(|input| {
                let (partition, error) = (input.i32()?, ErrorCode(input.i16()?));
                for _ in 0..3 {
                    input.i64()?;
                }
                Ok(Produced {
                    topic: topic.clone(),
                    partition,
                    error,
                    record_errors: input.list(|input| Ok((input.i32()?, input.nullable_str()?)))?,
                    message: input.nullable_str()?,
                })
            })
        })?;
        Ok(topics.into_iter().flatten().collect())
    }
}
