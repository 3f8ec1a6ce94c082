//! Where partitions begin and end, and which offset a time has.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Asks for the last offset.
pub const LATEST: i64 = -1;
/// Asks for the first offset.
pub const EARLIEST: i64 = -2;

/// Asks the leader of partitions.
#[derive(Debug)]
pub struct ListOffsetsRequest {
    /// Whether the end is that of the last transaction that has ended.
    pub read_committed: bool,
    /// Topic, partition, and the time that is looked for or [`LATEST`] or [`EARLIEST`].
    pub partitions: Vec<(String, i32, i64)>,
}

/// One answer: topic, partition, and the offset; -1 if no record is as young.
pub type ListedOffset = (String, i32, Result<i64, ErrorCode>);

impl Request for ListOffsetsRequest {
    type Response = Vec<ListedOffset>;
    const KEY: i16 = 2;
    const VERSION: i16 = 5;
    const NAME: &'static str = "ListOffsets";

    fn encode(&self, out: &mut Encoder) {
        out.i32(-1);
        out.i8(i8::from(self.read_committed));
        out.list(self.partitions.iter(), |out, (topic, partition, time)| {
            out.str(topic);
            out.i32(1);
            out.i32(*partition);
            out.i32(-1);
            out.i64(*time);
        });
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let topics = input.list(|input| {
            let topic = input.str()?;
            input.list(|input| {
                let (partition, error) = (input.i32()?, ErrorCode(input.i16()?));
                input.i64()?;
                let offset = input.i64()?;
                input.i32()?;
                Ok((topic.clone(), partition, error.check().map(|()| offset)))
            })
        })?;
        Ok(topics.into_iter().flatten().collect())
    }
}
