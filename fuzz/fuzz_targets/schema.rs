//! Schemas in Avro's JSON; what is read is written, read again, and resolved with itself and a row's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, Schema};
use rheos_fuzz::Everything;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(schema) = Schema::parse_avro_json(text) else {
        return;
    };
    if let Ok(text) = schema.to_avro_json() {
        let again = Schema::parse_avro_json(&text).expect("what was written");
        assert_eq!(again.to_avro_json().as_ref(), Ok(&text));
    }
    let _ = schema.to_string();
    let _ = Resolution::new(&schema, &Everything::schema());
    if let Ok(resolution) = Resolution::new(&schema, &schema) {
        let _ = resolution.read_value(&mut Reader::new(bytes));
    }
});
