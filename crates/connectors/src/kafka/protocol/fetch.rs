//! Records out of partitions.

use bytes::Bytes;

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Asks the leader of partitions for records.
#[derive(Debug)]
pub struct FetchRequest {
    /// How long the broker may wait for `min_bytes`, in milliseconds.
    pub max_wait_millis: i32,
    /// Bytes that are worth an answer.
    pub min_bytes: i32,
    /// Bytes of the whole answer; exceeded where the first batch alone is larger.
    pub max_bytes: i32,
    /// Whether records of transactions that are not committed stay out.
    pub read_committed: bool,
    /// The partitions, those of a topic next to each other.
    pub partitions: Vec<FetchPartition>,
}

/// Where to read on.
#[derive(Debug, Clone)]
pub struct FetchPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The leader's epoch as it was last seen; -1 if unknown.
    pub leader_epoch: i32,
    /// The first offset wanted.
    pub offset: i64,
    /// Bytes of this partition.
    pub max_bytes: i32,
}

/// What there is of one partition.
#[derive(Debug)]
pub struct FetchedPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What is wrong with it.
    pub error: ErrorCode,
    /// Offset behind the last record that all replicas have.
    pub high_watermark: i64,
    /// Offset behind the last record whose transaction has ended.
    pub last_stable_offset: i64,
    /// Transactions among the records that were aborted: producer and first offset.
    pub aborted: Vec<(i64, i64)>,
    /// Record batches; the last may be cut off.
    pub records: Bytes,
}

impl Request for FetchRequest {
    type Response = (ErrorCode, Vec<FetchedPartition>);
    const KEY: i16 = 1;
    const VERSION: i16 = 11;
    const NAME: &'static str = "Fetch";

    fn encode(&self, out: &mut Encoder) {
        out.i32(-1);
        out.i32(self.max_wait_millis);
        out.i32(self.min_bytes);
        out.i32(self.max_bytes);
        out.i8(i8::from(self.read_committed));
        // No session: each request names all its partitions.
        out.i32(0);
        out.i32(-1);
        let topics: Vec<_> = self
            .partitions
            .chunk_by(|a, b| a.topic == b.topic)
            .collect();
        out.list(topics.into_iter(), |out, partitions| {
            out.str(partitions.first().map_or("", |first| &first.topic));
            out.list(partitions.iter(), |out, partition| {
                out.i32(partition.partition);
                out.i32(partition.leader_epoch);
                out.i64(partition.offset);
                out.i64(-1);
                out.i32(partition.max_bytes);
            });
        });
        out.i32(0);
        out.str("");
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let error = ErrorCode(input.i16()?);
        input.i32()?;
        let topics = input.list(|input| {
            let topic = input.str()?;
            input.list(|input| {
                let (partition, error) = (input.i32()?, ErrorCode(input.i16()?));
                let (high_watermark, last_stable_offset) = (input.i64()?, input.i64()?);
                input.i64()?;
                let aborted = input.list(|input| Ok((input.i64()?, input.i64()?)))?;
                input.i32()?;
                Ok(FetchedPartition {
                    topic: topic.clone(),
                    partition,
                    error,
                    high_watermark,
                    last_stable_offset,
                    aborted,
                    records: input.nullable_bytes()?.unwrap_or_default(),
                })
            })
        })?;
        Ok((error, topics.into_iter().flatten().collect()))
    }
}
