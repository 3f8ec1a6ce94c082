//! How blocks are compressed.

use std::io::{Read, Write};

/// Bytes of a decompressed block at most: more is damage, or meant to fill the memory.
const MAX_BLOCK: usize = 512 * 1024 * 1024;

/// Bytes of the checksum behind a block that Snappy compressed.
const CHECKSUM: usize = 4;

/// How the blocks of a file are compressed, by Avro's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AvroCodec {
    /// `null`: not at all.
    #[default]
    Null,
    /// `deflate`.
    Deflate,
    /// `snappy`, with a checksum of each block.
    Snappy,
    /// `zstandard`.
    Zstandard,
}

impl AvroCodec {
    /// Its name in a file's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
        }
    }

    /// The codec of a header; a header without one means none.
    pub(super) fn of(name: Option<&[u8]>) -> Result<Self, String> {
        let name = String::from_utf8_lossy(name.unwrap_or(b"null"));
        [Self::Null, Self::Deflate, Self::Snappy, Self::Zstandard]
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| {
                format!(
                    "the codec '{name}' is not read: only null, deflate, snappy and zstandard are; \
                     write the file with one of these"
                )
            })
    }

    /// Appends the compressed block to `out`.
    pub(super) fn compress(self, block: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Null => out.extend_from_slice(block),
            Self::Deflate => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::DeflateEncoder::new(out, level);
                encoder
                    .write_all(block)
                    .and_then(|()| encoder.finish().map(drop))
                    .map_err(|error| error.to_string())?;
            }
            Self::Snappy => {
                let compressed = snap::raw::Encoder::new()
                    .compress_vec(block)
                    .map_err(|error| error.to_string())?;
                out.extend_from_slice(&compressed);
                out.extend_from_slice(&checksum(block).to_be_bytes());
            }
            Self::Zstandard => zstd::stream::copy_encode(block, out, ZSTD_LEVEL)
                .map_err(|error| error.to_string())?,
        }
        Ok(())
    }

    /// Puts the block into `out`, which is empty.
    pub(super) fn decompress(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Null => out.extend_from_slice(bytes),
            Self::Deflate => read_all(flate2::read::DeflateDecoder::new(bytes), out)?,
            Self::Snappy => {
                let (bytes, sum) = bytes
                    .split_at_checked(bytes.len().wrapping_sub(CHECKSUM))
                    .ok_or("it is too short for its checksum")?;
                let len = snap::raw::decompress_len(bytes).map_err(|error| error.to_string())?;
                if len > MAX_BLOCK {
                    return Err(too_long());
                }
                out.resize(len, 0);
                snap::raw::Decoder::new()
                    .decompress(bytes, out)
                    .map_err(|error| error.to_string())?;
                if checksum(out).to_be_bytes() != sum {
                    return Err("its checksum is another".to_owned());
                }
            }
            Self::Zstandard => {
                let decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                    .map_err(|error| error.to_string())?;
                read_all(decoder, out)?;
            }
        }
        Ok(())
    }
}

/// Level of Zstandard: its own default.
const ZSTD_LEVEL: i32 = 3;

fn read_all(input: impl Read, out: &mut Vec<u8>) -> Result<(), String> {
    let read = input
        .take(MAX_BLOCK as u64 + 1)
        .read_to_end(out)
        .map_err(|error| error.to_string())?;
    if read > MAX_BLOCK {
        return Err(too_long());
    }
    Ok(())
}

fn too_long() -> String {
    format!("it is longer than {MAX_BLOCK} bytes")
}

/// CRC-32, as of zip files.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
