//! Values of which only the schema is known, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rheos::core::row::{Reader, Resolution, RowError, Schema, Value};
use serde_json::{Map, json};

/// Reads values of a schema.
pub(super) struct ValueReader(Option<Resolution>);

impl ValueReader {
    /// For a schema in Avro's JSON; without one values are bytes.
    pub fn new(schema: &str) -> Result<Self, RowError> {
        if schema.is_empty() {
            return Ok(Self(None));
        }
        let schema = Schema::parse_avro_json(schema)?;
        Ok(Self(Some(Resolution::new(&schema, &schema)?)))
    }

    /// A value.
    pub fn read(&self, bytes: &[u8]) -> Result<serde_json::Value, RowError> {
        let Some(resolution) = &self.0 else {
            return Ok(serde_json::Value::String(STANDARD.encode(bytes)));
        };
        let mut reader = Reader::new(bytes);
        let value = resolution.read_value(&mut reader)?;
        reader.finish()?;
        Ok(json_of(&value))
    }
}

fn float(value: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        // JSON has no others.
        None => value.to_string().into(),
    }
}

fn integer(value: i128) -> serde_json::Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => value.to_string().into(),
    }
}

pub(super) fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => integer(*value),
        Value::Float(value) => float(f64::from(*value)),
        Value::Double(value) => float(*value),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::String(text) => text.to_string().into(),
        Value::Array(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| (key.to_string(), json_of(value)));
            serde_json::Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Record(_, fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.to_string(), json_of(value)));
            serde_json::Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Symbol(symbol) => symbol.to_string().into(),
        Value::Variant(name, value) => json!({ name.to_string(): json_of(value) }),
        Value::Some(value) => json_of(value),
    }
}

/// A schema in a few words.
pub(super) fn words(schema: &str) -> String {
    if schema.is_empty() {
        return "bytes".to_owned();
    }
    match serde_json::from_str::<serde_json::Value>(schema) {
        Ok(schema) => described(&schema),
        Err(_) => "?".to_owned(),
    }
}

fn described(schema: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match schema {
        Json::String(name) => name.clone(),
        Json::Array(branches) => {
            let branches: Vec<String> = branches.iter().map(described).collect();
            branches.join(" | ")
        }
        Json::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Json::as_str);
            match text("type") {
                Some("record") => {
                    let fields = object.get("fields").and_then(Json::as_array);
                    let names = fields.into_iter().flatten();
                    let names: Vec<&str> = names
                        .filter_map(|field| field.get("name").and_then(Json::as_str))
                        .collect();
                    let name = text("name").unwrap_or("record");
                    format!("{name} {{{}}}", names.join(", "))
                }
                Some("array") => {
                    let items = object.get("items").map(described);
                    format!("[{}]", items.unwrap_or_default())
                }
                Some("map") => {
                    let values = object.get("values").map(described);
                    format!("map of {}", values.unwrap_or_default())
                }
                Some("enum" | "fixed") => text("name").unwrap_or("enum").to_owned(),
                Some(other) => other.to_owned(),
                None => object.get("type").map(described).unwrap_or_default(),
            }
        }
        _ => "?".to_owned(),
    }
}

/// What tells schemas apart: the first digits of their hash.
pub(super) fn version(schema: &str) -> String {
    if schema.is_empty() {
        return String::new();
    }
    let hash = rheos::core::key_group::hash_bytes(schema.as_bytes());
    format!("{:08x}", hash >> 32)
}

#[cfg(test)]
mod tests {
    use rheos::core::row::{Row, Writer};

    use super::*;

    #[derive(Row, Clone, Debug)]
    struct Order {
        id: u64,
        note: Option<String>,
        tags: Vec<String>,
        share: f64,
    }

    #[test]
    fn a_value_is_read_without_its_type() {
        let order = Order {
            id: u64::MAX,
            note: None,
            tags: vec!["a".into()],
            share: 0.5,
        };
        let mut bytes = Writer::new();
        order.encode(&mut bytes);
        let schema = Order::schema().to_avro_json().unwrap();
        let reader = ValueReader::new(&schema).unwrap();
        let expected = json!({ "id": u64::MAX, "note": null, "tags": ["a"], "share": 0.5 });
        assert_eq!(reader.read(bytes.as_slice()).unwrap(), expected);
        assert_eq!(words(&schema), "Order {id, note, tags, share}");
        assert_eq!(version(&schema).len(), 8);
        let raw = ValueReader::new("").unwrap();
        assert_eq!(raw.read(b"abc").unwrap(), json!("YWJj"));
    }
}
