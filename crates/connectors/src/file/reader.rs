//! Reads files record by record, in bounded polls.
//!
//! Life of a file: opened, and gone to its position if that is not its start → per poll at most
//! [`CHUNK`] bytes are read and decoded → its end, or what made it unreadable, is met → the split is
//! finished. The split's position is always that behind the last record that became a row or was
//! dealt with as bad.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{ReaderStatus, SourceReader};

use super::buffer::ReadBuffer;
use super::compression::Compression;
use super::split::FileSplit;
use crate::bad_records::{BadRecordHandler, LONGEST_LETTER};
use crate::error::ConnectorError;
use crate::format::{Decoder, DecodingFormat, Frame};

/// The byte order mark that some programs put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a reader is told.
#[derive(Debug, Clone)]
pub(super) struct ReadOptions {
    pub compression: Compression,
    pub max_record_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Auto,
            max_record_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The file at work.
struct OpenFile<D> {
    split: FileSplit,
    /// By which the source's stage knows the split.
    number: u32,
    input: Box<dyn Read>,
    compressed: bool,
    decoder: D,
    /// Everything has been read, though not everything decoded.
    end: bool,
    /// The rest of a line that is too long is being passed over.
    passing: bool,
    /// Rows decoded so far, good or bad, of the record at the split's position.
    seen: u64,
}

/// The reader of a [`super::FileSource`].
pub(super) struct FileReader<F, D> {
    format: F,
    options: ReadOptions,
    bad_records: BadRecordHandler,
    waiting: VecDeque<FileSplit>,
    file: Option<OpenFile<D>>,
    buffer: ReadBuffer,
    next_number: u32,
}

/// How decoding what is in the buffer ended.
enum Decoded {
    /// Enough rows.
    Full,
    /// The buffer holds no whole record.
    NeedsMore,
    /// The file is at its end.
    Finished,
}

impl<F, D> FileReader<F, D> {
    pub fn new(format: F, options: ReadOptions, bad_records: BadRecordHandler) -> Self {
        Self {
            format,
            options,
            bad_records,
            waiting: VecDeque::new(),
            file: None,
            buffer: ReadBuffer::default(),
            next_number: 0,
        }
    }

    /// Opens a file and goes to the split's position; none if that is dealt with as a bad record.
    fn open<T>(&mut self, split: FileSplit) -> Result<Option<OpenFile<D>>, ConnectorError>
    where
        F: DecodingFormat<T, Decoder = D>,
        D: Decoder<T>,
    {
        self.buffer.clear();
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        let path = split.path.to_string();
        let compression = self.options.compression.of(Path::new(&path));
        compression.check()?;
        let compressed = compression != Compression::None;
        let opened = File::open(&path).and_then(|file| match compression {
            Compression::None if split.offset > 0 => {
                Ok((Some(file.try_clone()?), compression.reader(file)?))
            }
            _ => Ok((None, compression.reader(file)?)),
        });
        let (plain, input) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.lose(&split, "opening the file", error, compressed)?;
                return Ok(None);
            }
        };
        let mut file = OpenFile {
            split,
            number,
            input,
            compressed,
            decoder: self.format.decoder(),
            end: false,
            passing: false,
            seen: 0,
        };
        if file.split.offset > 0
            && let Err(error) = self.go_to::<T>(&mut file, plain)
        {
            self.lose(&file.split, "going to the position in", error, compressed)?;
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// Goes to the position of a split that was begun before; the decoder sees the header on the
    /// way.
    fn go_to<T>(&mut self, file: &mut OpenFile<D>, plain: Option<File>) -> io::Result<()>
    where
        D: Decoder<T>,
    {
        let position = file.split.offset;
        let mut passed = 0;
        while file.decoder.has_header() {
            let at_end = self.buffer.fill(&mut file.input)? == 0;
            let mark = if self.buffer.data().starts_with(MARK) {
                MARK.len()
            } else {
                0
            };
            let data = self.buffer.data().get(mark..).unwrap_or(&[]);
            if let Frame::Record {
                content, consumed, ..
            } = file.decoder.frame(data, at_end)
            {
                // What is wrong with a header was told when it was first read.
                let _ = file
                    .decoder
                    .decode(data.get(..content).unwrap_or(&[]), |_| {});
                self.buffer.consume(mark + consumed);
                passed = (mark + consumed) as u64;
                break;
            }
            if at_end {
                break;
            }
        }
        if let Some(mut plain) = plain {
            // A clone of the handle shares its position.
            self.buffer.clear();
            plain.seek(SeekFrom::Start(position))?;
            return Ok(());
        }
        while passed < position {
            let ahead = self.buffer.data().len() as u64;
            if ahead == 0 && self.buffer.fill(&mut file.input)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = (self.buffer.data().len() as u64).min(position - passed);
            self.buffer
                .consume(usize::try_from(step).unwrap_or(usize::MAX));
            passed += step;
        }
        Ok(())
    }

    /// Deals with a file that can't be read on. One that is gone or damaged is a bad record; where
    /// the system itself fails, the job does.
    fn lose(
        &mut self,
        split: &FileSplit,
        what: &str,
        error: io::Error,
        compressed: bool,
    ) -> Result<(), ConnectorError> {
        if error.kind() != io::ErrorKind::NotFound
            && (!compressed || error.kind() == io::ErrorKind::PermissionDenied)
        {
            return Err(ConnectorError::file(what, split.path.as_str(), error));
        }
        let message = match error.kind() {
            io::ErrorKind::NotFound => {
                "the file has vanished since it was found; what was in it is not read".to_owned()
            }
            io::ErrorKind::UnexpectedEof => {
                format!("the compressed file is truncated ({error}); nothing more is read of it")
            }
            _ => format!("the compressed file is damaged ({error}); nothing more is read of it"),
        };
        let rest = self.buffer.data();
        let rest = rest
            .get(..rest.len().min(LONGEST_LETTER))
            .unwrap_or(rest)
            .to_vec();
        self.bad_records
            .handle(&split.path, split.line + 1, split.offset, || rest, message)
    }

    /// Decodes what is in the buffer, up to `budget` rows.
    fn decode<T>(
        &mut self,
        file: &mut OpenFile<D>,
        out: &mut SourceOutput<T>,
        budget: usize,
    ) -> Result<Decoded, ConnectorError>
    where
        D: Decoder<T>,
    {
        loop {
            if out.len() >= budget {
                return Ok(Decoded::Full);
            }
            let split = &mut file.split;
            let mut data = self.buffer.data();
            if split.offset == 0 {
                if !file.end && data.len() < MARK.len() {
                    return Ok(Decoded::NeedsMore);
                }
                if data.starts_with(MARK) {
                    split.offset += MARK.len() as u64;
                    self.buffer.consume(MARK.len());
                    data = self.buffer.data();
                }
            }
            if data.is_empty() {
                return Ok(if file.end {
                    Decoded::Finished
                } else {
                    Decoded::NeedsMore
                });
            }
            if file.passing {
                let (count, lines) = match memchr::memchr(b'\n', data) {
                    Some(at) => (at + 1, 1),
                    None => (data.len(), 0),
                };
                file.passing = lines == 0;
                split.offset += count as u64;
                split.line += lines;
                self.buffer.consume(count);
                continue;
            }
            let (consumed, lines) = match file.decoder.frame(data, file.end) {
                Frame::Incomplete if data.len() < self.options.max_record_bytes => {
                    return Ok(Decoded::NeedsMore);
                }
                Frame::Record {
                    content,
                    consumed,
                    lines,
                } if content <= self.options.max_record_bytes => {
                    let record = data.get(..content).unwrap_or(&[]);
                    let (number, seen) = (file.number, &mut file.seen);
                    let rows = &mut split.rows;
                    let decoded = file.decoder.decode(record, |row| {
                        *seen += 1;
                        if *seen > *rows {
                            *rows = *seen;
                            out.emit(number, row);
                        }
                    });
                    if let Err(error) = decoded {
                        // What is bad has its place among the rows: it is told once.
                        file.seen += 1;
                        if file.seen > split.rows {
                            split.rows = file.seen;
                            let decoder = &file.decoder;
                            self.bad_records.handle(
                                &split.path,
                                split.line + 1,
                                split.offset,
                                || decoder.rejected().unwrap_or(record).to_vec(),
                                error.to_string(),
                            )?;
                        }
                    }
                    (consumed, lines)
                }
                Frame::Broken {
                    content,
                    consumed,
                    message,
                } => {
                    let record = data.get(..content).unwrap_or(&[]);
                    let letter = || record.to_vec();
                    let line = split.line + 1;
                    self.bad_records
                        .handle(&split.path, line, split.offset, letter, message)?;
                    (consumed, 1)
                }
                Frame::Incomplete | Frame::Record { .. } => {
                    let message = format!(
                        "the record is longer than {} bytes; raise max_record_bytes if it should \
                         be read",
                        self.options.max_record_bytes
                    );
                    let start = data.get(..data.len().min(LONGEST_LETTER)).unwrap_or(data);
                    let start = start.split(|byte| *byte == b'\n').next().unwrap_or(start);
                    let letter = || start.to_vec();
                    let line = split.line + 1;
                    self.bad_records
                        .handle(&split.path, line, split.offset, letter, message)?;
                    file.passing = true;
                    continue;
                }
            };
            if consumed > 0 {
                split.offset += consumed as u64;
                split.line += lines;
                (split.rows, file.seen) = (0, 0);
                self.buffer.consume(consumed);
            }
        }
    }
}

impl<T, F, D> SourceReader<T, FileSplit> for FileReader<F, D>
where
    T: Row,
    F: DecodingFormat<T, Decoder = D>,
    D: Decoder<T> + 'static,
{
    fn add_splits(&mut self, splits: Vec<FileSplit>) {
        self.waiting.extend(splits);
    }

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        let mut filled = false;
        loop {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => {
                    let Some(split) = self.waiting.pop_front() else {
                        return Ok(ReaderStatus::WantsSplit);
                    };
                    let Some(file) = self.open::<T>(split)? else {
                        return Ok(ReaderStatus::More);
                    };
                    out.start_split(file.number);
                    file
                }
            };
            match self.decode(&mut file, out, budget)? {
                Decoded::Full => {
                    self.file = Some(file);
                    return Ok(ReaderStatus::More);
                }
                Decoded::Finished => out.finish_split(file.number),
                Decoded::NeedsMore if filled => {
                    self.file = Some(file);
                    return Ok(ReaderStatus::More);
                }
                Decoded::NeedsMore => {
                    filled = true;
                    match self.buffer.fill(&mut file.input) {
                        Ok(0) => file.end = true,
                        Ok(_) => {}
                        Err(error) => {
                            self.lose(&file.split, "reading", error, file.compressed)?;
                            out.finish_split(file.number);
                            continue;
                        }
                    }
                    self.file = Some(file);
                }
            }
        }
    }

    fn splits(&self) -> Vec<FileSplit> {
        let at_work = self.file.iter().map(|file| &file.split);
        at_work.chain(&self.waiting).cloned().collect()
    }

    fn close(&mut self) {
        self.file = None;
    }
}
