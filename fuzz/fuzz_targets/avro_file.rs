//! Avro files: of any bytes, and with blocks of any bytes behind a sound header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_connectors::AvroFiles;
use rheos_connectors::avro::AvroCodec;
use rheos_connectors::format::{Encoder, EncodingFormat};
use rheos_fuzz::{Everything, read};

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let piece = usize::from(how >> 3) * 8 + 1;
    if how & 1 == 0 {
        read::<Everything, _>(&AvroFiles::new(), bytes, piece);
        return;
    }
    let codecs = [
        AvroCodec::Null,
        AvroCodec::Deflate,
        AvroCodec::Snappy,
        AvroCodec::Zstandard,
    ];
    let codec = codecs[usize::from(how >> 1 & 3)];
    let mut file = Vec::new();
    let mut encoder = EncodingFormat::<(i64, String)>::encoder(&AvroFiles::new().codec(codec));
    let row = (7, "row".to_owned());
    encoder.encode(&row, &mut file).expect("a row");
    encoder.finish(&mut file).expect("a block");
    file.extend_from_slice(bytes);
    let rows = read::<(i64, String), _>(&AvroFiles::new(), &file, file.len());
    assert_eq!(rows[0], row);
    assert_eq!(rows, read::<(i64, String), _>(&AvroFiles::new(), &file, piece));
});
