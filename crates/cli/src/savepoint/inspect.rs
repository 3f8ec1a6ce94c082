//! What is in a savepoint: operators, states, keys, entries, bytes, schemas.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use rheos::cluster::checkpoint::manifest::{Checkpoint, Manifest, OperatorManifest};
use rheos::core::key_group::hash_bytes;
use rheos::monitor::number::date;
use rheos::runtime::BoxError;
use rheos::runtime::checkpoint::snapshot::{Deal, OperatorSnapshot};
use rheos::state::ImageRecord;
use serde_json::{Value, json};

use super::json::{version, words};
use crate::table::{bytes, table};

/// A state of an operator, over all subtasks.
#[derive(Debug, Clone, Default)]
pub(super) struct StateFound {
    pub name: String,
    pub kind: String,
    pub keyed: bool,
    pub keys: HashSet<u64>,
    pub entries: u64,
    pub bytes: u64,
    pub map_key_schema: Option<String>,
    pub schema: String,
    pub namespaced: bool,
    pub has_ttl: bool,
}

/// An operator.
#[derive(Debug, Clone)]
pub(super) struct OperatorFound {
    pub id: String,
    pub uid: String,
    pub name: String,
    pub has_state: bool,
    pub parallelism: usize,
    pub key_schema: Option<String>,
    pub states: Vec<StateFound>,
    /// Bytes of files of stores, whose states are not looked into.
    pub store_bytes: u64,
}

/// A savepoint, or a checkpoint.
#[derive(Debug)]
pub(super) struct Found {
    pub manifest: Manifest,
    pub operators: Vec<OperatorFound>,
}

/// How a list is dealt out, as a kind of state.
pub(super) fn kind_of(deal: Deal, schema: &str) -> &'static str {
    match (deal, schema.is_empty()) {
        (_, true) => "internal",
        (Deal::Same, false) => "broadcast",
        (_, false) => "operator list",
    }
}

fn add(part: &OperatorSnapshot, states: &mut BTreeMap<String, StateFound>) -> Result<(), BoxError> {
    for list in &part.lists {
        let state = states.entry(list.name.clone()).or_default();
        state.name.clone_from(&list.name);
        state.kind = kind_of(list.deal, &list.schema).to_owned();
        state.schema.clone_from(&list.schema);
        state.entries += list.entries.len() as u64;
        let values = list.entries.iter().map(|entry| entry.value.len() as u64);
        state.bytes += values.sum::<u64>();
    }
    let Some(keyed) = &part.keyed else {
        return Ok(());
    };
    let mut counted: Vec<StateFound> = Vec::new();
    for header in &keyed.states {
        counted.push(StateFound {
            name: header.name.clone(),
            kind: header.kind.clone(),
            keyed: true,
            map_key_schema: header.map_key_schema.clone(),
            schema: header.value_schema.clone(),
            namespaced: header.namespaced,
            has_ttl: header.has_ttl,
            ..StateFound::default()
        });
    }
    for header in &keyed.timers {
        counted.push(StateFound {
            name: header.service.clone(),
            kind: "timers".to_owned(),
            keyed: true,
            namespaced: true,
            ..StateFound::default()
        });
    }
    let services = keyed.states.len();
    keyed.records(|record| {
        let (key, at, size) = match record {
            ImageRecord::Entry {
                key, state, piece, ..
            } => {
                let map_key = piece.map_key.map_or(0, <[u8]>::len);
                (key, state, map_key + piece.value.len())
            }
            ImageRecord::Timer { key, service, .. } => (key, services + service, 16),
        };
        if let Some(state) = counted.get_mut(at) {
            state.keys.insert(hash_bytes(key));
            state.entries += 1;
            state.bytes += (key.len() + size) as u64;
        }
        Ok(())
    })?;
    for state in counted {
        match states.get_mut(&state.name) {
            Some(known) => {
                known.keys.extend(state.keys);
                known.entries += state.entries;
                known.bytes += state.bytes;
            }
            None => {
                states.insert(state.name.clone(), state);
            }
        }
    }
    Ok(())
}

fn operator(checkpoint: &Checkpoint, of: &OperatorManifest) -> Result<OperatorFound, BoxError> {
    let mut states = BTreeMap::new();
    let mut key_schema = None;
    for part in checkpoint.parts(of)?.iter().flatten() {
        add(part, &mut states)?;
        if let Some(keyed) = &part.keyed {
            key_schema = Some(keyed.key_schema.clone());
        }
    }
    let files = of.stores.iter().flatten().flat_map(|store| &store.files);
    Ok(OperatorFound {
        id: of.id.clone(),
        uid: of.uid.clone(),
        name: of.name.clone(),
        has_state: of.has_state,
        parallelism: of.subtasks.len(),
        key_schema,
        states: states.into_values().collect(),
        store_bytes: files.map(|file| file.part.length).sum(),
    })
}

/// Reads all of it; every byte is checked.
pub(super) fn inspect(checkpoint: &Checkpoint) -> Result<Found, BoxError> {
    let operators = checkpoint.manifest.operators.iter();
    let operators: Result<Vec<_>, BoxError> =
        operators.map(|of| operator(checkpoint, of)).collect();
    Ok(Found {
        manifest: checkpoint.manifest.clone(),
        operators: operators?,
    })
}

impl Found {
    fn kind(&self) -> &'static str {
        match self.manifest.savepoint {
            true => "savepoint",
            false => "checkpoint",
        }
    }

    pub fn json(&self) -> Value {
        let operators = self.operators.iter().map(|operator| {
            let states = operator.states.iter().map(|state| {
                json!({
                    "name": state.name,
                    "kind": state.kind,
                    "keys": state.keyed.then_some(state.keys.len()),
                    "entries": state.entries,
                    "bytes": state.bytes,
                    "namespaced": state.namespaced,
                    "has_ttl": state.has_ttl,
                    "schema_version": version(&state.schema),
                    "map_key_schema": state.map_key_schema,
                    "schema": state.schema,
                })
            });
            json!({
                "id": operator.id,
                "uid": operator.uid,
                "name": operator.name,
                "parallelism": operator.parallelism,
                "has_state": operator.has_state,
                "key_schema": operator.key_schema,
                "states": states.collect::<Vec<_>>(),
                "store_bytes": operator.store_bytes,
            })
        });
        json!({
            "kind": self.kind(),
            "format": self.manifest.format,
            "job": self.manifest.job,
            "number": self.manifest.checkpoint,
            "generation": self.manifest.generation,
            "triggered_at": self.manifest.triggered_at,
            "operators": operators.collect::<Vec<_>>(),
        })
    }

    pub fn text(&self) -> String {
        let manifest = &self.manifest;
        let total: u64 = manifest.tasks.iter().map(|task| task.bytes).sum();
        let mut text = format!(
            "{} {} of '{}', triggered {}, {}, format {}\n\n",
            self.kind(),
            manifest.checkpoint,
            manifest.job,
            date(manifest.triggered_at),
            bytes(total),
            manifest.format,
        );
        let mut rows = Vec::new();
        for operator in &self.operators {
            let mut first = true;
            let mut row = |cells: [String; 7]| {
                let head = [operator.name.clone(), operator.uid.clone()];
                let width = operator.parallelism.to_string();
                let head = head.into_iter().chain([width]);
                let head = head.map(|cell| if first { cell } else { String::new() });
                rows.push(head.chain(cells).collect::<Vec<String>>());
                first = false;
            };
            for state in &operator.states {
                let keys = match state.keyed {
                    true => state.keys.len().to_string(),
                    false => String::new(),
                };
                row([
                    state.name.clone(),
                    state.kind.clone(),
                    keys,
                    state.entries.to_string(),
                    bytes(state.bytes),
                    version(&state.schema),
                    match state.kind.as_str() {
                        "timers" => String::new(),
                        _ => words(&state.schema),
                    },
                ]);
            }
            if operator.states.is_empty() {
                row(Default::default());
            }
        }
        let headings = [
            "operator", "uid", ">×", "state", "kind", ">keys", ">entries", ">bytes", "schema",
            "type",
        ];
        text.push_str(&table(&headings, &rows));
        for operator in self.operators.iter().filter(|o| o.store_bytes > 0) {
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "\n{}: {} more are files of RocksDB, which only a job in RocksDB reads: take a \
                 savepoint to look into them",
                operator.name,
                bytes(operator.store_bytes)
            );
        }
        text
    }
}
