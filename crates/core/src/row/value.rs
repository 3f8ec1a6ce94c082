//! A value whose type is known at run time only: what a row is when its Rust type is not at hand.
//!
//! States read without the program, values written under an older schema, and defaults in schemas
//! are such values. They turn into rows and back ([`Row::from_value`](super::Row::from_value),
//! [`Row::to_value`](super::Row::to_value)) and show themselves to the same encoders
//! ([`Value::visit`]).

mod builder;
mod source;

use std::fmt;
use std::sync::Arc;

pub use builder::ValueBuilder;
pub use source::ValueSource;

use super::error::RowError;
use super::string::Str;
use super::visitor::FieldVisitor;

/// A dynamic value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer of any width and sign.
    Integer(i128),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A string.
    String(Str),
    /// A list. A map whose keys are no strings is a list of records `key`, `value`.
    Array(Vec<Value>),
    /// A map with string keys.
    Map(Vec<(Str, Value)>),
    /// A record: its name and its fields.
    Record(Arc<str>, Vec<(Arc<str>, Value)>),
    /// A variant without fields.
    Symbol(Arc<str>),
    /// A variant: its name, and the record of its fields or, for `A(T)`, the one value.
    Variant(Arc<str>, Box<Value>),
    /// An optional value that is there, where it is itself null or optional; other optional values
    /// stand for themselves.
    Some(Box<Value>),
}

impl Value {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) | Self::Double(_) => "a float",
            Self::Bytes(_) => "bytes",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Map(_) => "a map",
            Self::Record(..) => "a record",
            Self::Symbol(_) | Self::Variant(..) => "a variant",
            Self::Some(_) => "an optional value",
        }
    }

    /// The field of a record.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Record(_, fields) => fields.iter().find(|(n, _)| &**n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// An optional value that is there.
    pub(crate) fn some(self) -> Self {
        if matches!(self, Self::Null | Self::Some(_)) {
            Self::Some(Box::new(self))
        } else {
            self
        }
    }

    /// Shows the value to an encoder, as the row would.
    ///
    /// # Errors
    /// What the visitor answers; where an integer has more than 64 bits.
    pub fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        match self {
            Self::Null => visitor.null(),
            Self::Boolean(value) => visitor.bool(*value),
            Self::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => visitor.i64(value),
                (_, Ok(value)) => visitor.u64(value),
                _ => Err(RowError::mismatch(format!(
                    "the integer {value} has over 64 bits"
                ))),
            },
            Self::Float(value) => visitor.f32(*value),
            Self::Double(value) => visitor.f64(*value),
            Self::Bytes(value) => visitor.bytes(value),
            Self::String(value) => visitor.str(value),
            Self::Array(items) => {
                visitor.begin_list(items.len())?;
                for (i, item) in items.iter().enumerate() {
                    visitor.item(i)?;
                    item.visit(visitor).map_err(|e| e.in_item(i))?;
                }
                visitor.end_list()
            }
            Self::Map(entries) => {
                visitor.begin_map(entries.len())?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    visitor.key(i)?;
                    visitor.str(key)?;
                    visitor.value()?;
                    value.visit(visitor).map_err(|e| e.in_key(key.as_str()))?;
                }
                visitor.end_map()
            }
            Self::Record(name, fields) => {
                let positional = fields
                    .iter()
                    .enumerate()
                    .all(|(i, (field, _))| **field == *format!("f{i}"));
                visitor.begin_record(name, fields.len(), positional && !fields.is_empty())?;
                for (i, (field, value)) in fields.iter().enumerate() {
                    visitor.field(i, field)?;
                    value
                        .visit(visitor)
                        .map_err(|e| e.in_field(field.to_string()))?;
                }
                visitor.end_record()
            }
            Self::Symbol(name) => visitor.unit_variant("", name),
            Self::Variant(name, value) => {
                visitor.begin_variant("", name)?;
                value
                    .visit(visitor)
                    .map_err(|e| e.in_field(name.to_string()))?;
                visitor.end_variant()
            }
            Self::Some(value) => {
                visitor.some();
                value.visit(visitor)
            }
        }
    }
}

impl fmt::Display for Value {
    /// For people and logs; not a format to parse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bytes(value) => write!(f, "{} bytes", value.len()),
            Self::String(value) => write!(f, "{:?}", value.as_str()),
            Self::Array(items) => f.debug_list().entries(items.iter().map(Text)).finish(),
            Self::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|(k, v)| (k.as_str(), Text(v))))
                .finish(),
            Self::Record(name, fields) => {
                let mut record = f.debug_struct(name);
                for (name, value) in fields {
                    record.field(name, &Text(value));
                }
                record.finish()
            }
            Self::Symbol(name) => f.write_str(name),
            Self::Variant(name, value) => write!(f, "{name}({value})"),
            Self::Some(value) => write!(f, "some({value})"),
        }
    }
}

/// Shows a value as text inside of the standard library's debug builders.
struct Text<'a>(&'a Value);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
