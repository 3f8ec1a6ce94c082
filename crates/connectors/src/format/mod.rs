//! Formats: bytes to rows and rows to bytes.

pub(crate) mod base64;
pub mod json;
