//! Making topics.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// A topic to be made.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the broker's default if -1.
    pub partitions: i32,
    /// How many replicas; the broker's default if -1.
    pub replicas: i16,
    /// Its settings.
    pub configs: Vec<(String, String)>,
}

/// Asks the controller for topics.
#[derive(Debug)]
pub struct CreateTopicsRequest {
    /// The topics.
    pub topics: Vec<NewTopic>,
    /// How long the controller may take, in milliseconds.
    pub timeout_millis: i32,
}

/// What became of one topic: its name, and what was wrong in the broker's words.
pub type CreatedTopic = (String, Result<(), (ErrorCode, Option<String>)>);

impl Request for CreateTopicsRequest {
    type Response = Vec<CreatedTopic>;
    const KEY: i16 = 19;
    const VERSION: i16 = 4;
    const NAME: &'static str = "CreateTopics";

    fn encode(&self, out: &mut Encoder) {
        out.list(self.topics.iter(), |out, topic| {
            out.str(&topic.name);
            out.i32(topic.partitions);
            out.i16(topic.replicas);
            out.i32(0);
            out.list(topic.configs.iter(), |out, (name, value)| {
                out.str(name);
                out.nullable_str(Some(value));
            });
        });
        out.i32(self.timeout_millis);
        out.bool(false);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        input.list(|input| {
            let (name, error) = (input.str()?, ErrorCode(input.i16()?));
            let message = input.nullable_str()?;
            Ok((name, error.check().map_err(|error| (error, message))))
        })
    }
}

/// Asks for more partitions of one topic.
#[derive(Debug)]
pub struct CreatePartitionsRequest {
    /// The topic.
    pub topic: String,
    /// How many it shall have.
    pub count: i32,
    /// How long the controller may take, in milliseconds.
    pub timeout_millis: i32,
}

impl Request for CreatePartitionsRequest {
    type Response = Vec<CreatedTopic>;
    const KEY: i16 = 37;
    const VERSION: i16 = 1;
    const NAME: &'static str = "CreatePartitions";

    fn encode(&self, out: &mut Encoder) {
        out.i32(1);
        out.str(&self.topic);
        out.i32(self.count);
        out.i32(-1);
        out.i32(self.timeout_millis);
        out.bool(false);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        input.list(|input| {
            let (name, error) = (input.str()?, ErrorCode(input.i16()?));
            let message = input.nullable_str()?;
            Ok((name, error.check().map_err(|error| (error, message))))
        })
    }
}
