//! A real schema registry, as tests use it: by another client than ours.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::process::Command;

fn ask(arguments: &[&str]) -> (bool, String) {
    let answer = Command::new("curl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    (answer.status.success(), text)
}

/// Registers a schema; its number.
pub fn register(registry: &str, subject: &str, schema: &str) -> u32 {
    let body = serde_json::json!({ "schema": schema }).to_string();
    let kind = "Content-Type: application/vnd.schemaregistry.v1+json";
    let url = format!("{registry}/subjects/{subject}/versions");
    let (done, text) = ask(&["-fsS", "-X", "POST", "-d", &body, "-H", kind, &url]);
    assert!(done, "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["id"].as_u64().unwrap() as u32
}

/// Which new schemas of a subject are taken: `BACKWARD`, `FULL`, `NONE` …
pub fn compatibility(registry: &str, subject: &str, level: &str) {
    let body = serde_json::json!({ "compatibility": level }).to_string();
    let kind = "Content-Type: application/vnd.schemaregistry.v1+json";
    let url = format!("{registry}/config/{subject}");
    let (done, text) = ask(&["-fsS", "-X", "PUT", "-d", &body, "-H", kind, &url]);
    assert!(done, "{text}");
}

/// The newest schema of a subject.
pub fn latest(registry: &str, subject: &str) -> serde_json::Value {
    let url = format!("{registry}/subjects/{subject}/versions/latest");
    let (done, text) = ask(&["-fsS", &url]);
    assert!(done, "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_str(json["schema"].as_str().unwrap()).unwrap()
}

/// What base64 stands for.
pub fn decode_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
