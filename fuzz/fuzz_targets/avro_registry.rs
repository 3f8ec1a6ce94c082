//! Values in a registry's framing: by the row's own codec, and resolved from another schema.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    rheos_connectors::fuzzing::registry_value::<rheos_fuzz::Everything>(bytes);
});
