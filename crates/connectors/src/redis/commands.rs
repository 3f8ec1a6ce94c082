//! Rows as commands.

use std::sync::Arc;

use rheos_core::Row;

use super::courier::{Batch, Command};
use super::resp::{LONGEST_TEXT, put_command};
use super::sink::{Action, Value};
use super::slot::slot;
use crate::format::json::{JsonNesting, JsonWriter};
use crate::outbox::Gather;

/// Gathers rows as commands.
pub(super) struct Commands<T> {
    actions: Arc<Vec<Action<T>>>,
    /// In milliseconds; none is "0".
    expire: Arc<str>,
    /// The script's digest, by which servers know it.
    digest: Arc<str>,
    nesting: JsonNesting,
    json: Vec<u8>,
    batch: Batch,
}

/// Sets a key unless what is there is newer.
pub(super) const NEWEST: &str = include_str!("newest.lua");

/// By which servers know a script.
pub(super) fn digest_of(script: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, script.as_bytes());
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

impl<T> Commands<T> {
    /// Does these actions; keys expire after so many milliseconds, or never after "0".
    pub fn new(actions: Arc<Vec<Action<T>>>, expire: String) -> Self {
        Self {
            actions,
            expire: expire.into(),
            digest: digest_of(NEWEST).into(),
            nesting: JsonNesting::default(),
            json: Vec::new(),
            batch: Batch::default(),
        }
    }
}

impl<T: Row> Commands<T> {
    fn append(&mut self, slot: u16, arguments: &[&[u8]]) -> Result<(), String> {
        let longest = arguments.iter().map(|argument| argument.len()).max();
        if longest > Some(LONGEST_TEXT) {
            return Err(format!(
                "a key or value has more than the {LONGEST_TEXT} bytes that Redis takes"
            ));
        }
        let from = self.batch.bytes.len();
        put_command(&mut self.batch.bytes, arguments.iter().copied());
        self.batch.commands.push(Command {
            from,
            to: self.batch.bytes.len(),
            row: self.batch.rows,
            slot,
        });
        Ok(())
    }

    fn row(&mut self, row: &T) -> Result<(), String> {
        let actions = self.actions.clone();
        let wants_json = |action: &Action<T>| {
            matches!(
                action,
                Action::Newest(..) | Action::Set(_, Value::Json) | Action::Publish(_, Value::Json)
            )
        };
        let mut json = std::mem::take(&mut self.json);
        json.clear();
        if actions.iter().any(wants_json) {
            let mut writer = JsonWriter::new(&mut json, &mut self.nesting);
            row.visit(&mut writer).map_err(|error| error.to_string())?;
        }
        let expire = self.expire.clone();
        let expires = &*expire != "0";
        let mut before = None;
        for action in actions.iter() {
            match action {
                Action::Set(key, value) => {
                    let key = key(row);
                    let read;
                    let value = match value {
                        Value::Json => &json,
                        Value::Read(value) => {
                            read = value(row);
                            &read
                        }
                    };
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    let set: [&[u8]; 5] = [b"SET", key.as_bytes(), value, b"PX", expire.as_bytes()];
                    let count = if expires { 5 } else { 3 };
                    self.append(at, set.get(..count).unwrap_or_default())?;
                }
                Action::Newest(key, fields) => {
                    let key = key(row);
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    let digest = self.digest.clone();
                    let mut call: Vec<&[u8]> = vec![
                        b"EVALSHA",
                        digest.as_bytes(),
                        b"1",
                        key.as_bytes(),
                        &json,
                        expire.as_bytes(),
                    ];
                    call.extend(fields.iter().map(|field| field.as_bytes()));
                    self.append(at, &call)?;
                }
                Action::Hash(key, fields) => {
                    let (key, fields) = (key(row), fields(row));
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    if fields.is_empty() {
                        return Err(format!("there are no fields for the hash '{key}'"));
                    }
                    let mut set: Vec<&[u8]> = vec![b"HSET", key.as_bytes()];
                    for (name, value) in &fields {
                        set.extend([name.as_bytes(), value.as_slice()]);
                    }
                    self.append(at, &set)?;
                    if expires {
                        self.append(at, &[b"PEXPIRE", key.as_bytes(), expire.as_bytes()])?;
                    }
                }
                Action::Publish(channel, message) => {
                    let channel = channel(row);
                    let read;
                    let message = match message {
                        Value::Json => &json,
                        Value::Read(message) => {
                            read = message(row);
                            &read
                        }
                    };
                    // Every server of a cluster tells all others: the one that has the key, so that
                    // the message comes behind what is written under it.
                    let at = before.unwrap_or_else(|| slot(channel.as_bytes()));
                    self.append(at, &[b"PUBLISH", channel.as_bytes(), message])?;
                }
            }
        }
        self.json = json;
        Ok(())
    }
}

impl<T: Row> Gather<T> for Commands<T> {
    type Batch = Batch;

    fn put(&mut self, row: &T) -> Result<usize, String> {
        let (bytes, commands) = (self.batch.bytes.len(), self.batch.commands.len());
        if let Err(message) = self.row(row) {
            self.batch.bytes.truncate(bytes);
            self.batch.commands.truncate(commands);
            return Err(message);
        }
        self.batch.rows += 1;
        Ok(self.batch.rows - 1)
    }

    fn bytes(&self) -> usize {
        self.batch.bytes.len()
    }

    fn take(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }
}
