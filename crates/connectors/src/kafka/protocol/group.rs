//! Offsets of a consumer group, by a consumer that is no member: others watch them, nothing is
//! coordinated.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// What a coordinator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// The offsets of a group.
    Group,
    /// The transactions of a transactional id.
    Transactions,
}

/// Asks who keeps a group's offsets, or the transactions of an id.
#[derive(Debug)]
pub struct FindCoordinatorRequest {
    /// The group, or the transactional id.
    pub key: String,
    /// Which of the two.
    pub of: Coordinates,
}

impl Request for FindCoordinatorRequest {
    /// Number, host and port of the broker.
    type Response = Result<(i32, String, u16), ErrorCode>;
    const KEY: i16 = 10;
    const VERSION: i16 = 2;
    const NAME: &'static str = "FindCoordinator";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.key);
        out.i8(i8::from(self.of == Coordinates::Transactions));
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let error = ErrorCode(input.i16()?);
        input.nullable_str()?;
        let (node, host, port) = (input.i32()?, input.str()?, input.i32()?);
        Ok(error
            .check()
            .map(|()| (node, host, u16::try_from(port).unwrap_or_default())))
    }
}

/// Asks for the offsets of a group.
#[derive(Debug)]
pub struct OffsetFetchRequest {
    /// The group.
    pub group: String,
    /// Topics and partitions.
    pub partitions: Vec<(String, i32)>,
}

impl Request for OffsetFetchRequest {
    /// Topic, partition and offset; -1 where the group has none.
    type Response = Result<Vec<(String, i32, i64)>, ErrorCode>;
    const KEY: i16 = 9;
    const VERSION: i16 = 5;
    const NAME: &'static str = "OffsetFetch";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.group);
        out.list(self.partitions.iter(), |out, (topic, partition)| {
            out.str(topic);
            out.i32(1);
            out.i32(*partition);
        });
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let mut failed = Ok(());
        let topics = input.list(|input| {
            let topic = input.str()?;
            input.list(|input| {
                let (partition, offset) = (input.i32()?, input.i64()?);
                input.i32()?;
                input.nullable_str()?;
                let error = ErrorCode(input.i16()?);
                if failed.is_ok() {
                    failed = error.check();
                }
                Ok((topic.clone(), partition, offset))
            })
        })?;
        let error = ErrorCode(input.i16()?);
        Ok(error
            .check()
            .and(failed)
            .map(|()| topics.into_iter().flatten().collect()))
    }
}

/// Sets the offsets of a group.
#[derive(Debug)]
pub struct OffsetCommitRequest {
    /// The group.
    pub group: String,
    /// Topic, partition, and the offset to go on at.
    pub offsets: Vec<(String, i32, i64)>,
}

impl Request for OffsetCommitRequest {
    type Response = Result<(), ErrorCode>;
    const KEY: i16 = 8;
    const VERSION: i16 = 7;
    const NAME: &'static str = "OffsetCommit";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.group);
        out.i32(-1);
        out.str("");
        out.nullable_str(None);
        out.list(self.offsets.iter(), |out, (topic, partition, offset)| {
            out.str(topic);
            out.i32(1);
            out.i32(*partition);
            out.i64(*offset);
            out.i32(-1);
            out.nullable_str(Some(""));
        });
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let mut result = Ok(());
        input.list(|input| {
            input.str()?;
            input.list(|input| {
                input.i32()?;
                let error = ErrorCode(input.i16()?);
                if result.is_ok() {
                    result = error.check();
                }
                Ok(())
            })
        })?;
        Ok(result)
    }
}
