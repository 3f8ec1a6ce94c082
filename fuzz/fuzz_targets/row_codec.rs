//! The binary form of rows; what is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_core::Row;
use rheos_core::row::{Reader, Writer};
use rheos_fuzz::Everything;

fn encoded(row: &Everything) -> Vec<u8> {
    let mut out = Writer::new();
    row.encode(&mut out);
    out.check().expect("what was read nests not too deeply");
    out.into_vec()
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(row) = Everything::decode(&mut Reader::new(bytes)) {
        let out = encoded(&row);
        let again = Everything::decode(&mut Reader::new(&out)).expect("what was written");
        // By their bytes, as a float may be no number.
        assert_eq!(out, encoded(&again));
        assert!(row.key_eq(&again));
        assert_eq!(row.key_hash(), again.key_hash());
        let value = Everything::from_value(&row.to_value()).expect("the same row");
        assert!(row.key_eq(&value));
    }
});
