//! The codecs of record batches.

use std::io::{ErrorKind, Read, Write};

use bytes::Bytes;

use super::buffers::{Buffers, Filling};

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
    pub(super) fn decompress(self, bytes: Bytes, buffers: &Buffers) -> Result<Bytes, String> {
        match self {
            Self::None => Ok(bytes),
            Self::Gzip => read_all(flate2::read::MultiGzDecoder::new(&*bytes), buffers),
            Self::Snappy => buffers.fill(|filling| snappy(&bytes, filling)),
            Self::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(&*bytes), buffers),
            Self::Zstd => {
                let decoder = zstd::Decoder::with_buffer(&*bytes).map_err(|e| e.to_string())?;
                read_all(decoder, buffers)
            }
        }
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

/// What is asked of a decoder at a time: the greatest block of LZ4's frames is handed over in one.
const READ: usize = 64 << 10;

/// Reads to the end.
fn read_all(mut reader: impl Read, buffers: &Buffers) -> Result<Bytes, String> {
    buffers.fill(|filling| {
        loop {
            match reader.read(filling.room(READ)?) {
                Ok(0) => return Ok(()),
                Ok(read) => filling.advance(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    })
}

fn snappy(bytes: &[u8], out: &mut Filling) -> Result<(), String> {
    let mut decoder = snap::raw::Decoder::new();
    let mut block = |block: &[u8], out: &mut Filling| -> Result<(), String> {
        let len = snap::raw::decompress_len(block).map_err(|e| e.to_string())?;
        // Snappy shrinks to a twenty-first at best: a longer claim is a lie.
        if len > block.len().saturating_mul(64).saturating_add(64) {
            return Err(format!("a block that claims to hold {len} bytes"));
        }
        let room = out.room(len)?.get_mut(..len).unwrap_or_default();
        decoder.decompress(block, room).map_err(|e| e.to_string())?;
        out.advance(len);
        Ok(())
    };
    if !bytes.starts_with(XERIAL) {
        return block(bytes, out);
    }
    let mut rest = bytes.get(16..).ok_or("a frame without its header")?;
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let (content, after) = after
            .split_at_checked(len)
            .ok_or("a block that is cut off")?;
        block(content, out)?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err("a block that is cut off".to_owned())
    }
}
