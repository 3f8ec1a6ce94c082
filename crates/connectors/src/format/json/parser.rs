//! Reads a row out of JSON text while going through it once.
//!
//! The parser stands before a value whenever it is handed to a row as a source. What the row does
//! not take, an unknown field or a `null`, is skipped, and is checked for its grammar all the same.

mod source;

use std::ops::Range;

use rheos_core::row::{FieldSource, MAX_DEPTH, RowError, mismatch};

use crate::format::line::quoted;

/// A string of the text: where it lies, or that it had escapes and was copied.
enum Text {
    Plain(Range<usize>),
    Copied,
}

/// Goes through one JSON text.
pub(crate) struct JsonParser<'a> {
    text: &'a str,
    at: usize,
    depth: u16,
    /// The last string that had escapes.
    copied: String,
    decoded: Vec<u8>,
}

impl<'a> JsonParser<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            copied: String::new(),
            decoded: Vec::new(),
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    #[cold]
    fn wrong(&self, expected: &str) -> RowError {
        let rest = self.text.get(self.at..).unwrap_or("");
        let found = match rest.chars().next() {
            Some(c) => format!("{c:?}"),
            None => "the end".to_owned(),
        };
        RowError::corrupt(format!(
            "expected {expected} at column {}, found {found}",
            self.at + 1
        ))
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &str) -> Result<(), RowError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(what))
    }

    /// There is nothing left but white space.
    pub fn end(&mut self) -> Result<(), RowError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("the end of the record")),
        }
    }

    /// What stands here instead of what was expected.
    #[cold]
    fn other(&mut self, expected: &str) -> RowError {
        let found = match self.peek() {
            Some(b'"') => match self.string() {
                Ok(text) => format!("the string {}", quoted(self.get(&text))),
                Err(error) => return error,
            },
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "a list".to_owned(),
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Ok(number) => format!("the number {number}"),
                Err(error) => return error,
            },
            Some(_) => {
                for word in ["true", "false", "null"] {
                    if self.word(word) {
                        return mismatch(expected, word);
                    }
                }
                return self.wrong(expected);
            }
            None => return self.wrong(expected),
        };
        mismatch(expected, found)
    }

    fn word(&mut self, word: &str) -> bool {
        let here = self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word));
        if here {
            self.at += word.len();
        }
        here
    }

    fn get(&self, text: &Text) -> &str {
        match text {
            Text::Plain(range) => self.text.get(range.clone()).unwrap_or(""),
            Text::Copied => &self.copied,
        }
    }

    /// A string; the parser stands before its opening quote.
    fn string(&mut self) -> Result<Text, RowError> {
        self.at += 1;
        let start = self.at;
        let mut from = start;
        let mut escapes = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
            let Some(stop) = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..0x20))
            else {
                self.at = self.text.len();
                return Err(self.wrong("the closing quote of a string"));
            };
            self.at += stop;
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    if !escapes {
                        escapes = true;
                        self.copied.clear();
                    }
                    self.copied
                        .push_str(self.text.get(from..self.at).unwrap_or(""));
                    self.at += 1;
                    let c = self.escape()?;
                    self.copied.push(c);
                    from = self.at;
                }
                _ => return Err(self.wrong("a character that needs no escape")),
            }
        }
        let end = self.at;
        self.at += 1;
        if !escapes {
            return Ok(Text::Plain(start..end));
        }
        self.copied.push_str(self.text.get(from..end).unwrap_or(""));
        Ok(Text::Copied)
    }

    /// The character of an escape; the parser stands behind its backslash.
    fn escape(&mut self) -> Result<char, RowError> {
        let c = match self.byte() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong("an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, RowError> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.word("\\u") {
                    return Err(self.wrong("the second half of a surrogate pair"));
                }
                let second = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.wrong("a low surrogate before this"));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("no lone surrogate before this"))
    }

    fn hex(&mut self) -> Result<u32, RowError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(code) if valid => {
                self.at += 4;
                Ok(code)
            }
            _ => Err(self.wrong("four hexadecimal digits")),
        }
    }

    fn digits(&mut self) -> Result<(), RowError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong("a digit"))
        } else {
            Ok(())
        }
    }

    /// A number by JSON's grammar; the parser stands at its first byte.
    fn number(&mut self) -> Result<&'a str, RowError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        if let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_') = self.byte() {
            return Err(self.wrong("the end of the number"));
        }
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    fn number_here(&mut self, expected: &str) -> Result<&'a str, RowError> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.other(expected)),
        }
    }

    fn integer<V: std::str::FromStr>(&mut self, expected: &str) -> Result<V, RowError> {
        let number = self.number_here(expected)?;
        number.parse().map_err(|_| {
            if number.contains(['.', 'e', 'E']) {
                mismatch(expected, number)
            } else {
                RowError::mismatch(format!("{number} is out of range for {expected}"))
            }
        })
    }

    fn descend(&mut self) -> Result<(), RowError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RowError::corrupt(format!(
                "nested more than {MAX_DEPTH} levels deep at column {}",
                self.at + 1
            )));
        }
        self.at += 1;
        Ok(())
    }

    /// Goes through the items between brackets, whose opening one comes next.
    #[inline]
    fn items(
        &mut self,
        close: u8,
        item: &mut dyn FnMut(&mut Self) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.descend()?;
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                item(self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => {
                        self.at += 1;
                        break;
                    }
                    _ if close == b'}' => return Err(self.wrong("',' or '}'")),
                    _ => return Err(self.wrong("',' or ']'")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A key and its colon; the parser then stands before the value.
    #[inline]
    fn key(&mut self) -> Result<Text, RowError> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key in quotes"));
        }
        let key = self.string()?;
        self.expect(b':', "':'")?;
        self.peek();
        Ok(key)
    }

    /// Goes past one value.
    fn skip(&mut self) -> Result<(), RowError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.items(b'}', &mut |parser| {
                parser.key()?;
                parser.skip()
            }),
            Some(b'[') => self.items(b']', &mut Self::skip),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            _ if self.word("true") || self.word("false") || self.word("null") => Ok(()),
            _ => Err(self.wrong("a value")),
        }
    }

    #[cfg(test)]
    pub fn skip_all(&mut self) -> Result<(), RowError> {
        self.skip()?;
        self.end()
    }

    /// Lets `read` have the value that comes next, and skips it if it is not taken.
    #[inline]
    fn offer(
        &mut self,
        read: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.peek();
        let before = self.at;
        read(self)?;
        if self.at == before {
            self.skip()?;
        }
        Ok(())
    }
}
