//! Avro's JSON as a schema.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::default::from_json;
use super::{EnumSchema, Field, Integer, Names, RecordSchema, Schema};
use crate::row::error::RowError;

impl Schema {
    /// The schema that a text in Avro's JSON describes, of ours or of others.
    ///
    /// Logical types that are not integers of Rust are passed over: what is left is the type that
    /// carries them.
    ///
    /// # Errors
    /// Where the text is no JSON or no schema, with the place.
    pub fn parse_avro_json(text: &str) -> Result<Self, RowError> {
        let json: Json = serde_json::from_str(text)
            .map_err(|e| RowError::schema(format!("the schema is not JSON: {e}")))?;
        let schema = Parser::default().parse(&json, "")?;
        schema.check()?;
        Ok(schema)
    }
}

#[derive(Default)]
struct Parser {
    /// Complete definitions, for the defaults of later fields.
    names: Names,
    /// All definitions begun, complete or not.
    begun: std::collections::HashSet<Arc<str>>,
}

impl Parser {
    fn parse(&mut self, json: &Json, namespace: &str) -> Result<Schema, RowError> {
        match json {
            Json::String(word) => Ok(primitive(word).unwrap_or_else(|| {
                let name = qualify(word, namespace);
                // As Java's reader: what is not known in the namespace is looked for outside.
                let known = self.begun.contains(&name);
                Schema::Ref(if known { name } else { word.as_str().into() })
            })),
            Json::Array(branches) => {
                let branches: Result<Vec<_>, _> =
                    branches.iter().map(|b| self.parse(b, namespace)).collect();
                let branches = branches?;
                match branches.iter().find(|b| matches!(b, Schema::Union(_))) {
                    None => Ok(Schema::Union(branches)),
                    Some(_) => Err(RowError::schema("a union directly in a union")),
                }
            }
            Json::Object(json) => self.object(json, namespace),
            other => Err(RowError::schema(format!("{other} is no type"))),
        }
    }

    fn object(&mut self, json: &Map<String, Json>, namespace: &str) -> Result<Schema, RowError> {
        let kind = match json.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(nested) => return self.parse(nested, namespace),
            None => return Err(RowError::schema("a type without `type`")),
        };
        match kind {
            "array" => Ok(Schema::array(self.parse(get(json, "items")?, namespace)?)),
            "map" => Ok(Schema::map(self.parse(get(json, "values")?, namespace)?)),
            "record" | "error" => self.record(json, namespace),
            "enum" => {
                let name = self.begin(json, namespace)?;
                let schema = Schema::Enum(Arc::new(enumeration(Arc::clone(&name), json)?));
                self.names.define(&name, &schema)?;
                Ok(schema)
            }
            "fixed" => {
                let name = self.begin(json, namespace)?;
                let size = get(json, "size")?
                    .as_u64()
                    .and_then(|n| usize::try_from(n).ok());
                let size = size.ok_or_else(|| RowError::schema("`size` is no size"))?;
                let schema = Schema::Fixed(Arc::clone(&name), size);
                self.names.define(&name, &schema)?;
                Ok(schema)
            }
            word => {
                let logical = json.get("logicalType").and_then(Json::as_str);
                Ok(match (integer(logical), word) {
                    (Some(integer), word) if integer.avro_type() == word => {
                        Schema::Integer(integer)
                    }
                    _ => self.parse(&Json::String(word.into()), namespace)?,
                })
            }
        }
    }

    /// The full name that a definition has.
    fn begin(&mut self, json: &Map<String, Json>, outer: &str) -> Result<Arc<str>, RowError> {
        let namespace = json
            .get("namespace")
            .and_then(Json::as_str)
            .unwrap_or(outer);
        let name = qualify(string(json, "name")?, namespace);
        if self.begun.insert(Arc::clone(&name)) {
            Ok(name)
        } else {
            Err(RowError::schema(format!(
                "the name {name:?} is defined twice"
            )))
        }
    }

    fn record(&mut self, json: &Map<String, Json>, outer: &str) -> Result<Schema, RowError> {
        let name = self.begin(json, outer)?;
        let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let Json::Array(fields) = get(json, "fields")? else {
            return Err(RowError::schema(format!("`fields` of {name} is no list")));
        };
        let mut parsed: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            let Json::Object(field) = field else {
                return Err(RowError::schema(format!("a field of {name} is no object")));
            };
            let field_name = string(field, "name")?;
            if parsed.iter().any(|f| &*f.name == field_name) {
                return Err(RowError::schema(format!(
                    "{name} has two fields {field_name:?}"
                )));
            }
            let field = self.field(field_name, field, namespace);
            parsed.push(field.map_err(|e| e.in_field(field_name.to_owned()))?);
        }
        let schema = Schema::Record(Arc::new(RecordSchema {
            name: Arc::clone(&name),
            variant: json
                .get("rheos.variant")
                .and_then(Json::as_str)
                .map(Arc::from),
            aliases: strings(json, "aliases"),
            fields: parsed,
        }));
        self.names.define(&name, &schema)?;
        Ok(schema)
    }

    fn field(
        &mut self,
        name: &str,
        json: &Map<String, Json>,
        namespace: &str,
    ) -> Result<Field, RowError> {
        let schema = self.parse(get(json, "type")?, namespace)?;
        let branch = json.get("rheos.defaultBranch").and_then(Json::as_u64);
        let branch = branch.and_then(|n| usize::try_from(n).ok());
        let default = match json.get("default") {
            Some(default) => Some(from_json(default, &schema, branch, &self.names, 0)?),
            None => None,
        };
        Ok(Field {
            name: name.into(),
            aliases: strings(json, "aliases"),
            schema,
            default,
        })
    }
}

fn enumeration(name: Arc<str>, json: &Map<String, Json>) -> Result<EnumSchema, RowError> {
    let symbols = strings(json, "symbols");
    if symbols.is_empty() {
        return Err(RowError::schema(format!("the enum {name} has no symbols")));
    }
    let default = match json.get("default").and_then(Json::as_str) {
        None => None,
        Some(word) => Some(symbols.iter().position(|s| &**s == word).ok_or_else(|| {
            RowError::schema(format!(
                "the default {word:?} of {name} is none of its symbols"
            ))
        })?),
    };
    let former = json.get("rheos.symbolAliases").and_then(Json::as_object);
    let symbol_aliases = symbols
        .iter()
        .map(|symbol| {
            former
                .map(|former| strings(former, symbol))
                .unwrap_or_default()
        })
        .collect();
    Ok(EnumSchema {
        name,
        aliases: strings(json, "aliases"),
        symbols,
        symbol_aliases,
        default,
    })
}

fn get<'a>(json: &'a Map<String, Json>, key: &str) -> Result<&'a Json, RowError> {
    json.get(key)
        .ok_or_else(|| RowError::schema(format!("`{key}` is missing")))
}

fn string<'a>(json: &'a Map<String, Json>, key: &str) -> Result<&'a str, RowError> {
    get(json, key)?
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| RowError::schema(format!("`{key}` is no name")))
}

fn strings(json: &Map<String, Json>, key: &str) -> Vec<Arc<str>> {
    let list = json.get(key).and_then(Json::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(Arc::from)
        .collect()
}

fn qualify(name: &str, namespace: &str) -> Arc<str> {
    if name.contains('.') || namespace.is_empty() {
        name.into()
    } else {
        format!("{namespace}.{name}").into()
    }
}

fn primitive(word: &str) -> Option<Schema> {
    Some(match word {
        "null" => Schema::Null,
        "boolean" => Schema::Boolean,
        "int" => Schema::Integer(Integer::I32),
        "long" => Schema::Integer(Integer::I64),
        "float" => Schema::Float,
        "double" => Schema::Double,
        "bytes" => Schema::Bytes,
        "string" => Schema::String,
        _ => return None,
    })
}

fn integer(logical: Option<&str>) -> Option<Integer> {
    Some(match logical? {
        "i8" => Integer::I8,
        "i16" => Integer::I16,
        "u8" => Integer::U8,
        "u16" => Integer::U16,
        "u32" => Integer::U32,
        "u64" => Integer::U64,
        _ => return None,
    })
}
