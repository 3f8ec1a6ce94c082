//! What the targets share: a row with a field of each kind, and how a format's records are read.

use std::collections::BTreeMap;

use rheos_connectors::format::{Decoder, DecodingFormat, Frame};
use rheos_core::Row;
use rheos_core::row::Str;

/// A row with a field of each kind.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Everything {
    pub flag: bool,
    #[row(alias = "small", default = 7)]
    pub byte: i8,
    pub word: u32,
    pub long: i64,
    pub wide: u64,
    pub single: f32,
    pub double: f64,
    pub text: String,
    pub short: Str,
    pub bytes: Vec<u8>,
    pub maybe: Option<i64>,
    pub twice: Option<Option<String>>,
    pub list: Vec<Option<i32>>,
    pub map: BTreeMap<String, i64>,
    pub numbers: BTreeMap<i32, bool>,
    pub pair: (i64, String),
    pub plain: Plain,
    pub shape: Shape,
    pub inner: Option<Box<Inner>>,
}

#[derive(Row, Clone, Debug, PartialEq)]
pub enum Plain {
    One,
    Two,
}

#[derive(Row, Clone, Debug, PartialEq)]
pub enum Shape {
    Nothing,
    Circle(f64),
    Box { width: i64, height: Option<i64> },
}

/// Contains itself.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Inner {
    pub name: String,
    pub below: Vec<Inner>,
}

/// Reads bytes as a split that comes in pieces, as the file source does; its good rows.
pub fn read<T, F: DecodingFormat<T>>(format: &F, bytes: &[u8], piece: usize) -> Vec<T> {
    let mut decoder = format.decoder();
    let piece = piece.max(1);
    let (mut rows, mut steps) = (Vec::new(), 0);
    let (mut from, mut to) = (0, piece.min(bytes.len()));
    while from < bytes.len() {
        steps += 1;
        assert!(steps < 8 * bytes.len() + 40_000, "no end");
        let end = to == bytes.len();
        let consumed = match decoder.frame(&bytes[from..to], end) {
            Frame::Incomplete => {
                assert!(!end, "incomplete at the end");
                to = (to + piece).min(bytes.len());
                continue;
            }
            Frame::Record {
                content, consumed, ..
            } => {
                let _ = decoder.decode(&bytes[from..from + content], |row| {
                    if rows.len() < 10_000 {
                        rows.push(row);
                    }
                });
                consumed
            }
            Frame::Broken { consumed, .. } => {
                assert!(consumed > 0, "nothing is passed over");
                consumed
            }
        };
        from += consumed;
        assert!(from <= to, "more is passed over than is there");
        if from == to {
            to = (to + piece).min(bytes.len());
        }
    }
    rows
}
