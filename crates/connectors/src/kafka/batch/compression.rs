//! The codecs of record batches.

use std::io::{Read, Write};

use bytes::Bytes;

use super::MAX_BATCH_BYTES;

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By gzip.
    Gzip,
    /// By Snappy, in the frames of Java's library.
    Snappy,
    /// By LZ4, in its own frames.
    Lz4,
    /// By Zstandard.
    Zstd,
}

impl std::str::FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "snappy" => Ok(Self::Snappy),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            other => Err(format!(
                "there is no compression '{other}': none, gzip, snappy, lz4 or zstd"
            )),
        }
    }
}

/// How frames of Java's Snappy begin.
const XERIAL: &[u8; 8] = b"\x82SNAPPY\0";

impl Compression {
    /// The codec of a batch's attributes.
    pub(super) fn of(attributes: i16) -> Result<Self, String> {
        match attributes & 7 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(format!("an unknown compression ({other})")),
        }
    }

    /// Its number in a batch's attributes.
    pub(super) fn bits(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Decompresses what one batch holds.
    pub(super) fn decompress(self, bytes: Bytes) -> Result<Bytes, String> {
        Ok(match self {
            Self::None => return Ok(bytes),
            Self::Gzip => read_all(flate2::read::MultiGzDecoder::new(&*bytes), bytes.len())?,
            Self::Snappy => snappy(&bytes)?,
            Self::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(&*bytes), bytes.len())?,
            Self::Zstd => {
                let decoder = zstd::Decoder::with_buffer(&*bytes).map_err(|e| e.to_string())?;
                read_all(decoder, bytes.len())?
            }
        }
        .into())
    }

    /// Appends `bytes`, compressed.
    pub(super) fn compress(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        match self {
            Self::None => out.extend_from_slice(bytes),
            Self::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(&mut *out, flate2::Compression::default());
                encoder.write_all(bytes).map_err(failed)?;
                encoder.finish().map_err(failed)?;
            }
            Self::Snappy => {
                const BLOCK: usize = 32 * 1024;
                out.extend_from_slice(XERIAL);
                out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
                let mut encoder = snap::raw::Encoder::new();
                for block in bytes.chunks(BLOCK) {
                    let block = encoder.compress_vec(block).map_err(|e| e.to_string())?;
                    let len = u32::try_from(block.len()).map_err(|e| e.to_string())?;
                    out.extend_from_slice(&len.to_be_bytes());
                    out.extend_from_slice(&block);
                }
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut *out);
                encoder.write_all(bytes).map_err(failed)?;
                encoder.finish().map_err(|error| error.to_string())?;
            }
            Self::Zstd => {
                zstd::stream::copy_encode(bytes, &mut *out, 3).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Reads to the end, but not beyond the bound.
fn read_all(mut reader: impl Read, compressed: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(compressed.saturating_mul(4).min(8 << 20));
    let limit = MAX_BATCH_BYTES as u64 + 1;
    reader
        .by_ref()
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|error| error.to_string())?;
    check_size(out.len())?;
    Ok(out)
}

fn check_size(bytes: usize) -> Result<(), String> {
    if bytes > MAX_BATCH_BYTES {
        return Err(format!("more than {MAX_BATCH_BYTES} bytes decompressed"));
    }
    Ok(())
}

fn snappy(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = snap::raw::Decoder::new();
    let mut block = |block: &[u8], out: &mut Vec<u8>| -> Result<(), String> {
        let len = snap::raw::decompress_len(block).map_err(|e| e.to_string())?;
        // Snappy shrinks to a twenty-first at best: a longer claim is a lie.
        if len > block.len().saturating_mul(64).saturating_add(64) {
            return Err(format!("a block that claims to hold {len} bytes"));
        }
        check_size(out.len().saturating_add(len))?;
        let from = out.len();
        out.resize(from + len, 0);
        let target = out.get_mut(from..).unwrap_or_default();
        decoder
            .decompress(block, target)
            .map_err(|e| e.to_string())?;
        Ok(())
    };
    let mut out = Vec::new();
    if !bytes.starts_with(XERIAL) {
        block(bytes, &mut out)?;
        return Ok(out);
    }
    let mut rest = bytes.get(16..).ok_or("a frame without its header")?;
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let (content, after) = after
            .split_at_checked(len)
            .ok_or("a block that is cut off")?;
        block(content, &mut out)?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(out)
    } else {
        Err("a block that is cut off".to_owned())
    }
}
