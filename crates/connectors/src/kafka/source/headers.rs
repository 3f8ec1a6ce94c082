//! Headers of a record as text, and back.

use serde_json::Value;

use crate::format::base64;
use crate::kafka::batch::Headers;

/// A JSON list of names and values in base64, where a value may be null; none of no headers.
pub(in crate::kafka) fn to_text(headers: Headers<'_>) -> Option<String> {
    if headers.is_empty() {
        return None;
    }
    let pairs = headers.iter().map(|(name, value)| {
        let value = value.map_or(Value::Null, |value| {
            let mut text = Vec::new();
            base64::encode(value, &mut text);
            Value::String(String::from_utf8_lossy(&text).into_owned())
        });
        Value::Array(vec![Value::String(name.into_owned()), value])
    });
    Some(Value::Array(pairs.collect()).to_string())
}

/// The headers that a text holds; none if it is no such text. A null value becomes an empty one.
pub fn of_text(text: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let pairs: Vec<(String, Option<String>)> = serde_json::from_str(text).ok()?;
    pairs
        .into_iter()
        .map(|(name, value)| {
            let mut bytes = Vec::new();
            base64::decode(value.unwrap_or_default().as_bytes(), &mut bytes)
                .then_some((name, bytes))
        })
        .collect()
}
