//! Replies of Redis.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    rheos_connectors::fuzzing::redis_reply(bytes);
});
