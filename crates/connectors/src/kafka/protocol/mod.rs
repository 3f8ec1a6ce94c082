//! Kafka's protocol, as far as it is spoken here: requests out, responses in.
//!
//! Each message is pinned to one version that brokers from 2.3 to 4.x understand and whose encoding
//! is the plain one; what a broker lacks is found out when it is first connected to. Nothing here
//! does input or output.

pub mod configs;
pub mod error_code;
pub mod fetch;
pub mod group;
pub mod metadata;
pub mod offsets;
pub mod produce;
pub mod session;
pub mod topics;
pub mod transactions;
pub mod wire;

use wire::{Decoder, Encoder, Malformed};

/// A request and how its response is read.
pub trait Request {
    /// What a broker answers.
    type Response;
    /// The number of the message.
    const KEY: i16;
    /// The version that is spoken.
    const VERSION: i16;
    /// Its name, for errors.
    const NAME: &'static str;

    /// Appends the body.
    fn encode(&self, out: &mut Encoder);

    /// Reads a response's body.
    ///
    /// # Errors
    /// Where it is no such response.
    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed>;
}
