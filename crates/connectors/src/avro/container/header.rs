//! The head of a file.

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, RowError, Schema, Writer};

use super::codec::AvroCodec;
use crate::avro::reader::AvroReader;

/// How a file begins.
pub(super) const MAGIC: &[u8; 4] = b"Obj\x01";

/// Bytes of the marker behind each block.
pub(super) const MARKER: usize = 16;

/// The marker behind each block of a file.
pub(super) type Marker = [u8; MARKER];

/// What the head says.
struct Parsed<'a> {
    schema: Option<&'a [u8]>,
    codec: Option<&'a [u8]>,
    marker: Marker,
    len: usize,
}

fn parse(data: &[u8]) -> Result<Parsed<'_>, RowError> {
    let mut input = Reader::new(data);
    input.raw(MAGIC.len())?;
    let (mut schema, mut codec) = (None, None);
    input.blocks(|input| {
        let key = input.str()?;
        let value = input.bytes()?;
        match key {
            "avro.schema" => schema = Some(value),
            "avro.codec" => codec = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    let mut marker = [0; MARKER];
    marker.copy_from_slice(input.raw(MARKER)?);
    Ok(Parsed {
        schema,
        codec,
        marker,
        len: data.len() - input.remaining(),
    })
}

/// Bytes of the head that `data` begins with.
///
/// # Errors
/// Where it is none, or not whole.
pub(super) fn len(data: &[u8]) -> Result<usize, RowError> {
    parse(data).map(|parsed| parsed.len)
}

/// What is known of a file that is being read.
pub(super) struct Header<T> {
    pub codec: AvroCodec,
    pub marker: Marker,
    pub reader: AvroReader<T>,
    /// Goes past rows that the reader does not take.
    pub skipper: Resolution,
}

impl<T: Row> Header<T> {
    /// Reads a head.
    ///
    /// # Errors
    /// Where it is broken, its codec is not known, or its schema is not that of a row of `T`.
    pub fn read(data: &[u8]) -> Result<Self, RowError> {
        let parsed = parse(data)?;
        let codec = AvroCodec::of(parsed.codec).map_err(RowError::schema)?;
        let text = parsed
            .schema
            .and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| RowError::schema("the file's header has no schema"))?;
        let told = |error: RowError| RowError::schema(format!("the file's schema: {error}"));
        let writer = Schema::parse_avro_json(text).map_err(told)?;
        Ok(Self {
            codec,
            marker: parsed.marker,
            reader: AvroReader::new(&writer).map_err(told)?,
            skipper: Resolution::new(&writer, &writer).map_err(told)?,
        })
    }
}

/// Appends a head.
pub(super) fn write(schema: &str, codec: AvroCodec, marker: &Marker, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    let mut writer = Writer::from_vec(std::mem::take(out));
    writer.block(2, |out| {
        out.str("avro.schema");
        out.bytes(schema.as_bytes());
        out.str("avro.codec");
        out.bytes(codec.name().as_bytes());
    });
    writer.raw(marker);
    *out = writer.into_vec();
}
