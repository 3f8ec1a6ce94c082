//! Rows into dynamic values.

use std::sync::Arc;

use super::Value;
use crate::row::error::RowError;
use crate::row::string::Str;
use crate::row::visitor::FieldVisitor;

/// A visitor that keeps what it is shown.
#[derive(Debug, Default)]
pub struct ValueBuilder {
    open: Vec<Frame>,
    done: Option<Value>,
}

#[derive(Debug)]
enum Frame {
    Some,
    Variant(Arc<str>),
    Record(Arc<str>, Vec<(Arc<str>, Value)>),
    /// The name of the field whose value comes next.
    Field(Arc<str>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// The key whose value comes next.
    Key(Value),
}

impl ValueBuilder {
    /// The value that was shown; null if none was.
    pub fn finish(self) -> Value {
        self.done.unwrap_or(Value::Null)
    }

    fn put(&mut self, mut value: Value) -> Result<(), RowError> {
        while let Some(Frame::Some) = self.open.last() {
            self.open.pop();
            value = value.some();
        }
        match self.open.pop() {
            None => self.done = Some(value),
            Some(Frame::Field(name)) => {
                if let Some(Frame::Record(_, fields)) = self.open.last_mut() {
                    fields.push((name, value));
                }
            }
            Some(Frame::List(mut items)) => {
                items.push(value);
                self.open.push(Frame::List(items));
            }
            Some(Frame::Map(entries)) => {
                self.open.push(Frame::Map(entries));
                self.open.push(Frame::Key(value));
            }
            Some(Frame::Key(key)) => {
                if let Some(Frame::Map(entries)) = self.open.last_mut() {
                    entries.push((key, value));
                }
            }
            Some(Frame::Variant(name)) => {
                self.open.push(Frame::Variant(name));
                self.done = Some(value);
            }
            Some(frame @ (Frame::Record(..) | Frame::Some)) => {
                self.open.push(frame);
                return Err(RowError::mismatch(
                    "a value was shown where a field should begin",
                ));
            }
        }
        Ok(())
    }

    fn unbalanced<T>() -> Result<T, RowError> {
        Err(RowError::mismatch(
            "the ends of what was shown do not match its beginnings",
        ))
    }
}

impl FieldVisitor for ValueBuilder {
    fn some(&mut self) {
        self.open.push(Frame::Some);
    }

    fn null(&mut self) -> Result<(), RowError> {
        self.put(Value::Null)
    }

    fn bool(&mut self, value: bool) -> Result<(), RowError> {
        self.put(Value::Boolean(value))
    }

    fn i64(&mut self, value: i64) -> Result<(), RowError> {
        self.put(Value::Integer(value.into()))
    }

    fn u64(&mut self, value: u64) -> Result<(), RowError> {
        self.put(Value::Integer(value.into()))
    }

    fn f32(&mut self, value: f32) -> Result<(), RowError> {
        self.put(Value::Float(value))
    }

    fn f64(&mut self, value: f64) -> Result<(), RowError> {
        self.put(Value::Double(value))
    }

    fn str(&mut self, value: &str) -> Result<(), RowError> {
        self.put(Value::String(value.into()))
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), RowError> {
        self.put(Value::Bytes(value.to_vec()))
    }

    fn unit_variant(&mut self, _owner: &str, name: &str) -> Result<(), RowError> {
        self.put(Value::Symbol(name.into()))
    }

    fn begin_variant(&mut self, _owner: &str, name: &str) -> Result<(), RowError> {
        self.open.push(Frame::Variant(name.into()));
        Ok(())
    }

    fn end_variant(&mut self) -> Result<(), RowError> {
        match (self.open.pop(), self.done.take()) {
            (Some(Frame::Variant(name)), Some(value)) => {
                self.put(Value::Variant(name, Box::new(value)))
            }
            _ => Self::unbalanced(),
        }
    }

    fn begin_record(&mut self, name: &str, len: usize, _positional: bool) -> Result<(), RowError> {
        self.open
            .push(Frame::Record(name.into(), Vec::with_capacity(len)));
        Ok(())
    }

    fn field(&mut self, _position: usize, name: &str) -> Result<(), RowError> {
        self.open.push(Frame::Field(name.into()));
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), RowError> {
        match self.open.pop() {
            Some(Frame::Record(name, fields)) => self.put(Value::Record(name, fields)),
            _ => Self::unbalanced(),
        }
    }

    fn begin_list(&mut self, len: usize) -> Result<(), RowError> {
        self.open.push(Frame::List(Vec::with_capacity(len)));
        Ok(())
    }

    fn item(&mut self, _position: usize) -> Result<(), RowError> {
        Ok(())
    }

    fn end_list(&mut self) -> Result<(), RowError> {
        match self.open.pop() {
            Some(Frame::List(items)) => self.put(Value::Array(items)),
            _ => Self::unbalanced(),
        }
    }

    fn begin_map(&mut self, len: usize) -> Result<(), RowError> {
        self.open.push(Frame::Map(Vec::with_capacity(len)));
        Ok(())
    }

    fn key(&mut self, _position: usize) -> Result<(), RowError> {
        Ok(())
    }

    fn value(&mut self) -> Result<(), RowError> {
        Ok(())
    }

    fn end_map(&mut self) -> Result<(), RowError> {
        let Some(Frame::Map(entries)) = self.open.pop() else {
            return Self::unbalanced();
        };
        let strings: Option<Vec<(Str, Value)>> = entries
            .iter()
            .map(|(key, value)| match key {
                Value::String(key) => Some((key.clone(), value.clone())),
                _ => None,
            })
            .collect();
        self.put(match strings {
            Some(entries) => Value::Map(entries),
            None => Value::Array(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let fields = vec![("key".into(), key), ("value".into(), value)];
                        Value::Record("Entry".into(), fields)
                    })
                    .collect(),
            ),
        })
    }
}
