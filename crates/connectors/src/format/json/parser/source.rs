//! The value that the parser stands before, as the source of a row.

use rheos_core::row::{FieldNames, FieldSource, RowError, mismatch};

use super::JsonParser;
use crate::format::base64;
use crate::format::line::quoted;
use crate::format::text::TextSource;

impl FieldSource for JsonParser<'_> {
    #[inline]
    fn is_null(&mut self) -> bool {
        self.peek() == Some(b'n')
            && self
                .text
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with("null"))
    }

    fn bool(&mut self) -> Result<bool, RowError> {
        self.peek();
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err(self.other("true or false"))
        }
    }

    fn i64(&mut self) -> Result<i64, RowError> {
        self.integer("an integer")
    }

    fn u64(&mut self) -> Result<u64, RowError> {
        if self.peek() == Some(b'-') {
            return Err(self.other("an integer that is not negative"));
        }
        self.integer("an integer")
    }

    fn f64(&mut self) -> Result<f64, RowError> {
        let number = self.number_here("a number")?;
        match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(RowError::mismatch(format!(
                "{number} is out of range for a float"
            ))),
        }
    }

    #[inline]
    fn str(&mut self) -> Result<&str, RowError> {
        if self.peek() != Some(b'"') {
            return Err(self.other("a string"));
        }
        let text = self.string()?;
        Ok(self.get(&text))
    }

    fn bytes(&mut self) -> Result<&[u8], RowError> {
        if self.peek() != Some(b'"') {
            return Err(self.other("base64 in a string"));
        }
        let text = self.string()?;
        let mut decoded = std::mem::take(&mut self.decoded);
        let text = self.get(&text);
        if !base64::decode(text.as_bytes(), &mut decoded) {
            return Err(mismatch("base64 in a string", quoted(text)));
        }
        self.decoded = decoded;
        Ok(&self.decoded)
    }

    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let mut guess = 0;
        match self.peek() {
            Some(b'{') => self.items(b'}', &mut |parser| {
                let key = parser.key()?;
                match names.position(parser.get(&key), guess) {
                    Some(position) => {
                        guess = position + 1;
                        parser.offer(&mut |value| field(position, value))
                    }
                    None => parser.skip(),
                }
            }),
            Some(b'[') if names.positional => self.items(b']', &mut |parser| {
                let position = guess;
                guess += 1;
                if position >= names.fields.len() {
                    return Err(RowError::mismatch(format!(
                        "a list of more than {} values",
                        names.fields.len()
                    )));
                }
                parser.offer(&mut |value| field(position, value))
            }),
            _ if names.positional => Err(self.other("a list")),
            _ => Err(self.other("an object")),
        }
    }

    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        match self.peek() {
            Some(b'"') => {
                let name = self.string()?;
                variant(names.variant(self.get(&name))?, None)
            }
            Some(b'{') => {
                let mut seen = 0;
                self.items(b'}', &mut |parser| {
                    seen += 1;
                    let key = parser.key()?;
                    if seen > 1 {
                        return Err(RowError::mismatch(format!(
                            "an object of more than one key for a variant of {}",
                            names.owner
                        )));
                    }
                    let position = names.variant(parser.get(&key))?;
                    parser.offer(&mut |value| variant(position, Some(value)))
                })?;
                if seen == 0 {
                    return Err(mismatch(
                        "an object with a variant's name",
                        "an empty object",
                    ));
                }
                Ok(())
            }
            _ => Err(self.other("a variant's name, or an object with it")),
        }
    }

    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if self.peek() != Some(b'[') {
            return Err(self.other("a list"));
        }
        self.items(b']', &mut |parser| parser.offer(item))
    }

    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if self.peek() != Some(b'{') {
            return Err(self.other("an object"));
        }
        let mut text = String::new();
        self.items(b'}', &mut |parser| {
            let key = parser.key()?;
            text.clear();
            text.push_str(parser.get(&key));
            let mut key = TextSource::key(&text);
            parser.offer(&mut |value| entry(&mut key, value))
        })
    }
}
