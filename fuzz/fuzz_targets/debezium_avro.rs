//! Debezium's envelope in Avro.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    rheos_connectors::fuzzing::debezium_avro(bytes);
});
