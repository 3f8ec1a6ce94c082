//! Rows in a frame: how they are cut into frames, and read back.
//!
//! ```text
//! charge u32 │ rows u32 │ flags u8 │ per row: timestamp − the one before (zig-zag), hash u64, row
//! ```
//!
//! Flags: 1, rows have hashes; 2, what follows is their length (u32) and an LZ4 block of them. The charge is what the rows weigh as credit, by the sender's reckoning; rows are in their binary
//! form (`rfcs/0001-rows.md`). Both ends were built from one JobGraph, so no schema is sent.

use bytes::Bytes;
use rheos_core::Row;
use rheos_core::element::Batch;
use rheos_core::row::{Reader, RowError, Writer};

use super::error::NetworkError;
use super::frame::{FULL, HEADER, Header, Kind, MAX_PAYLOAD};

/// Bytes of a payload before its first row.
const HEAD: usize = 9;

/// Of the flags: rows have hashes.
const HASHED: u8 = 1;

/// Of the flags: rows are an LZ4 block behind their length.
const LZ4: u8 = 2;

/// Whether rows are compressed on their way to another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// They go as they are.
    #[default]
    None,
    /// By LZ4, frame by frame, where that makes them smaller.
    Lz4,
}

/// A frame that is being filled.
struct Open {
    out: Writer,
    rows: usize,
    last: i64,
}

impl Open {
    fn new(mut memory: Vec<u8>) -> Self {
        memory.clear();
        // The header and the head are filled in when it is closed.
        memory.resize(HEADER + HEAD, 0);
        Self {
            out: Writer::from_vec(memory),
            rows: 0,
            last: 0,
        }
    }

    fn put<T: Row>(&mut self, row: &T, timestamp: i64, hash: Option<u64>) {
        self.out.long(timestamp.wrapping_sub(self.last));
        self.last = timestamp;
        if let Some(hash) = hash {
            self.out.raw(&hash.to_le_bytes());
        }
        row.encode(&mut self.out);
        self.rows += 1;
    }

    fn payload(&self) -> usize {
        self.out.len() - HEADER
    }

    fn close(self, (channel, sequence): (u32, u32), charge: usize, mut flags: u8) -> Vec<u8> {
        let mut bytes = self.out.into_vec();
        if flags & LZ4 != 0 && !compress(&mut bytes) {
            flags &= !LZ4;
        }
        let len = bytes.len() - HEADER;
        let header = Header {
            kind: Kind::Rows,
            channel,
            sequence,
            len,
        };
        let charge = u32::try_from(charge).unwrap_or(u32::MAX);
        let rows = u32::try_from(self.rows).unwrap_or(u32::MAX);
        if let Some((head, rest)) = bytes.split_first_chunk_mut::<HEADER>() {
            *head = header.to_bytes();
            if let Some((head, rest)) = rest.split_first_chunk_mut::<4>() {
                *head = charge.to_le_bytes();
                if let Some((head, rest)) = rest.split_first_chunk_mut::<4>() {
                    *head = rows.to_le_bytes();
                    if let Some(first) = rest.first_mut() {
                        *first = flags;
                    }
                }
            }
        }
        bytes
    }
}

/// Replaces what stands behind the head by its length and its LZ4 block, if that is shorter.
fn compress(frame: &mut Vec<u8>) -> bool {
    const START: usize = HEADER + HEAD;
    let rows = frame.get(START..).unwrap_or_default();
    let block = lz4_flex::block::compress(rows);
    let length = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    if block.len() + 4 >= rows.len() {
        return false;
    }
    frame.truncate(START);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&block);
    true
}

/// Cuts a batch that weighs `bytes` into frames of a channel, each with its share of the weight, which
/// `give` gets too. `sequence` is the number of the first, and then of the next; `memory` gives a
/// vector to write a frame to.
///
/// # Errors
/// If a row is too large or nests too deeply. Frames before it have been given.
pub fn encode<T: Row>(
    batch: &Batch<T>,
    bytes: usize,
    (channel, sequence): (u32, &mut u32),
    compression: Compression,
    memory: &mut dyn FnMut() -> Vec<u8>,
    give: &mut dyn FnMut(Vec<u8>, usize),
) -> Result<(), NetworkError> {
    let hashed = !batch.hashes.is_empty();
    let flags = match compression {
        Compression::None => 0,
        Compression::Lz4 => LZ4,
    } | if hashed { HASHED } else { 0 };
    let total = batch.len().max(1);
    let unwritable = |error| NetworkError::Row {
        row: std::any::type_name::<T>(),
        error,
    };
    let mut close = |open: Open| {
        let share = bytes.saturating_mul(open.rows) / total;
        let share = share.clamp(1, u32::MAX as usize);
        let frame = open.close((channel, *sequence), share, flags);
        *sequence = sequence.wrapping_add(1);
        give(frame, share);
    };
    let mut hashes = batch.hashes.iter().copied();
    let mut filling: Option<Open> = None;
    for (row, timestamp) in batch.rows.iter().zip(&batch.timestamps) {
        let hash = hashed.then(|| hashes.next().unwrap_or(0));
        let mut open = filling.take().unwrap_or_else(|| Open::new(memory()));
        let before = open.out.len();
        open.put(row, *timestamp, hash);
        if open.payload() < FULL {
            filling = Some(open);
            continue;
        }
        open.out.check().map_err(unwritable)?;
        if open.rows > 1 && open.payload() > FULL {
            // The row goes into the next frame, so that only a row alone makes a larger one.
            let rows = open.rows - 1;
            let mut bytes = open.out.into_vec();
            bytes.truncate(before);
            close(Open {
                out: Writer::from_vec(bytes),
                rows,
                last: 0,
            });
            open = Open::new(memory());
            open.put(row, *timestamp, hash);
        }
        if open.payload() > MAX_PAYLOAD {
            return Err(NetworkError::RowTooLarge {
                bytes: open.payload() - HEAD,
                limit: MAX_PAYLOAD - HEAD,
            });
        }
        match open.payload() >= FULL {
            true => close(open),
            false => filling = Some(open),
        }
    }
    if let Some(open) = filling {
        open.out.check().map_err(unwritable)?;
        close(open);
    }
    Ok(())
}

/// Rows as they came, and how many.
#[derive(Debug, Clone)]
pub struct EncodedBatch {
    rows: usize,
    hashed: bool,
    /// Their length, if they are compressed.
    unpacked: Option<usize>,
    bytes: Bytes,
}

impl EncodedBatch {
    /// Looks at the head of a frame's payload: the rows, and what they weigh.
    ///
    /// # Errors
    /// If it has no head, or announces more rows than it can hold.
    pub fn parse(mut payload: Bytes) -> Result<(Self, usize), NetworkError> {
        let head = payload.first_chunk::<HEAD>().copied();
        let Some([c0, c1, c2, c3, r0, r1, r2, r3, flags]) = head else {
            return Err(NetworkError::corrupt("a frame of rows without its head"));
        };
        let charge = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        let rows = u32::from_le_bytes([r0, r1, r2, r3]) as usize;
        if flags & !(HASHED | LZ4) != 0 {
            let what = format!("rows with the flags {flags}, of which some are unknown");
            return Err(NetworkError::corrupt(what));
        }
        let hashed = flags & HASHED != 0;
        let mut bytes = payload.split_off(HEAD);
        let mut unpacked = None;
        if flags & LZ4 != 0 {
            let length = bytes.first_chunk::<4>().copied();
            let length = length.map_or(usize::MAX, |length| u32::from_le_bytes(length) as usize);
            if length > MAX_PAYLOAD {
                let what = format!("compressed rows of {length} bytes; the most is {MAX_PAYLOAD}");
                return Err(NetworkError::corrupt(what));
            }
            bytes = bytes.split_off(4);
            unpacked = Some(length);
        }
        let length = unpacked.unwrap_or(bytes.len());
        // The least that a row takes: its timestamp, and its hash.
        let least = if hashed { 9 } else { 1 };
        if rows.saturating_mul(least) > length {
            return Err(NetworkError::corrupt(format!(
                "{rows} rows in {length} bytes"
            )));
        }
        let batch = Self {
            rows,
            hashed,
            unpacked,
            bytes,
        };
        Ok((batch, charge))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes of the rows' encoding, as they came.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the rows to a batch.
    ///
    /// # Errors
    /// If the bytes are not rows of the type.
    pub fn decode_into<T: Row>(&self, batch: &mut Batch<T>) -> Result<(), RowError> {
        match self.unpacked {
            None => self.decode(&self.bytes, batch),
            Some(length) => {
                let rows = lz4_flex::block::decompress(&self.bytes, length);
                let rows = rows.map_err(|error| RowError::corrupt(error.to_string()))?;
                self.decode(&rows, batch)
            }
        }
    }

    fn decode<T: Row>(&self, rows: &[u8], batch: &mut Batch<T>) -> Result<(), RowError> {
        batch.reserve(self.rows);
        if self.hashed {
            batch.hashes.reserve(self.rows);
        }
        let mut reader = Reader::new(rows);
        let mut timestamp = 0i64;
        for _ in 0..self.rows {
            timestamp = timestamp.wrapping_add(reader.long()?);
            if self.hashed {
                let hash = reader.raw(8)?.first_chunk::<8>().copied();
                batch
                    .hashes
                    .push(u64::from_le_bytes(hash.unwrap_or_default()));
            }
            batch.rows.push(T::decode(&mut reader)?);
            batch.timestamps.push(timestamp);
        }
        reader.finish()
    }
}
