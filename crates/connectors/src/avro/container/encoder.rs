//! Rows to blocks.

use std::marker::PhantomData;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::key_group::hash_bytes;
use rheos_core::row::{RowError, Writer};

use super::codec::AvroCodec;
use super::header::{self, Marker};
use crate::format::Encoder;

/// Bytes of a block, before compression.
const BLOCK: usize = 64 * 1024;

/// Encodes one Avro file.
pub struct AvroFilesEncoder<T> {
    /// The schema's text, or why there is none.
    schema: Result<Arc<str>, RowError>,
    codec: AvroCodec,
    /// Known with the first block.
    marker: Option<Marker>,
    /// The rows of the block at work.
    block: Vec<u8>,
    rows: i64,
    compressed: Vec<u8>,
    row: PhantomData<fn(&T)>,
}

impl<T> AvroFilesEncoder<T> {
    pub(super) fn new(schema: Result<Arc<str>, RowError>, codec: AvroCodec) -> Self {
        Self {
            schema,
            codec,
            marker: None,
            block: Vec::new(),
            rows: 0,
            compressed: Vec::new(),
            row: PhantomData,
        }
    }

    fn put(&mut self, out: &mut Vec<u8>) -> Result<(), RowError> {
        if self.rows == 0 {
            return Ok(());
        }
        self.compressed.clear();
        self.codec
            .compress(&self.block, &mut self.compressed)
            .map_err(|error| RowError::corrupt(format!("a block can't be compressed: {error}")))?;
        let marker = match self.marker {
            Some(marker) => marker,
            None => {
                // A hash of what stands in the file: no random numbers are needed for a marker that
                // does not occur in it.
                let schema = self.schema.as_deref().unwrap_or_default();
                let (block, schema_hash) = (hash_bytes(&self.block), hash_bytes(schema.as_bytes()));
                let mixed =
                    u128::from(block) << 64 | u128::from(block.rotate_left(32) ^ schema_hash);
                let marker: Marker = mixed.to_be_bytes();
                header::write(schema, self.codec, &marker, out);
                *self.marker.insert(marker)
            }
        };
        let mut writer = Writer::from_vec(std::mem::take(out));
        writer.long(self.rows);
        writer.bytes(&self.compressed);
        writer.raw(&marker);
        *out = writer.into_vec();
        self.block.clear();
        self.rows = 0;
        Ok(())
    }
}

impl<T: Row> Encoder<T> for AvroFilesEncoder<T> {
    fn encode(&mut self, row: &T, out: &mut Vec<u8>) -> Result<(), RowError> {
        if let Err(error) = &self.schema {
            return Err(error.clone());
        }
        let start = self.block.len();
        let mut writer = Writer::from_vec(std::mem::take(&mut self.block));
        row.encode(&mut writer);
        let checked = writer.check();
        self.block = writer.into_vec();
        if let Err(error) = checked {
            self.block.truncate(start);
            return Err(error);
        }
        self.rows += 1;
        if self.block.len() >= BLOCK {
            self.put(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), RowError> {
        self.put(out)
    }
}
