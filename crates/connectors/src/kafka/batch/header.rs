//! One batch out of fetched bytes.

use bytes::Bytes;

use super::buffers::Buffers;
use super::compression::Compression;

/// Bytes of a batch in front of its records.
pub(super) const HEADER: usize = 61;
/// Bytes in front of what a batch's length counts.
pub(super) const PREFIX: usize = 12;
/// Where what the checksum covers begins.
pub(super) const CHECKED: usize = 21;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// A batch, decompressed.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record, also if that was compacted away.
    pub last_offset: i64,
    /// What its records' times count from.
    pub base_timestamp: i64,
    /// The broker's time, which then is that of all its records.
    pub append_time: Option<i64>,
    /// Who wrote it; -1 if that is not known.
    pub producer_id: i64,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// Whether it holds the end of a transaction and no records of users.
    pub control: bool,
    /// How many records it holds.
    pub count: u32,
    /// Its records.
    pub records: Bytes,
}

/// Takes the batch that `bytes` begin with; none if it is cut off. What is compressed goes to one of
/// `buffers`.
///
/// # Errors
/// What is wrong with it.
pub fn decode(
    bytes: &mut Bytes,
    check_crc: bool,
    buffers: &Buffers,
) -> Result<Option<Batch>, String> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3] = *prefix;
    let base_offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    let length = usize::try_from(length).map_err(|_| format!("a batch of {length} bytes"))?;
    if bytes.len() < PREFIX + length {
        return Ok(None);
    }
    // The byte that says which format it is stands at the same place in all of them.
    match bytes.get(16) {
        Some(2) => {}
        Some(magic) => {
            return Err(format!(
                "message format {magic}, of Kafka before 0.11, is not read; rewrite the topic's records"
            ));
        }
        None => return Err(format!("a batch of {length} bytes")),
    }
    if PREFIX + length < HEADER {
        return Err(format!("a batch of {length} bytes"));
    }
    let mut batch = bytes.split_to(PREFIX + length);
    let header = batch.split_to(HEADER);
    let mut fields = Fields(&header, 17);
    let checksum = fields.next::<4>().map_or(0, u32::from_be_bytes);
    if check_crc {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(header.get(CHECKED..).unwrap_or_default());
        digest.update(&batch);
        if digest.finalize() != u64::from(checksum) {
            return Err("its checksum is wrong".to_owned());
        }
    }
    let attributes = fields.next::<2>().map_or(0, i16::from_be_bytes);
    let last_offset_delta = fields.next::<4>().map_or(0, i32::from_be_bytes);
    let base_timestamp = fields.next::<8>().map_or(0, i64::from_be_bytes);
    let max_timestamp = fields.next::<8>().map_or(0, i64::from_be_bytes);
    let producer_id = fields.next::<8>().map_or(0, i64::from_be_bytes);
    fields.next::<6>();
    let count = fields.next::<4>().map_or(0, i32::from_be_bytes);
    if last_offset_delta < 0 || base_offset < 0 {
        return Err(format!("offsets from {base_offset} by {last_offset_delta}"));
    }
    Ok(Some(Batch {
        base_offset,
        last_offset: base_offset.saturating_add(i64::from(last_offset_delta)),
        base_timestamp,
        append_time: (attributes & LOG_APPEND_TIME != 0).then_some(max_timestamp),
        producer_id,
        transactional: attributes & TRANSACTIONAL != 0,
        control: attributes & CONTROL != 0,
        count: u32::try_from(count).map_err(|_| format!("{count} records"))?,
        records: Compression::of(attributes)?
            .decompress(batch, buffers)
            .map_err(|error| format!("it can't be decompressed: {error}"))?,
    }))
}

/// Fixed-width fields from a position on.
struct Fields<'a>(&'a [u8], usize);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> Option<[u8; N]> {
        let field = self.0.get(self.1..)?.first_chunk::<N>().copied();
        self.1 += N;
        field
    }
}
