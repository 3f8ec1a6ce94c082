//! The keyed state of a checkpoint: an image of any bytes, and a body of any bytes under a sound head.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_core::Row;
use rheos_core::row::Reader;
use rheos_state::{KeyedImage, StateHeader, TimerHeader};

fn state(name: &str, namespaced: bool, has_ttl: bool, map: bool) -> StateHeader {
    StateHeader {
        name: name.to_owned(),
        kind: if map { "map" } else { "value" }.to_owned(),
        namespaced,
        has_ttl,
        map_key_schema: map.then(|| "\"string\"".to_owned()),
        value_schema: "\"long\"".to_owned(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = KeyedImage::decode(&mut Reader::new(bytes)) {
        let _ = image.counts();
    }
    let image = KeyedImage {
        key_schema: "\"string\"".to_owned(),
        states: vec![
            state("plain", false, false, false),
            state("all", true, true, true),
        ],
        timers: vec![TimerHeader {
            service: "timers".to_owned(),
            domain: "event time".to_owned(),
        }],
        body: bytes.to_vec(),
    };
    let _ = image.counts();
});
