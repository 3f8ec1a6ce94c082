//! Who leads which partition.

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Asks about topics, or about all of them.
#[derive(Debug)]
pub struct MetadataRequest {
    /// The topics; all if there is no list.
    pub topics: Option<Vec<String>>,
}

/// What a broker knows of the cluster.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The brokers.
    pub brokers: Vec<Broker>,
    /// The broker that makes topics.
    pub controller: i32,
    /// The topics that were asked for.
    pub topics: Vec<Topic>,
}

/// A broker.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Its number.
    pub node: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// What is wrong with it.
    pub error: ErrorCode,
    /// Its name.
    pub name: String,
    /// Whether Kafka keeps its own records in it.
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// The broker that leads it; -1 if none does at the moment.
    pub leader: i32,
    /// The how-manieth leader that is.
    pub leader_epoch: i32,
}

impl Request for MetadataRequest {
    type Response = Metadata;
    const KEY: i16 = 3;
    const VERSION: i16 = 7;
    const NAME: &'static str = "Metadata";

    fn encode(&self, out: &mut Encoder) {
        match &self.topics {
            Some(topics) => out.list(topics.iter(), |out, topic| out.str(topic)),
            None => out.i32(-1),
        }
        // Reading never makes a topic.
        out.bool(false);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Metadata, Malformed> {
        input.i32()?;
        let brokers = input.list(|input| {
            let (node, host, port) = (input.i32()?, input.str()?, input.i32()?);
            input.nullable_str()?;
            let port = u16::try_from(port)
                .map_err(|_| Malformed(format!("the broker {host} has the port {port}")))?;
            Ok(Broker { node, host, port })
        })?;
        input.nullable_str()?;
        let controller = input.i32()?;
        let topics = input.list(|input| {
            Ok(Topic {
                error: ErrorCode(input.i16()?),
                name: input.str()?,
                is_internal: input.bool()?,
                partitions: input.list(|input| {
                    input.i16()?;
                    let partition = Partition {
                        index: input.i32()?,
                        leader: input.i32()?,
                        leader_epoch: input.i32()?,
                    };
                    for _ in 0..3 {
                        input.list(Decoder::i32)?;
                    }
                    Ok(partition)
                })?,
            })
        })?;
        Ok(Metadata {
            brokers,
            controller,
            topics,
        })
    }
}
