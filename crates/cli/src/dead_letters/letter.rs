//! A dead letter, wherever it was kept: in a file, a topic or a table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rheos_connectors::kafka::batch::Record;
use rheos_connectors::kafka::dead_letter_headers;
use rheos_connectors::kafka::sink::OWN_HEADER;
use serde_json::{Map, Value};

/// The header of a message that was sent back: the letter it was.
pub(super) const REPLAYED_FROM: &str = "rheos-replayed-from";

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// The topic or file that the message came from.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; none where it is not known.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub error: String,
}

impl Letter {
    /// What names it: no two messages share it, so it is sent back once.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }

    /// Whether the message had been sent back before, and was bad again.
    pub fn was_replayed(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == REPLAYED_FROM)
    }

    /// A record of a topic of dead letters.
    pub fn of_record(record: &Record<'_>) -> Result<Self, String> {
        let text = |name: &str| {
            let value = record.headers.get(name);
            let value = value.ok_or_else(|| format!("it has no header '{name}'"))?;
            Ok::<_, String>(String::from_utf8_lossy(value).into_owned())
        };
        let number = |name: &str| -> Result<i64, String> {
            let text = text(name)?;
            text.parse()
                .map_err(|_| format!("its header '{name}' is no number: {text}"))
        };
        let headers = record.headers.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(OWN_HEADER)?;
            Some((name.to_owned(), value.unwrap_or_default().to_vec()))
        });
        Ok(Self {
            topic: text("topic")?,
            partition: partition(number("partition")?)?,
            offset: number("offset")?,
            timestamp: Some(number("timestamp")?).filter(|time| *time >= 0),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.collect(),
            error: text("error")?,
        })
    }

    /// A line of a file: of the main job, or of `KafkaDeadLetter` or `DeadLetter` as JSON lines.
    pub fn of_line(line: &str) -> Result<Self, String> {
        let parsed: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| format!("no JSON object: {error}"))?;
        let bytes = |names: &[&str]| match first(&parsed, names) {
            None => Ok(None),
            Some(Value::String(text)) => STANDARD
                .decode(text)
                .map(Some)
                .map_err(|error| format!("{} is no base64: {error}", names.join(" or "))),
            Some(_) => Err(format!("{} is no text", names.join(" or "))),
        };
        let (key, value) = (
            bytes(&["key_base64", "key"])?,
            bytes(&["value_base64", "value", "bytes"])?,
        );
        Self::of_fields(&parsed, key, value)
    }

    /// A row of a table, as PostgreSQL's `to_jsonb` shows it.
    pub fn of_row(row: &str) -> Result<Self, String> {
        let parsed: Map<String, Value> =
            serde_json::from_str(row).map_err(|error| format!("no JSON object: {error}"))?;
        let bytes = |names: &[&str]| match first(&parsed, names) {
            None => Ok(None),
            Some(Value::String(text)) => text
                .strip_prefix("\\x")
                .and_then(of_hex)
                .map(Some)
                .ok_or_else(|| format!("the column {} is no bytea", names.join(" or "))),
            Some(_) => Err(format!("the column {} is no bytea", names.join(" or "))),
        };
        let (key, value) = (bytes(&["key"])?, bytes(&["value", "bytes"])?);
        Self::of_fields(&parsed, key, value)
    }

    fn of_fields(
        fields: &Map<String, Value>,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let text = |names: &[&str]| {
            let found = first(fields, names).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .ok_or_else(|| format!("it has no {}", names.join(" or ")))
        };
        let number = |name: &str| first(fields, &[name]).and_then(Value::as_i64);
        let headers = match first(fields, &["headers"]) {
            None => Vec::new(),
            Some(headers) => headers
                .as_str()
                .and_then(dead_letter_headers)
                .ok_or("its headers are no list of names and values in base64")?,
        };
        Ok(Self {
            topic: text(&["topic", "source"])?,
            partition: partition(number("partition").unwrap_or(0))?,
            offset: number("offset").ok_or("it has no offset")?,
            timestamp: number("timestamp").filter(|time| *time >= 0),
            key,
            value,
            headers,
            error: text(&["error"])?,
        })
    }

    /// As a line of JSON, which [`Letter::of_line`] reads.
    pub fn to_line(&self) -> String {
        let bytes = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => Value::String(STANDARD.encode(bytes)),
            None => Value::Null,
        };
        let headers: Vec<(&str, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), STANDARD.encode(value)))
            .collect();
        let headers = (!headers.is_empty()).then(|| serde_json::json!(headers).to_string());
        serde_json::json!({
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": self.timestamp,
            "key_base64": bytes(&self.key),
            "value_base64": bytes(&self.value),
            "headers": headers,
            "error": self.error,
        })
        .to_string()
    }
}

/// The first of these fields that is there and not null.
fn first<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let mut found = names.iter().filter_map(|name| fields.get(*name));
    found.find(|value| !value.is_null())
}

fn partition(number: i64) -> Result<i32, String> {
    i32::try_from(number).map_err(|_| format!("{number} is no partition"))
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            topic: "events".into(),
            partition: 3,
            offset: 17,
            timestamp: Some(5),
            key: None,
            value: Some(vec![0, 255]),
            headers: vec![("trace".into(), b"1".to_vec())],
            error: "too short".into(),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        assert_eq!(Letter::of_line(&letter().to_line()).unwrap(), letter());
        let of_main_job = r#"{"topic":"events","partition":3,"offset":17,"timestamp":null,"key_base64":"TjE=","value_base64":"","error":"x"}"#;
        let read = Letter::of_line(of_main_job).unwrap();
        assert_eq!((read.timestamp, read.key), (None, Some(b"N1".to_vec())));
        assert_eq!(read.value, Some(Vec::new()));
        let of_file = r#"{"source":"in.csv","line":4,"offset":99,"bytes":"YQ==","error":"x"}"#;
        assert_eq!(Letter::of_line(of_file).unwrap().id(), "in.csv/0/99");
    }

    #[test]
    fn a_row_of_a_table_has_bytes_in_hexadecimal() {
        let row = r#"{"topic":"events","partition":3,"offset":17,"timestamp":5,"key":null,"value":"\\x00ff","headers":"[[\"trace\",\"MQ==\"]]","error":"too short"}"#;
        assert_eq!(Letter::of_row(row).unwrap(), letter());
        for wrong in [
            r#"{"topic":"events","offset":1,"value":"00","error":"x"}"#,
            r#"{"topic":"events","offset":1,"value":"\\x0","error":"x"}"#,
            r#"{"topic":"events","value":"\\x00","error":"x"}"#,
            "[]",
        ] {
            assert!(Letter::of_row(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_that_was_sent_back_before_is_known() {
        let mut again = letter();
        assert!(!again.was_replayed());
        again.headers.push((REPLAYED_FROM.into(), Vec::new()));
        assert!(again.was_replayed());
    }
}
