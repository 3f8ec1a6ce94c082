//! State that was written as another type than the one declared now: how it is read, or that it can't be.
//!
//! A value is read by Avro's rules ([`Resolution`]): a field that is new has its default, one that is
//! gone is passed over, a number may become wider. What those rules refuse, and what they would read and
//! not as it is meant, has a `migrate` hook at the state's descriptor, which is given the value as it was
//! written. Keys never change their type: a key's hash says where it belongs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, RowError, Schema, Value, Writer};

use crate::error::StateError;
use crate::image::{StateHeader, text_of};

/// Makes of a value as it was written one of the declared type, in its binary form.
pub(crate) type Migrate = Arc<dyn Fn(&Value) -> Result<Vec<u8>, String> + Send + Sync>;

/// A hook, for values of this type.
pub(crate) fn migration<V: Row>(
    migrate: impl Fn(&Value) -> Result<V, String> + Send + Sync + 'static,
) -> Migrate {
    Arc::new(move |written| {
        let value = migrate(written)?;
        encoded(&value).map_err(|error| error.to_string())
    })
}

fn encoded<V: Row>(value: &V) -> Result<Vec<u8>, RowError> {
    let mut bytes = Writer::new();
    value.encode(&mut bytes);
    bytes.check()?;
    Ok(bytes.into_vec())
}

/// Reads a value under a resolution, as one of this type, in its binary form.
pub(crate) fn resolve<V: Row>(how: &Resolution, bytes: &[u8]) -> Result<Vec<u8>, RowError> {
    let mut reader = Reader::new(bytes);
    let value: V = how.read_row(&mut reader)?;
    reader.finish()?;
    encoded(&value)
}

/// How the values of one state are taken back.
pub(crate) enum Conversion {
    /// As they are.
    Same,
    /// By Avro's rules.
    Resolve(Resolution),
    /// By the state's hook, which is given them as the first reads them.
    Migrate(Resolution, Migrate),
}

impl fmt::Debug for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "Same",
            Self::Resolve(_) => "Resolve",
            Self::Migrate(..) => "Migrate",
        })
    }
}

impl Conversion {
    /// For values of the state `name` that were written under a schema, in Avro's JSON.
    pub(crate) fn of(
        name: &str,
        written: &str,
        declared: &Schema,
        migrate: Option<&Migrate>,
    ) -> Result<Self, StateError> {
        let text = text_of(name, "value", declared)?;
        if text == written {
            return Ok(Self::Same);
        }
        let unreadable = |source: RowError| StateError::Decode {
            name: name.to_owned(),
            part: "value",
            source,
        };
        let from = Schema::parse_avro_json(written).map_err(unreadable)?;
        if let Some(migrate) = migrate {
            let as_written = Resolution::new(&from, &from).map_err(unreadable)?;
            return Ok(Self::Migrate(as_written, migrate.clone()));
        }
        match Resolution::new(&from, declared) {
            Ok(resolution) => Ok(Self::Resolve(resolution)),
            Err(reason) => Err(StateError::OtherSchema {
                name: name.to_owned(),
                part: "value",
                written: written.to_owned(),
                declared: text,
                reason: reason.to_string(),
            }),
        }
    }

    /// Whether values are other than they were written.
    pub(crate) fn is_needed(&self) -> bool {
        !matches!(self, Self::Same)
    }

    /// A value of the declared type. `resolve` reads one by Avro's rules.
    pub(crate) fn apply<'a>(
        &self,
        name: &str,
        value: &'a [u8],
        resolve: impl FnOnce(&Resolution, &[u8]) -> Result<Vec<u8>, RowError>,
    ) -> Result<Cow<'a, [u8]>, StateError> {
        let failed = |source: RowError| StateError::Decode {
            name: name.to_owned(),
            part: "value",
            source,
        };
        match self {
            Self::Same => Ok(Cow::Borrowed(value)),
            Self::Resolve(how) => resolve(how, value).map(Cow::Owned).map_err(failed),
            Self::Migrate(as_written, migrate) => {
                let mut reader = Reader::new(value);
                let written = as_written.read_value(&mut reader).map_err(failed)?;
                let migrated = migrate(&written);
                migrated
                    .map(Cow::Owned)
                    .map_err(|reason| StateError::Migration {
                        name: name.to_owned(),
                        reason,
                    })
            }
        }
    }
}

/// Reads values of an operator's own state, written as this type or as one that Avro's rules read as it.
#[derive(Debug)]
pub struct OwnValues<V> {
    name: &'static str,
    /// What they were written as, and how that is read.
    known: Option<(String, Conversion)>,
    of: PhantomData<fn() -> V>,
}

impl<V: Row> OwnValues<V> {
    /// Those of the state of this name.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            known: None,
            of: PhantomData,
        }
    }

    /// Reads one that was written under a schema, in Avro's JSON.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(&mut self, schema: &str, value: &[u8]) -> Result<V, StateError> {
        let known = self.known.take().filter(|(written, _)| written == schema);
        let (written, conversion) = match known {
            Some(known) => known,
            None => {
                let conversion = Conversion::of(self.name, schema, &V::schema(), None)?;
                (schema.to_owned(), conversion)
            }
        };
        let bytes = conversion.apply(self.name, value, resolve::<V>)?;
        let mut reader = Reader::new(&bytes);
        let value = V::decode(&mut reader).and_then(|value| reader.finish().map(|()| value));
        self.known = Some((written, conversion));
        value.map_err(|source| StateError::Decode {
            name: self.name.to_owned(),
            part: "value",
            source,
        })
    }
}

/// What becomes of a state of a snapshot in a job that declares one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It is taken as it is.
    Kept,
    /// It is read by Avro's rules; with what would be refused if it came.
    Converted(Vec<String>),
    /// Its hook reads it.
    Migrated,
    /// It can't be read, for this reason.
    Incompatible(String),
}

/// How a state as it was written fits one that is declared, `migrates` saying that it has a hook.
pub fn fit(written: &StateHeader, declared: &StateHeader, migrates: bool) -> Fit {
    if written.kind != declared.kind || written.namespaced != declared.namespaced {
        return Fit::Incompatible(format!(
            "it was written as a {} state, and is declared as a {} state",
            written.kind, declared.kind
        ));
    }
    if written.map_key_schema != declared.map_key_schema {
        return Fit::Incompatible("its map keys are of another type".to_owned());
    }
    if written.value_schema == declared.value_schema {
        return Fit::Kept;
    }
    if migrates {
        return Fit::Migrated;
    }
    let schemas = Schema::parse_avro_json(&written.value_schema).and_then(|written| {
        Schema::parse_avro_json(&declared.value_schema).map(|declared| (written, declared))
    });
    let resolution = schemas.and_then(|(written, declared)| Resolution::new(&written, &declared));
    match resolution {
        Ok(resolution) => Fit::Converted(resolution.doubts().to_vec()),
        Err(reason) => Fit::Incompatible(reason.to_string()),
    }
}
