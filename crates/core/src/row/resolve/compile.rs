//! Two schemas into the steps between them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Node, Number, Record, Resolution};
use crate::row::error::RowError;
use crate::row::schema::{EnumSchema, Integer, Names, RecordSchema, Schema, last_name};

/// How deeply two schemas may nest, references not counted twice.
const MAX_DEPTH: usize = 200;

pub(super) fn compile(writer: &Schema, reader: &Schema) -> Result<Resolution, RowError> {
    let (writer_names, reader_names) = (Names::of(writer)?, Names::of(reader)?);
    let mut compiler = Compiler {
        writer: &writer_names,
        reader: &reader_names,
        nodes: Vec::new(),
        records: HashMap::new(),
        path: Vec::new(),
        doubts: Vec::new(),
        depth: 0,
    };
    let root = compiler.resolve(writer, reader)?;
    Ok(Resolution {
        nodes: compiler.nodes,
        root,
        doubts: compiler.doubts,
    })
}

struct Compiler<'a> {
    writer: &'a Names,
    reader: &'a Names,
    nodes: Vec<Node>,
    /// The nodes of pairs of records, by their names, for types that contain themselves.
    records: HashMap<(Arc<str>, Arc<str>), usize>,
    path: Vec<Arc<str>>,
    doubts: Vec<String>,
    depth: usize,
}

impl<'a> Compiler<'a> {
    fn add(&mut self, node: Node) -> Result<usize, RowError> {
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn doubt(&mut self, message: &str) {
        let doubt = match self.path.as_slice() {
            [] => message.to_owned(),
            path => format!("{}: {message}", path.join(".")),
        };
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    fn resolve(&mut self, writer: &'a Schema, reader: &'a Schema) -> Result<usize, RowError> {
        if self.depth == MAX_DEPTH {
            return Err(RowError::schema(format!(
                "the schemas nest more than {MAX_DEPTH} levels deep"
            )));
        }
        self.depth += 1;
        let (writer_names, reader_names) = (self.writer, self.reader);
        let named = writer_names
            .resolve(writer)
            .and_then(|writer| Ok((writer, reader_names.resolve(reader)?)));
        let node = named.and_then(|(writer, reader)| self.resolved(writer, reader));
        self.depth -= 1;
        node
    }

    fn resolved(&mut self, writer: &'a Schema, reader: &'a Schema) -> Result<usize, RowError> {
        // A record that wraps a union adds no bytes, so it makes no difference, except that the
        // null within it is not the null beside it.
        let optional =
            matches!(reader, Schema::Union(branches) if Schema::nullable(branches).is_some());
        match (writer.unwrapped(), reader.unwrapped()) {
            (Some(writer), Some(reader)) => return self.resolve(writer, reader),
            (Some(writer), None) if !optional => return self.resolve(writer, reader),
            (None, Some(reader)) => return self.resolve(writer, reader),
            _ => {}
        }
        match (writer, reader) {
            (Schema::Union(branches), _) => self.writer_union(branches, reader),
            (Schema::Enum(symbols), Schema::Union(branches))
                if Schema::nullable(branches).is_none() =>
            {
                self.enum_to_variants(symbols, branches, reader)
            }
            (_, Schema::Union(branches)) => self.reader_union(writer, branches, reader),
            (Schema::Null, Schema::Null) => self.add(Node::Null),
            (Schema::Boolean, Schema::Boolean) => self.add(Node::Boolean),
            (Schema::Integer(from), Schema::Integer(to)) => self.integers(*from, *to),
            (Schema::Integer(from), Schema::Float) => self.add(Node::Integer(*from, Number::Float)),
            (Schema::Integer(from), Schema::Double) => {
                self.add(Node::Integer(*from, Number::Double))
            }
            (Schema::Float, Schema::Float) => self.add(Node::Float(Number::Float)),
            (Schema::Float, Schema::Double) => self.add(Node::Float(Number::Double)),
            (Schema::Double, Schema::Double) => self.add(Node::Double),
            (Schema::Bytes, Schema::Bytes) => self.add(Node::Bytes { as_string: false }),
            (Schema::Bytes, Schema::String) => {
                self.doubt("bytes that are not UTF-8 can't be read as a string");
                self.add(Node::Bytes { as_string: true })
            }
            (Schema::String, Schema::String) => self.add(Node::String { as_bytes: false }),
            (Schema::String, Schema::Bytes) => self.add(Node::String { as_bytes: true }),
            (Schema::Fixed(_, size), Schema::Fixed(_, other)) if size == other => {
                self.add(Node::Fixed(*size))
            }
            (Schema::Fixed(_, size), Schema::Bytes) => self.add(Node::Fixed(*size)),
            (Schema::Array(items), Schema::Array(others)) => {
                let items = self.resolve(items, others)?;
                self.add(Node::Array(items))
            }
            (Schema::Map(values), Schema::Map(others)) => {
                let values = self.resolve(values, others)?;
                self.add(Node::Map(values))
            }
            (Schema::Enum(symbols), Schema::Enum(others)) => self.enums(symbols, others),
            (Schema::Record(record), Schema::Record(other)) => self.records(record, other),
            _ => Err(unreadable(writer, reader)),
        }
    }

    /// `int` may become `long`, `long` never `int`, as in Avro; within each, and from signed to
    /// unsigned, it depends on the value.
    fn integers(&mut self, from: Integer, to: Integer) -> Result<usize, RowError> {
        if from.avro_type() == "long" && to.avro_type() == "int" {
            return Err(unreadable(&Schema::Integer(from), &Schema::Integer(to)));
        }
        let (written, read) = (from.range(), to.range());
        if written.0 < read.0 || written.1 > read.1 {
            let (from, to) = (from.word(), to.word());
            self.doubt(&format!(
                "the writer's {from} may be out of range for the reader's {to}"
            ));
        }
        self.add(Node::Integer(from, Number::Integer(to)))
    }

    fn enums(&mut self, writer: &EnumSchema, reader: &EnumSchema) -> Result<usize, RowError> {
        let default = reader.default.and_then(|i| reader.symbols.get(i));
        let mut symbols = Vec::with_capacity(writer.symbols.len());
        for symbol in &writer.symbols {
            let former = |i: usize| {
                reader
                    .symbol_aliases
                    .get(i)
                    .is_some_and(|aliases| aliases.contains(symbol))
            };
            let position = reader.symbols.iter().position(|s| s == symbol);
            let position = position.or_else(|| (0..reader.symbols.len()).find(|i| former(*i)));
            let found = position.and_then(|i| reader.symbols.get(i)).or(default);
            symbols.push(match found {
                Some(found) => Ok(Arc::clone(found)),
                None => Err(self.unknown_variant(symbol, &format!("enum {}", reader.name))),
            });
        }
        self.chosen(symbols, || {
            unreadable_names(
                &format!("enum {}", writer.name),
                &format!("enum {}", reader.name),
            )
        })
    }

    /// An enum whose variants had no fields and of which some have now.
    fn enum_to_variants(
        &mut self,
        writer: &EnumSchema,
        branches: &'a [Schema],
        reader: &'a Schema,
    ) -> Result<usize, RowError> {
        let mut symbols = Vec::with_capacity(writer.symbols.len());
        for symbol in &writer.symbols {
            let mut found = None;
            for branch in branches {
                if let Schema::Record(record) = self.reader.resolve(branch)?
                    && (record.variant_name() == &**symbol || record.aliases.contains(symbol))
                    && record.fields.is_empty()
                {
                    found = Some(Arc::from(record.variant_name()));
                }
            }
            symbols.push(match found {
                Some(found) => Ok(found),
                None => Err(self.unknown_variant(symbol, &reader.to_string())),
            });
        }
        self.chosen(symbols, || {
            unreadable_names(&format!("enum {}", writer.name), &reader.to_string())
        })
    }

    fn unknown_variant(&mut self, symbol: &str, reader: &str) -> String {
        let message = format!("the writer's variant {symbol} is unknown to the reader's {reader}");
        self.doubt(&message);
        message
    }

    fn chosen(
        &mut self,
        symbols: Vec<Result<Arc<str>, String>>,
        none: impl FnOnce() -> RowError,
    ) -> Result<usize, RowError> {
        if symbols.iter().all(Result::is_err) {
            return Err(none());
        }
        self.add(Node::Enum(symbols))
    }

    fn records(
        &mut self,
        writer: &'a Arc<RecordSchema>,
        reader: &'a Arc<RecordSchema>,
    ) -> Result<usize, RowError> {
        let pair = (Arc::clone(&writer.name), Arc::clone(&reader.name));
        if let Some(node) = self.records.get(&pair) {
            return Ok(*node);
        }
        // The place is taken before the fields are looked at: they may lead back here.
        let node = self.add(Node::Null)?;
        self.records.insert(pair.clone(), node);
        let record = self.fields(writer, reader);
        if record.is_err() {
            self.records.remove(&pair);
        }
        // Other pairs may have come to rest on this one before it failed.
        let (filled, answer) = match record {
            Ok(record) => (Node::Record(record), Ok(node)),
            Err(error) => (Node::Never(error.to_string()), Err(error)),
        };
        if let Some(place) = self.nodes.get_mut(node) {
            *place = filled;
        }
        answer
    }

    fn fields(
        &mut self,
        writer: &'a Arc<RecordSchema>,
        reader: &'a Arc<RecordSchema>,
    ) -> Result<Record, RowError> {
        let mut taken = vec![None; writer.fields.len()];
        let mut defaults = Vec::new();
        for (position, field) in reader.fields.iter().enumerate() {
            let named = |name: &Arc<str>| writer.fields.iter().position(|f| f.name == *name);
            let found = named(&field.name).or_else(|| field.aliases.iter().find_map(named));
            match (found.and_then(|i| taken.get_mut(i)), &field.default) {
                (Some(slot), _) if slot.is_none() => *slot = Some((position, field)),
                (Some(_), _) => {
                    return Err(RowError::incompatible(format!(
                        "two fields of the reader's record {} are known by the name of one field \
                         of the writer's",
                        reader.name
                    ))
                    .in_field(field.name.to_string()));
                }
                (None, Some(default)) => defaults.push((position, default.clone())),
                (None, None) => {
                    return Err(RowError::incompatible(format!(
                        "the writer's record {} has no such field, and the reader's record {} no \
                         default for it; add #[row(default)] or #[row(alias = \"...\")]",
                        writer.name, reader.name
                    ))
                    .in_field(field.name.to_string()));
                }
            }
        }
        let mut fields = Vec::with_capacity(writer.fields.len());
        for (field, taken) in writer.fields.iter().zip(taken) {
            fields.push(match taken {
                Some((position, target)) => {
                    self.path.push(Arc::clone(&target.name));
                    let node = self.resolve(&field.schema, &target.schema);
                    self.path.pop();
                    let node = node.map_err(|e| e.in_field(target.name.to_string()))?;
                    (node, Some(position))
                }
                None => (self.skip(&field.schema)?, None),
            });
        }
        Ok(Record {
            reader: Arc::clone(reader),
            fields,
            defaults,
        })
    }

    /// Reads what nobody wants, to get past it.
    fn skip(&mut self, schema: &'a Schema) -> Result<usize, RowError> {
        let reader = std::mem::replace(&mut self.reader, self.writer);
        let records = std::mem::take(&mut self.records);
        let node = self.resolve(schema, schema);
        self.records = records;
        self.reader = reader;
        node
    }

    fn writer_union(
        &mut self,
        branches: &'a [Schema],
        reader: &'a Schema,
    ) -> Result<usize, RowError> {
        let whole = Schema::Union(branches.to_vec());
        let mut nodes = Vec::with_capacity(branches.len());
        for branch in branches {
            // Doubts of a branch that is refused as a whole are not worth telling.
            let doubts = self.doubts.len();
            nodes.push(match self.resolve(branch, reader) {
                Ok(node) => Ok(node),
                Err(error) => {
                    self.doubts.truncate(doubts);
                    Err(error)
                }
            });
        }
        if let Some(Err(error)) = nodes.iter().find(|_| nodes.iter().all(Result::is_err)) {
            return Err(match branches {
                [_] => error.clone(),
                _ => unreadable(&whole, reader),
            });
        }
        let mut known = Vec::with_capacity(nodes.len());
        for node in nodes {
            known.push(match node {
                Ok(node) => Ok(node),
                Err(error) => {
                    let message = error.to_string();
                    self.doubt(&message);
                    Err(message)
                }
            });
        }
        self.add(Node::WriterUnion(known))
    }

    fn reader_union(
        &mut self,
        writer: &'a Schema,
        branches: &'a [Schema],
        reader: &'a Schema,
    ) -> Result<usize, RowError> {
        if let Some((_, other)) = Schema::nullable(branches) {
            if *writer == Schema::Null {
                return self.add(Node::Null);
            }
            let inner = self.resolve(writer, other)?;
            // A wrapper's null is a value that is there; others never are null.
            return match self.reader.resolve(other)?.unwrapped() {
                Some(_) => self.add(Node::Some(inner)),
                None => Ok(inner),
            };
        }
        for branch in branches {
            let target = self.reader.resolve(branch)?;
            if same_kind(writer, target) {
                return self.branch(writer, branch, target);
            }
        }
        // No branch of the very type: the first one that it can be promoted to.
        for branch in branches {
            let target = self.reader.resolve(branch)?;
            let doubts = self.doubts.len();
            if !matches!(target, Schema::Record(_)) {
                match self.branch(writer, branch, target) {
                    Ok(node) => return Ok(node),
                    Err(_) => self.doubts.truncate(doubts),
                }
            }
        }
        Err(unreadable(writer, reader))
    }

    fn branch(
        &mut self,
        writer: &'a Schema,
        branch: &'a Schema,
        target: &'a Schema,
    ) -> Result<usize, RowError> {
        let inner = self.resolve(writer, branch)?;
        match target {
            Schema::Record(record) => self.add(Node::Variant(Arc::clone(record), inner)),
            _ => Ok(inner),
        }
    }
}

/// Whether a union's branch is the one that a value of the writer's type belongs to.
fn same_kind(writer: &Schema, branch: &Schema) -> bool {
    match (writer, branch) {
        (Schema::Record(w), Schema::Record(b)) => {
            let variant = w.variant_name();
            b.variant_name() == variant
                || b.name == w.name
                || b.aliases.iter().any(|a| **a == *variant || *a == w.name)
        }
        (Schema::Enum(w), Schema::Enum(b)) => {
            last_name(&w.name) == last_name(&b.name) || b.aliases.contains(&w.name)
        }
        (Schema::Integer(w), Schema::Integer(b)) => w.avro_type() == b.avro_type(),
        (Schema::Array(_), Schema::Array(_)) | (Schema::Map(_), Schema::Map(_)) => true,
        (Schema::Fixed(_, w), Schema::Fixed(_, b)) => w == b,
        _ => writer == branch,
    }
}

fn unreadable(writer: &Schema, reader: &Schema) -> RowError {
    unreadable_names(&writer.to_string(), &reader.to_string())
}

#[cold]
fn unreadable_names(writer: &str, reader: &str) -> RowError {
    RowError::incompatible(format!(
        "the writer's {writer} can't be read as the reader's {reader}"
    ))
}
