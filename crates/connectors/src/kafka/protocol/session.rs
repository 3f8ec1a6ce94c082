//! What a connection begins with: which versions the broker speaks, and who we are.

use bytes::Bytes;

use super::Request;
use super::error_code::ErrorCode;
use super::wire::{Decoder, Encoder, Malformed};

/// Asks which messages the broker understands.
#[derive(Debug)]
pub struct ApiVersionsRequest;

impl Request for ApiVersionsRequest {
    /// Of each message its number, and the least and greatest version.
    type Response = Result<Vec<(i16, i16, i16)>, ErrorCode>;
    const KEY: i16 = 18;
    const VERSION: i16 = 0;
    const NAME: &'static str = "ApiVersions";

    fn encode(&self, _out: &mut Encoder) {}

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        let error = ErrorCode(input.i16()?);
        let versions = input.list(|input| Ok((input.i16()?, input.i16()?, input.i16()?)))?;
        Ok(error.check().map(|()| versions))
    }
}

/// Chooses how to authenticate.
#[derive(Debug)]
pub struct SaslHandshakeRequest {
    /// The mechanism's name.
    pub mechanism: &'static str,
}

impl Request for SaslHandshakeRequest {
    /// If the mechanism is refused, those that the broker has.
    type Response = Result<(), (ErrorCode, Vec<String>)>;
    const KEY: i16 = 17;
    const VERSION: i16 = 1;
    const NAME: &'static str = "SaslHandshake";

    fn encode(&self, out: &mut Encoder) {
        out.str(self.mechanism);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        let error = ErrorCode(input.i16()?);
        let mechanisms = input.list(Decoder::str)?;
        Ok(error.check().map_err(|error| (error, mechanisms)))
    }
}

/// One step of authentication.
#[derive(Debug)]
pub struct SaslAuthenticateRequest {
    /// What the mechanism says.
    pub token: Vec<u8>,
}

impl Request for SaslAuthenticateRequest {
    /// What the broker's side of the mechanism says, or why it refuses.
    type Response = Result<Bytes, (ErrorCode, Option<String>)>;
    const KEY: i16 = 36;
    const VERSION: i16 = 0;
    const NAME: &'static str = "SaslAuthenticate";

    fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.token);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        let error = ErrorCode(input.i16()?);
        let message = input.nullable_str()?;
        let token = input.nullable_bytes()?.unwrap_or_default();
        Ok(error
            .check()
            .map(|()| token)
            .map_err(|error| (error, message)))
    }
}
