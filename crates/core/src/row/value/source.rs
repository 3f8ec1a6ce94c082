//! A dynamic value as the source of a row.

use super::Value;
use crate::row::error::RowError;
use crate::row::source::{FieldNames, FieldSource, mismatch};

/// Reads a row out of a dynamic value.
#[derive(Debug)]
pub struct ValueSource<'a> {
    value: &'a Value,
}

impl<'a> ValueSource<'a> {
    /// A source of this value.
    pub fn new(value: &'a Value) -> Self {
        Self { value }
    }

    fn integer<T: TryFrom<i128>>(&self, expected: &str) -> Result<T, RowError> {
        match self.value {
            Value::Integer(value) => T::try_from(*value)
                .map_err(|_| RowError::mismatch(format!("{value} is out of range for {expected}"))),
            other => Err(mismatch("an integer", other.kind())),
        }
    }
}

impl FieldSource for ValueSource<'_> {
    fn is_null(&mut self) -> bool {
        matches!(self.value, Value::Null)
    }

    fn enter_some(&mut self) {
        if let Value::Some(inner) = self.value {
            self.value = inner;
        }
    }

    fn bool(&mut self) -> Result<bool, RowError> {
        match self.value {
            Value::Boolean(value) => Ok(*value),
            other => Err(mismatch("a boolean", other.kind())),
        }
    }

    fn i64(&mut self) -> Result<i64, RowError> {
        self.integer("i64")
    }

    fn u64(&mut self) -> Result<u64, RowError> {
        self.integer("u64")
    }

    fn f64(&mut self) -> Result<f64, RowError> {
        match self.value {
            Value::Float(value) => Ok(f64::from(*value)),
            Value::Double(value) => Ok(*value),
            Value::Integer(value) => Ok(*value as f64),
            other => Err(mismatch("a number", other.kind())),
        }
    }

    fn str(&mut self) -> Result<&str, RowError> {
        match self.value {
            Value::String(value) => Ok(value),
            Value::Symbol(name) => Ok(name),
            other => Err(mismatch("a string", other.kind())),
        }
    }

    fn bytes(&mut self) -> Result<&[u8], RowError> {
        match self.value {
            Value::Bytes(value) => Ok(value),
            Value::String(value) => Ok(value.as_bytes()),
            other => Err(mismatch("bytes", other.kind())),
        }
    }

    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        match self.value {
            Value::Record(_, fields) => {
                for (i, (name, value)) in fields.iter().enumerate() {
                    if let Some(position) = names.position(name, i) {
                        field(position, &mut ValueSource::new(value))?;
                    }
                }
                Ok(())
            }
            Value::Array(items) if names.positional => {
                for (i, value) in items.iter().enumerate().take(names.fields.len()) {
                    field(i, &mut ValueSource::new(value))?;
                }
                Ok(())
            }
            other => Err(mismatch(
                &format!("the record {}", names.owner),
                other.kind(),
            )),
        }
    }

    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        match self.value {
            Value::Symbol(name) => variant(names.variant(name)?, None),
            Value::String(name) => variant(names.variant(name)?, None),
            Value::Variant(name, value) => {
                variant(names.variant(name)?, Some(&mut ValueSource::new(value)))
            }
            other => Err(mismatch(
                &format!("a variant of {}", names.owner),
                other.kind(),
            )),
        }
    }

    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        match self.value {
            Value::Array(items) => {
                for value in items {
                    item(&mut ValueSource::new(value))?;
                }
                Ok(())
            }
            other => Err(mismatch("a list", other.kind())),
        }
    }

    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        match self.value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    let key = Value::String(key.clone());
                    entry(&mut ValueSource::new(&key), &mut ValueSource::new(value))?;
                }
                Ok(())
            }
            Value::Array(items) => {
                for item in items {
                    match (item.field("key"), item.field("value")) {
                        (Some(key), Some(value)) => {
                            entry(&mut ValueSource::new(key), &mut ValueSource::new(value))?;
                        }
                        _ => return Err(mismatch("an entry of a map", item.kind())),
                    }
                }
                Ok(())
            }
            other => Err(mismatch("a map", other.kind())),
        }
    }
}
