//! Reading values that were written under another schema.
//!
//! A [`Resolution`] is compiled once from the writer's and the reader's schema, by Avro's rules,
//! and refuses by name what can never be read. What can be read but for some values (a null where
//! the reader has no place for one, a number beyond the reader's range) is let through, stands in
//! [`Resolution::doubts`], and is an error when such a value comes.
//!
//! Records are matched by the names of their fields and the reader's aliases. The names of records
//! and enums themselves matter only where a union has several to choose from.

mod compile;

use std::sync::Arc;

use super::error::RowError;
use super::schema::{Integer, RecordSchema, Schema, variant};
use super::value::Value;
use super::wire::{MAX_DEPTH, Reader};
use super::{Row, ValueSource};

/// How many steps may lead to a value; up to four for each level of a row.
const MAX_STEPS: u16 = 4 * MAX_DEPTH;

/// How values of a writer's schema become values of a reader's.
#[derive(Debug, Clone)]
pub struct Resolution {
    nodes: Vec<Node>,
    root: usize,
    doubts: Vec<String>,
}

/// One step: what to read, and what to make of it. Numbers are positions of other nodes.
#[derive(Debug, Clone)]
enum Node {
    Null,
    Boolean,
    Integer(Integer, Number),
    Float(Number),
    Double,
    Bytes {
        as_string: bool,
    },
    String {
        as_bytes: bool,
    },
    Fixed(usize),
    /// For each of the writer's symbols the reader's.
    Enum(Vec<Result<Arc<str>, String>>),
    Array(usize),
    Map(usize),
    Record(Record),
    /// For each of the writer's branches how it becomes the reader's type.
    WriterUnion(Vec<Result<usize, String>>),
    /// An optional value that is there and may itself be null.
    Some(usize),
    /// A branch of the reader's union: a variant.
    Variant(Arc<RecordSchema>, usize),
    /// A pair of records that can't be resolved, where a branch of a union leads to it.
    Never(String),
}

/// What a number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Integer(Integer),
    Float,
    Double,
}

#[derive(Debug, Clone)]
struct Record {
    reader: Arc<RecordSchema>,
    /// For each of the writer's fields how to read it, and its position with the reader.
    fields: Vec<(usize, Option<usize>)>,
    /// The reader's fields that the writer does not have.
    defaults: Vec<(usize, Value)>,
}

impl Resolution {
    /// How to read with `reader` what was written with `writer`.
    ///
    /// # Errors
    /// Where no value could be read, with the field and both schemas' words.
    pub fn new(writer: &Schema, reader: &Schema) -> Result<Self, RowError> {
        compile::compile(writer, reader)
    }

    /// What will be refused when it comes, in words; empty where every value can be read.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// Reads a value of the writer's schema as one of the reader's.
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the writer's schema; where one of
    /// [`Resolution::doubts`] has come true.
    pub fn read_value(&self, input: &mut Reader<'_>) -> Result<Value, RowError> {
        self.read(self.root, input, 0)
    }

    /// Reads a value of the writer's schema as a row, whose schema is the reader's.
    ///
    /// # Errors
    /// As [`Resolution::read_value`].
    pub fn read_row<T: Row>(&self, input: &mut Reader<'_>) -> Result<T, RowError> {
        let value = self.read_value(input)?;
        T::from_source(&mut ValueSource::new(&value))
    }

    fn read(&self, node: usize, input: &mut Reader<'_>, depth: u16) -> Result<Value, RowError> {
        if depth == MAX_STEPS {
            return Err(RowError::corrupt("the value nests too deeply"));
        }
        let depth = depth + 1;
        let Some(node) = self.nodes.get(node) else {
            return Err(RowError::incompatible("the resolution is incomplete"));
        };
        Ok(match node {
            Node::Null => Value::Null,
            Node::Boolean => Value::Boolean(input.bool()?),
            Node::Integer(writer, number) => integer(input.long()?, *writer, *number)?,
            Node::Float(Number::Double) => Value::Double(f64::from(input.float()?)),
            Node::Float(_) => Value::Float(input.float()?),
            Node::Double => Value::Double(input.double()?),
            Node::Bytes { as_string: false } => Value::Bytes(input.bytes()?.to_vec()),
            Node::Bytes { as_string: true } => Value::String(input.str()?.into()),
            Node::String { as_bytes: false } => Value::String(input.str()?.into()),
            Node::String { as_bytes: true } => Value::Bytes(input.str()?.as_bytes().to_vec()),
            Node::Fixed(size) => Value::Bytes(input.raw(*size)?.to_vec()),
            Node::Enum(symbols) => match symbols.get(input.index(symbols.len())?) {
                Some(Ok(symbol)) => Value::Symbol(Arc::clone(symbol)),
                Some(Err(message)) => return Err(RowError::incompatible(message)),
                None => return Err(RowError::corrupt("a symbol that there is not")),
            },
            Node::Array(items) => {
                let mut values = Vec::with_capacity(input.size_hint::<Value>());
                input.blocks(|input| {
                    values.push(self.read(*items, input, depth)?);
                    Ok(())
                })?;
                Value::Array(values)
            }
            Node::Map(values) => {
                let mut entries = Vec::with_capacity(input.size_hint::<Value>());
                input.blocks(|input| {
                    let key = input.str()?.into();
                    entries.push((key, self.read(*values, input, depth)?));
                    Ok(())
                })?;
                Value::Map(entries)
            }
            Node::Record(record) => self.record(record, input, depth)?,
            Node::WriterUnion(branches) => match branches.get(input.index(branches.len())?) {
                Some(Ok(branch)) => self.read(*branch, input, depth)?,
                Some(Err(message)) => return Err(RowError::incompatible(message)),
                None => return Err(RowError::corrupt("a branch that there is not")),
            },
            Node::Some(inner) => self.read(*inner, input, depth)?.some(),
            Node::Variant(record, inner) => variant(record, self.read(*inner, input, depth)?),
            Node::Never(message) => return Err(RowError::incompatible(message)),
        })
    }

    fn record(
        &self,
        record: &Record,
        input: &mut Reader<'_>,
        depth: u16,
    ) -> Result<Value, RowError> {
        let reader = &record.reader;
        let mut values: Vec<_> = reader
            .fields
            .iter()
            .map(|f| (Arc::clone(&f.name), Value::Null))
            .collect();
        for (position, default) in &record.defaults {
            if let Some((_, value)) = values.get_mut(*position) {
                *value = default.clone();
            }
        }
        for (node, position) in &record.fields {
            let slot = position.and_then(|position| values.get_mut(position));
            match slot {
                Some((name, slot)) => {
                    let value = self.read(*node, input, depth);
                    *slot = value.map_err(|e| e.in_field(name.to_string()))?;
                }
                None => drop(self.read(*node, input, depth)?),
            }
        }
        Ok(Value::Record(Arc::clone(&reader.name), values))
    }
}

fn integer(bits: i64, writer: Integer, number: Number) -> Result<Value, RowError> {
    let value = match writer {
        Integer::U64 => i128::from(bits as u64),
        _ => i128::from(bits),
    };
    let check = |integer: Integer, error: fn(String) -> RowError| {
        let (least, greatest) = integer.range();
        if (least..=greatest).contains(&value) {
            Ok(())
        } else {
            Err(error(format!(
                "{value} is out of range for {}",
                integer.word()
            )))
        }
    };
    check(writer, RowError::corrupt)?;
    Ok(match number {
        Number::Integer(integer) => {
            check(integer, RowError::incompatible)?;
            Value::Integer(value)
        }
        Number::Float => Value::Float(value as f32),
        Number::Double => Value::Double(value as f64),
    })
}
