//! Makes batches.

use super::compression::Compression;
#[cfg(feature = "kafka-librdkafka")]
use super::header::Batch;
use super::header::{CHECKED, HEADER, PREFIX};
use super::varint;

/// Collects the records of one batch.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    records: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Bytes so far, as a batch that is not compressed.
    pub fn len(&self) -> usize {
        HEADER + self.records.len()
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a record; `timestamp` in milliseconds since 1970.
    pub fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(String, Vec<u8>)],
    ) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        self.push_of(timestamp, key, value, headers);
    }

    /// As [`BatchBuilder::push`], with headers from anywhere.
    pub(in crate::kafka) fn push_of<'a>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)> + Clone,
    ) {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let time = timestamp.wrapping_sub(self.base_timestamp);
        let offset = i64::from(self.count);
        let as_len = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        let sized = |field: Option<&[u8]>| match field {
            Some(bytes) => varint::len(as_len(bytes.len())) + bytes.len(),
            None => 1,
        };
        let of_headers: usize = headers
            .clone()
            .map(|(name, value)| sized(Some(name.as_bytes())) + sized(value))
            .sum();
        let count = as_len(headers.len());
        let len = 1
            + varint::len(time)
            + varint::len(offset)
            + sized(key)
            + sized(value)
            + varint::len(count)
            + of_headers;
        let out = &mut self.records;
        varint::write(out, as_len(len));
        out.push(0);
        varint::write(out, time);
        varint::write(out, offset);
        put(out, key);
        put(out, value);
        varint::write(out, count);
        for (name, value) in headers {
            put(out, Some(name.as_bytes()));
            put(out, value);
        }
        self.count += 1;
    }

    /// The records so far, from this offset on, as a batch that never was on a wire; begins anew.
    #[cfg(feature = "kafka-librdkafka")]
    pub(in crate::kafka) fn take(&mut self, base_offset: i64) -> Batch {
        let Self {
            records,
            count,
            base_timestamp,
            ..
        } = std::mem::take(self);
        Batch {
            base_offset,
            last_offset: base_offset + i64::from(count) - 1,
            base_timestamp,
            append_time: None,
            producer_id: -1,
            transactional: false,
            control: false,
            count: count.unsigned_abs(),
            records: records.into(),
        }
    }

    /// The batch; an empty builder stays in its place, and keeps the memory of its records.
    ///
    /// # Errors
    /// If it can't be compressed.
    pub fn finish(&mut self, compression: Compression) -> Result<Vec<u8>, String> {
        let mut records = std::mem::take(&mut self.records);
        // It lies in memory as long as it is not acknowledged, or not committed: it has what it needs,
        // and what is given back is at hand for the next.
        let mut out = Vec::with_capacity(HEADER + records.len());
        out.extend_from_slice(&0i64.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(-1i32).to_be_bytes());
        out.push(2);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&compression.bits().to_be_bytes());
        out.extend_from_slice(&(self.count - 1).to_be_bytes());
        out.extend_from_slice(&self.base_timestamp.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp.to_be_bytes());
        // Nobody in particular wrote it, until it is stamped.
        out.extend_from_slice(&[0xff; 14]);
        out.extend_from_slice(&self.count.to_be_bytes());
        compression.compress(&records, &mut out)?;
        let length = i32::try_from(out.len() - PREFIX).map_err(|error| error.to_string())?;
        if let Some(place) = out.get_mut(8..12) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        seal(&mut out);
        out.shrink_to_fit();
        records.clear();
        *self = Self {
            records,
            ..Self::default()
        };
        Ok(out)
    }
}

/// Says who wrote a finished batch, and the number of its first record.
pub fn stamp(batch: &mut [u8], id: i64, epoch: i16, sequence: i32) {
    if let Some(place) = batch.get_mut(43..57) {
        let (of_id, rest) = place.split_at_mut(8);
        let (of_epoch, of_sequence) = rest.split_at_mut(2);
        of_id.copy_from_slice(&id.to_be_bytes());
        of_epoch.copy_from_slice(&epoch.to_be_bytes());
        of_sequence.copy_from_slice(&sequence.to_be_bytes());
    }
    seal(batch);
}

/// As [`stamp`], of a batch that is part of a transaction.
pub fn stamp_transactional(batch: &mut [u8], id: i64, epoch: i16, sequence: i32) {
    if let Some(attributes) = batch.get_mut(22) {
        *attributes |= 1 << 4;
    }
    stamp(batch, id, epoch, sequence);
}

/// Puts the checksum in.
fn seal(batch: &mut [u8]) {
    let checked = batch.get(CHECKED..).unwrap_or_default();
    let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, checked) as u32;
    if let Some(place) = batch.get_mut(17..21) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

fn put(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(bytes) => {
            varint::write(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            out.extend_from_slice(bytes);
        }
        None => varint::write(out, -1),
    }
}
