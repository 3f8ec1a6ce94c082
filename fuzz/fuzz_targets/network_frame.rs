//! Whatever comes over a data connection is frames, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rheos_runtime::network::fuzz(bytes));
