//! What the formats of one record a line share.

use rheos_core::row::RowError;

use super::Frame;

/// The bytes of a line without its line break, `\n` or `\r\n`.
pub(crate) fn content(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// A record that ends with its line.
pub(crate) fn frame(data: &[u8], end: bool) -> Frame {
    let consumed = match memchr::memchr(b'\n', data) {
        Some(at) => at + 1,
        None if end => data.len(),
        None => return Frame::Incomplete,
    };
    let content = data.get(..consumed).map_or(consumed, content);
    Frame::Record {
        content,
        consumed,
        lines: 1,
    }
}

/// The text of a record.
pub(crate) fn utf8(record: &[u8]) -> Result<&str, RowError> {
    std::str::from_utf8(record).map_err(|error| {
        let at = error.valid_up_to();
        let byte = record.get(at).copied().unwrap_or(0);
        RowError::corrupt(format!("not UTF-8: byte {byte:#04x} at column {}", at + 1))
    })
}

/// Text for a message: in quotes, its end cut off.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{:?}…", text.get(..cut).unwrap_or(text)),
        None => format!("{text:?}"),
    }
}
