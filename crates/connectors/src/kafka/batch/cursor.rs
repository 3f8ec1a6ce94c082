//! Goes through the records of a batch.

use bytes::Bytes;

use super::header::Batch;
use super::varint;

/// A record where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970; -1 if it has none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, in order; a key may occur more than once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl Headers<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> Headers<'a> {
    /// Each with its value; a key that is not UTF-8 is given with replacement characters.
    pub fn iter(self) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, Option<&'a [u8]>)> {
        let mut at = 0;
        (0..self.count).map_while(move |_| {
            let key = field(self.bytes, &mut at)??;
            let value = field(self.bytes, &mut at)?;
            Some((String::from_utf8_lossy(key), value))
        })
    }

    /// The value of the last header of this key.
    pub fn get(self, key: &str) -> Option<&'a [u8]> {
        let found = self.iter().filter(|(name, _)| name == key);
        found.last().and_then(|(_, value)| value)
    }
}

/// A position in the records of a batch.
#[derive(Debug)]
pub struct RecordCursor {
    records: Bytes,
    at: usize,
    /// Behind the record that was last shown.
    end: usize,
    left: u32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
}

impl RecordCursor {
    /// In front of the first record.
    pub fn new(batch: Batch) -> Self {
        Self {
            records: batch.records,
            at: 0,
            end: 0,
            left: batch.count,
            base_offset: batch.base_offset,
            base_timestamp: batch.base_timestamp,
            append_time: batch.append_time,
        }
    }

    /// The record at this position, none behind the last one. [`RecordCursor::advance`] goes on to
    /// the next.
    ///
    /// # Errors
    /// Where the batch is broken; the rest of it is lost then.
    #[inline]
    pub fn record(&mut self) -> Result<Option<Record<'_>>, String> {
        if self.left == 0 {
            return Ok(None);
        }
        let broken = || "a record that is cut off or has a wrong length".to_owned();
        let mut at = self.at;
        let len = varint::read(&self.records, &mut at).ok_or_else(broken)?;
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| at.checked_add(len))
            .ok_or_else(broken)?;
        let bytes = self.records.get(..end).ok_or_else(broken)?;
        self.end = end;
        // One byte of attributes, which have no meaning yet.
        at += 1;
        let timestamp = varint::read(bytes, &mut at).ok_or_else(broken)?;
        let offset = varint::read(bytes, &mut at).ok_or_else(broken)?;
        let key = field(bytes, &mut at).ok_or_else(broken)?;
        let value = field(bytes, &mut at).ok_or_else(broken)?;
        let count = varint::read(bytes, &mut at).ok_or_else(broken)?;
        Ok(Some(Record {
            offset: self.base_offset.saturating_add(offset),
            timestamp: match self.append_time {
                Some(time) => time,
                None => self.base_timestamp.saturating_add(timestamp),
            },
            key,
            value,
            headers: Headers {
                count: usize::try_from(count).map_err(|_| broken())?,
                bytes: bytes.get(at..).ok_or_else(broken)?,
            },
        }))
    }

    /// Goes on behind the record that was last shown.
    #[inline]
    pub fn advance(&mut self) {
        self.at = self.end;
        self.left = self.left.saturating_sub(1);
    }
}

/// Bytes with their length in front, or none; nothing at all where they are cut off.
#[inline]
fn field<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Option<&'a [u8]>> {
    let len = varint::read(bytes, at)?;
    if len == -1 {
        return Some(None);
    }
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    let content = bytes.get(*at..end)?;
    *at = end;
    Some(Some(content))
}
