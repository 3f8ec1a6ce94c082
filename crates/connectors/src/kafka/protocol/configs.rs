//! Settings of topics and brokers, as the cluster has them.

use std::collections::BTreeMap;

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Whose settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic's.
    Topic(String),
    /// A broker's, by its number; only that broker knows them.
    Broker(i32),
}

/// Asks for settings.
#[derive(Debug)]
pub struct DescribeConfigsRequest {
    /// Whose.
    pub resource: ConfigResource,
    /// Which.
    pub names: Vec<String>,
}

impl Request for DescribeConfigsRequest {
    /// Names and values, or what was wrong in the broker's words.
    type Response = Result<BTreeMap<String, String>, (ErrorCode, Option<String>)>;
    const KEY: i16 = 32;
    const VERSION: i16 = 1;
    const NAME: &'static str = "DescribeConfigs";

    fn encode(&self, out: &mut Encoder) {
        let (kind, name) = match &self.resource {
            ConfigResource::Topic(topic) => (2, topic.clone()),
            ConfigResource::Broker(node) => (4, node.to_string()),
        };
        out.len(1);
        out.i8(kind);
        out.str(&name);
        out.list(self.names.iter(), |out, name| out.str(name));
        // Without synonyms.
        out.bool(false);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let answers = input.list(|input| {
            let (error, message) = (ErrorCode(input.i16()?), input.nullable_str()?);
            input.i8()?;
            input.str()?;
            let configs = input.list(|input| {
                let (name, value) = (input.str()?, input.nullable_str()?);
                input.bool()?;
                input.i8()?;
                input.bool()?;
                input.list(|input| {
                    input.str()?;
                    input.nullable_str()?;
                    input.i8()
                })?;
                Ok((name, value))
            })?;
            let known = configs
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, value)));
            Ok(error
                .check()
                .map(|()| known.collect())
                .map_err(|error| (error, message)))
        })?;
        let first = answers.into_iter().next();
        first.ok_or_else(|| Malformed("settings of nothing".to_owned()))
    }
}
