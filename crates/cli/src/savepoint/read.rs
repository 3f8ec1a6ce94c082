//! The entries of a state, a line of JSON each, read by the schemas that the savepoint has.

use std::io::Write;

use rheos::cluster::checkpoint::manifest::{Checkpoint, OperatorManifest};
use rheos::runtime::BoxError;
use rheos::runtime::checkpoint::snapshot::OperatorSnapshot;
use rheos::state::{ImageRecord, KeyedImage, StateError};
use serde_json::{Map, Value, json};

use super::json::ValueReader;

/// Writes lines until there are as many as are wanted.
struct Lines<W> {
    out: W,
    left: u64,
}

impl<W: Write> Lines<W> {
    fn line(&mut self, line: &Value) -> Result<(), BoxError> {
        if self.left > 0 {
            self.left -= 1;
            match writeln!(self.out, "{line}") {
                Ok(()) => {}
                // Whoever read has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => self.left = 0,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn keyed<W: Write>(image: &KeyedImage, state: &str, lines: &mut Lines<W>) -> Result<(), BoxError> {
    let keys = ValueReader::new(&image.key_schema)?;
    let place = image.states.iter().position(|header| header.name == state);
    let header = place.and_then(|place| image.states.get(place));
    let values = header.map(|header| ValueReader::new(&header.value_schema));
    let values = values.transpose()?;
    let map_keys = header.and_then(|header| header.map_key_schema.as_deref());
    let map_keys = map_keys.map(ValueReader::new).transpose()?;
    let service = image.timers.iter().position(|timer| timer.service == state);
    let mut failed: Option<BoxError> = None;
    let mut show = |record: ImageRecord<'_>| -> Result<(), BoxError> {
        match record {
            ImageRecord::Entry {
                key, state, piece, ..
            } if Some(state) == place => {
                let mut line = Map::new();
                line.insert("key".to_owned(), keys.read(key)?);
                if let Some(namespace) = piece.namespace {
                    line.insert("namespace".to_owned(), (namespace as i64).into());
                }
                if let Some(updated) = piece.updated {
                    line.insert("updated".to_owned(), updated.into());
                }
                if let (Some(reader), Some(bytes)) = (&map_keys, piece.map_key) {
                    line.insert("map_key".to_owned(), reader.read(bytes)?);
                }
                if let Some(reader) = &values {
                    line.insert("value".to_owned(), reader.read(piece.value)?);
                }
                lines.line(&Value::Object(line))
            }
            ImageRecord::Timer {
                key,
                service: of,
                timestamp,
                namespace,
                ..
            } if Some(of) == service => lines.line(&json!({
                "key": keys.read(key)?,
                "timestamp": timestamp,
                "namespace": namespace as i64,
            })),
            _ => Ok(()),
        }
    };
    let shown = image.records(|record| {
        show(record).map_err(|error| {
            let reason = error.to_string();
            failed = Some(error);
            StateError::Stopped {
                name: state.to_owned(),
                reason,
            }
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(shown?),
    }
}

fn list<W: Write>(
    part: &OperatorSnapshot,
    (subtask, state): (usize, &str),
    lines: &mut Lines<W>,
) -> Result<(), BoxError> {
    for list in part.lists.iter().filter(|list| list.name == state) {
        // Of a broadcast map the schema is that of a record of key and value, which stand apart.
        let entry = list
            .entries
            .first()
            .is_some_and(|entry| entry.key.is_some());
        let reader = ValueReader::new(if entry { "" } else { &list.schema })?;
        let pair = match entry {
            true => Some(ValueReader::new(&list.schema)?),
            false => None,
        };
        for entry in &list.entries {
            let line = match (&pair, &entry.key) {
                (Some(pair), Some(key)) => {
                    let bytes = [key.as_slice(), entry.value.as_slice()].concat();
                    let both = pair.read(&bytes)?;
                    let mut parts = both.as_object().into_iter().flat_map(Map::values);
                    let key = parts.next().cloned();
                    json!({ "subtask": subtask, "map_key": key, "value": parts.next() })
                }
                _ => json!({ "subtask": subtask, "value": reader.read(&entry.value)? }),
            };
            lines.line(&line)?;
        }
    }
    Ok(())
}

fn named(part: &OperatorSnapshot) -> Vec<String> {
    let lists = part.lists.iter().map(|list| list.name.clone());
    let keyed = part.keyed.iter();
    let keyed = keyed.flat_map(|keyed| {
        let states = keyed.states.iter().map(|state| state.name.clone());
        states.chain(keyed.timers.iter().map(|timer| timer.service.clone()))
    });
    lists.chain(keyed).collect()
}

fn operator_of<'a>(
    checkpoint: &'a Checkpoint,
    uid: &str,
) -> Result<&'a OperatorManifest, BoxError> {
    let operators = &checkpoint.manifest.operators;
    let found = operators.iter().find(|operator| operator.uid == uid);
    found.ok_or_else(|| {
        let uids: Vec<&str> = operators.iter().map(|o| o.uid.as_str()).collect();
        format!(
            "there is no operator with the uid '{uid}'; there are: {}",
            uids.join(", ")
        )
        .into()
    })
}

/// Prints the entries of a state.
pub(super) fn read(
    checkpoint: &Checkpoint,
    (uid, state): (&str, &str),
    limit: Option<u64>,
    out: impl Write,
) -> Result<(), BoxError> {
    let operator = operator_of(checkpoint, uid)?;
    if operator.stores.iter().flatten().next().is_some() {
        return Err(format!(
            "the state of '{uid}' is in files of RocksDB: take a savepoint, which can be read"
        )
        .into());
    }
    let parts = checkpoint.parts(operator)?;
    let mut names: Vec<String> = parts.iter().flatten().flat_map(named).collect();
    names.sort();
    names.dedup();
    if !names.iter().any(|name| name == state) {
        return Err(format!(
            "the operator '{uid}' has no state '{state}'; it has: {}",
            names.join(", ")
        )
        .into());
    }
    let mut lines = Lines {
        out,
        left: limit.unwrap_or(u64::MAX),
    };
    for (subtask, part) in parts.iter().enumerate() {
        let Some(part) = part else { continue };
        list(part, (subtask, state), &mut lines)?;
        if let Some(image) = &part.keyed {
            keyed(image, state, &mut lines)?;
        }
    }
    Ok(())
}
