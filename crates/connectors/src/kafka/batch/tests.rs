#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

type Owned = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Vec<u8>)>,
);

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let header = ("[a-z]{0,8}", proptest::collection::vec(any::<u8>(), 0..20));
    let record = (
        -1i64..i64::from(i32::MAX),
        bytes(),
        bytes(),
        proptest::collection::vec(header, 0..4),
    );
    proptest::collection::vec(record, 1..50)
}

fn build(records: &[Owned], compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    for (time, key, value, headers) in records {
        builder.push(*time, key.as_deref(), value.as_deref(), headers);
    }
    let mut batch = builder.finish(compression).unwrap();
    stamp(&mut batch, 7, 1, 3);
    batch
}

/// Reads everything that can be read.
fn drain(bytes: Vec<u8>, check_crc: bool) -> Result<Vec<(i64, Owned)>, String> {
    let mut bytes = Bytes::from(bytes);
    let mut read = Vec::new();
    while let Some(batch) = decode(&mut bytes, check_crc, &Buffers::default())? {
        let mut cursor = RecordCursor::new(batch);
        while let Some(record) = cursor.record()? {
            let headers = record
                .headers
                .iter()
                .map(|(name, value)| (name.into_owned(), value.unwrap_or_default().to_vec()));
            let owned = (
                record.timestamp,
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                headers.collect(),
            );
            read.push((record.offset, owned));
            cursor.advance();
        }
    }
    Ok(read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_built_is_read_back(records in records()) {
        for codec in CODECS {
            let read = drain(build(&records, codec), true).unwrap();
            let expected: Vec<_> = records.iter().cloned().enumerate().map(|(i, r)| (i as i64, r)).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_changed_byte_never_passes_the_checksum_nor_panics_without_it(
        records in records(), at in any::<prop::sample::Index>(), flip in 1u8..
    ) {
        for codec in CODECS {
            let mut bytes = build(&records, codec);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            // The offset, the length and the leader's epoch in front are not covered by it.
            if at >= 17 {
                prop_assert!(drain(bytes.clone(), true).is_err());
            }
            let _ = drain(bytes, false);
        }
    }

    #[test]
    fn a_cut_batch_is_not_there_yet(records in records(), cut in any::<prop::sample::Index>()) {
        let bytes = build(&records, Compression::Lz4);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(drain(bytes[..cut].to_vec(), true).unwrap(), vec![]);
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = drain(bytes, false);
    }
}

#[test]
fn a_batch_of_an_old_format_is_refused_by_name() {
    let mut bytes = build(&[(0, None, None, vec![])], Compression::None);
    bytes[16] = 1;
    let error = drain(bytes, true).unwrap_err();
    assert!(error.contains("message format 1"), "{error}");
}
