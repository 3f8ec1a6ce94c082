//! Record batches, with the checksum passed over so that what lies behind it is reached.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rheos_connectors::kafka::batch::{Buffers, RecordCursor, decode};

fuzz_target!(|bytes: &[u8]| {
    let buffers = Buffers::default();
    for check in [true, false] {
        let mut rest = Bytes::copy_from_slice(bytes);
        while let Ok(Some(batch)) = decode(&mut rest, check, &buffers) {
            let mut cursor = RecordCursor::new(batch);
            while let Ok(Some(record)) = cursor.record() {
                record.headers.iter().for_each(drop);
                record.headers.get("key");
                cursor.advance();
            }
        }
    }
});
