//! Defaults of fields as JSON, by the rules of Avro: bytes as characters up to U+00FF, a union's
//! value as that of its branch.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Integer, Names, RecordSchema, Schema};
use crate::row::error::RowError;
use crate::row::value::Value;

/// How deeply a default may nest.
const MAX_DEPTH: usize = 64;

/// The value as JSON.
pub(super) fn to_json(value: &Value, schema: &Schema, names: &Names) -> Result<Json, RowError> {
    let resolved = names.resolve(schema)?;
    if let Some(inner) = resolved.unwrapped() {
        let value = if let Value::Some(value) = value {
            value
        } else {
            value
        };
        return Ok(json!({ "value": to_json(value, inner, names)? }));
    }
    Ok(match (resolved, value) {
        (Schema::Null, _) => Json::Null,
        (Schema::Union(branches), value) => {
            let branch = branch_of(value, branches, names)?;
            let schema = branches.get(branch).unwrap_or(&Schema::Null);
            to_json(value, schema, names)?
        }
        (_, Value::Boolean(value)) => json!(value),
        (_, Value::Integer(value)) => match i64::try_from(*value) {
            Ok(value) => json!(value),
            // Above the range of `long`: the `long` of the same bits, as in the binary form.
            Err(_) => json!(*value as i64),
        },
        (_, Value::Float(value)) => float(f64::from(*value)),
        (_, Value::Double(value)) => float(*value),
        (_, Value::Bytes(value)) => {
            json!(value.iter().map(|b| char::from(*b)).collect::<String>())
        }
        (_, Value::String(value)) => json!(value.as_str()),
        (Schema::Array(items), Value::Array(values)) => {
            let values: Result<Vec<_>, _> =
                values.iter().map(|v| to_json(v, items, names)).collect();
            Json::Array(values?)
        }
        (Schema::Array(_), Value::Map(entries)) if entries.is_empty() => json!([]),
        (Schema::Map(values), Value::Map(entries)) => {
            let mut json = Map::new();
            for (key, value) in entries {
                json.insert(key.as_str().into(), to_json(value, values, names)?);
            }
            Json::Object(json)
        }
        (Schema::Enum(_), Value::Symbol(name)) => json!(&**name),
        (Schema::Record(_), Value::Symbol(_)) => json!({}),
        (Schema::Record(record), Value::Variant(_, value)) if record.is_newtype() => {
            let mut json = Map::new();
            for field in &record.fields {
                json.insert(
                    field.name.to_string(),
                    to_json(value, &field.schema, names)?,
                );
            }
            Json::Object(json)
        }
        (Schema::Record(_), Value::Variant(_, value)) => to_json(value, schema, names)?,
        (Schema::Record(record), value @ Value::Record(..)) => {
            let mut json = Map::new();
            for field in &record.fields {
                let Some(value) = value.field(&field.name) else {
                    return Err(misfit(value, schema).in_field(field.name.to_string()));
                };
                json.insert(
                    field.name.to_string(),
                    to_json(value, &field.schema, names)?,
                );
            }
            Json::Object(json)
        }
        (schema, value) => return Err(misfit(value, schema)),
    })
}

/// JSON has no words for these; Avro's readers take the names.
fn float(value: f64) -> Json {
    match serde_json::Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => json!("NaN"),
        None if value > 0.0 => json!("Infinity"),
        None => json!("-Infinity"),
    }
}

fn misfit(value: &Value, schema: &Schema) -> RowError {
    RowError::schema(format!("{} is no default for {schema}", value.kind()))
}

/// The position of the union's branch that the value belongs to.
pub(super) fn branch_of(
    value: &Value,
    branches: &[Schema],
    names: &Names,
) -> Result<usize, RowError> {
    if let Some((null, _)) = Schema::nullable(branches) {
        return Ok(if *value == Value::Null {
            null
        } else {
            1 - null
        });
    }
    for (i, branch) in branches.iter().enumerate() {
        let fits = match (names.resolve(branch)?, value) {
            (Schema::Record(record), Value::Symbol(name) | Value::Variant(name, _)) => {
                record.variant_name() == &**name
            }
            (Schema::Null, Value::Null)
            | (Schema::Boolean, Value::Boolean(_))
            | (Schema::Integer(_), Value::Integer(_))
            | (Schema::Float, Value::Float(_))
            | (Schema::Double, Value::Double(_))
            | (Schema::Bytes | Schema::Fixed(..), Value::Bytes(_))
            | (Schema::String, Value::String(_))
            | (Schema::Array(_), Value::Array(_))
            | (Schema::Map(_), Value::Map(_))
            | (Schema::Enum(_), Value::Symbol(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(i);
        }
    }
    Err(misfit(value, &Schema::Union(branches.to_vec())))
}

/// The value that the JSON of a default stands for. `branch` is that of a union, where it is said.
pub(super) fn from_json(
    json: &Json,
    schema: &Schema,
    branch: Option<usize>,
    names: &Names,
    depth: usize,
) -> Result<Value, RowError> {
    if depth > MAX_DEPTH {
        return Err(RowError::schema("a default nests too deeply"));
    }
    let wrong = || RowError::schema(format!("{json} is no default for {schema}"));
    let read = |json, schema| from_json(json, schema, None, names, depth + 1);
    let resolved = names.resolve(schema)?;
    if let Some(inner) = resolved.unwrapped() {
        return read(json.get("value").ok_or_else(wrong)?, inner);
    }
    Ok(match (resolved, json) {
        (Schema::Null, Json::Null) => Value::Null,
        (Schema::Boolean, Json::Bool(value)) => Value::Boolean(*value),
        (Schema::Integer(integer), Json::Number(value)) => {
            let value = match (value.as_i64(), integer) {
                (Some(bits), Integer::U64) => i128::from(bits as u64),
                (Some(value), _) => i128::from(value),
                (None, _) => i128::from(value.as_u64().ok_or_else(wrong)?),
            };
            let (least, greatest) = integer.range();
            if !(least..=greatest).contains(&value) {
                return Err(wrong());
            }
            Value::Integer(value)
        }
        (Schema::Float, json) => Value::Float(parse_float(json).ok_or_else(wrong)? as f32),
        (Schema::Double, json) => Value::Double(parse_float(json).ok_or_else(wrong)?),
        (Schema::String, Json::String(value)) => Value::String(value.into()),
        (Schema::Bytes | Schema::Fixed(..), Json::String(value)) => {
            let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
            Value::Bytes(bytes.map_err(|_| wrong())?)
        }
        (Schema::Enum(symbols), Json::String(name)) => {
            let symbol = symbols.symbols.iter().find(|s| &***s == name.as_str());
            Value::Symbol(Arc::clone(symbol.ok_or_else(wrong)?))
        }
        (Schema::Array(items), Json::Array(values)) => {
            let values: Result<Vec<_>, _> = values.iter().map(|v| read(v, items)).collect();
            Value::Array(values?)
        }
        (Schema::Map(values), Json::Object(entries)) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok::<_, RowError>((key.as_str().into(), read(value, values)?)));
            Value::Map(entries.collect::<Result<_, _>>()?)
        }
        (Schema::Record(record), Json::Object(fields)) => {
            let mut values = Vec::with_capacity(record.fields.len());
            for field in &record.fields {
                let value = match (fields.get(&*field.name), &field.default) {
                    (Some(json), _) => read(json, &field.schema)?,
                    (None, Some(default)) => default.clone(),
                    (None, None) => return Err(wrong()),
                };
                values.push((Arc::clone(&field.name), value));
            }
            Value::Record(Arc::clone(&record.name), values)
        }
        (Schema::Union(branches), json) => match branch {
            Some(branch) => {
                let schema = branches.get(branch).ok_or_else(wrong)?;
                in_branch(read(json, schema)?, schema, branches, names)?
            }
            None => {
                let mut values = branches
                    .iter()
                    .filter_map(|b| Some((read(json, b).ok()?, b)));
                let (value, schema) = values.next().ok_or_else(wrong)?;
                in_branch(value, schema, branches, names)?
            }
        },
        _ => return Err(wrong()),
    })
}

fn in_branch(
    value: Value,
    schema: &Schema,
    branches: &[Schema],
    names: &Names,
) -> Result<Value, RowError> {
    if Schema::nullable(branches).is_some() {
        // Only a wrapper's null is a value that is there.
        let wrapped = names.resolve(schema)?.unwrapped().is_some();
        return Ok(if wrapped { value.some() } else { value });
    }
    Ok(match names.resolve(schema)? {
        Schema::Record(record) => variant(record, value),
        _ => value,
    })
}

/// The value of a variant, whose record has been read.
pub(crate) fn variant(record: &RecordSchema, value: Value) -> Value {
    let name: Arc<str> = record.variant_name().into();
    match value {
        Value::Record(_, fields) if fields.is_empty() => Value::Symbol(name),
        Value::Record(_, mut fields) if record.is_newtype() => {
            let inner = fields.pop().map_or(Value::Null, |(_, value)| value);
            Value::Variant(name, Box::new(inner))
        }
        other => Value::Variant(name, Box::new(other)),
    }
}

fn parse_float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}
