//! Bytes that are no image of keyed state: told, whatever they are.
#![allow(clippy::unwrap_used)]

use rheos_state::{KeyedImage, StateHeader};

#[test]
fn a_record_of_no_state_is_told() {
    // The least number that a record can begin with, which fuzzing came upon.
    let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let image = KeyedImage {
        key_schema: "\"string\"".to_owned(),
        states: vec![StateHeader {
            name: "count".to_owned(),
            kind: "value".to_owned(),
            namespaced: false,
            has_ttl: false,
            map_key_schema: None,
            value_schema: "\"long\"".to_owned(),
        }],
        timers: Vec::new(),
        body: [&[2, 20][..], &least].concat(),
    };
    let error = image.counts().unwrap_err().to_string();
    assert!(error.contains("a record of no state"), "{error}");
}
