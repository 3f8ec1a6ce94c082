//! CSV with a header, without one, and of ragged records, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_connectors::Csv;
use rheos_fuzz::{Everything, read};

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let piece = usize::from(*piece) + 1;
    read::<Everything, _>(&Csv::new().ragged(), bytes, piece);
    let whole = read::<Vec<String>, _>(&Csv::new().without_header(), bytes, bytes.len());
    let pieces = read::<Vec<String>, _>(&Csv::new().without_header(), bytes, piece);
    assert_eq!(whole, pieces);
});
