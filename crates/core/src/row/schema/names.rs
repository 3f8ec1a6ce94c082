//! The definitions of a schema by their names.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Field, RecordSchema, Schema};
use crate::row::error::RowError;

/// Where each name of a schema is defined.
#[derive(Debug, Default)]
pub(crate) struct Names {
    // Named types are shared pointers, so the copies cost nothing.
    definitions: HashMap<Arc<str>, Schema>,
}

impl Names {
    /// Collects the definitions and looks every reference up.
    pub(crate) fn of(schema: &Schema) -> Result<Self, RowError> {
        let mut names = Self::default();
        let mut references = Vec::new();
        names.collect(schema, &mut references)?;
        for name in references {
            names.get(name)?;
        }
        Ok(names)
    }

    /// What a reference stands for; what is none stands for itself.
    pub(crate) fn resolve<'s>(&'s self, schema: &'s Schema) -> Result<&'s Schema, RowError> {
        match schema {
            Schema::Ref(name) => self.get(name),
            other => Ok(other),
        }
    }

    /// The namespace of the schema, or else the first one of its names; empty if none has one.
    pub(crate) fn namespace<'s>(&'s self, schema: &'s Schema) -> &'s str {
        let own = schema.full_name().and_then(|name| name.rsplit_once('.'));
        let namespaces = self
            .definitions
            .keys()
            .filter_map(|name| name.rsplit_once('.'));
        own.or_else(|| namespaces.min())
            .map_or("", |(namespace, _)| namespace)
    }

    /// The definition of a name.
    pub(crate) fn get(&self, name: &str) -> Result<&Schema, RowError> {
        self.definitions
            .get(name)
            .ok_or_else(|| RowError::schema(format!("the name {name:?} is not defined")))
    }

    fn collect<'s>(
        &mut self,
        schema: &'s Schema,
        references: &mut Vec<&'s str>,
    ) -> Result<(), RowError> {
        match schema {
            Schema::Array(inner) | Schema::Map(inner) => self.collect(inner, references),
            Schema::Union(branches) => {
                for branch in branches {
                    self.collect(branch, references)?;
                }
                Ok(())
            }
            Schema::Record(record) => {
                if self.define(&record.name, schema)? {
                    for field in &record.fields {
                        self.collect(&field.schema, references)
                            .map_err(|e| e.in_field(field.name.to_string()))?;
                    }
                }
                Ok(())
            }
            Schema::Enum(symbols) => self.define(&symbols.name, schema).map(drop),
            Schema::Fixed(name, _) => self.define(name, schema).map(drop),
            Schema::Ref(name) => {
                references.push(name);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Answers whether the name is new.
    pub(crate) fn define(&mut self, name: &Arc<str>, schema: &Schema) -> Result<bool, RowError> {
        match self.definitions.get(name) {
            None => {
                self.definitions.insert(Arc::clone(name), schema.clone());
                Ok(true)
            }
            Some(known) if same_definition(known, schema) => Ok(false),
            Some(_) => Err(RowError::schema(format!(
                "two different types are named {name:?} in one schema; give one of them another \
                 name with #[row(name = \"...\")]"
            ))),
        }
    }
}

/// Whether two definitions of a name say the same. A type that contains itself is described with
/// references at different places, depending on where the description began.
fn same_definition(a: &Schema, b: &Schema) -> bool {
    match (a, b) {
        (Schema::Record(a), Schema::Record(b)) => same_record(a, b),
        _ => a == b,
    }
}

fn same_record(a: &RecordSchema, b: &RecordSchema) -> bool {
    let same_field = |(a, b): (&Field, &Field)| {
        a.name == b.name
            && a.aliases == b.aliases
            && a.default == b.default
            && same_use(&a.schema, &b.schema)
    };
    a.variant == b.variant
        && a.aliases == b.aliases
        && a.fields.len() == b.fields.len()
        && a.fields.iter().zip(&b.fields).all(same_field)
}

/// Whether two types say the same, those with names by their names.
fn same_use(a: &Schema, b: &Schema) -> bool {
    match (a, b) {
        (Schema::Array(a), Schema::Array(b)) | (Schema::Map(a), Schema::Map(b)) => same_use(a, b),
        (Schema::Union(a), Schema::Union(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_use(a, b))
        }
        _ => match (a.full_name(), b.full_name()) {
            (None, None) => a == b,
            (a, b) => a == b,
        },
    }
}
