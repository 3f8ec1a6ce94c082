//! Blocks to rows.
//!
//! Life: the header → of each block first all of it (framed without going past it), then its rows, a
//! few at a time, and last the step past it. What is damaged is told once; then bytes are passed over
//! up to the next marker, or to the end where no header says what the marker is.

use memchr::memmem;
use rheos_core::Row;
use rheos_core::row::{Reader, RowError, RowErrorKind};

use super::header::{self, Header, MAGIC, MARKER, Marker};
use crate::bad_records::LONGEST_LETTER;
use crate::format::{Decoder, Frame};

/// Rows handed out at a time.
const ROWS: u64 = 1024;

/// Rows of no bytes that a block may have. More are damage, or meant to keep the job busy for ever.
const MAX_EMPTY_ROWS: u64 = 1 << 24;

/// Bytes of the two numbers before a block at most.
const NUMBERS: usize = 20;

/// From how many bytes on it is doubted that a block is as long as it says.
const LONG: usize = 1024 * 1024;

/// The block at work.
struct Block {
    bytes: Vec<u8>,
    at: usize,
    /// Rows of it, and those not yet handed out.
    rows: u64,
    left: u64,
    /// Bytes of it in the file, with its marker.
    len: usize,
}

enum State<T> {
    /// Nothing has been read.
    Start,
    Between(Box<Header<T>>),
    Within(Box<Header<T>>, Block),
    /// Bytes are passed over up to a marker.
    Seeking(Box<Header<T>>),
    /// Nothing can be read of this file.
    Lost,
}

/// Decodes one Avro file.
pub struct AvroFilesDecoder<T> {
    state: State<T>,
    /// Memory of blocks gone by.
    spare: Vec<u8>,
    /// The row that the last error is of.
    rejected: Option<Vec<u8>>,
}

/// The numbers before a block, and the bytes they take.
fn numbers(data: &[u8]) -> Result<(u64, usize, usize), RowError> {
    let mut input = Reader::new(data);
    let rows = u64::try_from(input.long()?);
    let bytes = usize::try_from(input.long()?);
    match (rows, bytes) {
        (Ok(rows), Ok(bytes)) => Ok((rows, bytes, data.len() - input.remaining())),
        _ => Err(RowError::corrupt("a negative number before a block")),
    }
}

/// What is wrong with a block.
struct Damage {
    what: String,
    /// Where the next block begins, if that is known.
    next: Option<usize>,
}

impl Damage {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: None,
        }
    }
}

/// Whether bytes begin with a block that ends in its marker; none if more are needed to tell.
fn is_block(marker: &Marker, data: &[u8], end: bool) -> Option<bool> {
    let needed = match numbers(data) {
        Ok((_, bytes, head)) if bytes < LONG => head + bytes + MARKER,
        Err(_) if data.len() < NUMBERS => NUMBERS,
        _ => return Some(false),
    };
    match data.get(..needed) {
        Some(block) => Some(block.ends_with(marker)),
        None if end => Some(false),
        None => None,
    }
}

fn passed(consumed: usize) -> Frame {
    Frame::Record {
        content: 0,
        consumed,
        lines: 0,
    }
}

impl<T: Row> AvroFilesDecoder<T> {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            spare: Vec::new(),
            rejected: None,
        }
    }

    fn start(&mut self, data: &[u8], end: bool) -> Frame {
        let begun = data.get(..MAGIC.len().min(data.len())).unwrap_or(&[]);
        let message = if MAGIC.starts_with(begun) {
            match header::len(data) {
                Ok(len) => {
                    return Frame::Record {
                        content: len,
                        consumed: len,
                        lines: 0,
                    };
                }
                Err(_) if !end => return Frame::Incomplete,
                Err(error) => format!("the header of the Avro file is broken: {error}"),
            }
        } else {
            "the file is none of Avro: it does not begin with 'Obj' and 1".to_owned()
        };
        self.state = State::Lost;
        Frame::Broken {
            content: data.len().min(LONGEST_LETTER),
            consumed: data.len(),
            message: format!("{message}; nothing is read of it"),
        }
    }

    fn between(header: &Header<T>, data: &[u8], end: bool) -> Result<Frame, Damage> {
        let (rows, bytes, head) = match numbers(data) {
            Ok(numbers) => numbers,
            Err(_) if !end && data.len() < NUMBERS => return Ok(Frame::Incomplete),
            Err(error) => return Err(Damage::new(error.to_string())),
        };
        let whole = head.checked_add(bytes).and_then(|n| n.checked_add(MARKER));
        let marker = whole.and_then(|whole| data.get(whole - MARKER..whole));
        match (whole, marker) {
            (Some(whole), Some(marker)) if marker == header.marker => Ok(Frame::Record {
                content: whole - MARKER,
                consumed: 0,
                lines: 0,
            }),
            (Some(whole), Some(_)) => {
                let what = format!(
                    "the marker behind a block of {rows} rows and {bytes} bytes is damaged, or the \
                     block's length is"
                );
                match is_block(&header.marker, data.get(whole..).unwrap_or(&[]), end) {
                    None => Ok(Frame::Incomplete),
                    // The marker alone: the next block stands where it should.
                    Some(true) => Err(Damage {
                        what,
                        next: Some(whole),
                    }),
                    Some(false) => Err(Damage::new(what)),
                }
            }
            (Some(_), None) if !end => {
                let marker = data.len() >= LONG && memmem::find(data, &header.marker).is_some();
                if marker {
                    let what = format!("a block's length, {bytes} bytes, is damaged");
                    return Err(Damage::new(what));
                }
                Ok(Frame::Incomplete)
            }
            _ => Err(Damage::new(format!(
                "the file ends within a block of {rows} rows and {bytes} bytes"
            ))),
        }
    }

    /// Takes up a block.
    fn open(&mut self, header: &Header<T>, record: &[u8]) -> Result<Block, (Block, RowError)> {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        let mut block = Block {
            bytes,
            at: 0,
            rows: 0,
            left: 0,
            len: record.len() + MARKER,
        };
        let opened = numbers(record).and_then(|(rows, _, head)| {
            let data = record.get(head..).unwrap_or(&[]);
            let codec = header.codec;
            let decompressed = codec.decompress(data, &mut block.bytes);
            decompressed.map_err(|error| {
                let codec = codec.name();
                RowError::corrupt(format!("a block of {rows} rows is no {codec}: {error}"))
            })?;
            if rows > block.bytes.len() as u64 + MAX_EMPTY_ROWS {
                let bytes = block.bytes.len();
                return Err(RowError::corrupt(format!(
                    "a block of {bytes} bytes can't have {rows} rows"
                )));
            }
            Ok(rows)
        });
        match opened {
            Ok(rows) => {
                (block.rows, block.left) = (rows, rows);
                Ok(block)
            }
            Err(error) => Err((block, error)),
        }
    }

    /// Hands out some rows of a block.
    fn rows(
        &mut self,
        header: &Header<T>,
        block: &mut Block,
        mut emit: impl FnMut(T),
    ) -> Result<(), RowError> {
        for _ in 0..block.left.min(ROWS) {
            let data = block.bytes.get(block.at..).unwrap_or(&[]);
            let mut input = Reader::new(data);
            match header.reader.next(&mut input) {
                Ok(row) => emit(row),
                Err(error) => return Err(self.reject(header, block, error)),
            }
            block.at = block.bytes.len() - input.remaining();
            block.left -= 1;
        }
        let rest = block.bytes.len() - block.at;
        if block.left == 0 && rest > 0 {
            block.at = block.bytes.len();
            return Err(RowError::corrupt(format!(
                "a block has {rest} bytes behind its {} rows",
                block.rows
            )));
        }
        Ok(())
    }

    /// Goes past the row that can't be read; past the whole block where its end is not known.
    #[cold]
    fn reject(&mut self, header: &Header<T>, block: &mut Block, error: RowError) -> RowError {
        let data = block.bytes.get(block.at..).unwrap_or(&[]);
        let mut input = Reader::new(data);
        let number = block.rows - block.left + 1;
        let of = format!("row {number} of the block's {}", block.rows);
        let skipped = header.skipper.read_value(&mut input);
        let row = data.len() - input.remaining();
        self.rejected = data.get(..row.min(LONGEST_LETTER)).map(<[u8]>::to_vec);
        if skipped.is_ok() && error.kind() != RowErrorKind::Corrupt {
            block.at += row;
            block.left -= 1;
            return RowError::new(error.kind(), format!("{of}: {error}"));
        }
        let left = block.left;
        (block.at, block.left) = (block.bytes.len(), 0);
        RowError::corrupt(format!(
            "{of}: {error}; it and what follows in the block, {left} rows, are not read"
        ))
    }
}

/// Where to go on behind damage: the bytes to pass over, and whether a marker was found.
fn behind(marker: &Marker, data: &[u8], from: usize) -> (usize, bool) {
    let rest = data.get(from..).unwrap_or(&[]);
    match memmem::find(rest, marker) {
        Some(at) => (from + at + MARKER, true),
        // It may have begun.
        None => (data.len().saturating_sub(MARKER - 1), false),
    }
}

impl<T: Row> Decoder<T> for AvroFilesDecoder<T> {
    fn frame(&mut self, data: &[u8], end: bool) -> Frame {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Start => {
                self.state = State::Start;
                self.start(data, end)
            }
            State::Between(header) => match Self::between(&header, data, end) {
                Ok(frame) => {
                    self.state = State::Between(header);
                    frame
                }
                Err(Damage { what, next }) => {
                    let (consumed, found) = match next {
                        Some(next) => (next, true),
                        None => behind(&header.marker, data, 1),
                    };
                    self.state = if found {
                        State::Between(header)
                    } else {
                        State::Seeking(header)
                    };
                    Frame::Broken {
                        content: consumed.min(LONGEST_LETTER),
                        consumed: if end && !found {
                            data.len()
                        } else {
                            consumed.max(1)
                        },
                        message: format!("{what}; reading goes on behind the next marker"),
                    }
                }
            },
            State::Seeking(header) => {
                let (consumed, found) = behind(&header.marker, data, 0);
                self.state = if found {
                    State::Between(header)
                } else {
                    State::Seeking(header)
                };
                match consumed {
                    _ if end && !found => passed(data.len()),
                    0 => Frame::Incomplete,
                    consumed => passed(consumed),
                }
            }
            State::Within(header, block) if block.left > 0 => {
                self.state = State::Within(header, block);
                passed(0)
            }
            State::Within(header, block) => {
                self.state = State::Between(header);
                self.spare = block.bytes;
                Frame::Record {
                    content: 0,
                    consumed: block.len,
                    lines: block.rows,
                }
            }
            State::Lost => passed(data.len()),
        }
    }

    fn decode(&mut self, record: &[u8], emit: impl FnMut(T)) -> Result<(), RowError> {
        self.rejected = None;
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Start => {
                let header = Header::read(record).map_err(|error| {
                    RowError::new(
                        error.kind(),
                        format!("{error}; nothing is read of this file"),
                    )
                })?;
                self.state = State::Between(Box::new(header));
                Ok(())
            }
            State::Between(header) if !record.is_empty() => {
                let (mut block, opened) = match self.open(&header, record) {
                    Ok(block) => (block, Ok(())),
                    Err((block, error)) => (block, Err(error)),
                };
                let decoded = opened.and_then(|()| self.rows(&header, &mut block, emit));
                self.state = State::Within(header, block);
                decoded
            }
            State::Within(header, mut block) => {
                let decoded = self.rows(&header, &mut block, emit);
                self.state = State::Within(header, block);
                decoded
            }
            other => {
                self.state = other;
                Ok(())
            }
        }
    }

    fn has_header(&self) -> bool {
        matches!(self.state, State::Start)
    }

    fn rejected(&self) -> Option<&[u8]> {
        self.rejected.as_deref()
    }
}
