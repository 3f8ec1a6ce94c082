//! Schemas as Avro's JSON.
//!
//! Other readers of Avro understand all of it. They differ in how a name without a namespace is
//! looked up below one that has one, so where one name has a namespace, all get it. What Avro has no words for stands in properties
//! that they pass over: the width of an integer in `logicalType`, and in `rheos.variant`,
//! `rheos.symbolAliases` and `rheos.defaultBranch` what the names say.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::default::{branch_of, to_json};
use super::{Field, Integer, Names, RecordSchema, Schema};
use crate::row::error::RowError;

impl Schema {
    /// The schema as Avro's JSON, on one line.
    ///
    /// # Errors
    /// Where two different types have the same name, see [`Schema::check`].
    pub fn to_avro_json(&self) -> Result<String, RowError> {
        let names = Names::of(self)?;
        let mut printer = Printer {
            names: &names,
            printed: HashSet::new(),
            namespace: names.namespace(self),
        };
        Ok(printer.print(self)?.to_string())
    }
}

struct Printer<'a> {
    names: &'a Names,
    printed: HashSet<&'a str>,
    /// That of names without one; may be empty.
    namespace: &'a str,
}

impl<'a> Printer<'a> {
    fn print(&mut self, schema: &'a Schema) -> Result<Json, RowError> {
        if let Some(name) = schema.full_name() {
            if !self.printed.insert(name) {
                return self.name(name);
            }
            // A name is defined where it first occurs, so that readers that go straight through
            // never meet one that they do not know.
            return self.define(self.names.get(name)?);
        }
        Ok(match schema {
            Schema::Array(items) => json!({"type": "array", "items": self.print(items)?}),
            Schema::Map(values) => json!({"type": "map", "values": self.print(values)?}),
            Schema::Union(branches) => {
                let printed: Result<Vec<_>, _> = branches.iter().map(|b| self.print(b)).collect();
                Json::Array(printed?)
            }
            Schema::Integer(integer) => match integer {
                Integer::I32 | Integer::I64 => json!(integer.avro_type()),
                _ => json!({"type": integer.avro_type(), "logicalType": integer.word()}),
            },
            // Null, boolean, float, double, bytes and string are displayed as Avro names them.
            other => json!(other.to_string()),
        })
    }

    fn define(&mut self, schema: &'a Schema) -> Result<Json, RowError> {
        let mut json = Map::new();
        match schema {
            Schema::Record(record) => self.define_record(record, &mut json)?,
            Schema::Enum(symbols) => {
                json.insert("type".into(), json!("enum"));
                json.insert("name".into(), self.name(&symbols.name)?);
                put_names(&mut json, "aliases", &symbols.aliases);
                let words: Vec<_> = symbols.symbols.iter().map(|s| &**s).collect();
                json.insert("symbols".into(), json!(words));
                if let Some(default) = symbols.default.and_then(|i| symbols.symbols.get(i)) {
                    json.insert("default".into(), json!(&**default));
                }
                let mut former = Map::new();
                for (symbol, aliases) in symbols.symbols.iter().zip(&symbols.symbol_aliases) {
                    put_names(&mut former, symbol, aliases);
                }
                if !former.is_empty() {
                    json.insert("rheos.symbolAliases".into(), Json::Object(former));
                }
            }
            Schema::Fixed(name, size) => {
                json.insert("type".into(), json!("fixed"));
                json.insert("name".into(), self.name(name)?);
                json.insert("size".into(), json!(size));
            }
            other => return self.print(other),
        }
        Ok(Json::Object(json))
    }

    /// The full name as it is printed.
    fn name(&self, name: &str) -> Result<Json, RowError> {
        if self.namespace.is_empty() || name.contains('.') {
            return Ok(json!(name));
        }
        let full = format!("{}.{name}", self.namespace);
        match self.names.get(&full) {
            Err(_) => Ok(json!(full)),
            Ok(_) => Err(RowError::schema(format!(
                "the types {name:?} and {full:?} can't be told apart in one schema; give one of \
                 them another name with #[row(name = \"...\")]"
            ))),
        }
    }

    fn define_record(
        &mut self,
        record: &'a RecordSchema,
        json: &mut Map<String, Json>,
    ) -> Result<(), RowError> {
        json.insert("type".into(), json!("record"));
        json.insert("name".into(), self.name(&record.name)?);
        if let Some(variant) = &record.variant {
            json.insert("rheos.variant".into(), json!(&**variant));
        }
        put_names(json, "aliases", &record.aliases);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let printed = self.field(field);
            fields.push(printed.map_err(|e| e.in_field(field.name.to_string()))?);
        }
        json.insert("fields".into(), Json::Array(fields));
        Ok(())
    }

    fn field(&mut self, field: &'a Field) -> Result<Json, RowError> {
        let mut json = Map::new();
        json.insert("name".into(), json!(&*field.name));
        put_names(&mut json, "aliases", &field.aliases);
        json.insert("type".into(), self.print(&field.schema)?);
        if let Some(default) = &field.default {
            json.insert(
                "default".into(),
                to_json(default, &field.schema, self.names)?,
            );
            if let Schema::Union(branches) = &field.schema
                && Schema::nullable(branches).is_none()
            {
                let branch = branch_of(default, branches, self.names)?;
                json.insert("rheos.defaultBranch".into(), json!(branch));
            }
        }
        Ok(Json::Object(json))
    }
}

fn put_names(json: &mut Map<String, Json>, key: &str, names: &[std::sync::Arc<str>]) {
    if !names.is_empty() {
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        json.insert(key.into(), json!(names));
    }
}
