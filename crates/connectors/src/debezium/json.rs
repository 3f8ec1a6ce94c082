//! Envelopes in JSON.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::change::Change;
use rheos_core::row::{FieldNames, FieldSource, RowError};

use super::changes::{MissingBefore, Rules, Truncates, UnavailableValues};
use super::envelope::{ChangeRow, Unpacked};
use super::others::{holds_no_row, no_envelope};
use super::unavailable::{Available, Suspicion};
use crate::format::json::{JsonNesting, JsonParser, JsonWriter};
use crate::format::{Decoder, DecodingFormat, Encoder, EncodingFormat, Frame, line};

/// Debezium's change events in JSON, one a line or one a Kafka record, with or without Kafka Connect's
/// schema beside them (`schemas.enable`). Flink's `debezium-json`.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::FileSource;
/// use rheos_connectors::debezium::{DebeziumJson, Unscaled};
///
/// #[derive(Row, Clone)]
/// struct Account {
///     id: i32,
///     owner: Option<String>,
///     balance: Option<Unscaled>,
/// }
///
/// let env = StreamEnv::default();
/// let source = FileSource::new(DebeziumJson::new(), "accounts/");
/// let changes: DataStream<Change<Account>> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "accounts");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct DebeziumJson {
    rules: Rules,
}

impl DebeziumJson {
    /// Events that are no plain change are bad records.
    pub fn new() -> Self {
        Self::default()
    }

    /// What an update without the row before becomes.
    #[must_use]
    pub fn missing_before(mut self, choice: MissingBefore) -> Self {
        self.rules.missing_before = choice;
        self
    }

    /// What values become that Debezium does not have.
    #[must_use]
    pub fn unavailable_values(mut self, choice: UnavailableValues) -> Self {
        self.rules.unavailable = choice;
        self
    }

    /// What becomes of truncated tables.
    #[must_use]
    pub fn truncates(mut self, choice: Truncates) -> Self {
        self.rules.truncates = choice;
        self
    }
}

/// Decodes [`DebeziumJson`].
pub struct DebeziumJsonDecoder<C> {
    rules: Rules,
    suspicion: Option<Suspicion>,
    row: PhantomData<fn() -> C>,
}

impl<C: ChangeRow> DecodingFormat<C> for DebeziumJson {
    type Decoder = DebeziumJsonDecoder<C>;

    fn decoder(&self) -> DebeziumJsonDecoder<C> {
        let refuses = self.rules.unavailable == UnavailableValues::Fail;
        DebeziumJsonDecoder {
            rules: self.rules,
            suspicion: refuses.then(Suspicion::json),
            row: PhantomData,
        }
    }
}

impl<C: ChangeRow> Decoder<C> for DebeziumJsonDecoder<C> {
    fn frame(&mut self, data: &[u8], end: bool) -> Frame {
        line::frame(data, end)
    }

    fn decode(&mut self, record: &[u8], mut emit: impl FnMut(C)) -> Result<(), RowError> {
        // A tombstone in a file is an empty line, or the word.
        if matches!(record.trim_ascii(), b"" | b"null") {
            return Ok(());
        }
        let text = line::utf8(record)?;
        let mut parser = JsonParser::new(text);
        let envelope = match &self.suspicion {
            Some(suspicion) if suspicion.of(record) => {
                C::Envelope::from_source(&mut Available(&mut parser))
            }
            _ => C::Envelope::from_source(&mut parser),
        };
        // What is no envelope may well have a field `before` of its own.
        let envelope = match envelope.and_then(|envelope| parser.end().map(|()| envelope)) {
            Ok(envelope) => envelope,
            Err(error) => return without_row(text).unwrap_or(Err(error)),
        };
        match C::unpack(envelope, &self.rules, &mut emit)? {
            Unpacked::Done => Ok(()),
            Unpacked::NoEnvelope => without_row(text).unwrap_or_else(|| {
                let names = fields(text).unwrap_or_default();
                Err(no_envelope(names.iter().map(String::as_str)))
            }),
        }
    }
}

/// Of a record without `op`: fine if it holds no row by its nature. None where that can't be said.
#[cold]
fn without_row(text: &str) -> Option<Result<(), RowError>> {
    let names = fields(text).ok()?;
    let names = || names.iter().map(String::as_str);
    if names().any(|name| name == "op") {
        return None;
    }
    let tombstone = names().count() == 0;
    Some(if tombstone || holds_no_row(names()) {
        Ok(())
    } else {
        Err(no_envelope(names()))
    })
}

/// The names of a record's fields; of those of its payload, if it has a schema beside it.
fn fields(text: &str) -> Result<Vec<String>, RowError> {
    static PAYLOAD: FieldNames = FieldNames {
        owner: "record of Kafka Connect",
        fields: &[&["payload"]],
        positional: false,
        default: None,
    };
    let names = names(&mut JsonParser::new(text))?;
    let is_connect = |names: &[String]| {
        let mut sorted: Vec<_> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        sorted == ["payload", "schema"]
    };
    if !is_connect(&names) {
        return Ok(names);
    }
    let mut inner = Vec::new();
    JsonParser::new(text).record(&PAYLOAD, &mut |_, value| {
        if !value.is_null() {
            inner = self::names(value)?;
        }
        Ok(())
    })?;
    Ok(inner)
}

fn names(source: &mut dyn FieldSource) -> Result<Vec<String>, RowError> {
    let mut names = Vec::new();
    source.map(&mut |key, _| {
        names.push(key.str()?.to_owned());
        Ok(())
    })?;
    Ok(names)
}

/// Writes changes as envelopes: `c` with the row after, or `d` with the row before, as Flink does. So
/// an update is two records.
pub struct DebeziumJsonEncoder<T> {
    nesting: JsonNesting,
    row: PhantomData<fn(&T)>,
}

impl<T: Row> EncodingFormat<Change<T>> for DebeziumJson {
    type Encoder = DebeziumJsonEncoder<T>;

    fn encoder(&self) -> DebeziumJsonEncoder<T> {
        DebeziumJsonEncoder {
            nesting: JsonNesting::default(),
            row: PhantomData,
        }
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }
}

impl<T: Row> Encoder<Change<T>> for DebeziumJsonEncoder<T> {
    fn encode(&mut self, change: &Change<T>, out: &mut Vec<u8>) -> Result<(), RowError> {
        let addition = change.kind.is_addition();
        let (start, end): (&[u8], &[u8]) = if addition {
            (b"{\"before\":null,\"after\":", b",\"op\":\"c\"}\n")
        } else {
            (b"{\"before\":", b",\"after\":null,\"op\":\"d\"}\n")
        };
        out.extend_from_slice(start);
        let field = if addition { "after" } else { "before" };
        let row = &change.row;
        row.visit(&mut JsonWriter::new(out, &mut self.nesting))
            .map_err(|error| error.in_field(field))?;
        out.extend_from_slice(end);
        Ok(())
    }
}
