//! Schemas: Avro's types, with the widths of Rust's integers remembered.
//!
//! A schema is a value like any other: it comes from [`Row::schema`](super::Row::schema) or from
//! text ([`Schema::parse_avro_json`]), is compared, resolved and printed
//! ([`Schema::to_avro_json`]), and needs no user type. A record or enum that occurs within itself
//! is defined once and referred to by name below.

mod avro;
mod default;
mod names;
mod parse;
mod scope;

use std::fmt;
use std::sync::Arc;

pub(crate) use default::variant;
pub(crate) use names::Names;
pub use scope::named;

use super::error::RowError;
use super::value::Value;

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Nothing; no bytes.
    Null,
    /// `boolean`.
    Boolean,
    /// `int` or `long`, see [`Integer::avro_type`].
    Integer(Integer),
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `bytes`.
    Bytes,
    /// `string`.
    String,
    /// `fixed`: so many bytes. No Rust type has it; it comes with schemas of others.
    Fixed(Arc<str>, usize),
    /// `array`.
    Array(Arc<Schema>),
    /// `map`, with string keys.
    Map(Arc<Schema>),
    /// `union`.
    Union(Vec<Schema>),
    /// `enum`.
    Enum(Arc<EnumSchema>),
    /// `record`.
    Record(Arc<RecordSchema>),
    /// The record, enum or fixed of this full name, defined elsewhere in the schema.
    Ref(Arc<str>),
}

/// The range of an integer. All have the same binary form.
#[allow(missing_docs, reason = "named after Rust's types")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integer {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    /// Written as the `long` of the same bits.
    U64,
}

/// A record: named fields in an order.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSchema {
    /// Full name: `Order`, or `Event_Created` for the variant `Created` of the enum `Event`.
    pub name: Arc<str>,
    /// Of the variant of an enum, its own name.
    pub variant: Option<Arc<str>>,
    /// Former full or last names.
    pub aliases: Vec<Arc<str>>,
    /// The fields in the order in which they are written.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its former names.
    pub aliases: Vec<Arc<str>>,
    /// Its type.
    pub schema: Schema,
    /// The value where a writer had no such field.
    pub default: Option<Value>,
}

/// An enum whose variants have no fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumSchema {
    /// Full name.
    pub name: Arc<str>,
    /// Former full or last names.
    pub aliases: Vec<Arc<str>>,
    /// The variants in the order of their numbers.
    pub symbols: Vec<Arc<str>>,
    /// Of each symbol its former names; may be shorter than `symbols`.
    pub symbol_aliases: Vec<Vec<Arc<str>>>,
    /// The symbol that stands for those that a reader does not know.
    pub default: Option<usize>,
}

impl Integer {
    /// `int` or `long`.
    pub fn avro_type(self) -> &'static str {
        match self {
            Self::I8 | Self::I16 | Self::I32 | Self::U8 | Self::U16 => "int",
            Self::I64 | Self::U32 | Self::U64 => "long",
        }
    }

    /// Rust's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
        }
    }

    /// Least and greatest value.
    pub fn range(self) -> (i128, i128) {
        match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }
}

impl Schema {
    /// A list of these.
    pub fn array(items: Schema) -> Self {
        Self::Array(Arc::new(items))
    }

    /// A map from strings to these.
    pub fn map(values: Schema) -> Self {
        Self::Map(Arc::new(values))
    }

    /// This or null. Avro has no union directly in a union: there the value is wrapped in a record
    /// of one field, which adds no bytes.
    pub fn optional(self) -> Self {
        let inner = if matches!(self, Self::Union(_) | Self::Null) {
            self.wrapped()
        } else {
            self
        };
        Self::Union(vec![Self::Null, inner])
    }

    fn wrapped(self) -> Self {
        let name = format!("{SOME}{}", self.identifier());
        Self::Record(Arc::new(RecordSchema {
            name: name.into(),
            variant: None,
            aliases: Vec::new(),
            fields: vec![Field::new("value", self)],
        }))
    }

    /// The full name of a record, an enum or a reference.
    pub fn full_name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Record(record) => Some(&record.name),
            Self::Enum(symbols) => Some(&symbols.name),
            Self::Fixed(name, _) | Self::Ref(name) => Some(name),
            _ => None,
        }
    }

    /// What a wrapping record holds, see [`Schema::optional`].
    pub(crate) fn unwrapped(&self) -> Option<&Schema> {
        let Self::Record(record) = self else {
            return None;
        };
        match record.fields.as_slice() {
            [field] if last_name(&record.name).starts_with(SOME) && &*field.name == "value" => {
                matches!(field.schema, Self::Union(_) | Self::Null).then_some(&field.schema)
            }
            _ => None,
        }
    }

    /// Of a union of two with null, the position of null and the other branch.
    pub(crate) fn nullable(branches: &[Schema]) -> Option<(usize, &Schema)> {
        match branches {
            [Self::Null, other] => Some((0, other)),
            [other, Self::Null] => Some((1, other)),
            _ => None,
        }
    }

    /// Whether every name is defined, and defined in one way.
    ///
    /// # Errors
    /// The names that are not, and what to do.
    pub fn check(&self) -> Result<(), RowError> {
        Names::of(self).map(drop)
    }

    /// A word for this type that can be part of a name, as in `Tuple2_i64_string`.
    pub fn identifier(&self) -> String {
        match self {
            Self::Array(items) => format!("array_{}", items.identifier()),
            Self::Map(values) => format!("map_{}", values.identifier()),
            Self::Union(branches) => {
                let words: Vec<_> = branches.iter().map(Self::identifier).collect();
                words.join("_or_")
            }
            Self::Record(_) | Self::Enum(_) | Self::Fixed(..) | Self::Ref(_) => self
                .full_name()
                .map(|name| name.replace('.', "_"))
                .unwrap_or_default(),
            other => other.to_string(),
        }
    }
}

/// How the names of records begin that wrap a union within a union.
const SOME: &str = "Some_";

impl RecordSchema {
    /// The name by which an enum knows this variant.
    pub fn variant_name(&self) -> &str {
        self.variant
            .as_deref()
            .unwrap_or_else(|| last_name(&self.name))
    }

    /// Whether it is the variant `A(T)`, for which the one field stands.
    pub(crate) fn is_newtype(&self) -> bool {
        matches!(self.fields.as_slice(), [field] if &*field.name == "f0")
    }
}

/// A full name without its namespace.
pub(crate) fn last_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Field {
    /// A field without aliases and default.
    pub fn new(name: &str, schema: Schema) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            schema,
            default: None,
        }
    }

    /// The same with former names.
    #[must_use]
    pub fn with_aliases(mut self, aliases: &[&str]) -> Self {
        self.aliases = aliases.iter().map(|alias| Arc::from(*alias)).collect();
        self
    }

    /// The same with a default, if there is one.
    #[must_use]
    pub fn with_default(mut self, default: Option<Value>) -> Self {
        self.default = default;
        self
    }
}

impl fmt::Display for Schema {
    /// In words, as messages name a type: `i64`, `null or string`, `record Order`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Integer(integer) => f.write_str(integer.word()),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Bytes => f.write_str("bytes"),
            Self::String => f.write_str("string"),
            Self::Array(items) => write!(f, "array of {items}"),
            Self::Map(values) => write!(f, "map of {values}"),
            Self::Union(branches) => {
                for (i, branch) in branches.iter().enumerate() {
                    let or = if i == 0 { "" } else { " or " };
                    write!(f, "{or}{branch}")?;
                }
                Ok(())
            }
            Self::Enum(symbols) => write!(f, "enum {}", symbols.name),
            Self::Fixed(name, size) => write!(f, "fixed {name} of {size} bytes"),
            Self::Record(record) => write!(f, "record {}", record.name),
            Self::Ref(name) => f.write_str(name),
        }
    }
}
