//! JSON lines; what is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_connectors::JsonLines;
use rheos_connectors::format::{Encoder, EncodingFormat};
use rheos_fuzz::{Everything, read};

fuzz_target!(|bytes: &[u8]| {
    for row in read::<Everything, _>(&JsonLines, bytes, bytes.len()) {
        let mut out = Vec::new();
        let mut encoder = EncodingFormat::<Everything>::encoder(&JsonLines);
        encoder.encode(&row, &mut out).expect("what was read can be written");
        assert_eq!(read::<Everything, _>(&JsonLines, &out, out.len()), [row]);
    }
});
